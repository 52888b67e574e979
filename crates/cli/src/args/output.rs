//! Where answers go and in what form.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::failure::usage;
use crate::input::Source;
use crate::output::{OffsetUnit, OutputFormat};

/// Answers to standard output or a file, in one of many formats.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// How answers are written [default: by --output's extension, else pretty on a terminal,
    /// jsonl otherwise]
    #[arg(long, short, value_enum)]
    pub(crate) format: Option<OutputFormat>,
    /// A file to write to; for brat a folder [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What start and end count; jsonl and json name it where it is not char. hf and brat always
    /// count code points [default: char]
    #[arg(long, value_enum, value_name = "UNIT")]
    pub(crate) offsets: Option<OffsetUnit>,
}

/// A settled place for the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
    /// A folder that the writer fills itself.
    Folder(PathBuf),
}

impl OutputArgs {
    /// The format, asked for or guessed.
    ///
    /// # Errors
    /// When `--offsets` asks for what the format does not allow.
    pub(crate) fn format(&self) -> Result<OutputFormat> {
        let format = self.format.unwrap_or_else(|| match &self.output {
            Some(path) => OutputFormat::of_path(path).unwrap_or(OutputFormat::Jsonl),
            None if io::stdout().is_terminal() => OutputFormat::Pretty,
            None => OutputFormat::Jsonl,
        });
        if format.has_fixed_offsets() && !matches!(self.offsets, None | Some(OffsetUnit::Char)) {
            return Err(usage("formats hf and brat count code points: leave --offsets out"));
        }
        Ok(format)
    }

    /// Where the answers go.
    ///
    /// # Errors
    /// When the output is one of the `sources`: it would be emptied before it is read.
    pub(crate) fn destination(
        &self,
        format: OutputFormat,
        sources: &[Source],
    ) -> Result<Destination> {
        let Some(path) = &self.output else { return Ok(Destination::Stdout) };
        if path == Path::new("-") {
            return Ok(Destination::Stdout);
        }
        let is_folder = path.is_dir() || path.extension().is_none_or(|name| name != "ann");
        if format == OutputFormat::Brat && is_folder {
            return Ok(Destination::Folder(path.clone()));
        }
        let is_read = |source: &Source| match source {
            Source::File(input) => is_same_file(input, path),
            Source::Argument { .. } | Source::Stdin => false,
        };
        if sources.iter().any(is_read) {
            return Err(usage(format!("{} is both input and output", path.display())));
        }
        Ok(Destination::File(path.clone()))
    }
}

/// Whether both paths lead to one existing file.
fn is_same_file(first: &Path, second: &Path) -> bool {
    match (first.canonicalize(), second.canonicalize()) {
        (Ok(first), Ok(second)) => first == second && first.is_file(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(format: Option<OutputFormat>, path: Option<&str>) -> OutputArgs {
        OutputArgs { format, output: path.map(PathBuf::from), offsets: None }
    }

    #[test]
    fn the_format_goes_by_the_extension_unless_it_is_given() {
        let guessed = |path| output(None, Some(path)).format().unwrap();
        assert_eq!(guessed("a.html"), OutputFormat::Html);
        assert_eq!(guessed("a.CSV"), OutputFormat::Csv);
        assert_eq!(guessed("a.out"), OutputFormat::Jsonl);
        let given = output(Some(OutputFormat::Hf), Some("a.html")).format().unwrap();
        assert_eq!(given, OutputFormat::Hf);
    }

    #[test]
    fn offsets_of_hf_are_fixed() {
        let mut arguments = output(Some(OutputFormat::Hf), None);
        arguments.offsets = Some(OffsetUnit::Byte);
        assert!(arguments.format().is_err());
        arguments.offsets = Some(OffsetUnit::Char);
        assert!(arguments.format().is_ok());
    }

    #[test]
    fn brat_goes_to_a_folder_unless_an_ann_file_is_named() {
        let place = |path| output(None, Some(path)).destination(OutputFormat::Brat, &[]).unwrap();
        assert_eq!(place("corpus"), Destination::Folder("corpus".into()));
        assert_eq!(place("a.ann"), Destination::File("a.ann".into()));
        assert_eq!(place("-"), Destination::Stdout);
    }

    #[test]
    fn the_input_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "Ana\n").unwrap();
        let same = folder.path().join(".").join("a.txt");
        let arguments = output(None, same.to_str());
        let error = arguments.destination(OutputFormat::Jsonl, &[Source::File(path)]).unwrap_err();
        assert!(error.to_string().ends_with("is both input and output"), "{error}");
    }
}
