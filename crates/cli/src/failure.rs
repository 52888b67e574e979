//! How a run ends: well, with something failed, or because it was asked for wrongly.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Exit status of a failure.
const FAILED: u8 = 1;
/// Exit status of a wrong command line, the same as clap's own.
const USAGE: u8 = 2;

/// A command that ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Success,
    /// Something failed that has been reported already: a bad record, a difference too large.
    Failed,
}

/// A command line that parses but makes no sense.
#[derive(Debug)]
struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// The error of a command line that makes no sense; the program ends with status 2.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    UsageError(message.into()).into()
}

/// Reports an error as one sentence with its causes, and says how the program ends. Output that
/// nobody reads any more (`nervio ... | head`) is a good end.
pub(crate) fn exit_code(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(FAILED),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(format_args!("{error:#}"));
            ExitCode::from(if is_usage(&error) { USAGE } else { FAILED })
        }
    }
}

/// Whether the command line is at fault, by this program's or the library's word.
fn is_usage(error: &anyhow::Error) -> bool {
    let library = error.downcast_ref::<nervio::Error>();
    error.downcast_ref::<UsageError>().is_some()
        || matches!(library, Some(nervio::Error::Option { .. }))
}

/// One line on standard error under the program's name.
pub(crate) fn report(message: impl fmt::Display) {
    use std::io::Write;
    // Where standard error cannot be written, nobody can be told.
    let _ = writeln!(io::stderr().lock(), "nervio: {message}");
}

/// Whether the cause is a reader that went away.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(|json| json.io_error_kind());
        let csv = cause.downcast_ref::<csv::Error>().and_then(|csv| match csv.kind() {
            csv::ErrorKind::Io(error) => Some(error.kind()),
            _ => None,
        });
        [io, json, csv].contains(&Some(io::ErrorKind::BrokenPipe))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_broken_pipe_is_known_through_every_writer() {
        struct Broken;
        impl io::Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let json: anyhow::Error = serde_json::to_writer(Broken, "x").unwrap_err().into();
        let csv: anyhow::Error = csv::WriterBuilder::new()
            .buffer_capacity(1)
            .from_writer(Broken)
            .write_record(["a long field", "b"])
            .unwrap_err()
            .into();
        let plain = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        for error in [json, csv, plain] {
            assert!(is_broken_pipe(&Err::<(), _>(error).context("outer").unwrap_err()));
        }
        assert!(!is_broken_pipe(&usage("x")));
    }
}
