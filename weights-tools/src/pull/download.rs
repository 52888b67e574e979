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

/// A file to fetch.
pub(super) struct Download<'a> {
    pub(super) client: &'a Client,
    pub(super) url: &'a Url,
    /// What messages call it.
    pub(super) name: &'a str,
    pub(super) identity: &'a Identity,
    /// Where it goes; the beginning may be there.
    pub(super) part: &'a Path,
    pub(super) bar: &'a ProgressBar,
}

impl Download<'_> {
    /// Fetches what is missing of the file, and verifies it.
    ///
    /// # Errors
    /// When the network or the server stay in trouble, or what arrives is not what the hub announced;
    /// a wrong file is removed, a cut one stays for the next time.
    pub(super) fn run(&self) -> Result<()> {
        let resumed = length(self.part) > 0;
        retried(|| self.more())?;
        let mut verdict = self.identity.check(self.name, self.part);
        if verdict.is_err() && resumed {
            // What was there before may have been spoilt: once more from the start.
            fs::remove_file(self.part).with_context(|| self.part.display().to_string())?;
            retried(|| self.more())?;
            verdict = self.identity.check(self.name, self.part);
        }
        if verdict.is_err() {
            // The error that matters is the verdict.
            let _ = fs::remove_file(self.part);
        }
        verdict
    }

    /// One attempt at what is missing.
    fn more(&self) -> Result<()> {
        let (name, part) = (self.name, self.part);
        let start = length(part);
        if self.identity.size == Some(start) && start > 0 {
            return Ok(());
        }
        let mut response = self.client.get(self.url, (start > 0).then_some(start))?;
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
        let arrived = self.copy(&mut response, &mut file, if resumes { start } else { 0 })?;
        file.sync_all().with_context(shown)?;
        match self.identity.size {
            Some(size) if arrived < size => {
                let cut = format!("{name}: the connection ended at byte {arrived} of {size}");
                Err(Passing(cut).into())
            }
            _ => Ok(()),
        }
    }

    /// Writes the body to the file from byte `start` on, never more than the hub announced; the bytes
    /// that the file has then.
    fn copy(&self, response: &mut Response<Body>, file: &mut File, start: u64) -> Result<u64> {
        let name = self.name;
        self.bar.set_position(start);
        let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
        let (mut buffer, mut end) = (vec![0; 1 << 16], start);
        loop {
            let length = body.read(&mut buffer).map_err(|error| {
                Passing(format!("{name}: the connection failed at byte {end}: {error}"))
            })?;
            if length == 0 {
                return Ok(end);
            }
            end += length as u64;
            if let Some(size) = self.identity.size {
                ensure!(end <= size, "{name}: expected {size} bytes, found more");
            }
            file.write_all(&buffer[..length])
                .with_context(|| format!("{name}: cannot be written"))?;
            self.bar.inc(length as u64);
        }
    }
}

/// Bytes of a file; 0 if there is none.
fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

/// Whether the answer goes on where it was asked to; a server may send the whole instead.
fn continues(response: &Response<Body>, start: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|value| value.to_str().ok());
    response.status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|range| range.starts_with(&format!("bytes {start}-")))
}
