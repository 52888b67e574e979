//! `brat`: standoff annotations, `T1⇥PER 9 17⇥Wolfgang`, offsets in code points.
//!
//! brat knows one document a file, so several documents need a folder: there each gets a `.txt`
//! and an `.ann` of one name.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::offsets::{Offsets, covered};
use super::{Answer, Id, OffsetUnit, Writer};

/// Longest file name made from an id, in characters.
const MAX_NAME: usize = 100;

/// Writer of the annotations of one document to a stream.
#[derive(Default)]
pub(super) struct BratStream {
    is_used: bool,
}

impl Writer for BratStream {
    fn record(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        if self.is_used {
            bail!("brat holds one document a file: give a folder with --output for several");
        }
        self.is_used = true;
        Ok(out.write_all(annotations(answer).as_bytes())?)
    }
}

/// Writer of a `.txt` and an `.ann` a document into a folder.
pub(super) struct BratFolder {
    folder: PathBuf,
    used: HashSet<String>,
}

impl BratFolder {
    /// Files go to `folder`, which is made if there is none.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, used: HashSet::new() }
    }

    /// A file name for `id` that no other document of this run has.
    fn name(&mut self, id: &Id) -> String {
        let stem = file_stem(id);
        let mut name = stem.clone();
        let mut copy = 1;
        // Lower-cased, since some file systems do not tell the cases apart.
        while !self.used.insert(name.to_lowercase()) {
            copy += 1;
            name = format!("{stem}-{copy}");
        }
        name
    }
}

impl Writer for BratFolder {
    fn begin(&mut self, _out: &mut dyn Write) -> Result<()> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {}", self.folder.display()))
    }

    fn record(&mut self, _out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        let name = self.name(answer.id);
        let annotations = annotations(answer);
        for (extension, content) in [("txt", answer.text), ("ann", &annotations)] {
            let path = self.folder.join(format!("{name}.{extension}"));
            fs::write(&path, content)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// `doc-000007` for a numbered document, else the id with everything that file names may not
/// hold, a leading dot among it, turned into `_`.
fn file_stem(id: &Id) -> String {
    match id {
        Id::Ordinal(number) => format!("doc-{number:06}"),
        Id::Number(_) | Id::Text(_) => {
            let mut stem: String = id
                .to_string()
                .chars()
                .take(MAX_NAME)
                .map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' })
                .collect();
            if stem.is_empty() || stem.starts_with('.') {
                stem.insert(0, '_');
            }
            stem
        }
    }
}

/// The `.ann` file of a document.
fn annotations(answer: &Answer<'_>) -> String {
    let offsets = Offsets::new(OffsetUnit::Char, answer.text);
    let mut lines = String::new();
    for (index, entity) in answer.recognition.entities.iter().enumerate() {
        let covered = covered(answer.text, entity);
        let fragments: Vec<(usize, &str)> = fragments(covered).collect();
        let spans: Vec<String> = fragments
            .iter()
            .map(|(start, text)| {
                let start = entity.start + start;
                format!("{} {}", offsets.at(start), offsets.at(start + text.len()))
            })
            .collect();
        let texts: Vec<&str> = fragments.iter().map(|(_, text)| *text).collect();
        let label = entity.label.replace(char::is_whitespace, "_");
        lines += &format!("T{}\t{label} {}\t{}\n", index + 1, spans.join(";"), texts.join(" "));
    }
    lines
}

/// The stretches of an entity between line breaks with their byte offsets: an annotation of brat
/// may not go over the end of a line.
fn fragments(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(['\n', '\r'])
        .map(|part| (part.as_ptr().addr() - text.as_ptr().addr(), part))
        .filter(|(_, part)| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{example, wolfgang, write, write_with};
    use super::super::{OutputFormat::Brat, WriteOptions};
    use super::*;

    #[test]
    fn annotations_count_code_points() {
        assert_eq!(
            write(Brat, WriteOptions::default(), &[wolfgang()]),
            "T1\tPER 9 17\tWolfgang\nT2\tLOC 28 34\tBerlín\n"
        );
    }

    #[test]
    fn an_entity_over_a_line_break_is_in_fragments() {
        let example = example(Id::Ordinal(0), "á Ana\r\nLópez", &[("Ana\r\nLópez", "FULL NAME")]);
        assert_eq!(
            write(Brat, WriteOptions::default(), &[example]),
            "T1\tFULL_NAME 2 5;7 12\tAna López\n"
        );
    }

    #[test]
    fn a_second_document_needs_a_folder() {
        let mut writer = BratStream::default();
        let example = wolfgang();
        let answer =
            Answer { id: &example.id, text: &example.text, recognition: &example.recognition };
        writer.record(&mut Vec::new(), &answer).unwrap();
        let error = writer.record(&mut Vec::new(), &answer).unwrap_err();
        assert!(error.to_string().contains("--output"), "{error}");
    }

    #[test]
    fn files_stay_in_the_folder_under_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new");
        let writer = Box::new(BratFolder::new(target.clone()));
        let ids = ["../x", "a", "A", ""].map(|id| Id::Text(id.to_owned()));
        let examples: Vec<_> = ids
            .into_iter()
            .chain([Id::Ordinal(4)])
            .map(|id| example(id, "Ana", &[("Ana", "PER")]))
            .collect();
        assert_eq!(write_with(writer, &examples), "");
        let mut names: Vec<String> = fs::read_dir(&target)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".ann"))
            .collect();
        names.sort();
        assert_eq!(names, ["A-2.ann", "_.._x.ann", "_.ann", "a.ann", "doc-000004.ann"]);
        assert_eq!(fs::read_to_string(target.join("a.txt")).unwrap(), "Ana");
        assert_eq!(fs::read_to_string(target.join("a.ann")).unwrap(), "T1\tPER 0 3\tAna\n");
    }
}
