//! `pretty`: for people at a terminal. The text with its entities marked, then a line an entity.

use std::fmt::Display;
use std::io::Write;

use anstyle::Style;
use anyhow::Result;
use nervio::Entity;
use unicode_width::UnicodeWidthStr;

use super::offsets::{Offsets, covered};
use super::palette::colour_of;
use super::segments::segments;
use super::{Answer, OffsetUnit, Writer};

/// Writer for people.
pub(super) struct Pretty {
    offsets: OffsetUnit,
    colour: bool,
    is_first: bool,
}

impl Pretty {
    /// Offsets in `offsets`; without `colour` the entities stand in brackets.
    pub(super) fn new(offsets: OffsetUnit, colour: bool) -> Self {
        Self { offsets, colour, is_first: true }
    }

    /// `content` in `style` where there are colours.
    fn paint(&self, style: Style, content: impl Display) -> String {
        if self.colour { format!("{style}{content}{style:#}") } else { content.to_string() }
    }

    /// The text with its entities marked.
    fn write_text(&self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        for segment in segments(answer.text, &answer.recognition.entities) {
            let text = visible(segment.text);
            match segment.entity {
                None => write!(out, "{text}")?,
                Some(entity) if self.colour => {
                    let style = style_of(entity).underline();
                    write!(out, "{}", self.paint(style, text))?;
                }
                Some(entity) => write!(out, "[{text} {}]", visible(&entity.label))?,
            }
        }
        if !answer.text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// One line an entity, in columns.
    fn write_table(&self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        let offsets = Offsets::new(self.offsets, answer.text);
        let rows: Vec<(String, String, &Entity)> = answer
            .recognition
            .entities
            .iter()
            .map(|entity| {
                let text = visible(covered(answer.text, entity)).replace(['\n', '\t'], " ");
                (visible(&entity.label), text, entity)
            })
            .collect();
        let width = |texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| text.width()).max().unwrap_or_default()
        };
        let label_width = width(&mut rows.iter().map(|row| &row.0));
        let text_width = width(&mut rows.iter().map(|row| &row.1));
        for (label, text, entity) in &rows {
            let (start, end) = offsets.span(entity);
            writeln!(
                out,
                "  {}{}  {text}{}  {:.3}  {}",
                self.paint(style_of(entity), label),
                " ".repeat(label_width - label.width()),
                " ".repeat(text_width - text.width()),
                entity.score,
                self.paint(Style::new().dimmed(), format_args!("{start}–{end}")),
            )?;
        }
        Ok(())
    }
}

impl Writer for Pretty {
    fn record(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        if answer.text.trim().is_empty() {
            return Ok(());
        }
        if !std::mem::take(&mut self.is_first) {
            out.write_all(b"\n")?;
        }
        let dimmed = Style::new().dimmed();
        if answer.id.is_given() {
            writeln!(out, "{}", self.paint(dimmed, visible(&answer.id.to_string())))?;
        }
        self.write_text(out, answer)?;
        if answer.recognition.entities.is_empty() {
            writeln!(out, "  {}", self.paint(dimmed, "no entities"))?;
        }
        self.write_table(out, answer)?;
        if answer.recognition.windows > 1 {
            let note = format!("read in {} windows", answer.recognition.windows);
            writeln!(out, "  {}", self.paint(dimmed, note))?;
        }
        Ok(())
    }
}

/// How an entity stands out.
fn style_of(entity: &Entity) -> Style {
    Style::new().bold().fg_color(Some(colour_of(&entity.label).ansi.into()))
}

/// `text` with control characters shown instead of sent: a text must not steer the terminal.
/// Tabs and line breaks stay.
fn visible(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(' '),
            '\u{7f}' => '␡',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{example, wolfgang, write};
    use super::super::{OutputFormat, WriteOptions};
    use crate::input::Id;

    fn pretty(colour: bool, examples: &[super::super::testing::Example]) -> String {
        let options = WriteOptions { colour, ..WriteOptions::default() };
        write(OutputFormat::Pretty, options, examples)
    }

    #[test]
    fn without_colours_entities_stand_in_brackets() {
        let nothing = example(Id::Text("b".into()), "nada\n", &[]);
        let blank = example(Id::Ordinal(2), " \n", &[]);
        assert_eq!(
            pretty(false, &[wolfgang(), blank, nothing]),
            concat!(
                "Me llamo [Wolfgang PER] y vivo en [Berlín LOC]\n",
                "  PER  Wolfgang  0.998  9–17\n",
                "  LOC  Berlín    0.898  28–34\n",
                "\nb\nnada\n  no entities\n"
            )
        );
    }

    #[test]
    fn columns_line_up_under_wide_characters() {
        let example = example(Id::Ordinal(0), "東京 y Vigo", &[("東京", "LOC"), ("Vigo", "CITY")]);
        let written = pretty(false, &[example]);
        assert!(written.contains("  LOC   東京  0.998"), "{written}");
        assert!(written.contains("  CITY  Vigo  0.898"), "{written}");
    }

    #[test]
    fn colours_are_escape_sequences_and_controls_are_shown() {
        let example = example(Id::Ordinal(0), "Ana\u{1b}[31m\u{85}\0", &[("Ana", "PER")]);
        let written = pretty(true, &[example]);
        assert!(written.starts_with("\u{1b}[1m\u{1b}[4m\u{1b}[33mAna\u{1b}[0m␛[31m\u{fffd}␀\n"));
    }
}
