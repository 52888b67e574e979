//! The same bits alone, in any batch, in any order and with any number of threads.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use nervio::{Document, Dtype, Entity, Recognition, Recognizer};
use nervio_tests::spanish_text;

/// Documents of very different lengths; one needs several windows, one is empty.
fn documents() -> Vec<Document> {
    let lengths = [1, 3, 700, 12, 0, 25, 8, 60, 2, 130, 17, 5, 33, 7];
    let long = spanish_text(2000);
    let words: Vec<&str> = long.split(' ').collect();
    let document = |(index, len): (usize, &usize)| {
        Document::new(words[index * 31..index * 31 + len].join(" "))
    };
    lengths.iter().enumerate().map(document).collect()
}

fn recognizer(threads: usize, batch_tokens: usize, dtype: Dtype) -> Recognizer {
    let builder = Recognizer::builder().threads(Some(threads)).batch_tokens(batch_tokens);
    builder.dtype(dtype).build().unwrap()
}

/// Everything of an answer, scores as bits.
fn bits(recognition: &Recognition) -> Vec<(String, u32, usize, usize)> {
    let entity = |e: &Entity| (e.label.clone(), e.score.to_bits(), e.start, e.end);
    recognition.entities.iter().map(entity).collect()
}

fn answers(
    recognizer: &Recognizer,
    documents: &[Document],
) -> Vec<Vec<(String, u32, usize, usize)>> {
    recognizer.recognize_batch(documents).iter().map(|r| bits(r.as_ref().unwrap())).collect()
}

#[test]
fn an_answer_has_the_same_bits_everywhere() {
    let documents = documents();
    for dtype in [Dtype::Auto, Dtype::F32, Dtype::F16] {
        let one = recognizer(1, 2048, dtype);
        let alone: Vec<_> =
            documents.iter().map(|d| bits(&one.recognize(&d.text).unwrap())).collect();
        assert!(alone.iter().map(Vec::len).sum::<usize>() > 50, "there is something to compare");
        for threads in [1, 2, 3, 4] {
            for batch_tokens in [1, 100, 2048, 100_000] {
                let recognizer = recognizer(threads, batch_tokens, dtype);
                assert_eq!(recognizer.threads(), threads);
                let what = format!("{dtype}, {threads} threads, batches of {batch_tokens}");
                assert_eq!(answers(&recognizer, &documents), alone, "{what}");
            }
        }
        let mut backwards: Vec<_> = documents.clone();
        backwards.reverse();
        let mut found = answers(&one, &backwards);
        found.reverse();
        assert_eq!(found, alone, "{dtype}, backwards");
        for skip in [1, 2, 5] {
            let some: Vec<_> = documents.iter().skip(skip).step_by(2).cloned().collect();
            let expected: Vec<_> = alone.iter().skip(skip).step_by(2).cloned().collect();
            assert_eq!(answers(&one, &some), expected, "{dtype}, every second from {skip}");
        }
    }
}

#[test]
fn callers_on_many_threads_get_the_same_bits() {
    let documents = documents();
    let recognizer = recognizer(2, 2048, Dtype::Auto);
    let expected = answers(&recognizer, &documents);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(answers(&recognizer, &documents), expected));
        }
    });
}

#[test]
fn threads_with_batches_of_their_own_give_the_same_bits() {
    let text = spanish_text(4000);
    let words: Vec<&str> = text.split(' ').collect();
    // All of them short; some come again.
    let documents: Vec<_> =
        words.chunks(23).map(|words| Document::new(words.join(" "))).cycle().take(200).collect();
    let expected = answers(&recognizer(1, 2048, Dtype::Auto), &documents);
    let distinct: BTreeSet<&str> = documents.iter().map(|d| d.text.as_str()).collect();
    let tokens: usize = distinct.iter().map(|text| text.split(' ').count()).sum();
    assert!(tokens > 3 * 1024, "each of three threads takes batches: {tokens}");
    for threads in [2, 3] {
        let recognizer = recognizer(threads, 500, Dtype::Auto);
        assert_eq!(answers(&recognizer, &documents), expected, "{threads} threads");
        // Several callers, some with more than one batch and some with one.
        std::thread::scope(|scope| {
            for caller in 0..4 {
                let (recognizer, documents, expected) = (&recognizer, &documents, &expected);
                scope.spawn(move || {
                    let range = if caller % 2 == 0 { 0..documents.len() } else { 7..9 };
                    let found = answers(recognizer, &documents[range.clone()]);
                    assert_eq!(found, expected[range], "caller {caller}");
                });
            }
        });
    }
}
