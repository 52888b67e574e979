//! Two taggings of the same words.

use std::collections::{BTreeMap, BTreeSet};

use crate::chunk::Span;
use crate::conlleval::Conlleval;
use crate::{Chunking, Confusion, Counts, Error, Evaluation, Mistake, mistakes};

/// Reference tags beside predicted ones, sentence by sentence. Everything that can be asked of
/// them starts here.
#[derive(Clone, Debug)]
pub struct Comparison<'a> {
    sentences: Vec<Pair<'a>>,
}

/// Both taggings of one sentence, equally long.
#[derive(Clone, Copy, Debug)]
struct Pair<'a> {
    expected: &'a [String],
    predicted: &'a [String],
}

/// Both readings of one sentence as spans.
struct Spans {
    expected: Vec<Span>,
    predicted: Vec<Span>,
}

impl<'a> Comparison<'a> {
    /// Lays the tags of each sentence beside its predicted tags.
    ///
    /// # Errors
    ///
    /// When there are not as many sentences, or not as many tags in one of them.
    pub fn new<E, P>(
        expected: impl IntoIterator<Item = &'a E>,
        predicted: impl IntoIterator<Item = &'a P>,
    ) -> Result<Self, Error>
    where
        E: AsRef<[String]> + ?Sized + 'a,
        P: AsRef<[String]> + ?Sized + 'a,
    {
        let (mut expected, mut predicted) = (expected.into_iter(), predicted.into_iter());
        let mut sentences = Vec::new();
        loop {
            let count = sentences.len();
            match (expected.next(), predicted.next()) {
                (Some(expected), Some(predicted)) => {
                    let pair = Pair { expected: expected.as_ref(), predicted: predicted.as_ref() };
                    pair.check(count + 1)?;
                    sentences.push(pair);
                }
                (None, None) => return Ok(Self { sentences }),
                (more, fewer) => {
                    return Err(Error::Sentences {
                        expected: count + usize::from(more.is_some()) + expected.count(),
                        found: count + usize::from(fewer.is_some()) + predicted.count(),
                    });
                }
            }
        }
    }

    /// How many sentences there are.
    #[must_use]
    pub fn sentences(&self) -> usize {
        self.sentences.len()
    }

    /// How many words there are.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.sentences.iter().map(|pair| pair.expected.len()).sum()
    }

    /// Share of the words whose tags agree to the letter; 0 without words.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let correct = self.words().filter(|(expected, predicted)| expected == predicted).count();
        crate::evaluation::share(correct, self.tokens())
    }

    /// Counts the spans of each type that are there, that are predicted, and that are both.
    ///
    /// # Errors
    ///
    /// In a strict reading, when a tag is not of the scheme.
    pub fn evaluate(&self, chunking: Chunking) -> Result<Evaluation, Error> {
        let mut types: BTreeMap<String, Counts> = BTreeMap::new();
        for spans in self.spans(chunking) {
            let Spans { expected, predicted } = spans?;
            let expected: BTreeSet<Span> = expected.into_iter().collect();
            for span in predicted {
                let correct = usize::from(expected.contains(&span));
                let counts = types.entry(span.label).or_default();
                counts.predicted += 1;
                counts.correct += correct;
            }
            for span in expected {
                types.entry(span.label).or_default().expected += 1;
            }
        }
        Ok(Evaluation::new(types))
    }

    /// Counts as the `conlleval` script of the `CoNLL` shared tasks does.
    #[must_use]
    pub fn conlleval(&self) -> Conlleval {
        let mut counted = Conlleval::default();
        for pair in &self.sentences {
            counted.sentence(pair.expected, pair.predicted);
        }
        counted
    }

    /// How often each tag was predicted for each tag.
    #[must_use]
    pub fn tag_confusion(&self) -> Confusion {
        let mut confusion = Confusion::default();
        for (expected, predicted) in self.words() {
            confusion.add(Some(expected), Some(predicted));
        }
        confusion
    }

    /// How often each type was predicted for each type, where both have a span of the same words;
    /// all other spans were missed or invented.
    ///
    /// # Errors
    ///
    /// In a strict reading, when a tag is not of the scheme.
    pub fn type_confusion(&self, chunking: Chunking) -> Result<Confusion, Error> {
        let mut confusion = Confusion::default();
        for spans in self.spans(chunking) {
            let Spans { expected, predicted } = spans?;
            let words = |span: Span| ((span.start, span.end), span.label);
            let mut predicted: BTreeMap<_, _> = predicted.into_iter().map(words).collect();
            for (words, label) in expected.into_iter().map(words) {
                confusion.add(Some(&label), predicted.remove(&words).as_deref());
            }
            for label in predicted.values() {
                confusion.add(None, Some(label));
            }
        }
        Ok(confusion)
    }

    /// Every span that is only on one side, in the order of the sentences.
    ///
    /// # Errors
    ///
    /// In a strict reading, when a tag is not of the scheme.
    pub fn mistakes(&self, chunking: Chunking) -> Result<Vec<Mistake>, Error> {
        let mut all = Vec::new();
        for (sentence, spans) in self.spans(chunking).enumerate() {
            let Spans { expected, predicted } = spans?;
            all.extend(mistakes::of_sentence(sentence, expected, predicted));
        }
        Ok(all)
    }

    /// Both tags of every word.
    fn words(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let words = self.sentences.iter().flat_map(|pair| pair.expected.iter().zip(pair.predicted));
        words.map(|(expected, predicted)| (expected.as_str(), predicted.as_str()))
    }

    fn spans(&self, chunking: Chunking) -> impl Iterator<Item = Result<Spans, Error>> {
        self.sentences.iter().enumerate().map(move |(index, pair)| {
            let spans = |tags| {
                let sentence = index + 1;
                chunking.spans(tags).map_err(|source| Error::Tag { sentence, source })
            };
            Ok(Spans { expected: spans(pair.expected)?, predicted: spans(pair.predicted)? })
        })
    }
}

