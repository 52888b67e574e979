//! A batch that goes through the layers in several parts, as a probe sees it.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use nervio_bert::{Batch, Config, Probe, Scratch, Stage, TokenClassifier, WeightDtype, WeightKind};
use nervio_simd::Isa;
use nervio_weights::{BertTensors, Checkpoint, OpenOptions};
use nervio_weights_tools::synth::{Recipe, Shape, synth_to_folder};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// What a probe is shown.
#[derive(Default)]
struct Seen {
    hidden_states: Vec<Vec<f32>>,
    /// Layer, sequence, head and probabilities.
    attentions: Vec<(usize, usize, usize, Vec<f32>)>,
}

impl Probe for Seen {
    fn wants_hidden_states(&self) -> bool {
        true
    }

    fn hidden_state(&mut self, index: usize, hidden: &[f32]) {
        assert_eq!(index, self.hidden_states.len());
        self.hidden_states.push(hidden.to_vec());
    }

    fn wants_attentions(&self) -> bool {
        true
    }

    fn attention(&mut self, layer: usize, sequence: usize, head: usize, probabilities: &[f32]) {
        self.attentions.push((layer, sequence, head, probabilities.to_vec()));
    }
}

fn model() -> TokenClassifier {
    model_of(Shape::preset("tinybert").unwrap())
}

fn model_of(shape: Shape) -> TokenClassifier {
    model_on(Isa::best(), shape, WeightDtype::Auto)
}

fn model_on(isa: Isa, shape: Shape, dtype: WeightDtype) -> TokenClassifier {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::new(shape);
    synth_to_folder(&recipe, folder.path(), &|_| {}).unwrap();
    let config = Config::from_file(&folder.path().join("config.json")).unwrap();
    let checkpoint = Checkpoint::open(folder.path(), &OpenOptions::default()).unwrap();
    let tensors = BertTensors::new(&checkpoint).unwrap();
    TokenClassifier::load(isa, &config, &tensors, dtype).unwrap()
}

/// Logits and what a probe saw of a batch with sequences of these lengths. The ids of a sequence
/// depend on its length alone.
fn pass(model: &TokenClassifier, pool: &ThreadPool, lengths: &[usize]) -> (Vec<f32>, Seen) {
    let mut batch = Batch::new();
    for len in lengths {
        batch.push(model.config(), (0..*len as u32).map(|i| (i * 7 + *len as u32) % 100)).unwrap();
    }
    let (mut scratch, mut seen) = (Scratch::new(), Seen::default());
    let logits = pool.install(|| model.logits(&batch, &mut scratch, &mut seen).to_vec());
    (logits, seen)
}

#[test]
fn a_probe_sees_each_sequence_of_a_batch_in_parts_as_alone() {
    let model = model();
    let lengths = [0, 300, 0, 40, 0, 41, 100, 7];
    let layers = model.config().num_hidden_layers;
    for threads in [1, 2] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (logits, seen) = pass(&model, &pool, &lengths);
        assert_eq!(seen.hidden_states.len(), layers + 1);
        let mut attentions = seen.attentions;
        // Parts take turns in a layer; sequences do not change places.
        assert!(
            attentions.is_sorted_by_key(|(layer, sequence, head, _)| (*layer, *sequence, *head))
        );
        let mut start = 0;
        for (sequence, len) in lengths.into_iter().enumerate() {
            let (alone_logits, alone) = pass(&model, &pool, &[len]);
            let part = |values: &[f32], width: usize| {
                values[start * width..(start + len) * width].to_vec()
            };
            assert_eq!(part(&logits, model.config().labels.len()), alone_logits);
            for (whole, alone) in seen.hidden_states.iter().zip(&alone.hidden_states) {
                assert_eq!(part(whole, model.config().hidden_size), *alone, "sequence {sequence}");
            }
            let mine: Vec<_> = attentions.extract_if(.., |(_, s, _, _)| *s == sequence).collect();
            assert_eq!(mine.len(), alone.attentions.len());
            for (mine, alone) in mine.iter().zip(&alone.attentions) {
                assert_eq!((mine.0, mine.2, &mine.3), (alone.0, alone.2, &alone.3));
            }
            start += len;
        }
        assert!(attentions.is_empty());
    }
}

