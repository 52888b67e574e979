//! `nervio-weights pull` against a hub on this machine, as a person runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![cfg(unix)]

mod hub;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use hub::{Answer, COMMIT, Hub, Request, git_hash, hex};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A hub with a model, and a home of its own for the cache.
struct Case {
    hub: Hub,
    home: TempDir,
}

/// Bytes that no two places have alike.
fn weights() -> Vec<u8> {
    (0..300_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn model() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("README.md", b"not needed".to_vec()),
        ("config.json", b"{\"model_type\": \"bert\"}".to_vec()),
        ("vocab.txt", b"[PAD]\n".to_vec()),
        ("model.safetensors", weights()),
    ]
}

impl Case {
    fn new(files: &[(&str, Vec<u8>)]) -> Self {
        Self { hub: Hub::start(files), home: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nervio-weights"));
        command.arg("pull").args(arguments);
        for name in ["HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "http_proxy"] {
            command.env_remove(name);
        }
        command.env("HF_HOME", self.home.path()).env("HF_ENDPOINT", &self.hub.endpoint);
        command
    }

    fn pull(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn model(&self) -> PathBuf {
        self.home.path().join("hub/models--org--name")
    }

    fn snapshot(&self) -> PathBuf {
        self.model().join("snapshots").join(COMMIT)
    }

    /// Runs with the fault; the command must fail with one line that has all of `needles`.
    fn assert_refused(&self, arguments: &[&str], needles: &[&str]) {
        let output = self.pull(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        for needle in needles {
            assert!(error.contains(needle), "{needle:?} in: {error}");
        }
        assert!(!self.model().join("refs/main").exists(), "nothing is there to be found");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_model_lands_in_the_layout_of_the_cache() {
    let case = Case::new(&model());
    let output = case.pull(&["org/name"]);
    assert_done(&output);
    assert_eq!(text(&output.stdout).trim_end(), case.snapshot().to_str().unwrap());
    assert_eq!(fs::read_to_string(case.model().join("refs/main")).unwrap(), COMMIT);
    let mut names: Vec<String> = fs::read_dir(case.snapshot())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["config.json", "model.safetensors", "vocab.txt"]);
    for (name, etag) in
        [("model.safetensors", hex(Sha256::digest(weights()))), ("vocab.txt", git_hash(b"[PAD]\n"))]
    {
        let link = fs::read_link(case.snapshot().join(name)).unwrap();
        assert_eq!(link, PathBuf::from("../../blobs").join(etag));
    }
    assert_eq!(fs::read(case.snapshot().join("model.safetensors")).unwrap(), weights());
    assert_eq!(fs::read_dir(case.model().join("blobs")).unwrap().count(), 3, "no parts are left");
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let case = Case::new(&model());
    assert_done(&case.pull(&["org/name"]));
    case.hub.requests();
    let out = case.home.path().join("copy");
    assert_done(&case.pull(&["org/name", out.to_str().unwrap()]));
    let gets = |requests: Vec<Request>| {
        requests.iter().filter(|r| r.method == "GET" && !r.path.starts_with("/api")).count()
    };
    assert_eq!(gets(case.hub.requests()), 0);
    let copied = out.join("model.safetensors");
    assert!(!copied.symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read(copied).unwrap(), weights());
    assert_done(&case.pull(&["org/name", "--revision", "v2"]));
    assert_eq!(gets(case.hub.requests()), 0, "another name of the same commit");
    assert!(case.model().join("refs/v2").exists());
    assert_done(&case.pull(&["org/name@refs/pr/1"]));
    assert!(case.model().join("refs/refs/pr/1").exists());
    let again = case.pull(&["org/name", out.to_str().unwrap()]);
    assert!(text(&again.stderr).contains("has files in it"));
}

#[test]
fn the_token_goes_to_the_hub_and_to_nobody_else() {
    let case = Case::new(&model());
    assert_done(&case.command(&["org/name"]).env("HF_TOKEN", "hf_secret").output().unwrap());
    for request in case.hub.requests() {
        let token = request.headers.get("authorization").map(String::as_str);
        let is_own = request.headers["host"].starts_with("127.0.0.1");
        assert_eq!(token, is_own.then_some("Bearer hf_secret"), "{request:?}");
        assert_eq!(!is_own, request.path.starts_with("/storage/"));
    }
}

#[test]
fn a_cut_connection_is_taken_up_where_it_ended() {
    let case = Case::new(&model());
    let mut cuts = 0;
    case.hub.misbehave(move |request| {
        let is_first = request.path.starts_with("/storage/") && cuts == 0;
        cuts += usize::from(is_first);
        is_first.then(|| Answer {
            status: 200,
            body: weights(),
            cut: Some(500_000),
            ..Answer::default()
        })
    });
    assert_done(&case.pull(&["org/name"]));
    assert_eq!(fs::read(case.snapshot().join("model.safetensors")).unwrap(), weights());
    let requests = case.hub.requests();
    let stored = requests.iter().filter(|request| request.path.starts_with("/storage/"));
    let ranges: Vec<_> = stored.filter_map(|request| request.headers.get("range")).collect();
    assert_eq!(ranges, ["bytes=500000-"]);
}

/// A part of the weights in the cache, as a run that was killed leaves it.
fn leave_part(case: &Case, bytes: &[u8]) {
    let blobs = case.model().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    let name = format!("{}.incomplete", hex(Sha256::digest(weights())));
    fs::write(blobs.join(name), bytes).unwrap();
}

#[test]
fn a_killed_run_is_gone_on_with_and_spoilt_parts_are_fetched_again() {
    for (part, ranges) in [
        (weights()[..400_000].to_vec(), vec!["bytes=400000-"]),
        (vec![7; 400_000], vec!["bytes=400000-"]),
        (vec![7; weights().len() + 5], vec!["bytes=1200005-"]),
        (weights(), vec![]),
    ] {
        let case = Case::new(&model());
        leave_part(&case, &part);
        assert_done(&case.pull(&["org/name"]));
        assert_eq!(fs::read(case.snapshot().join("model.safetensors")).unwrap(), weights());
        let mut asked: Vec<_> =
            case.hub.requests().iter().filter_map(|r| r.headers.get("range").cloned()).collect();
        asked.dedup();
        assert_eq!(asked, ranges);
    }
}

#[test]
fn a_server_that_knows_no_ranges_sends_all_of_it() {
    let case = Case::new(&model());
    leave_part(&case, &weights()[..1000]);
    case.hub.misbehave(|request| {
        let is_file = request.path.starts_with("/storage/");
        is_file.then(|| Answer { status: 200, body: weights(), ..Answer::default() })
    });
    assert_done(&case.pull(&["org/name"]));
    assert_eq!(fs::read(case.snapshot().join("model.safetensors")).unwrap(), weights());
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let case = Case::new(&model());
    let mut left = vec![500, 503, 429];
    case.hub.misbehave(move |_| left.pop().map(Answer::status));
    assert_done(&case.pull(&["org/name"]));
    case.hub.misbehave(|request| request.path.starts_with("/api").then(|| Answer::status(500)));
    let output = case.pull(&["org/name", "--revision", "v2"]);
    assert!(text(&output.stderr).contains("500"), "{output:?}");
}

#[test]
fn wrong_bytes_are_refused() {
    let case = Case::new(&model());
    case.hub.misbehave(|request| {
        let mut body = weights();
        body[77] ^= 1;
        let is_file = request.path.starts_with("/storage/");
        is_file.then(|| Answer { status: 200, body, ..Answer::default() })
    });
    case.assert_refused(&["org/name"], &["model.safetensors", "checksum"]);
    case.hub.misbehave(|request| {
        let is_file = request.path.starts_with("/storage/");
        let body = [weights(), vec![0]].concat();
        is_file.then(|| Answer { status: 200, body, ..Answer::default() })
    });
    case.assert_refused(&["org/name"], &["expected 1200000 bytes, found more"]);
    case.hub.misbehave(|request| {
        let is_head = request.method == "HEAD" && request.path.ends_with("vocab.txt");
        let answer = Answer::status(200).header("content-length", 6).header("etag", "\"abc\"");
        is_head.then_some(answer)
    });
    case.assert_refused(&["org/name"], &["vocab.txt", "entity tag of 40 or 64 digits"]);
}

#[test]
fn refusals_of_the_hub_are_explained() {
    for status in [401, 403] {
        let case = Case::new(&model());
        case.hub
            .misbehave(move |_| Some(Answer::status(status).header("x-error-code", "GatedRepo")));
        case.assert_refused(&["org/name"], &["HF_TOKEN", "GatedRepo", &status.to_string()]);
    }
    let case = Case::new(&model());
    case.assert_refused(&["org/other"], &["404", "org/other"]);
    case.assert_refused(&["org/name", "--revision", "v9"], &["RevisionNotFound", "org/name@v9"]);
    case.assert_refused(&["no-name"], &["ORG/NAME", "no-name"]);
    case.assert_refused(&["org/name", "--revision", "../x"], &["--revision"]);
    let case = Case::new(&[("README.md", vec![])]);
    case.assert_refused(&["org/name"], &["config.json"]);
    let case = Case::new(&model()[..3]);
    case.assert_refused(&["org/name"], &["model.safetensors"]);
    let output = case.command(&["org/name"]).env("HF_ENDPOINT", "ftp://x").output().unwrap();
    assert!(text(&output.stderr).contains("HF_ENDPOINT"));
}

#[test]
fn hostile_answers_write_nothing_outside() {
    let case = Case::new(&model());
    case.hub.misbehave(|request| {
        let body = br#"{"sha": "../../evil", "siblings": []}"#.to_vec();
        request.path.starts_with("/api").then(|| Answer { status: 200, body, ..Answer::default() })
    });
    case.assert_refused(&["org/name"], &["expected a commit"]);
    case.hub.misbehave(|request| {
        let answer = Answer::status(200).header("etag", "\"../../../evil\"");
        (request.method == "HEAD").then_some(answer)
    });
    case.assert_refused(&["org/name"], &["ETag"]);
    case.hub.misbehave(|request| {
        let body = b"<html>".to_vec();
        request.path.starts_with("/api").then(|| Answer { status: 200, body, ..Answer::default() })
    });
    case.assert_refused(&["org/name"], &["listing of a repository"]);
    case.hub.misbehave(|_| Some(Answer::status(302).header("location", "/again")));
    case.assert_refused(&["org/name"], &["redirections"]);
}

#[test]
fn offline_asks_nobody() {
    let case = Case::new(&model());
    let offline = || case.command(&["org/name"]).env("HF_HUB_OFFLINE", "1").output().unwrap();
    let before = offline();
    assert!(text(&before.stderr).contains("HF_HUB_OFFLINE"), "{before:?}");
    assert_done(&case.pull(&["org/name"]));
    case.hub.requests();
    let after = offline();
    assert_done(&after);
    assert_eq!(text(&after.stdout).trim_end(), case.snapshot().to_str().unwrap());
    assert!(case.hub.requests().is_empty());
}

#[test]
fn pickles_come_with_advice() {
    let case = Case::new(&[("config.json", b"{}".to_vec()), ("pytorch_model.bin", weights())]);
    let output = case.pull(&["org/name"]);
    assert_done(&output);
    assert!(text(&output.stderr).contains("nervio-weights convert"), "{output:?}");
}

#[test]
fn two_at_once_share_the_work() {
    let case = Case::new(&model());
    std::thread::scope(|scope| {
        let runs = [0; 3].map(|_| scope.spawn(|| case.pull(&["org/name"])));
        runs.into_iter().for_each(|run| assert_done(&run.join().unwrap()));
    });
    let fetched = case.hub.requests();
    let fetched = fetched.iter().filter(|request| request.path.starts_with("/storage/")).count();
    assert_eq!(fetched, 1);
}
