//! Mistakes with the words they are about.

use crate::chunk::Span;
use crate::{Mistake, Sentence};

/// Lists mistakes below the sentences they are in.
///
/// `sentences` are those that were compared, in the same order; a mistake in a sentence that is
/// not among them is left out.
///
/// ```text
/// line 12: Ayer llegó Ana López a Sevilla
///   boundary  PER Ana López, found López
///   missed    LOC Sevilla
/// ```
#[must_use]
pub fn list_mistakes(sentences: &[Sentence], mistakes: &[Mistake]) -> String {
    let mut text = String::new();
    let mut last = None;
    for mistake in mistakes {
        let Some(sentence) = sentences.get(mistake.sentence) else { continue };
        if last != Some(mistake.sentence) {
            text += &format!("line {}: {}\n", sentence.line, sentence.words.join(" "));
            last = Some(mistake.sentence);
        }
        text += &format!("  {:<8}  {}\n", mistake.kind, description(mistake, &sentence.words));
    }
    text
}

fn description(mistake: &Mistake, words: &[String]) -> String {
    let words = |span: &Span| words.get(span.start..span.end).unwrap_or_default().join(" ");
    match (&mistake.expected, &mistake.predicted) {
        (Some(expected), Some(predicted)) => {
            let (wanted, found) = (words(expected), words(predicted));
            match (expected.label == predicted.label, wanted == found) {
                (true, _) => format!("{} {wanted}, found {found}", expected.label),
                (_, true) => format!("{} {wanted}, found {}", expected.label, predicted.label),
                _ => format!("{} {wanted}, found {} {found}", expected.label, predicted.label),
            }
        }
        (Some(span), None) | (None, Some(span)) => format!("{} {}", span.label, words(span)),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chunking, Comparison};

    fn sentence(line: usize, words: &str, tags: &str) -> Sentence {
        let split = |text: &str| text.split(' ').map(str::to_owned).collect();
        Sentence { line, words: split(words), tags: split(tags) }
    }

    #[test]
    fn each_mistake_is_shown_in_its_sentence() {
        let sentences = [
            sentence(1, "Ana vive", "B-PER O"),
            sentence(4, "Ana López de León , de EFE", "B-PER I-PER B-LOC I-LOC O O B-ORG"),
        ];
        let predicted = [
            sentence(1, "", "B-PER O").tags,
            sentence(4, "", "B-PER O B-ORG I-ORG B-MISC I-MISC I-MISC").tags,
        ];
        let expected = sentences.iter().map(|sentence| &sentence.tags);
        let comparison = Comparison::new(expected, &predicted).unwrap();
        let mistakes = comparison.mistakes(Chunking::Lenient).unwrap();
        let listing = "line 4: Ana López de León , de EFE\n\
                       \u{20} boundary  PER Ana López, found Ana\n\
                       \u{20} type      LOC de León, found ORG\n\
                       \u{20} both      ORG EFE, found MISC , de EFE\n";
        assert_eq!(list_mistakes(&sentences, &mistakes), listing);
        assert_eq!(list_mistakes(&sentences[..1], &mistakes), "");
    }
}
