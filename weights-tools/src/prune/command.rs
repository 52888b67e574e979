//! The command: counting, writing, and proving that nothing changed.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use nervio_tokenizer::{Encoding, Tokenizer};

use super::choice::choose;
use super::{files, weights};
use crate::output::whole_folder;

/// Drop the tokens that a language never uses
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  nervio-weights prune-vocab mbert-ner mbert-ner-es --data spanish/*.txt --check held-out.txt\n\n\
    Texts of --data are cut into the same pieces afterwards, which is verified, so that answers stay the\n\
    same. --check tells how other texts fare."
)]
pub struct Args {
    /// The model folder to read
    source: PathBuf,
    /// The new folder to write
    out: PathBuf,
    /// Texts of the language, in UTF-8, a paragraph or a sentence on each line
    #[arg(long, value_name = "TEXT", num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// Texts to see what is lost on
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    check: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, the model is broken, or the folder cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let before = Tokenizer::from_folder(&args.source)?;
    let mut used = HashSet::new();
    each_line(&args.data, "counting", |line| {
        used.extend(before.encode(line).pieces.iter().map(|piece| piece.id));
        Ok(())
    })?;
    ensure!(!used.is_empty(), "--data: expected some text, found none");
    let kept = choose(&before, &used, &files::added_tokens(&args.source)?);
    let sizes = whole_folder(&args.out, |out| {
        files::write(&args.source, out, &kept)?;
        let sizes = weights::write(&args.source, out, &kept)?;
        let after = Tokenizer::from_folder(out)?;
        ensure!(
            after.vocab_size() == kept.len(),
            "expected a vocabulary of {} tokens, found {}",
            kept.len(),
            after.vocab_size()
        );
        each_line(&args.data, "verifying", |line| {
            let same = same_pieces(&before, &before.encode(line), &after, &after.encode(line));
            ensure!(same, "expected the same pieces as before, found others in {line:?}");
            Ok(())
        })?;
        Ok(sizes)
    })?;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "tokens: {} of {} kept\nweights: {:.1} MB of {:.1} MB",
        kept.len(),
        sizes.rows_before,
        megabytes(sizes.bytes_after),
        megabytes(sizes.bytes_before)
    );
    let after = Tokenizer::from_folder(&args.out)?;
    if !args.check.is_empty() {
        println!("{}", compare(&args.check, &before, &after)?);
    }
    Ok(())
}

/// How texts are cut before and after.
fn compare(texts: &[PathBuf], before: &Tokenizer, after: &Tokenizer) -> Result<String> {
    let (mut words, mut changed, mut pieces) = (0_usize, 0_usize, [0_usize; 2]);
    let mut unknown = [0_usize; 2];
    each_line(texts, "checking", |line| {
        for word in line.split_whitespace() {
            let encodings = [before.encode(word), after.encode(word)];
            words += 1;
            changed += usize::from(!same_pieces(before, &encodings[0], after, &encodings[1]));
            for (index, (encoding, tokenizer)) in encodings.iter().zip([before, after]).enumerate()
            {
                pieces[index] += encoding.pieces.len();
                let unk = tokenizer.special().unk;
                unknown[index] += encoding.pieces.iter().filter(|piece| piece.id == unk).count();
            }
        }
        Ok(())
    })?;
    let share = |count: usize, whole: usize| 100.0 * count as f64 / whole.max(1) as f64;
    Ok(format!(
        "check: {words} words, {:.2} % cut otherwise; pieces a word {:.3}, before {:.3}; unknown \
         {:.3} % of the pieces, before {:.3} %",
        share(changed, words),
        pieces[1] as f64 / words.max(1) as f64,
        pieces[0] as f64 / words.max(1) as f64,
        share(unknown[1], pieces[1]),
        share(unknown[0], pieces[0])
    ))
}

/// Whether two encodings stand for the same tokens at the same places.
fn same_pieces(a: &Tokenizer, left: &Encoding, b: &Tokenizer, right: &Encoding) -> bool {
    let tokens = left.pieces.iter().zip(&right.pieces);
    left.pieces.len() == right.pieces.len()
        && tokens.into_iter().all(|(x, y)| x.range == y.range && a.token(x.id) == b.token(y.id))
}

/// Hands over the lines of some files one by one.
fn each_line(
    texts: &[PathBuf],
    doing: &str,
    mut work: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let size = |file: &PathBuf| fs::metadata(file).map_or(0, |file| file.len());
    let bar = ProgressBar::new(texts.iter().map(size).sum());
    bar.set_style(ProgressStyle::with_template("{msg:10} {bar:40} {percent:>3} %  {eta} left")?);
    bar.set_message(doing.to_owned());
    for file in texts {
        for line in read(file)?.split_inclusive('\n') {
            work(line.trim_end_matches(['\r', '\n']))
                .with_context(|| file.display().to_string())?;
            bar.inc(line.len() as u64);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => bail!(
            "{}: expected UTF-8, found something else at byte {}",
            file.display(),
            error.utf8_error().valid_up_to()
        ),
    }
}
