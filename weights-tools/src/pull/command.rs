//! The command: what is fetched, where it goes, what is said.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nervio_weights::hub::{HubCache, HubName};

use super::cache::Store;
use super::client::Client;
use super::download::Download;
use super::wanted::{Wanted, choose};
use crate::output::whole_folder;

/// Fetch a model from a Hugging Face hub into the cache
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    nervio-weights pull mrm8488/bert-spanish-cased-finetuned-ner\n  \
    nervio --model mrm8488/bert-spanish-cased-finetuned-ner \"Ana vive en Lima\"\n  \
    HF_ENDPOINT=https://hub.example.org nervio-weights pull org/name --revision v2 my-model\n\n\
    HF_HOME or HF_HUB_CACHE is where the cache is, HF_ENDPOINT which hub is asked, HF_TOKEN who asks;\n\
    with HF_HUB_OFFLINE=1 only what is in the cache is used. A download that was cut goes on.")]
pub struct Args {
    /// The model: ORG/NAME
    #[arg(value_name = "ORG/NAME")]
    name: String,
    /// A new folder to copy the model to
    out: Option<PathBuf>,
    /// A branch, a tag or a commit
    #[arg(long, default_value = nervio_weights::hub::MAIN)]
    revision: String,
}

/// Runs the command.
///
/// # Errors
/// When the name is none, the hub refuses, the network fails or the files are not what it announced.
pub fn run(args: &Args) -> Result<()> {
    let name = HubName::parse(&args.name).with_context(|| {
        format!("expected the name of a model, ORG/NAME, found {:?}", args.name)
    })?;
    let name = if args.name.contains('@') { Some(name) } else { name.at(&args.revision) };
    let name =
        name.with_context(|| format!("--revision: expected a name, found {:?}", args.revision))?;
    let cache = HubCache::from_env()
        .context("expected HF_HOME or a home folder to keep the cache in, found neither")?;
    let folder = if is_offline() { offline(&cache, &name)? } else { online(&cache, &name)? };
    if let Some(out) = &args.out {
        copy(&folder, out)?;
    }
    println!("{}", args.out.as_ref().unwrap_or(&folder).display());
    Ok(())
}

/// Whether `HF_HUB_OFFLINE` is set as `huggingface_hub` reads it.
fn is_offline() -> bool {
    let value = env::var("HF_HUB_OFFLINE").unwrap_or_default().to_lowercase();
    matches!(value.as_str(), "1" | "on" | "yes" | "true")
}

/// The model in the cache.
fn offline(cache: &HubCache, name: &HubName) -> Result<PathBuf> {
    cache.find(name).ok_or_else(|| {
        anyhow!(
            "{name}: expected in the cache {}, found none, and HF_HUB_OFFLINE forbids to fetch it",
            cache.root().display()
        )
    })
}

/// Fetches what the cache lacks of the model.
fn online(cache: &HubCache, name: &HubName) -> Result<PathBuf> {
    let client = Client::from_env()?;
    let (commit, listing) = client.list(name)?;
    let wanted = choose(&listing).map_err(|missing| anyhow!("{name}: {missing}"))?;
    let store = Store::lock(cache, name)?;
    for file in &wanted.files {
        take(&client, &store, name, &commit, file)?;
    }
    store.refer(&commit)?;
    let folder = cache.snapshot(name, &commit);
    advise(&wanted, name, &folder);
    Ok(folder)
}

/// Fetches one file unless its blob is there, and links it.
fn take(
    client: &Client,
    store: &Store<'_>,
    name: &HubName,
    commit: &str,
    file: &str,
) -> Result<()> {
    let url = client.file(name, commit, file)?;
    let identity = client.identify(&url)?;
    let (blob, part) = store.blob(&identity)?;
    let length = fs::metadata(&blob).ok().map(|blob| blob.len());
    if length.is_none_or(|length| identity.size.is_some_and(|size| size != length)) {
        let bar = ProgressBar::new(identity.size.unwrap_or(0));
        bar.set_style(ProgressStyle::with_template(
            "{msg:30} {bar:30} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
        )?);
        bar.set_message(file.to_owned());
        let shown = format!("{name}: {file}");
        let (url, name, identity) = (&url, shown.as_str(), &identity);
        Download { client, url, name, identity, part: &part, bar: &bar }.run()?;
        bar.finish_and_clear();
        fs::rename(&part, &blob).with_context(|| format!("{}: cannot be made", blob.display()))?;
    }
    store.link(commit, file, &identity)
}

/// Says what is still to be done with weights of PyTorch's.
fn advise(wanted: &Wanted, name: &HubName, folder: &Path) {
    if wanted.needs_conversion {
        eprintln!(
            "{name} has its weights as a pickle; convert them: nervio-weights convert {} OUT",
            folder.display()
        );
    }
}

/// Copies the files of a snapshot to a new folder.
fn copy(folder: &Path, out: &Path) -> Result<()> {
    whole_folder(out, |out| {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let from = entry?.path();
            let Some(file) = from.file_name() else { bail!("{}: no file", from.display()) };
            fs::copy(&from, out.join(file)).with_context(|| from.display().to_string())?;
        }
        Ok(())
    })
}
