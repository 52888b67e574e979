//! What holds for any text: ranges index it, in order, and nothing depends on what came before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use std::ops::Range;
use std::sync::LazyLock;

use common::{fixture, fixture_text, flat, folder, join, options, small};
use nervio_tokenizer::{Encoding, Tokenizer, TokenizerOptions};
use proptest::prelude::*;

/// Cased, uncased, and uncased with typed specials cut out.
static TOKENIZERS: LazyLock<[Tokenizer; 3]> = LazyLock::new(|| {
    let cut = TokenizerOptions { encode_special_tokens: false, ..options(true) };
    [small(options(false)), small(options(true)), small(cut)]
});

/// Any scalars at all, or text as hostile as the fixtures know it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter),
        "(hola|Ñandú|[a-zA-ZñÉ]{1,8}|[ \t\r\n\u{a0}\u{2028}]|[.,¿«_'\\[\\]#]|\\[(SEP|CLS|UNK)\\]|e\u{301}|\u{200d}|\u{0}|日|가|İ|ﬁ|👍🏽){0,12}",
        ("[ña\u{301}]{90,110}", ".{0,5}").prop_map(|(long, rest)| long + &rest),
    ]
}

/// Ranges lie within `text`, on character boundaries, and neither they nor the words ever go back.
fn check_ranges(
    tokenizer: &Tokenizer,
    text: &str,
    encoding: &Encoding,
) -> Result<(), TestCaseError> {
    let mut last = (Range { start: 0, end: 0 }, 0);
    for piece in &encoding.pieces {
        let Range { start, end } = piece.range;
        prop_assert!(text.get(start..end).is_some_and(|part| !part.is_empty()));
        prop_assert!(last.0.start <= start && last.0.end <= end, "{:?}", encoding);
        prop_assert!(last.1 <= piece.word);
        if piece.word > last.1 {
            prop_assert!(last.0.end <= start, "words overlap: {:?}", encoding);
        }
        let token = tokenizer.token(piece.id);
        prop_assert!(token.is_some());
        if piece.continuation {
            prop_assert!(token.is_some_and(|token| token.starts_with("##")));
        }
        last = (piece.range.clone(), piece.word);
    }
    Ok(())
}

/// Added tokens of every kind, some among them in normalised text.
static ADDED: LazyLock<Tokenizer> = LazyLock::new(|| {
    let vocab = std::fs::read(fixture("vocab.txt")).unwrap();
    let config = fixture_text("added_tokens.config.json");
    let files = [("vocab.txt", vocab.as_slice()), ("tokenizer_config.json", config.as_bytes())];
    let tokenizer = Tokenizer::from_folder(folder(&files).path()).unwrap();
    tokenizer.with_encode_special_tokens(false)
});

proptest! {
    #[test]
    fn added_tokens_lie_within_the_text(parts in proptest::collection::vec(
        (text(), "|<E1>|<é2>|\\[x\\]|<s>|<S2>|ana|foo|Foo bar|SEP\\]|ß日| |日"), 0..4,
    )) {
        let text: String = parts.into_iter().map(|(plain, added)| plain + &added).collect();
        let pieces = ADDED.encode(&text).pieces;
        prop_assert!(pieces.iter().all(|piece| text.get(piece.range.clone()).is_some_and(|part| !part.is_empty())));
        prop_assert!(pieces.is_sorted_by_key(|piece| piece.range.start));
        prop_assert!(pieces.is_sorted_by_key(|piece| piece.word));
    }

    #[test]
    fn ranges_index_the_text_in_order(text in text()) {
        for tokenizer in TOKENIZERS.iter() {
            check_ranges(tokenizer, &text, &tokenizer.encode(&text))?;
        }
    }

    #[test]
    fn the_same_text_always_gives_the_same_answer(first in text(), between in text()) {
        for tokenizer in TOKENIZERS.iter() {
            let before = flat(&first, &tokenizer.encode(&first));
            let _ = tokenizer.encode(&between);
            prop_assert_eq!(before, flat(&first, &tokenizer.encode(&first)));
        }
    }

    #[test]
    fn given_words_keep_their_pieces_to_themselves(words in proptest::collection::vec(text(), 0..6)) {
        let (text, ranges) = join(&words);
        for tokenizer in TOKENIZERS.iter() {
            let encoding = tokenizer.encode_words(&text, &ranges);
            check_ranges(tokenizer, &text, &encoding)?;
            for piece in &encoding.pieces {
                let word = &ranges[usize::try_from(piece.word).unwrap()];
                prop_assert!(word.start <= piece.range.start && piece.range.end <= word.end);
            }
        }
    }

    #[test]
    fn a_given_word_gives_the_ids_it_gives_alone(words in proptest::collection::vec(text(), 1..4)) {
        let (text, ranges) = join(&words);
        for tokenizer in TOKENIZERS.iter() {
            let together = tokenizer.encode_words(&text, &ranges).pieces;
            let alone = words.iter().flat_map(|word| tokenizer.encode(word).pieces);
            prop_assert!(together.iter().map(|piece| piece.id).eq(alone.map(|piece| piece.id)));
        }
    }

    #[test]
    fn any_bytes_are_a_vocabulary_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let bytes = [b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", bytes.as_slice()].concat();
        if let Ok(tokenizer) = Tokenizer::from_vocab_bytes("vocab.txt", &bytes, options(false)) {
            let _ = tokenizer.encode("hola");
        }
    }
}
