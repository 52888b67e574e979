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
    texts.chain(rare.map(str::to_owned)).map(Document::new).collect()
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
