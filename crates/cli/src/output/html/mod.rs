//! `html`: one self-contained page with the entities marked in their text.
//!
//! The page is written as a stream, so the legend, which counts, comes last; its style keeps it
//! in sight at the foot of the window. All text is escaped, labels and ids too.

mod page;

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use html_escape::{encode_double_quoted_attribute, encode_text};

use super::offsets::Offsets;
use super::palette::slot;
use super::segments::segments;
use super::{Answer, OffsetUnit, Writer};

/// Writer of a web page.
pub(super) struct Html {
    offsets: OffsetUnit,
    counts: BTreeMap<String, usize>,
    documents: usize,
}

impl Html {
    /// Offsets, shown where the pointer rests on an entity, in `offsets`.
    pub(super) fn new(offsets: OffsetUnit) -> Self {
        Self { offsets, counts: BTreeMap::new(), documents: 0 }
    }

    /// The text with its entities as `<mark>`.
    fn write_text(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        let offsets = Offsets::new(self.offsets, answer.text);
        for segment in segments(answer.text, &answer.recognition.entities) {
            let text = encode_text(segment.text);
            let Some(entity) = segment.entity else {
                write!(out, "{text}")?;
                continue;
            };
            *self.counts.entry(entity.label.clone()).or_default() += 1;
            let (start, end) = offsets.span(entity);
            write!(
                out,
                "<mark class=\"c{}\" title=\"{} · {:.3} · {start}–{end}\"><bdi>{text}</bdi>\
                 <b><bdi>{}</bdi></b></mark>",
                slot(&entity.label),
                encode_double_quoted_attribute(&entity.label),
                entity.score,
                encode_text(&entity.label),
            )?;
        }
        Ok(())
    }
}

impl Writer for Html {
    fn begin(&mut self, out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(page::head().as_bytes())?)
    }

    fn record(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        self.documents += 1;
        out.write_all(b"<article>\n")?;
        if answer.id.is_given() {
            writeln!(out, "<h2 dir=\"auto\">{}</h2>", encode_text(&answer.id.to_string()))?;
        }
        out.write_all(b"<p dir=\"auto\">")?;
        self.write_text(out, answer)?;
        out.write_all(b"</p>\n</article>\n")?;
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<()> {
        let mut counts: Vec<(&String, &usize)> = self.counts.iter().collect();
        counts.sort_by(|first, second| second.1.cmp(first.1).then(first.0.cmp(second.0)));
        out.write_all(b"</main>\n<footer>\n<ul>\n")?;
        for (label, count) in counts {
            let text = encode_text(label);
            let slot = slot(label);
            writeln!(out, "<li><mark class=\"c{slot}\"><b>{text}</b></mark> {count}</li>")?;
        }
        let noun = if self.documents == 1 { "document" } else { "documents" };
        let documents = self.documents;
        Ok(write!(out, "</ul>\n<p>{documents} {noun}</p>\n</footer>\n</body>\n</html>\n")?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{example, wolfgang, write};
    use super::super::{OutputFormat, WriteOptions};
    use crate::input::Id;

    fn body(examples: &[super::super::testing::Example]) -> String {
        let page = write(OutputFormat::Html, WriteOptions::default(), examples);
        page.split_once("<main>\n").unwrap().1.to_owned()
    }

    #[test]
    fn entities_are_marked_and_counted() {
        assert_eq!(
            body(&[wolfgang()]),
            concat!(
                "<article>\n<p dir=\"auto\">Me llamo ",
                "<mark class=\"c0\" title=\"PER · 0.998 · 9–17\"><bdi>Wolfgang</bdi>",
                "<b><bdi>PER</bdi></b></mark> y vivo en ",
                "<mark class=\"c1\" title=\"LOC · 0.898 · 28–34\"><bdi>Berlín</bdi>",
                "<b><bdi>LOC</bdi></b></mark></p>\n</article>\n</main>\n<footer>\n<ul>\n",
                "<li><mark class=\"c1\"><b>LOC</b></mark> 1</li>\n",
                "<li><mark class=\"c0\"><b>PER</b></mark> 1</li>\n",
                "</ul>\n<p>1 document</p>\n</footer>\n</body>\n</html>\n"
            )
        );
    }

    #[test]
    fn nothing_of_the_input_is_markup() {
        let hostile = "</p><script>alert(1)</script> & <img src=x onerror=\"a('b')\">";
        let id = Id::Text("<i>\"id\"</i>".into());
        let label = "<script>\"x\"</script>";
        let written = body(&[example(id, hostile, &[("alert(1)", label)])]);
        for forbidden in ["<script", "<img", "<i>"] {
            assert!(!written.contains(forbidden), "{forbidden} in {written}");
        }
        assert!(written.contains("title=\"&lt;script&gt;&quot;x&quot;&lt;/script&gt; · 0.998"));
        assert_eq!(written.matches("<mark").count(), 2);
    }

    #[test]
    fn line_breaks_and_direction_are_left_to_the_page() {
        let written = body(&[example(Id::Ordinal(0), "شركة\nAna", &[("Ana", "PER")])]);
        assert!(written.contains("<p dir=\"auto\">شركة\n<mark"), "{written}");
    }

    #[test]
    fn the_page_needs_no_other_file() {
        let page = write(OutputFormat::Html, WriteOptions::default(), &[wolfgang()]);
        assert!(page.starts_with("<!doctype html>"));
        for outside in ["http:", "https:", "<link", "@import", "<script", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
