//! Running the `nervio` command as a user does.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The `nervio` binary of the profile that the tests run in, built once.
///
/// # Panics
///
/// When it does not build.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    // With a test beside it cargo chooses the features that `cargo test --workspace` has, and builds nothing anew.
    let what = ["--workspace", "--bin", "nervio", "--test", "static_binary"];
    BINARY.get_or_init(|| build(&what, None))
}

/// Runs `cargo build` with arguments that choose the command, and flags for the compiler; returns its binary.
///
/// # Panics
///
/// When it does not build.
#[must_use]
pub fn build(arguments: &[&str], rustflags: Option<&str>) -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--locked", "--message-format=json"]);
    command.args(arguments).current_dir(crate::root()).stderr(Stdio::inherit());
    if let Some(flags) = rustflags {
        command.env("RUSTFLAGS", flags);
    }
    let output = command.output().unwrap_or_else(|error| panic!("cannot run cargo: {error}"));
    assert!(output.status.success(), "the command does not build");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        if message["target"]["kind"] != serde_json::json!(["bin"]) {
            return None;
        }
        message["executable"].as_str().map(PathBuf::from)
    });
    executables.next_back().unwrap_or_else(|| panic!("cargo named no executable"))
}

/// What a run of the command gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs `nervio` with arguments and nothing on standard input.
///
/// # Panics
///
/// When it cannot be started.
pub fn nervio<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Run {
    nervio_with_input(arguments, b"")
}

/// Runs `nervio` with arguments and standard input.
///
/// # Panics
///
/// When it cannot be started.
pub fn nervio_with_input<S: AsRef<std::ffi::OsStr>>(arguments: &[S], input: &[u8]) -> Run {
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start nervio: {error}"));
    let mut stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A run that does not read its input closes it: that is no fault of the test.
            let _ = stdin.as_mut().map(|stdin| stdin.write_all(input));
        });
        child.wait_with_output()
    });
    output.unwrap_or_else(|error| panic!("cannot wait for nervio: {error}")).into()
}

impl Run {
    /// Fails unless the run ended with `code`, with one sentence on standard error that names all
    /// of `needles`, and without a panic.
    ///
    /// # Panics
    ///
    /// Then.
    pub fn assert_refused(&self, code: i32, needles: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "one sentence: {}", self.stderr);
        for needle in needles {
            assert!(self.stderr.contains(needle), "{needle:?} in: {}", self.stderr);
        }
    }
}
