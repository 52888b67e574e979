//! The default: whole words by the mass of their types.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use common::{Row, Sentence};
use nervio_ner::{Decoder, DecoderOptions, LabelSet, TypeChange, WordUnit};

const LABELS: &str = "O B-PER I-PER B-LOC I-LOC";

fn best(labels: &str, tags: &str) -> String {
    let sentence = Sentence::tagged("a b c d", labels, tags);
    sentence.texts(&DecoderOptions::default()).replace(' ', ";")
}

#[test]
fn iob_is_grouped() {
    assert_eq!(best(LABELS, "B-PER I-PER O B-LOC"), "PER:a;b;LOC:d");
    assert_eq!(best(LABELS, "I-PER I-PER O I-LOC"), "PER:a;b;LOC:d");
    assert_eq!(best(LABELS, "B-PER B-PER I-PER O"), "PER:a;PER:b;c");
    assert_eq!(best(LABELS, "B-PER I-LOC I-LOC I-PER"), "LOC:a;b;c;d");
    assert_eq!(best("O I-PER I-LOC", "I-PER I-PER I-LOC O"), "PER:a;b;LOC:c");
}

#[test]
fn other_schemes_are_grouped() {
    let iobes = "O B-PER I-PER E-PER S-PER";
    assert_eq!(best(iobes, "B-PER E-PER S-PER S-PER"), "PER:a;b;PER:c;PER:d");
    assert_eq!(best(iobes, "I-PER E-PER I-PER O"), "PER:a;b;PER:c");
    assert_eq!(best(iobes, "E-PER E-PER O B-PER"), "PER:a;PER:b;PER:d");
    assert_eq!(best(iobes, "B-PER S-PER I-PER O"), "PER:a;PER:b;PER:c");
    let bilou = "O B-PER I-PER L-PER U-PER";
    assert_eq!(best(bilou, "B-PER L-PER U-PER L-PER"), "PER:a;b;PER:c;PER:d");
    assert_eq!(best("O I-PER E-PER", "I-PER E-PER I-PER I-PER"), "PER:a;b;PER:c;d");
    assert_eq!(best("O PER LOC", "PER PER LOC O"), "PER:a;b;LOC:c");
    assert_eq!(best("O B-a-b I-a-b", "B-a-b I-a-b O O"), "a-b:a;b");
    assert_eq!(best("O B-O I-O", "B-O I-O B-O O"), "");
}

#[test]
fn the_prefixes_of_a_type_add_up() {
    // Each prefix alone loses to O, both together win; the larger one is the tag's.
    let row: Row<'_, '_> = ("Ana", "Ana", &[("O", 0.4), ("B-PER", 0.26), ("I-PER", 0.32)]);
    let close: Row<'_, '_> = ("López", "López", &[("O", 0.4), ("B-PER", 0.28), ("I-PER", 0.3)]);
    let sentence = Sentence::new("Ana López", LABELS, &[row, close]);
    assert_eq!(sentence.show(&DecoderOptions::default()), "PER[0,10)0.5800");
}

#[test]
fn words_may_vote_on_their_type() {
    let options = DecoderOptions { type_change: TypeChange::Vote, ..DecoderOptions::default() };
    let vote =
        |labels, tags| Sentence::tagged("a b c d", labels, tags).texts(&options).replace(' ', ";");
    assert_eq!(vote(LABELS, "B-PER I-LOC I-LOC O"), "LOC:a;b;c");
    assert_eq!(vote(LABELS, "B-PER I-PER I-LOC B-LOC"), "PER:a;b;c;LOC:d");
    assert_eq!(vote(LABELS, "I-LOC I-LOC I-PER I-LOC"), "LOC:a;b;c;d");
    let iobes = "O B-PER I-PER E-PER S-PER B-LOC I-LOC E-LOC S-LOC X";
    assert_eq!(vote(iobes, "B-PER I-PER E-LOC I-LOC"), "PER:a;b;c;LOC:d");
    assert_eq!(vote(iobes, "B-PER S-LOC E-LOC X"), "PER:a;LOC:b;LOC:c;X:d");
    // Where a change of type is allowed it is no mistake.
    assert_eq!(vote("O I-PER I-LOC", "I-PER I-LOC O O"), "PER:a;LOC:b");
    assert_eq!(vote("O PER LOC", "PER LOC O O"), "PER:a;LOC:b");
    let rows: [Row<'_, '_>; 2] = [
        ("Ana", "Ana", &[("B-PER", 0.7), ("I-LOC", 0.27)]),
        ("León", "León", &[("I-LOC", 0.6), ("I-PER", 0.37)]),
    ];
    let sentence = Sentence::new("Ana León", LABELS, &rows);
    assert_eq!(sentence.show(&options), "PER[0,9)0.5450");
}

#[test]
fn the_first_piece_speaks_for_its_word() {
    let rows: [Row<'_, '_>; 4] = [
        ("Wolf", "Wolf", &[("B-PER", 0.6), ("O", 0.37)]),
        ("##gang", "gang", &[("B-LOC", 0.96)]),
        ("vive", "vive", &[("O", 0.96)]),
        ("##n", "n", &[("B-LOC", 0.96)]),
    ];
    let sentence = Sentence::new("Wolfgang viven", LABELS, &rows);
    assert_eq!(sentence.show(&DecoderOptions::default()), "PER[0,8)0.6100");
    assert_eq!(sentence.decode(&DecoderOptions::default()).unwrap()[0].word, "Wolfgang");
}

#[test]
fn what_is_written_together_is_one_word_unless_words_are_given() {
    let (place, out) = ([("B-LOC", 0.96)], [("O", 0.96)]);
    let rows: [Row<'_, '_>; 7] = [
        ("New", "New", &place),
        ("-", "-", &out),
        ("York", "York", &out),
        ("U", "U", &place),
        (".", ".", &out),
        ("S", "S", &out),
        (".", ".", &out),
    ];
    let sentence = Sentence::new("New-York U.S.", LABELS, &rows);
    assert_eq!(sentence.texts(&DecoderOptions::default()), "LOC:New-York LOC:U.S.");
    let pre_token = DecoderOptions { word_unit: WordUnit::PreToken, ..DecoderOptions::default() };
    assert_eq!(sentence.texts(&pre_token), "LOC:New LOC:U");
    let labels = LabelSet::new(&sentence.labels).unwrap();
    let decoder = Decoder::new(labels, DecoderOptions::default()).unwrap();
    let given = decoder.decode(sentence.text, &sentence.pieces, &sentence.logits, true).unwrap();
    assert_eq!(given.iter().map(|e| (e.start, e.end)).collect::<Vec<_>>(), [(0, 3), (9, 10)]);
}

#[test]
fn an_end_takes_the_marks_of_its_last_letter() {
    // An uncased tokenizer drops the accent and leaves it out of its range.
    let text = "cafe\u{301} cafe\u{301}s";
    let rows: [Row<'_, '_>; 2] =
        [("cafe", "cafe", &[("B-LOC", 0.96)]), ("cafes", "cafe\u{301}s", &[("I-LOC", 0.96)])];
    let whole = Sentence::new(text, LABELS, &rows);
    assert_eq!(whole.texts(&DecoderOptions::default()), format!("LOC:{text}"));
    let first = Sentence::new(text, LABELS, &rows[..1]);
    assert_eq!(first.texts(&DecoderOptions::default()), "LOC:cafe\u{301}");
}

#[test]
fn nothing_has_no_entities() {
    let nothing = Sentence::new("", LABELS, &[]);
    assert_eq!(nothing.decode(&DecoderOptions::default()), Ok(vec![]));
}