#[test]
fn sequences_that_threads_take_by_themselves_have_the_bits_that_they_have_alone() {
    let kinds = [WeightKind::F32, WeightKind::F16, WeightKind::BF16, WeightKind::Int8];
    let kinds = kinds.map(WeightDtype::Fixed);
    for (isa, dtype) in Isa::supported().flat_map(|isa| kinds.map(|dtype| (isa, dtype))) {
        let model = model_on(isa, Shape::preset("tinybert").unwrap(), dtype);
        let labels = model.config().labels.len();
        let ids = |len: usize| (0..len as u32).map(move |i| (i * 7 + len as u32) % 100);
        let logits = |lengths: &[usize], scratch: &mut Scratch| {
            let mut batch = Batch::new();
            lengths.iter().for_each(|len| batch.push(model.config(), ids(*len)).unwrap());
            // Shown nothing, so that each thread may have sequences of its own.
            let mut stages = Stages::default();
            let logits = model.logits(&batch, scratch, &mut stages).to_vec();
            let first = (Stage::QueryKeyValue, Some(0));
            (logits, stages.ended.iter().filter(|stage| **stage == first).count())
        };
        let mut scratch = Scratch::new();
        for threads in [2, 3] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            // By vectors, of three and of five one thread has more, with which the others help.
            for lengths in [
                &[128; 6][..],
                &[50, 3, 0, 25, 26, 2, 49, 50],
                &[20; 6],
                &[300; 3],
                &[128; 5],
                &[200, 60, 50, 40],
            ] {
                let (found, parts) = pool.install(|| logits(lengths, &mut scratch));
                let alone = lengths.iter().map(|len| logits(&[*len], &mut Scratch::new()).0);
                let alone: Vec<_> = alone.flatten().collect();
                if lengths == [300; 3] && threads == 3 {
                    assert_eq!(parts, 1, "{isa}, {dtype:?}: the first thread has one of three");
                }
                if lengths == [300; 3] && threads == 2 {
                    let expected = if isa.tiles().is_some() { 3 } else { 2 };
                    assert_eq!(
                        parts, expected,
                        "{isa}, {dtype:?}: the first has two or a half of each"
                    );
                }
                assert_eq!(found.len(), lengths.iter().sum::<usize>() * labels);
                assert!(found == alone, "{isa}, {dtype:?}, {threads} threads, {lengths:?}");
            }
        }
    }
}

#[test]
fn the_outputs_of_a_batch_have_the_bits_that_they_have_among_all_tokens() {
    let kinds = [WeightKind::F32, WeightKind::F16, WeightKind::Int8].map(WeightDtype::Fixed);
    for (isa, dtype) in Isa::supported().flat_map(|isa| kinds.map(|dtype| (isa, dtype))) {
        let model = model_on(isa, Shape::preset("tinybert").unwrap(), dtype);
        let labels = model.config().labels.len();
        // None of the first part of two threads, then some, then all of a sequence.
        let read = |token: usize| token >= 300 && (token % 3 == 1 || token > 500);
        for (threads, lengths) in
            [(1, &[300, 0, 40, 200, 31][..]), (2, &[300, 5, 300]), (3, &[64; 9])]
        {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (mut all, mut some) = (Batch::new(), Batch::new());
            let mut token = 0;
            for len in lengths {
                let ids = (0..*len as u32).map(|i| (i * 7 + *len as u32) % 100);
                let marked = ids.clone().map(|id| {
                    token += 1;
                    (id, read(token - 1))
                });
                some.push_reading(model.config(), marked).unwrap();
                all.push(model.config(), ids).unwrap();
            }
            let mut scratch = Scratch::new();
            let mut logits =
                |batch| pool.install(|| model.logits(batch, &mut scratch, &mut ()).to_vec());
            let rows = logits(&all);
            let expected = (0..token).filter(|token| read(*token));
            let expected = expected.flat_map(|token| &rows[token * labels..][..labels]);
            assert!(some.outputs().len() > 50 && some.outputs().len() < token);
            let found = logits(&some);
            assert!(found.iter().eq(expected), "{isa}, {dtype:?}, {threads} threads, {lengths:?}");
            // A probe keeps sequences together.
            let mut seen = Seen::default();
            let shown =
                pool.install(|| model.logits(&some, &mut Scratch::new(), &mut seen).to_vec());
            assert!(shown == found, "{isa}, {dtype:?}, {threads} threads, {lengths:?}");
            let hidden_size = model.config().hidden_size;
            let rows: Vec<_> = seen.hidden_states.iter().map(|x| x.len() / hidden_size).collect();
            assert_eq!(rows[..2], [token; 2]);
            assert_eq!(rows.last(), Some(&some.outputs().len()));
        }
    }
}

/// Wants attentions and no hidden states.
#[derive(Default)]
struct Attentions {
    /// Layer and sequence.
    seen: Vec<(usize, usize)>,
    hidden_states: usize,
}

