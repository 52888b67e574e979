//! One file from the hub, taken up again where it was cut.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use ureq::Body;
use ureq::http::{Response, StatusCode};
use url::Url;

use super::client::{Client, Passing, check, retried};
use super::verify::Identity;

/// Fetches the file at `url` into `part`, of which the beginning may be there, and verifies it.
///
/// # Errors
/// When the network or the server stay in trouble, or what arrives is not what the hub announced;
/// a wrong file is removed, a cut one stays for the next time.
pub(super) fn fetch(
    client: &Client,
    url: &Url,
    name: &str,
    identity: &Identity,
    part: &Path,
    bar: &ProgressBar,
) -> Result<()> {
    let resumed = length(part) > 0;
    retried(|| more(client, url, name, identity, part, bar))?;
    let mut verdict = identity.check(name, part);
    if verdict.is_err() && resumed {
        // What was there before may have been spoilt: once more from the start.
        fs::remove_file(part).with_context(|| part.display().to_string())?;
        retried(|| more(client, url, name, identity, part, bar))?;
        verdict = identity.check(name, part);
    }
    if verdict.is_err() {
        let _ = fs::remove_file(part);
    }
    verdict
}

/// Bytes of a file; 0 if there is none.
fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

/// Fetches what is missing of the file.
fn more(
    client: &Client,
    url: &Url,
    name: &str,
    identity: &Identity,
    part: &Path,
    bar: &ProgressBar,
) -> Result<()> {
    let start = length(part);
    if identity.size == Some(start) && start > 0 {
        return Ok(());
    }
    let mut response = client.get(url, (start > 0).then_some(start))?;
    let shown = || part.display().to_string();
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        fs::remove_file(part).with_context(shown)?;
        return Err(Passing(format!("{name}: the server has no byte {start}")).into());
    }
    check(&response, name)?;
    let resumes = start > 0 && continues(&response, start);
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(resumes)
        .truncate(!resumes)
        .open(part)
        .with_context(shown)?;
    let start = if resumes { start } else { 0 };
    bar.set_position(start);
    let arrived = start + copy(&mut response, &mut file, name, identity, start, bar)?;
    file.sync_all().with_context(shown)?;
    match identity.size {
        Some(size) if arrived < size => {
            Err(Passing(format!("{name}: the connection ended at byte {arrived} of {size}")).into())
        }
        _ => Ok(()),
    }
}

/// Whether the answer goes on where it was asked to; a server may send the whole instead.
fn continues(response: &Response<Body>, start: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|value| value.to_str().ok());
    response.status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|range| range.starts_with(&format!("bytes {start}-")))
}

/// Writes the body to the file, never more than the hub announced; the bytes written.
fn copy(
    response: &mut Response<Body>,
    file: &mut File,
    name: &str,
    identity: &Identity,
    start: u64,
    bar: &ProgressBar,
) -> Result<u64> {
    let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
    let (mut buffer, mut written) = (vec![0; 1 << 16], 0);
    loop {
        let length = body.read(&mut buffer).map_err(|error| {
            Passing(format!("{name}: the connection failed at byte {}: {error}", start + written))
        })?;
        if length == 0 {
            return Ok(written);
        }
        written += length as u64;
        if let Some(size) = identity.size {
            ensure!(start + written <= size, "{name}: expected {size} bytes, found more");
        }
        file.write_all(&buffer[..length]).with_context(|| format!("{name}: cannot be written"))?;
        bar.inc(length as u64);
    }
}