impl Pair<'_> {
    fn check(&self, sentence: usize) -> Result<(), Error> {
        let (expected, found) = (self.expected.len(), self.predicted.len());
        if expected == found { Ok(()) } else { Err(Error::Words { sentence, expected, found }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(sentences: &[&str]) -> Vec<Vec<String>> {
        let split = |tags: &&str| tags.split_whitespace().map(str::to_owned).collect();
        sentences.iter().map(split).collect()
    }

    fn compare(expected: &[&str], predicted: &[&str]) -> Result<(f64, usize, usize), String> {
        let (expected, predicted) = (tags(expected), tags(predicted));
        let comparison = Comparison::new(&expected, &predicted);
        let comparison = comparison.map_err(|error| error.to_string())?;
        Ok((comparison.accuracy(), comparison.sentences(), comparison.tokens()))
    }

    #[test]
    fn every_word_has_two_tags() {
        let expected = ["O O O B-MISC I-MISC I-MISC O", "B-PER I-PER O"];
        let predicted = ["O O B-MISC I-MISC I-MISC I-MISC O", "B-PER I-PER O"];
        assert_eq!(compare(&expected, &predicted), Ok((0.8, 2, 10)));
        assert_eq!(compare(&[], &[]), Ok((0.0, 0, 0)));
        assert_eq!(compare(&["", "O"], &["", "O"]), Ok((1.0, 2, 1)));
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(
            compare(&["O", "O O"], &["O", "O"]),
            error("sentence 2: expected 2 tags, found 1")
        );
        assert_eq!(compare(&["O"; 3], &["O"]), error("tags: expected 3 sentences, found 1"));
        assert_eq!(compare(&[], &["O"; 2]), error("tags: expected 0 sentences, found 2"));
    }

    #[test]
    fn a_bad_tag_is_found_in_its_sentence() {
        let (expected, predicted) = (tags(&["O", "B-PER O"]), tags(&["O", "B-PER S-PER"]));
        let comparison = Comparison::new(&expected, &predicted).unwrap();
        let error = comparison.evaluate(Chunking::Strict(crate::Scheme::Iob2)).unwrap_err();
        assert_eq!(error.to_string(), "sentence 2");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "word 2: expected a tag of iob2 (prefixes BIO), found \"S-PER\"");
    }
}