impl Probe for Attentions {
    fn hidden_state(&mut self, _: usize, _: &[f32]) {
        self.hidden_states += 1;
    }

    fn wants_attentions(&self) -> bool {
        true
    }

    fn attention(&mut self, layer: usize, sequence: usize, head: usize, _: &[f32]) {
        if head == 0 {
            self.seen.push((layer, sequence));
        }
    }
}

#[test]
fn a_probe_sees_the_attentions_of_all_sequences_if_it_wants_nothing_else() {
    let model = model();
    let mut batch = Batch::new();
    for _ in 0..4 {
        batch.push(model.config(), 0..40).unwrap();
    }
    let mut seen = Attentions::default();
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.install(|| _ = model.logits(&batch, &mut Scratch::new(), &mut seen));
    let layers = 0..model.config().num_hidden_layers;
    let all: Vec<_> = layers.flat_map(|layer| (0..4).map(move |at| (layer, at))).collect();
    assert_eq!((seen.seen, seen.hidden_states), (all, 0));
}

#[test]
fn a_batch_without_a_token_has_no_logits() {
    let model = model();
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    for lengths in [&[][..], &[0], &[0, 0]] {
        assert_eq!(pass(&model, &pool, lengths).0, [0.0; 0]);
    }
}

/// The stages of each layer as they end.
#[derive(Default)]
struct Stages {
    running: Option<(Stage, Option<usize>)>,
    ended: Vec<(Stage, Option<usize>)>,
}

impl Probe for Stages {
    fn begin(&mut self, stage: Stage, layer: Option<usize>) {
        assert_eq!(self.running.replace((stage, layer)), None, "{stage:?} begins too early");
    }

    fn end(&mut self, stage: Stage, layer: Option<usize>) {
        assert_eq!(self.running.take(), Some((stage, layer)), "another stage ends");
        self.ended.push((stage, layer));
    }
}

#[test]
fn a_probe_is_told_of_each_stage_in_its_turn() {
    let mut shape = Shape::preset("tinybert").unwrap();
    // Whole panels and steps, so that tile registers may be used.
    for (key, size) in
        [("hidden_size", 64), ("intermediate_size", 2048), ("num_attention_heads", 2)]
    {
        shape.set(key, size);
    }
    let model = model_of(shape);
    for (threads, tokens) in [1, 2, 3].into_iter().flat_map(|t| [1, 40, 150, 400].map(|n| (t, n))) {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut batch = Batch::new();
        // One sequence, then as many as threads may have of their own.
        for _ in 0..if tokens == 40 { 6 } else { 1 } {
            batch.push(model.config(), (0..tokens).map(|i| i % 100)).unwrap();
        }
        let mut stages = Stages::default();
        pool.install(|| _ = model.logits(&batch, &mut Scratch::new(), &mut stages));
        assert_eq!(stages.running, None, "every stage has ended");
        for layer in 0..model.config().num_hidden_layers {
            let mine = stages.ended.iter().filter(|(_, at)| *at == Some(layer));
            let mine: Vec<_> = mine.map(|(stage, _)| *stage).collect();
            let begins = |stage: Stage, next: Stage| {
                stage == Stage::LayerNorm && next == Stage::QueryKeyValue
            };
            for part in mine.chunk_by(|stage, next| !begins(*stage, *next)) {
                let what = format!("{threads} threads, {tokens} tokens: {part:?}");
                // A head may go through the first stages at a time.
                let at = part.iter().position(|stage| *stage == Stage::AttentionOutput);
                let (heads, rest) = part.split_at(at.expect(&what));
                let pairs = heads.as_chunks::<2>();
                assert!(!heads.is_empty() && pairs.1.is_empty(), "{what}");
                assert!(pairs.0.iter().all(|pair| pair == &Stage::ALL[1..3]), "{what}");
                // A few rows or intermediate states may go through the last ones at a time.
                let (first, block) = rest.split_at(2);
                assert_eq!(first, &Stage::ALL[3..5], "{what}");
                for run in block.split_inclusive(|stage| *stage == Stage::LayerNorm) {
                    let [states @ .., Stage::LayerNorm] = run else { panic!("{block:?}") };
                    let [] = states.as_chunks::<2>().1 else { panic!("{block:?}") };
                    let pair = [Stage::Intermediate, Stage::Output];
                    assert!(!states.is_empty() && states.as_chunks().0.iter().all(|x| *x == pair));
                }
            }
        }
    }
}
