//! `nervio eval`: a model, or several, against gold tags.

mod compare;

use std::io::Write;
use std::time::Instant;

use anyhow::Result;
use nervio::{Document, Recognizer};
use nervio_eval::{Chunking, Comparison, Scores, Sentence, list_mistakes, read_conll};

use crate::args::EvalArgs;
use crate::failure::{Outcome, report};
use crate::progress::Progress;

/// Sentences labelled at once, between two steps of the progress bar.
const CHUNK: usize = 512;

/// Digits behind the point in the table of seqeval's form.
const DIGITS: usize = 4;

/// Runs the command.
pub(crate) fn run(arguments: &EvalArgs) -> Result<Outcome> {
    let sentences = read_conll(&arguments.data)?;
    if !arguments.compare.is_empty() {
        let mut out = std::io::stdout().lock();
        let outcome = compare::run(arguments, &sentences, &mut out)?;
        out.flush()?;
        return Ok(outcome);
    }
    let builder = Recognizer::builder().model(arguments.model.source()?);
    let recognizer = arguments.engine.configure(builder).build()?;
    let start = Instant::now();
    let predicted = label(&recognizer, &sentences, arguments.quiet)?;
    let seconds = start.elapsed().as_secs_f64();
    let comparison = Comparison::new(sentences.iter().map(|sentence| &sentence.tags), &predicted)?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let evaluation = comparison.evaluate(Chunking::Lenient)?;
        let (sentences, tokens) = (comparison.sentences(), comparison.tokens());
        let scores = Scores::new(&evaluation, sentences, tokens, seconds);
        super::write_json(&mut out, &scores)?;
    } else {
        write_report(&mut out, arguments, &comparison, &sentences, seconds)?;
    }
    out.flush()?;
    Ok(Outcome::Success)
}

/// The tag of every word, a sentence at a time.
fn label(recognizer: &Recognizer, sentences: &[Sentence], quiet: bool) -> Result<Vec<Vec<String>>> {
    let progress = Progress::of_sentences(sentences.len(), quiet);
    let mut predicted = Vec::with_capacity(sentences.len());
    for chunk in sentences.chunks(CHUNK) {
        let documents: Vec<Document> =
            chunk.iter().map(|sentence| Document::from_words(&sentence.words)).collect();
        for tags in recognizer.label_words(&documents) {
            predicted.push(tags?);
        }
        progress.reached(predicted.len() as u64);
    }
    Ok(predicted)
}

/// Tables in the forms of seqeval and of conlleval, the speed, and the mistakes if asked for.
fn write_report(
    out: &mut dyn Write,
    arguments: &EvalArgs,
    comparison: &Comparison<'_>,
    sentences: &[Sentence],
    seconds: f64,
) -> Result<()> {
    let evaluation = comparison.evaluate(Chunking::Lenient)?;
    writeln!(out, "{}", evaluation.report(DIGITS))?;
    writeln!(out, "{}", comparison.conlleval().report())?;
    let micro = evaluation.micro();
    writeln!(
        out,
        "micro: precision {:.2}, recall {:.2}, F1 {:.2}",
        micro.precision * 100.0,
        micro.recall * 100.0,
        micro.f1 * 100.0
    )?;
    let (count, words) = (comparison.sentences(), comparison.tokens());
    writeln!(
        out,
        "speed: {count} sentences, {words} words in {seconds:.2} s: {:.1} sentences/s",
        count as f64 / seconds
    )?;
    if arguments.errors {
        let mistakes = comparison.mistakes(Chunking::Lenient)?;
        writeln!(out, "\n{}", list_mistakes(sentences, &mistakes))?;
    }
    if count == 0 {
        report(format_args!("warning: {}: no sentences", arguments.data.display()));
    }
    Ok(())
}
