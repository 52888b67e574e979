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
    /// A bar over the bytes of `sources`, behind a note on how they are read (`engine`). Hidden unless
    /// standard error is a terminal that no answers are written to (`shares_terminal`) and the size is
    /// known, or when `is_quiet`.
    pub(crate) fn new(
        sources: &[Source],
        shares_terminal: bool,
        is_quiet: bool,
        engine: String,
    ) -> Self {
        let size: Option<u64> = sources.iter().map(Source::size).sum();
        let is_seen = io::stderr().is_terminal() && !shares_terminal && !is_quiet;
        match size {
            Some(size) if is_seen && size > 0 => {
                let template =
                    "{prefix}  {bar:30} {percent:>3} %  {bytes} of {total_bytes}  {eta} left";
                let bar = Self::shown(size, template);
                bar.0.set_prefix(engine);
                bar
            }
            _ => Self(ProgressBar::hidden()),
        }
    }

    /// A bar over `count` sentences; hidden unless standard error is a terminal, or when
    /// `is_quiet`.
    pub(crate) fn of_sentences(count: usize, is_quiet: bool) -> Self {
        if io::stderr().is_terminal() && !is_quiet && count > 0 {
            Self::shown(
                count as u64,
                "{bar:30} {percent:>3} %  {pos} of {len} sentences  {eta} left",
            )
        } else {
            Self(ProgressBar::hidden())
        }
    }

    fn shown(size: u64, template: &str) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(REFRESH);
        let bar = ProgressBar::with_draw_target(Some(size), target);
        match ProgressStyle::with_template(template) {
            Ok(style) => Self(bar.with_style(style)),
            Err(_) => Self(bar),
        }
    }

    /// The first `position` bytes, or sentences, are answered.
    pub(crate) fn reached(&self, position: u64) {
        self.0.set_position(position);
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
