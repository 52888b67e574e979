//! The Spanish corpus of CoNLL-2002, if it is there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::path::PathBuf;

use nervio_eval::{Chunking, Comparison, Scheme, Sentence, read_conll};

/// The development set, or `None` where the corpora are not beside the project.
fn corpus() -> Option<Vec<Sentence>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let file = root.join("shared/data/conll2002-es/esp.testa");
    if file.exists() {
        return Some(read_conll(&file).unwrap());
    }
    assert!(
        std::env::var_os("NERVIO_REQUIRE_SHARED").is_none_or(|value| value != "1"),
        "{} is not there",
        file.display()
    );
    println!("skipped: {} is not there", file.display());
    None
}

#[test]
fn the_development_set_has_its_known_size() {
    let Some(sentences) = corpus() else { return };
    assert_eq!(sentences.len(), 1915);
    let tags = sentences.iter().map(|sentence| sentence.tags.as_slice());
    assert_eq!(Scheme::detect(tags.clone().flatten()).unwrap(), Scheme::Iob2);
    let comparison = Comparison::new(tags.clone(), tags).unwrap();
    assert_eq!(comparison.tokens(), 52_923);
    // One place name begins with I-LOC, which only the lenient reading takes for an entity.
    let places = [(Chunking::Lenient, 985), (Chunking::Strict(Scheme::Iob2), 984)];
    for (chunking, places) in places {
        let evaluation = comparison.evaluate(chunking).unwrap();
        let types = evaluation.types().iter();
        let types: Vec<_> = types.map(|(name, counts)| (name.as_str(), counts.expected)).collect();
        assert_eq!(types, [("LOC", places), ("MISC", 445), ("ORG", 1700), ("PER", 1222)]);
    }
    let report = comparison.conlleval().report();
    assert!(report.starts_with("processed 52923 tokens with 4352 phrases; found: 4352 phrases;"));
}
