//! The command: arguments, the new folder, the report.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use safetensors::Dtype;
use serde_json::{Value, json};

use super::config::{Config, parse_labels};
use super::open::open;
use super::plan::{Plan, Step};
use super::reader::Naming;
use super::write::write;
use crate::output::{COMPANIONS, whole_folder, write_json};

/// Most times that the output may be larger than its source: tensors may share their bytes.
const MAX_GROWTH: u64 = 16;

/// Turn a checkpoint of another format into a model folder
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  nervio-weights convert downloaded-model my-model --labels O,B-PER,I-PER"
)]
pub struct Args {
    /// The folder of the checkpoint, or a file in it
    source: PathBuf,
    /// The new folder to write
    out: PathBuf,
    /// The labels by id, with commas or one on each line of a file [default: the configuration's]
    #[arg(long, value_name = "LABELS|FILE")]
    labels: Option<String>,
    /// Write the encoder without a classifier
    #[arg(long, conflicts_with = "labels")]
    encoder_only: bool,
    /// Write a tokenizer_config.json that keeps capitals and accents
    #[arg(long)]
    cased: bool,
}

/// Runs the command.
///
/// # Errors
/// When the checkpoint cannot be read, does not fit its configuration, or the folder not be written.
pub fn run(args: &Args) -> Result<()> {
    let labels = args.labels.as_deref().map(parse_labels).transpose()?;
    let (folder, mut reader) = open(&args.source)?;
    let config = Config::read(&folder, labels)?;
    let plan = Plan::new(reader.as_ref(), &config, args.encoder_only)?;
    check_growth(reader.path(), &plan)?;
    let bar = ProgressBar::new(plan.steps.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?);
    let naming = reader.naming();
    whole_folder(&args.out, |out| {
        let progress = |name: &str| {
            bar.set_message(name.to_owned());
            bar.inc(1);
        };
        write(&out.join("model.safetensors"), &plan.steps, reader.as_mut(), &progress)?;
        write_json(&out.join("config.json"), &config_json(&plan))?;
        copy_companions(&folder, out, args.cased)
    })?;
    bar.finish_and_clear();
    report(&plan, naming);
    if !["vocab.txt", "tokenizer.json"].iter().any(|name| args.out.join(name).exists()) {
        println!(
            "There is no vocab.txt or tokenizer.json: put the model's own into the new folder."
        );
    }
    let has_case = ["tokenizer.json", "tokenizer_config.json"];
    if !has_case.iter().any(|name| args.out.join(name).exists()) {
        println!(
            "There is no tokenizer_config.json: tokenizers will lower-case. For a cased model, \
             convert with --cased."
        );
    }
    Ok(())
}

/// Refuses a small file whose tensors all name the same bytes.
fn check_growth(path: &Path, plan: &Plan) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut stored = 0_u64;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        stored = stored.saturating_add(fs::metadata(entry?.path()).map_or(0, |file| file.len()));
    }
    let bytes = |step: &Step| step.shape.iter().product::<usize>() * step.dtype.bitsize() / 8;
    let written: u64 = plan.steps.iter().map(|step| bytes(step) as u64).sum();
    ensure!(
        written <= stored.saturating_mul(MAX_GROWTH),
        "{}: expected tensors of at most {MAX_GROWTH} times its {stored} bytes, found {written}: \
         they share their storage",
        path.display()
    );
    Ok(())
}

/// The configuration as transformers and nervio read it.
fn config_json(plan: &Plan) -> Value {
    let dtype = match plan.steps.iter().find(|step| step.shape.len() == 2).map(|step| step.dtype) {
        Some(Dtype::F16) => "float16",
        Some(Dtype::BF16) => "bfloat16",
        _ => "float32",
    };
    let mut config = plan.shape.completed(dtype);
    if plan.labels.is_none() {
        config.insert("architectures".into(), json!(["BertModel"]));
        config.remove("id2label");
        config.remove("label2id");
    }
    Value::Object(config)
}

fn copy_companions(folder: &Path, out: &Path, cased: bool) -> Result<()> {
    // The configuration is written anew.
    for name in COMPANIONS.into_iter().skip(1) {
        let from = folder.join(name);
        if from.exists() {
            fs::copy(&from, out.join(name))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    let file = out.join("tokenizer_config.json");
    if !cased {
        return Ok(());
    }
    let mut tokenizer = match fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .with_context(|| format!("{}: not JSON", folder.join(file_name(&file)).display()))?,
        Err(_) => json!({ "tokenizer_class": "BertTokenizer" }),
    };
    let map = tokenizer.as_object_mut().context("tokenizer_config.json: expected an object")?;
    map.insert("do_lower_case".into(), false.into());
    map.insert("strip_accents".into(), false.into());
    write_json(&file, &tokenizer)
}

fn file_name(path: &Path) -> &Path {
    path.file_name().map_or(path, Path::new)
}

/// A name of the checkpoint without characters that a terminal would obey.
fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Which tensors changed their names, and which were left out.
fn report(plan: &Plan, naming: Naming) {
    for step in plan.steps.iter().filter(|step| step.is_renamed(naming)) {
        let how = if step.transposed { " (transposed)" } else { "" };
        println!("renamed  {} -> {}{how}", shown(&step.source), step.name);
    }
    for (name, why) in &plan.dropped {
        println!("dropped  {}: {why}", shown(name));
    }
    println!("{} tensors written, {} dropped", plan.steps.len(), plan.dropped.len());
    for note in &plan.notes {
        println!("{note}");
    }
}
