//! Answers where only what the decoder reads is computed, against those from all logits of a text.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use nervio::{
    Aggregation, DecoderOptions, Document, Entity, Recognizer, Trace, TraceOptions, WordUnit,
};
use nervio_ner::{Decoder, LabelSet, Piece, word_labels};
use nervio_tests::spanish_text;

/// Texts that fit a window, whose words have one piece or several.
fn documents() -> Vec<Document> {
    let long = spanish_text(1200);
    let words: Vec<&str> = long.split(' ').collect();
    let texts = words.chunks(60).map(|words| words.join(" "));
    let rare = ["Xochimilcoatzin-Nezahualcóyotl vive en Tlalnepantla, EE.UU.", "", "¿?"];
    let texts: Vec<String> = texts.chain(rare.map(str::to_owned)).collect();
    // Some come again.
    texts.iter().chain(&texts[3..6]).map(Document::new).collect()
}

/// What `options` make of all logits of a text, and the likeliest label of each word.
fn from_all_logits(
    recognizer: &Recognizer,
    options: &DecoderOptions,
    document: &Document,
    trace: &Trace,
) -> (Vec<Entity>, Vec<Option<usize>>) {
    let (tokenizer, labels) = (recognizer.tokenizer(), recognizer.labels());
    let encoding = tokenizer.encode(&document.text);
    let view = |piece: &nervio::tokenizer::Piece| Piece {
        token: tokenizer.token(piece.id).unwrap(),
        range: piece.range.clone(),
        word: piece.word,
        is_unknown: piece.id == tokenizer.special().unk,
    };
    let pieces: Vec<Piece<'_>> = encoding.pieces.iter().map(view).collect();
    // Without `[CLS]` and `[SEP]`.
    let logits = &trace.logits[labels.len()..trace.logits.len() - labels.len()];
    let decoder = Decoder::new(LabelSet::new(labels).unwrap(), options.clone()).unwrap();
    let words: Vec<u32> = pieces.iter().map(|piece| piece.word).collect();
    let count = encoding.word_ranges().len();
    (
        decoder.decode(&document.text, &pieces, logits, false).unwrap(),
        word_labels(&words, logits, labels.len(), count).unwrap(),
    )
}

#[test]
fn what_is_not_computed_changes_no_answer() {
    let documents = documents();
    let tracer = Recognizer::builder().build_tracer().unwrap();
    let trace = |document| tracer.trace(document, TraceOptions::default()).unwrap();
    let traces: Vec<Trace> = documents.iter().map(trace).collect();
    for aggregation in ["best", "spark", "none", "simple", "first", "average", "max"] {
        for word_unit in [WordUnit::Compound, WordUnit::PreToken] {
            let aggregation: Aggregation = aggregation.parse().unwrap();
            let options = DecoderOptions { aggregation, word_unit, ..DecoderOptions::default() };
            let recognizer = Recognizer::builder().decoder(options.clone()).build().unwrap();
            let mut entities = 0;
            let tags = recognizer.label_words(&documents);
            let found = recognizer.recognize_batch(&documents);
            for (((document, trace), found), tags) in
                documents.iter().zip(&traces).zip(found).zip(tags)
            {
                let (expected, labels) = from_all_logits(&recognizer, &options, document, trace);
                let found = found.unwrap().entities;
                assert_eq!(found, expected, "{aggregation}: {}", document.text);
                let name = |label: &Option<usize>| recognizer.labels()[label.unwrap()].clone();
                assert_eq!(tags.unwrap(), labels.iter().map(name).collect::<Vec<_>>());
                entities += found.len();
            }
            assert!(entities > 50, "{aggregation}: there is something to compare");
        }
    }
}

#[test]
fn a_text_that_comes_again_is_answered_as_alone() {
    let text = "El O'Brien de New-York juega en el Atlético de Madrid.";
    let whole = Document::new(text);
    let words = |borders: &[usize]| {
        let ranges = borders.windows(2).map(|border| {
            let part = &text[border[0]..border[1]];
            border[0]..border[0] + part.trim_end().len()
        });
        Document { words: Some(ranges.collect()), ..whole.clone() }
    };
    // The same pieces, of which others begin words.
    let blanks: Vec<usize> = text.match_indices(' ').map(|(at, _)| at + 1).collect();
    let blanks = [vec![0], blanks, vec![text.len()]].concat();
    let some = [whole.clone(), words(&blanks), words(&[0, text.len()]), whole.clone()];
    for aggregation in [Aggregation::Best, Aggregation::Average] {
        let options = DecoderOptions { aggregation, ..DecoderOptions::default() };
        let recognizer = Recognizer::builder().decoder(options).build().unwrap();
        let alone: Vec<_> = some
            .each_ref()
            .map(|document| {
                recognizer.recognize_batch(std::slice::from_ref(document)).remove(0).unwrap()
            })
            .to_vec();
        let together = recognizer.recognize_batch(&some);
        let together: Vec<_> = together.into_iter().map(Result::unwrap).collect();
        assert_eq!(together, alone, "{aggregation}");
        assert!(!alone[0].entities.is_empty());
        if aggregation == Aggregation::Best {
            assert_ne!(alone[1].entities, alone[2].entities, "words make a difference");
        }
    }
}
