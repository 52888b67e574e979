//! What `nervio` reads, and what it says of bad input.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use nervio_tests::program::{nervio, nervio_with_input};
use nervio_tests::shared;
use serde_json::Value;

fn lines(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts(output: &str) -> Vec<String> {
    lines(output).iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn lines_are_documents() {
    let run = nervio_with_input(&["--input", "-"], "\u{feff}Ana vive\r\nen Madrid\n".as_bytes());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(texts(&run.stdout), ["Ana vive", "en Madrid"]);
}

#[test]
fn a_whole_text_is_one_document() {
    let run = nervio_with_input(&["--input-format", "text"], b"Ana\n\nvive en Madrid\n");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(lines(&run.stdout).len(), 1);
}

#[test]
fn json_lines_and_tables_name_their_fields() {
    let input = "{\"key\":\"a\",\"body\":\"Ana vive en Madrid\"}\n{\"key\":\"b\",\"body\":7}\nnot json\n{\"key\":\"c\",\"body\":\"En Lima\"}\n";
    let arguments = ["--input-format", "jsonl", "--text-field", "body", "--id-field", "key"];
    let run = nervio_with_input(&arguments, input.as_bytes());
    assert_eq!(run.code, Some(1));
    let answers = lines(&run.stdout);
    assert_eq!(answers.iter().map(|a| a["id"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "c"]);
    assert!(run.stderr.contains(":2:") && run.stderr.contains(":3:"), "{}", run.stderr);
    let csv = "id,text\nx,\"Ana, de\nMadrid\"\ny,En Lima\n";
    let run = nervio_with_input(&["--input-format", "csv", "--id-field", "id"], csv.as_bytes());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(texts(&run.stdout), ["Ana, de\nMadrid", "En Lima"]);
}

#[test]
fn conll_sentences_keep_their_words() {
    let input = "Ana B-PER\nvive O\n\nen O\nSao B-LOC\nPaulo I-LOC\n";
    let arguments = ["--input-format", "conll", "--format", "conll"];
    let run = nervio_with_input(&arguments, input.as_bytes());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let words: Vec<&str> = run.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(words, ["Ana", "vive", "", "en", "Sao", "Paulo", ""]);
}

#[test]
fn every_sentence_of_the_development_set_is_answered() {
    let Some(file) = shared("data/conll2002-es/esp.testa") else { return };
    let file = file.to_str().unwrap();
    let run = nervio(&["ner", "--input", file, "--input-format", "conll", "--format", "jsonl"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(lines(&run.stdout).len(), 1915);
}

#[test]
fn bad_bytes_are_reported_with_their_line_and_the_rest_is_answered() {
    let run = nervio_with_input(&["ner"], b"Ana\n\xff\xfe\nvive en Madrid\n");
    assert_eq!(run.code, Some(1));
    assert_eq!(texts(&run.stdout), ["Ana", "vive en Madrid"]);
    assert!(run.stderr.contains(":2:") && run.stderr.contains("UTF-8"), "{}", run.stderr);
}

#[test]
fn odd_texts_are_answered() {
    let million = "x".repeat(1_000_000);
    let input = format!("{million}\na\0b Madrid\n\u{200b}\u{feff}\n🎉👨\u{200d}👩\u{200d}👧\n");
    let run = nervio_with_input(&["ner"], input.as_bytes());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(lines(&run.stdout).len(), 4);
}

#[test]
fn empty_input_has_no_output() {
    for format in ["lines", "jsonl", "conll", "csv", "text"] {
        let run = nervio_with_input(&["--input-format", format], b"");
        let nothing = (Some(0), "", "");
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), nothing, "{format}");
    }
}

#[test]
fn wrong_usage_and_missing_files() {
    nervio(&["--input", "no/such/file"]).assert_refused(1, &["no/such/file"]);
    for arguments in [
        &["--format", "xml", "x"][..],
        &["--threads", "0", "x"],
        &["--max-length", "2", "x"],
        &["--max-length", "100000", "x"],
        &["--stride", "5000", "x"],
        &["eval"],
        &["compare"],
    ] {
        let run = nervio(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        assert!(!run.stderr.contains("panicked") && !run.stderr.is_empty());
    }
}

#[test]
fn an_instruction_set_can_be_forced_and_an_unknown_one_is_refused() {
    let run = |isa: &str| {
        let output = std::process::Command::new(nervio_tests::program::binary())
            .arg("Ana vive en Madrid")
            .env("NERVIO_ISA", isa)
            .output();
        nervio_tests::program::Run::from(output.unwrap())
    };
    assert_eq!(run("portable").code, Some(0));
    run("sse9").assert_refused(1, &["NERVIO_ISA", "sse9", "portable"]);
}
