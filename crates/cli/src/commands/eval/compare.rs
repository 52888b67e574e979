//! Several models on the same gold tags, as a table.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result};
use nervio::Recognizer;
use nervio_eval::{Chunking, Comparison, Sentence};
use serde::Serialize;

use super::label;
use crate::args::{EvalArgs, ModelArgs};
use crate::failure::{Outcome, report};

/// One model's line; scores are fractions of 1.
#[derive(Debug, Serialize)]
struct Row {
    model: String,
    dtype: &'static str,
    f1: f64,
    precision: f64,
    recall: f64,
    /// Words with the same label as the first model gives.
    same_labels: f64,
    /// The weights file in units of 10⁶ bytes.
    megabytes: f64,
    sentences_per_second: f64,
}

/// Evaluates the models one after another. One that cannot be run is reported and left out.
pub(super) fn run(
    arguments: &EvalArgs,
    sentences: &[Sentence],
    out: &mut dyn Write,
) -> Result<Outcome> {
    let mut outcome = Outcome::Success;
    let mut rows: Vec<Row> = Vec::new();
    let mut first = None;
    for name in &arguments.compare {
        let model = ModelArgs::of_name(name);
        match evaluate(arguments, &model, sentences, &mut first).with_context(|| model.name()) {
            Ok(row) => rows.push(row),
            Err(error) => {
                outcome = Outcome::Failed;
                report(format_args!("{error:#}"));
            }
        }
    }
    if arguments.json {
        super::super::write_json(out, &rows)?;
    } else {
        write_table(out, &rows)?;
    }
    Ok(outcome)
}

/// Labels all sentences with one model; `first` are the labels of the first one.
fn evaluate(
    arguments: &EvalArgs,
    model: &ModelArgs,
    sentences: &[Sentence],
    first: &mut Option<Vec<Vec<String>>>,
) -> Result<Row> {
    let builder = Recognizer::builder().model(model.source()?);
    let recognizer = arguments.engine.configure(builder).build()?;
    let start = Instant::now();
    let predicted = label(&recognizer, sentences, arguments.quiet)?;
    let seconds = start.elapsed().as_secs_f64();
    let comparison = Comparison::new(sentences.iter().map(|sentence| &sentence.tags), &predicted)?;
    let micro = comparison.evaluate(Chunking::Lenient)?.micro();
    let same_labels = first.as_ref().map_or(1.0, |first| agreement(first, &predicted));
    first.get_or_insert(predicted);
    Ok(Row {
        model: model.name(),
        dtype: recognizer.dtype_name(),
        f1: micro.f1,
        precision: micro.precision,
        recall: micro.recall,
        same_labels,
        megabytes: recognizer.file_bytes() as f64 / 1e6,
        sentences_per_second: sentences.len() as f64 / seconds,
    })
}

/// The share of words with the same label; 1 where there are none.
fn agreement(a: &[Vec<String>], b: &[Vec<String>]) -> f64 {
    let pairs = || a.iter().flatten().zip(b.iter().flatten());
    let same = pairs().filter(|(a, b)| a == b).count();
    if pairs().next().is_none() { 1.0 } else { same as f64 / pairs().count() as f64 }
}

/// A Markdown table, best F1 first.
fn write_table(out: &mut dyn Write, rows: &[Row]) -> Result<()> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|a, b| b.f1.total_cmp(&a.f1));
    writeln!(
        out,
        "| model | weights | F1 | precision | recall | same labels | MB | sentences/s |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    )?;
    for row in rows {
        writeln!(
            out,
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.2} % | {:.1} | {:.1} |",
            row.model.replace('|', "\\|"),
            row.dtype,
            row.f1 * 100.0,
            row.precision * 100.0,
            row.recall * 100.0,
            row.same_labels * 100.0,
            row.megabytes,
            row.sentences_per_second
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_counts_words() {
        let tags = |text: &str| -> Vec<Vec<String>> {
            text.split('/')
                .map(|line| line.split_whitespace().map(str::to_owned).collect())
                .collect()
        };
        assert!((agreement(&tags("O B-PER/O O"), &tags("O B-LOC/O O")) - 0.75).abs() < 1e-12);
        assert!((agreement(&[], &[]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_table_is_markdown_with_the_best_first() {
        let row = |model: &str, f1| Row {
            model: model.to_owned(),
            dtype: "f32",
            f1,
            precision: 0.5,
            recall: 0.25,
            same_labels: 1.0,
            megabytes: 12.34,
            sentences_per_second: 100.0,
        };
        let mut out = Vec::new();
        write_table(&mut out, &[row("a|b", 0.1), row("c", 0.9)]).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[2], "| c | f32 | 90.00 | 50.00 | 25.00 | 100.00 % | 12.3 | 100.0 |");
        assert!(lines[3].starts_with("| a\\|b | f32 | 10.00"));
    }
}
