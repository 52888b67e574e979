//! What `nervio` writes, in every format.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use nervio_tests::program::nervio;
use serde_json::{Value, json};

const TEXT: &str = "🎉 Me llamo Wolfgang y vivo en Berlín";

/// The standard output of a run that succeeds.
fn output(arguments: &[&str]) -> String {
    let run = nervio(arguments);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    run.stdout
}

fn json_of(arguments: &[&str]) -> Value {
    serde_json::from_str(&output(arguments)).unwrap()
}

/// Label, start, end and text of each entity of a JSON answer.
fn entities(answer: &Value) -> Vec<(&str, u64, u64, &str)> {
    let entity = |e| -> (&str, u64, u64, &str) {
        let e: &Value = e;
        let number = |key: &str| e[key].as_u64().unwrap();
        (e["label"].as_str().unwrap(), number("start"), number("end"), e["text"].as_str().unwrap())
    };
    answer["entities"].as_array().unwrap().iter().map(entity).collect()
}

#[test]
fn the_sentence_of_the_readme() {
    let answer = json_of(&["Me llamo Wolfgang y vivo en Berlín"]);
    assert_eq!(entities(&answer), [("PER", 9, 17, "Wolfgang"), ("LOC", 28, 34, "Berlín")]);
    assert_eq!((&answer["id"], &answer["windows"]), (&json!(0), &json!(1)));
    assert!(answer["entities"][0]["score"].as_f64().unwrap() > 0.9);
}

#[test]
fn offsets_count_what_is_asked_for() {
    for (unit, wolfgang, berlin) in
        [("char", (11, 19), (30, 36)), ("byte", (14, 22), (33, 40)), ("utf16", (12, 20), (31, 37))]
    {
        let answer = json_of(&["--offsets", unit, TEXT]);
        let expected =
            [("PER", wolfgang.0, wolfgang.1, "Wolfgang"), ("LOC", berlin.0, berlin.1, "Berlín")];
        assert_eq!(entities(&answer), expected, "{unit}");
    }
}

#[test]
fn json_is_one_array_and_hf_has_the_schema_of_the_hub() {
    let answers = json_of(&["--format", "json", TEXT, "En Madrid"]);
    assert_eq!(answers.as_array().unwrap().len(), 2);
    let answer = json_of(&["--format", "hf", TEXT]);
    let first = &answer[0];
    assert_eq!((&first["entity_group"], &first["word"]), (&json!("PER"), &json!("Wolfgang")));
    assert_eq!((&first["start"], &first["end"]), (&json!(11), &json!(19)));
    assert!(first["score"].is_f64());
    let pieces = json_of(&["--format", "hf", "--aggregation", "none", TEXT]);
    assert_eq!(pieces[0]["entity"], "B-PER");
    assert!(pieces[0]["index"].is_u64() && pieces[0].get("entity_group").is_none());
}

#[test]
fn tables_of_words_and_entities() {
    let conll = output(&["--format", "conll", "Ana García, de León"]);
    let lines: Vec<&str> = conll.lines().collect();
    assert_eq!(lines[..2], ["Ana B-PER", "García I-PER"]);
    assert_eq!(lines[2..4], [", O", "de O"]);
    assert!(lines[4].starts_with("León "));
    let csv = output(&["--format", "csv", "El \"Diario\", de Madrid"]);
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("id,label,score,start,end,text"));
    assert!(lines.all(|line| line.split(',').count() >= 6));
    let brat = output(&["--format", "brat", TEXT]);
    assert_eq!(brat, "T1\tPER 11 19\tWolfgang\nT2\tLOC 30 36\tBerlín\n");
}

#[test]
fn brat_writes_a_pair_of_files_for_each_document() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    output(&["--format", "brat", "--output", out.to_str().unwrap(), TEXT, "En Madrid"]);
    let mut names: Vec<String> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 4, "{names:?}");
    let texts = names.iter().filter(|name| name.ends_with(".txt")).count();
    assert_eq!(texts, 2);
}

#[test]
fn label_studio_has_a_prediction_for_each_task() {
    let tasks = json_of(&["--format", "labelstudio", TEXT]);
    let result = &tasks[0]["predictions"][0]["result"][0];
    assert_eq!(result["type"], "labels");
    assert_eq!(result["value"]["labels"], json!(["PER"]));
    assert_eq!((&result["value"]["start"], &result["value"]["end"]), (&json!(11), &json!(19)));
}

#[test]
fn html_stands_alone_and_escapes_everything() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("map.json");
    std::fs::write(&map, r#"{"LOC": "<b>&place"}"#).unwrap();
    let text = "<script>alert(1)</script> & Ana vive en Madrid";
    let html = output(&["--format", "html", "--label-map", map.to_str().unwrap(), text]);
    assert!(html.starts_with("<!DOCTYPE html>") || html.starts_with("<!doctype html>"));
    assert!(!html.contains("<script>") && !html.contains("<b>&place"), "{html}");
    assert!(!html.contains("& Ana"));
    assert!(html.contains("&lt;script&gt;") && html.contains("&lt;b&gt;&amp;place"));
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("src="));
}

#[test]
fn pretty_marks_entities_and_has_no_colours_in_a_file() {
    let pretty = output(&["--format", "pretty", TEXT]);
    assert!(pretty.contains("Wolfgang") && pretty.contains("PER") && !pretty.contains('\u{1b}'));
    let coloured = output(&["--color", "always", "ner", "--format", "pretty", TEXT]);
    assert!(coloured.contains('\u{1b}'));
}

#[test]
fn filters_choose_what_is_reported() {
    let labels = |arguments: &[&str]| -> Vec<String> {
        let answer = json_of(&[arguments, &[TEXT]].concat());
        entities(&answer).iter().map(|e| e.0.to_owned()).collect()
    };
    assert_eq!(labels(&["--labels", "LOC"]), ["LOC"]);
    assert_eq!(labels(&["--exclude-labels", "LOC"]), ["PER"]);
    assert_eq!(labels(&["--min-score", "1"]), Vec::<String>::new());
    for aggregation in ["best", "simple", "first", "average", "max", "spark"] {
        assert_eq!(labels(&["--aggregation", aggregation]), ["PER", "LOC"], "{aggregation}");
    }
    assert_eq!(labels(&["--aggregation", "none"]), ["B-PER", "B-LOC"]);
}
