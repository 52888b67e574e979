//! A document of 20,000 words, read in windows.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use nervio::{Document, Recognition, Recognizer};
use nervio_tests::{shared, spanish_text};

fn read(text: &str, stride: Option<usize>) -> Recognition {
    Recognizer::builder().stride(stride).build().unwrap().recognize(text).unwrap()
}

fn spans(recognition: &Recognition) -> Vec<(String, usize, usize)> {
    recognition.entities.iter().map(|e| (e.label.clone(), e.start, e.end)).collect()
}

/// The first 20,000 words of the CoNLL development set as one text; a text made of templates where
/// the set is not there.
fn long_text() -> String {
    const WORDS: usize = 20_000;
    let Some(file) = shared("data/conll2002-es/esp.testa") else { return spanish_text(WORDS) };
    let text = std::fs::read_to_string(file).unwrap();
    let words = text.lines().filter_map(|line| line.split_whitespace().next());
    words.take(WORDS).collect::<Vec<_>>().join(" ")
}

#[test]
fn no_entity_is_cut_or_doubled_and_twice_the_overlap_changes_little() {
    let text = long_text();
    let single = read(&text, None);
    assert!(single.windows > 50, "{} windows", single.windows);
    let entities = spans(&single);
    assert!(entities.len() > 1000, "{} entities", entities.len());
    for pair in entities.windows(2) {
        assert!(pair[0].2 <= pair[1].1, "{pair:?} overlap");
    }
    for (label, start, end) in &entities {
        let inside = |at: usize| {
            text[..at].chars().next_back().is_some_and(char::is_alphanumeric)
                && text[at..].chars().next().is_some_and(char::is_alphanumeric)
        };
        assert!(!inside(*start) && !inside(*end), "{label} {:?} cuts a word", &text[*start..*end]);
    }
    // The embedded model reads 126 pieces at once, and a quarter of them twice.
    let double = spans(&read(&text, Some(126 / 4 * 2)));
    let same = entities.iter().filter(|entity| double.contains(entity)).count();
    let share = same as f64 / entities.len().max(double.len()) as f64;
    println!(
        "{} windows, {} entities, {:.2} % the same",
        single.windows,
        entities.len(),
        share * 100.0
    );
    assert!(share >= 0.98, "{same} of {} and {} are the same", entities.len(), double.len());
}

#[test]
fn entities_near_a_border_are_found_as_in_a_short_text() {
    let recognizer = Recognizer::builder().max_length(Some(64)).build().unwrap();
    let whole = Recognizer::builder().build().unwrap();
    let text = spanish_text(150);
    let short = spans(&whole.recognize(&text).unwrap());
    let windows = recognizer.recognize(&text).unwrap();
    assert!(windows.windows > 4);
    let found = spans(&windows);
    let same = found.iter().filter(|entity| short.contains(entity)).count();
    assert!(same * 100 >= short.len().max(found.len()) * 90, "{same}: {found:?} and {short:?}");
}

#[test]
fn a_word_longer_than_a_window_is_read_and_nothing_is_lost() {
    let recognizer = Recognizer::builder().max_length(Some(8)).build().unwrap();
    let text = "Ana Supercalifragilísticoespialidosamente vive en Madrid";
    let recognition = recognizer.recognize(text).unwrap();
    assert!(recognition.windows > 1);
    let million = "x".repeat(1_000_000);
    let documents = [Document::new(million), Document::new("Ana vive en Madrid")];
    let answers = recognizer.recognize_batch(&documents);
    assert_eq!(answers[0].as_ref().unwrap().pieces, 1, "one unknown word");
    assert!(!answers[1].as_ref().unwrap().entities.is_empty());
}
