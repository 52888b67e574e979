//! Whatever comes in: an answer within the text, or an error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::time::{Duration, Instant};

use nervio_ner::{
    Aggregation, Decoder, DecoderOptions, Error, LabelSet, Piece, Scheme, TypeChange, WordUnit,
    iob2_tags, windows,
};
use proptest::prelude::*;

const AGGREGATIONS: [Aggregation; 7] = [
    Aggregation::Best,
    Aggregation::None,
    Aggregation::Simple,
    Aggregation::First,
    Aggregation::Average,
    Aggregation::Max,
    Aggregation::Spark,
];

const SCHEMES: [Option<Scheme>; 8] = [
    None,
    Some(Scheme::Iob1),
    Some(Scheme::Iob2),
    Some(Scheme::Ioe1),
    Some(Scheme::Ioe2),
    Some(Scheme::Iobes),
    Some(Scheme::Bilou),
    Some(Scheme::None),
];

/// A piece as `(from, length, next word, token, unknown)`; the numbers are taken modulo what fits.
type RawPiece = (usize, usize, bool, &'static str, bool);

fn raw_piece() -> impl Strategy<Value = RawPiece> {
    let token = prop::sample::select(vec!["a", "##b", "##", "", ".", "'", " do not", "日"]);
    (0..99_usize, 0..6_usize, any::<bool>(), token, any::<bool>())
}

/// Pieces on character boundaries; if `ordered`, as a tokenizer makes them.
fn pieces(text: &str, raw: &[RawPiece], ordered: bool) -> Vec<Piece<'static>> {
    let borders: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
    let (mut last, mut word) = (0, 0);
    let piece = |(from, length, next, token, is_unknown): &RawPiece| {
        let from =
            if ordered { (last + from % 2).min(borders.len() - 1) } else { from % borders.len() };
        let to = (from + length).min(borders.len() - 1);
        last = to;
        word += u32::from(*next);
        Piece { token, range: borders[from]..borders[to], word, is_unknown: *is_unknown }
    };
    raw.iter().map(piece).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn entities_are_within_the_text(
        text in "[ a-cA-C.,'&ñ日本👍🇪🇸\u{301}\u{200d}\r\n-]{0,30}",
        raw in prop::collection::vec(raw_piece(), 0..20),
        labels in prop::collection::vec("[OBIESLUM]?-?[AB]?-?|O|ñ", 1..7),
        seed in prop::collection::vec(-9.0_f32..9.0, 200),
        scheme in prop::sample::select(SCHEMES.to_vec()),
        ordered in any::<bool>(),
        given in any::<bool>(),
        vote in any::<bool>(),
    ) {
        let type_change = if vote { TypeChange::Vote } else { TypeChange::Split };
        let pieces = pieces(&text, &raw, ordered);
        let logits = &seed[..pieces.len() * labels.len()];
        for aggregation in AGGREGATIONS {
            for word_unit in [WordUnit::Compound, WordUnit::PreToken] {
                let options = DecoderOptions {
                    aggregation,
                    scheme,
                    word_unit,
                    type_change,
                    ..DecoderOptions::default()
                };
                let decoder = Decoder::new(LabelSet::new(&labels).unwrap(), options).unwrap();
                let entities = decoder.decode(&text, &pieces, logits, given).unwrap();
                for entity in &entities {
                    prop_assert!(text.get(entity.start..entity.end).is_some(), "{entity:?}");
                    prop_assert!((0.0..=1.0 + 1e-6).contains(&entity.score), "{entity:?}");
                    prop_assert_eq!(entity.index.is_some(), aggregation == Aggregation::None);
                }
                if ordered {
                    let apart = |pair: &[nervio_ner::Entity]| pair[0].end <= pair[1].start;
                    prop_assert!(entities.windows(2).all(apart), "{entities:?}");
                }
                let words: Vec<_> = pieces.iter().map(|piece| piece.range.clone()).collect();
                prop_assert_eq!(iob2_tags(&words, &entities).len(), words.len());
            }
        }
    }

    #[test]
    fn odd_numbers_are_errors(
        logits in prop::collection::vec(
            prop_oneof![
                9 => -9.0_f32..9.0,
                1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX]),
            ],
            0..40,
        ),
        count in 0_usize..10,
    ) {
        let piece = Piece { token: "a", range: 0..1, word: 0, is_unknown: false };
        let pieces = vec![piece; count];
        let set = LabelSet::new(&["O", "B-A", "I-A", "B-B"]).unwrap();
        let decoder = Decoder::new(set, DecoderOptions::default()).unwrap();
        let bad = |row: &[f32]| {
            let infinite = row.iter().all(|x| *x == f32::NEG_INFINITY);
            infinite || row.iter().any(|x| x.is_nan() || *x == f32::INFINITY)
        };
        match decoder.decode("a", &pieces, &logits, false) {
            Ok(entities) => {
                prop_assert_eq!(logits.len(), count * 4);
                prop_assert!(entities.iter().all(|entity| entity.score.is_finite()));
            }
            Err(Error::Shape { .. }) => prop_assert_ne!(logits.len(), count * 4),
            Err(Error::NotFinite { row, .. }) => {
                prop_assert!(bad(&logits[row * 4..row * 4 + 4]));
                prop_assert!(!logits[..row * 4].chunks(4).any(bad));
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}

#[test]
fn pieces_that_are_not_of_the_text_are_refused() {
    let set = LabelSet::new(&["O", "B-A"]).unwrap();
    let decoder = Decoder::new(set, DecoderOptions::default()).unwrap();
    let decode = |pieces: &[(usize, usize, u32)]| {
        let piece = |(start, end, word): &(usize, usize, u32)| Piece {
            token: "a",
            range: *start..*end,
            word: *word,
            is_unknown: false,
        };
        let pieces: Vec<_> = pieces.iter().map(piece).collect();
        decoder.decode("añ", &pieces, &vec![0.0; pieces.len() * 2], false)
    };
    assert!(decode(&[(0, 1, 0), (1, 3, 1)]).is_ok());
    let refused = Err(Error::Range { piece: 1, start: 1, end: 2, length: 3 });
    assert_eq!(decode(&[(0, 1, 0), (1, 2, 0)]), refused);
    assert!(matches!(decode(&[(0, 4, 0)]), Err(Error::Range { .. })));
    assert!(matches!(decode(&[(1, 0, 0)]), Err(Error::Range { .. })));
    let refused = Err(Error::WordOrder { piece: 1, previous: 3, found: 2 });
    assert_eq!(decode(&[(0, 1, 3), (1, 3, 2)]), refused);
}

#[test]
fn time_grows_with_the_text_and_no_faster() {
    // Each of these takes minutes if anything is quadratic.
    const COUNT: usize = 200_000;
    let begin = Instant::now();
    let set = || LabelSet::new(&["O", "B-A", "I-A"]).unwrap();
    let tied = "a-".repeat(COUNT / 2);
    let flags = "🇪".repeat(COUNT);
    for (text, width, one_word) in [(&tied, 1, false), (&tied, 1, true), (&flags, 4, false)] {
        let pieces: Vec<Piece<'_>> = (0..COUNT)
            .map(|at| Piece {
                token: "a",
                range: at * width..(at + 1) * width,
                word: if one_word { 0 } else { at as u32 },
                is_unknown: false,
            })
            .collect();
        let logits = [0.0, 1.0, 2.0].repeat(COUNT);
        for aggregation in AGGREGATIONS {
            let options = DecoderOptions { aggregation, ..DecoderOptions::default() };
            let decoder = Decoder::new(set(), options).unwrap();
            decoder.decode(text, &pieces, &logits, false).unwrap();
        }
        let words: Vec<u32> = pieces.iter().map(|piece| piece.word).collect();
        windows::plan(&words, 510, 127).unwrap();
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
