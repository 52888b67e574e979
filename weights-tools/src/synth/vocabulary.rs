//! Vocabularies: a given one, or one made up of letters and syllables.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::output::write_json;

/// Where the pieces come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vocabulary {
    /// [`synthetic_pieces`].
    Synthetic,
    /// A `vocab.txt`: one piece a line, its number the id.
    File(PathBuf),
}

/// The five special tokens, in the order of Google's vocabularies.
const SPECIALS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Inclusive ranges of code points that are pieces of their own: ASCII, Latin-1 and Latin
/// Extended-A, dashes, quotation marks and other signs, Greek, Cyrillic, Hebrew, Arabic,
/// hiragana, katakana, the first Han characters and Hangul syllables.
const CHARACTERS: [(u32, u32); 21] = [
    (0x21, 0x7E),
    (0xA1, 0xAC),
    (0xAE, 0x17F),
    (0x2013, 0x2014),
    (0x2018, 0x2019),
    (0x201C, 0x201D),
    (0x2026, 0x2026),
    (0x20AC, 0x20AC),
    (0x391, 0x3A1),
    (0x3A3, 0x3A9),
    (0x3B1, 0x3C9),
    (0x410, 0x44F),
    (0x5D0, 0x5EA),
    (0x621, 0x63A),
    (0x641, 0x64A),
    (0x3041, 0x3096),
    (0x30A1, 0x30FA),
    (0x4E00, 0x4FFF),
    (0xAC00, 0xAC5F),
    (0x1F600, 0x1F60F),
    (0x1F1E6, 0x1F1FF),
];

const CONSONANTS: [char; 20] = [
    'b', 'c', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x',
    'z',
];
const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];

/// The first `size` pieces of the made-up vocabulary: special tokens, single characters, then
/// words of one, two, three ... open syllables, each piece followed by its `##` form.
#[must_use]
pub fn synthetic_pieces(size: usize) -> Vec<String> {
    let characters =
        CHARACTERS.iter().flat_map(|&(first, last)| first..=last).filter_map(char::from_u32);
    let words = (0..).map(syllables);
    let stems = characters.map(String::from).chain(words);
    let pieces = stems.flat_map(|stem| {
        let continuation = format!("##{stem}");
        [stem, continuation]
    });
    SPECIALS.into_iter().map(String::from).chain(pieces).take(size).collect()
}

/// Word number `index`: all words of one syllable first, then all of two, and so on.
fn syllables(index: usize) -> String {
    let base = CONSONANTS.len() * VOWELS.len();
    let (mut rest, mut length, mut count) = (index, 1, base);
    while rest >= count {
        rest -= count;
        length += 1;
        count = count.saturating_mul(base);
    }
    let mut word = Vec::with_capacity(2 * length);
    for _ in 0..length {
        let digit = rest % base;
        rest /= base;
        word.push(VOWELS[digit % VOWELS.len()]);
        word.push(CONSONANTS[digit / VOWELS.len()]);
    }
    word.iter().rev().collect()
}

impl Vocabulary {
    /// Writes `vocab.txt`, or `tokenizer.json` alone when `tokenizer_json` is set.
    pub(super) fn write(&self, folder: &Path, size: usize, json: Option<bool>) -> Result<()> {
        let text = match self {
            Self::Synthetic => synthetic_pieces(size).join("\n") + "\n",
            Self::File(file) => {
                let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
                let found = text.lines().count();
                if found != size {
                    bail!("{}: {found} pieces, expected vocab_size {size}", file.display());
                }
                text
            }
        };
        match json {
            None => fs::write(folder.join("vocab.txt"), text)?,
            Some(lowercase) => {
                let pieces: Vec<&str> = text.lines().collect();
                let tokenizer = tokenizer_json(&pieces, lowercase)?;
                write_json(&folder.join("tokenizer.json"), &tokenizer)?;
            }
        }
        Ok(())
    }
}

/// The `tokenizer.json` of a BERT WordPiece tokenizer, as the `tokenizers` library reads it.
fn tokenizer_json(pieces: &[&str], lowercase: bool) -> Result<Value> {
    let vocabulary: Map<String, Value> =
        pieces.iter().enumerate().map(|(id, &piece)| (piece.to_owned(), Value::from(id))).collect();
    let id = |token: &str| {
        vocabulary.get(token).cloned().with_context(|| format!("the vocabulary has no {token}"))
    };
    let mut added = Vec::new();
    for token in SPECIALS {
        added.push(json!({
            "id": id(token)?, "content": token, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true,
        }));
    }
    added.sort_by_key(|token| token["id"].as_u64());
    let special = |token: &str| json!({ "SpecialToken": { "id": token, "type_id": 0 } });
    let sequence = |name: &str, kind: u8| json!({ "Sequence": { "id": name, "type_id": kind } });
    let entry = |token: &str, id: &Value| json!({ "id": token, "ids": [id], "tokens": [token] });
    let (cls, sep) = (id("[CLS]")?, id("[SEP]")?);
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": lowercase,
        },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special("[CLS]"), sequence("A", 0), special("[SEP]")],
            "pair": [
                special("[CLS]"), sequence("A", 0), special("[SEP]"), sequence("B", 1),
                { "SpecialToken": { "id": "[SEP]", "type_id": 1 } },
            ],
            "special_tokens": { "[CLS]": entry("[CLS]", &cls), "[SEP]": entry("[SEP]", &sep) },
        },
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::{syllables, synthetic_pieces};
    use std::collections::HashSet;

    #[test]
    fn pieces_are_distinct_and_as_many_as_asked() {
        for size in [5, 100, 1_000, 119_547] {
            let pieces = synthetic_pieces(size);
            assert_eq!(pieces.len(), size);
            assert_eq!(pieces.iter().collect::<HashSet<_>>().len(), size);
        }
    }

    #[test]
    fn the_order_is_specials_characters_syllables() {
        let pieces = synthetic_pieces(40_000);
        assert_eq!(pieces[..7], ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "!", "##!"]);
        for piece in ["ñ", "##Ž", "漢", "##я", "ba", "##zu", "baba", "##zuzu"] {
            assert_eq!(pieces.contains(&piece.to_owned()), piece != "漢", "{piece}");
        }
    }

    #[test]
    fn words_count_up_in_syllables() {
        assert_eq!(
            [0, 1, 99, 100, 10_099, 10_100].map(syllables),
            ["ba", "be", "zu", "baba", "zuzu", "bababa"]
        );
    }
}
