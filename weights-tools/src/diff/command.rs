//! The command: arguments, the table, the exit code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use indicatif::ProgressBar;
use nervio_weights::{BertTensors, Checkpoint, OpenOptions};
use serde_json::json;

use super::compare::{Row, compare};

/// Compare two checkpoints tensor by tensor
///
/// Exit codes: 0 equal, 1 different, 2 could not be compared.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  nervio-weights diff my-model my-model-f16 --tolerance 1e-3")]
pub struct Args {
    /// A model folder or a safetensors file
    a: PathBuf,
    /// The one to compare it with
    b: PathBuf,
    /// Largest difference of two numbers that counts as equal
    #[arg(long, default_value_t = 0.0, value_name = "X")]
    tolerance: f64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the command: success when the checkpoints are equal, 1 when not.
///
/// # Errors
/// When a checkpoint cannot be read or holds something that is no number.
pub fn run(args: &Args) -> Result<ExitCode> {
    let tolerance = args.tolerance;
    ensure!(tolerance >= 0.0, "--tolerance: expected 0 or more, found {tolerance}");
    let (a, b) = (open(&args.a)?, open(&args.b)?);
    let bar = ProgressBar::new_spinner();
    let rows = compare(&a, &b, &|name| {
        bar.set_message(name.to_owned());
        bar.tick();
    })?;
    bar.finish_and_clear();
    let different = rows.iter().filter(|row| !row.is_equal(tolerance)).count();
    if args.json {
        let equal = different == 0;
        let report = json!({
            "equal": equal, "tolerance": tolerance, "different": different, "tensors": rows,
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print_table(&rows, different, tolerance);
    }
    Ok(ExitCode::from(u8::from(different > 0)))
}

fn open(path: &Path) -> Result<BertTensors> {
    let options = OpenOptions::default();
    let checkpoint = if path.is_dir() {
        Checkpoint::open(path, &options)?
    } else {
        Checkpoint::open_file(path, &options)?
    };
    Ok(BertTensors::new(&checkpoint)?)
}

fn print_table(rows: &[Row], different: usize, tolerance: f64) {
    println!("{:<56} {:>9} {:>10} {:>10} {:>12}", "tensor", "type", "max", "rms", "cosine");
    for row in rows {
        let name = row.name();
        match row {
            Row::OnlyInA { .. } => println!("{name:<56} only in A"),
            Row::OnlyInB { .. } => println!("{name:<56} only in B"),
            Row::Shape { a, b, .. } => println!("{name:<56} shape {a:?} in A, {b:?} in B"),
            Row::Compared { a, b, difference, .. } => {
                let types = if a == b { a.clone() } else { format!("{a}/{b}") };
                let nan = match difference.nan {
                    0 => String::new(),
                    nan => format!("  {nan} NaN in one alone"),
                };
                println!(
                    "{name:<56} {types:>9} {:>10.2e} {:>10.2e} {:>12.9}{nan}",
                    difference.max, difference.rms, difference.cosine
                );
            }
        }
    }
    let count = |is: fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
    println!(
        "{} tensors: {} equal within {tolerance}, {different} different ({} only in A, {} only in \
         B, {} of other shape)",
        rows.len(),
        rows.len() - different,
        count(|row| matches!(row, Row::OnlyInA { .. })),
        count(|row| matches!(row, Row::OnlyInB { .. })),
        count(|row| matches!(row, Row::Shape { .. })),
    );
}
