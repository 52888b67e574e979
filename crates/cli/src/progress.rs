//! A progress bar on standard error for long input.

use std::fmt;
use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::report;
use crate::input::Source;

/// Redraws a second.
const REFRESH: u8 = 5;

/// How far the input has been answered; shows nothing where nobody could see it.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar over the bytes of `sources`. Hidden unless standard error is a terminal that no
    /// answers are written to (`shares_terminal`) and the size is known, or when `is_quiet`.
    pub(crate) fn new(sources: &[Source], shares_terminal: bool, is_quiet: bool) -> Self {
        let size: Option<u64> = sources.iter().map(Source::size).sum();
        let is_seen = io::stderr().is_terminal() && !shares_terminal && !is_quiet;
        match size {
            Some(size) if is_seen && size > 0 => Self::shown(size),
            _ => Self(ProgressBar::hidden()),
        }
    }

    fn shown(size: u64) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(REFRESH);
        let bar = ProgressBar::with_draw_target(Some(size), target);
        let template = "{bar:30} {percent:>3} %  {bytes} of {total_bytes}  {eta} left";
        match ProgressStyle::with_template(template) {
            Ok(style) => Self(bar.with_style(style)),
            Err(_) => Self(bar),
        }
    }

    /// The first `bytes` of the input are answered.
    pub(crate) fn reached(&self, bytes: u64) {
        self.0.set_position(bytes);
    }

    /// Reports a problem without tearing the bar.
    pub(crate) fn report(&self, message: impl fmt::Display) {
        self.0.suspend(|| report(message));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
