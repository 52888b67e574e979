//! What the tests against Hugging Face share: fixtures, tokenizers over them, and the answers as numbers.
#![allow(dead_code, reason = "each test file uses its part of this module")]

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use nervio_tokenizer::{Encoding, Tokenizer, TokenizerOptions};
use serde_json::Value;
use tempfile::TempDir;

/// The two casings of every fixture: its key, and whether the tokenizer lower-cases.
pub(crate) const CASINGS: [(&str, bool); 2] = [("cased", false), ("uncased", true)];

/// A committed fixture of this crate, made by `weights-tools/python/tokenizer_fixtures.py`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn fixture_text(name: &str) -> String {
    fs::read_to_string(fixture(name)).unwrap()
}

/// A path below `../shared`, or `None` (said aloud) when it is not there and not required.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if full.exists() {
        return Some(full);
    }
    let required = std::env::var("NERVIO_REQUIRE_SHARED").is_ok_and(|value| value == "1");
    assert!(!required, "../shared/{path} is required and missing");
    println!("skipped: no ../shared/{path}");
    None
}

/// BERT's options with this casing; accents follow the casing, as in Hugging Face's default.
pub(crate) fn options(lowercase: bool) -> TokenizerOptions {
    if lowercase { TokenizerOptions::uncased() } else { TokenizerOptions::cased() }
}

/// The small vocabulary of the fixtures.
pub(crate) fn small(options: TokenizerOptions) -> Tokenizer {
    let vocab = fs::read(fixture("vocab.txt")).unwrap();
    Tokenizer::from_vocab_bytes("vocab.txt", &vocab, options).unwrap()
}

/// The tokenizer of a shared vocabulary by the name that the fixtures give it, if it is there.
pub(crate) fn model_tokenizer(model: &str) -> Option<Tokenizer> {
    let (folder, lowercase) = match model {
        "beto-cased" => ("beto/cased", false),
        "beto-uncased" => ("beto/uncased", true),
        _ => (model, false),
    };
    let vocab = fs::read(shared(&format!("models/{folder}/vocab.txt"))?).unwrap();
    Some(Tokenizer::from_vocab_bytes("vocab.txt", &vocab, options(lowercase)).unwrap())
}

/// A tokenizer over these pieces, after the special tokens.
pub(crate) fn with_pieces(pieces: &[&str], options: TokenizerOptions) -> Tokenizer {
    let lines = [&["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"][..], pieces, &[""]].concat();
    Tokenizer::from_vocab_bytes("vocab.txt", lines.join("\n").as_bytes(), options).unwrap()
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// A fixture file of cases.
pub(crate) fn cases(name: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(&fixture_text(name)).unwrap();
    assert!(!cases.is_empty(), "{name} has no cases");
    cases
}

/// A list of numbers in a case.
pub(crate) fn numbers(value: &Value) -> Vec<u32> {
    let list = value.as_array().unwrap();
    list.iter().map(|number| u32::try_from(number.as_u64().unwrap()).unwrap()).collect()
}

/// Pieces as the fixtures write them: id, start, end (code points of `text`), word.
pub(crate) fn flat(text: &str, encoding: &Encoding) -> Vec<u32> {
    let mut code_points = vec![u32::MAX; text.len() + 1];
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    for (index, at) in ends.enumerate() {
        code_points[at] = u32::try_from(index).unwrap();
    }
    let pieces = encoding.pieces.iter();
    pieces
        .flat_map(|piece| {
            let Range { start, end } = piece.range;
            [piece.id, code_points[start], code_points[end], piece.word]
        })
        .collect()
}

/// Words joined by one space, and where each lies.
pub(crate) fn join<S: AsRef<str>>(words: &[S]) -> (String, Vec<Range<usize>>) {
    let mut text = String::new();
    let mut ranges = Vec::with_capacity(words.len());
    for word in words {
        if !ranges.is_empty() {
            text.push(' ');
        }
        let start = text.len();
        text.push_str(word.as_ref());
        ranges.push(start..text.len());
    }
    (text, ranges)
}

/// 64-bit FNV-1a over little-endian `u32`: per text the number of pieces, then its flat pieces.
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn add(&mut self, flat_pieces: &[u32]) {
        let count = u32::try_from(flat_pieces.len() / 4).unwrap();
        for byte in [count].iter().chain(flat_pieces).flat_map(|number| number.to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn hex(&self) -> String {
        format!("{:016x}", self.0)
    }
}

/// Compares digests with those of a fixture, a line each; says how many differ and where.
pub(crate) fn assert_digests(name: &str, found: impl Iterator<Item = String>) {
    let fixture = fixture_text(name);
    let expected: Vec<&str> = fixture.lines().collect();
    let found: Vec<String> = found.collect();
    assert_eq!(found.len(), expected.len(), "{name}");
    let wrong: Vec<usize> =
        (0..found.len()).filter(|&index| found[index] != expected[index]).collect();
    let first = &wrong[..wrong.len().min(20)];
    assert!(wrong.is_empty(), "{name}: {} digests differ, first {first:?}", wrong.len());
}
