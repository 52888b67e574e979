//! Threads that share a recogniser: each gets its own answers, with the bits that they have alone.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nervio::{Document, Dtype, Entity, Recognition, Recognizer};
use nervio_tests::spanish_text;

type Answer = (Vec<(String, u32, usize, usize)>, usize);

/// Everything of an answer, scores as bits.
fn bits(recognition: &Recognition) -> Answer {
    let entity = |e: &Entity| (e.label.clone(), e.score.to_bits(), e.start, e.end);
    (recognition.entities.iter().map(entity).collect(), recognition.windows)
}

/// Documents of 1 to 40 words, one of none and one of several windows.
fn documents() -> Vec<Document> {
    let text = spanish_text(3000);
    let words: Vec<&str> = text.split(' ').collect();
    let lengths = (0..60).map(|i| if i == 31 { 900 } else { i * 17 % 41 });
    lengths
        .enumerate()
        .map(|(i, len)| Document::new(words[i * 29..i * 29 + len].join(" ")))
        .collect()
}

fn answers(recognizer: &Recognizer, documents: &[Document]) -> Vec<Answer> {
    recognizer.recognize_batch(documents).iter().map(|x| bits(x.as_ref().unwrap())).collect()
}

fn recognizer(threads: usize) -> Recognizer {
    Recognizer::builder().threads(Some(threads)).dtype(Dtype::Auto).build().unwrap()
}

#[test]
fn many_callers_get_their_own_answers() {
    let documents = documents();
    let one = recognizer(1);
    let alone: Vec<_> = documents.iter().map(|x| bits(&one.recognize(&x.text).unwrap())).collect();
    assert!(alone.iter().filter(|answer| !answer.0.is_empty()).count() > 40);
    for threads in [1, 2, 3] {
        let recognizer = recognizer(threads);
        let together = Barrier::new(12);
        thread::scope(|scope| {
            for caller in 0..12 {
                let (recognizer, documents, alone) = (&recognizer, &documents, &alone);
                let together = &together;
                scope.spawn(move || {
                    together.wait();
                    match caller {
                        // Long calls, one of them of words.
                        0 | 1 => {
                            let answers = answers(recognizer, documents);
                            assert!(answers == *alone, "{threads} threads, all at once");
                        }
                        2 => {
                            let words = recognizer.label_words(documents);
                            let counts = words.iter().map(|words| words.as_ref().unwrap().len());
                            let total: usize = counts.sum();
                            assert!(total > documents.len(), "{threads} threads, words");
                        }
                        // Short ones, each caller's in another order.
                        _ => {
                            for i in 0..documents.len() {
                                let at = (i * 7 + caller * 11) % documents.len();
                                let answer = recognizer.recognize(&documents[at].text).unwrap();
                                assert_eq!(bits(&answer), alone[at], "{threads} threads, {at}");
                            }
                        }
                    }
                });
            }
        });
    }
}

#[test]
fn other_calls_are_answered_in_the_middle_of_a_long_one() {
    let documents = documents();
    let long = documents.iter().cycle().take(1000).enumerate();
    // No two alike, which would be computed once.
    let long: Vec<_> =
        long.map(|(i, document)| Document::new(format!("{i} {}", document.text))).collect();
    for threads in [1, 2, 3] {
        let recognizer = recognizer(threads);
        let done = AtomicBool::new(false);
        let alone = answers(&recognizer, &long);
        // Too long to be let in.
        let expected = answers(&recognizer, &documents);
        let (short, middling) = thread::scope(|scope| {
            scope.spawn(|| {
                assert!(answers(&recognizer, &long) == alone, "{threads} threads, in turns");
                done.store(true, Ordering::Relaxed);
            });
            let answered = || usize::from(!done.load(Ordering::Relaxed));
            thread::sleep(Duration::from_millis(20));
            assert!(answers(&recognizer, &documents) == expected, "{threads} threads");
            let (mut short, middling) = (0, answered());
            while answered() > 0 {
                recognizer.recognize("Vive en Lima.").unwrap();
                short += answered();
                thread::sleep(Duration::from_millis(20));
            }
            (short, middling)
        });
        assert!(short > 1 && middling == 1, "{threads} threads: {short} and {middling} meanwhile");
    }
}

#[test]
fn callers_on_threads_of_a_pool_are_answered() {
    let documents = documents();
    let recognizer = recognizer(2);
    let answers = |document: &Document| bits(&recognizer.recognize(&document.text).unwrap());
    let alone: Vec<_> = documents.iter().map(answers).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap();
    let found = pool.install(|| {
        use rayon::prelude::*;
        documents.par_iter().map(answers).collect::<Vec<_>>()
    });
    assert!(found == alone);
}
