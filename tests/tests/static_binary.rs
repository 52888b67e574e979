//! The fully static build, in a root directory that holds nothing else.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use nervio_tests::program::{Run, build};

/// Whether an ELF file asks for a dynamic loader: program header type 3, `PT_INTERP`.
fn needs_a_loader(elf: &[u8]) -> bool {
    let number = |at: usize, len: usize| -> usize {
        elf[at..at + len].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (start, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|index| number(start + index * size, 4) == 3)
}

/// Runs the file `/nervio` with `root` as its root directory; `None` where that is not permitted.
fn run_in(root: &Path) -> Option<Run> {
    let text = "Me llamo Wolfgang y vivo en Berlín";
    let ways: [&[&str]; 2] = [&["chroot"], &["unshare", "--user", "--map-root-user", "chroot"]];
    ways.iter().find_map(|way| {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).arg(root).args(["/nervio", text]);
        let run = Run::from(command.output().ok()?);
        (!run.stderr.contains("not permitted")).then_some(run)
    })
}

#[test]
fn it_answers_in_an_empty_root_directory() {
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/static");
    let arguments =
        ["-p", "nervio-cli", "--target", "x86_64-unknown-linux-gnu", "--target-dir", target];
    let binary = build(&arguments, Some("-C target-feature=+crt-static"));
    let elf = fs::read(&binary).unwrap();
    assert_eq!(elf[..4], *b"\x7fELF");
    assert!(!needs_a_loader(&elf), "{} is linked dynamically", binary.display());
    let root = tempfile::tempdir().unwrap();
    fs::copy(&binary, root.path().join("nervio")).unwrap();
    let Some(run) = run_in(root.path()) else {
        println!("skipped: neither chroot nor unshare is permitted");
        return;
    };
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["entities"][0]["text"], "Wolfgang");
    assert_eq!(answer["entities"][1]["text"], "Berlín");
}
