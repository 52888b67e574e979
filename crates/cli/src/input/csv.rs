//! `csv`: comma-separated values with a header row, the text in one column.

use nervio::Document;

use super::ReadOptions;
use super::record::{Fault, Id, Parsed};
use super::source::Input;

/// The columns looked for when none is named.
const DEFAULT_TEXT: &str = "text";
const DEFAULT_ID: &str = "id";

/// Reader of one document a row. Quoted fields may hold commas and line breaks.
pub(super) struct Csv {
    reader: ::csv::Reader<Input>,
    state: State,
}

enum State {
    Start { text: Option<String>, id: Option<String> },
    Rows(Columns),
    Ended,
}

/// What the header row says.
#[derive(Clone, Copy)]
struct Columns {
    /// The column of the text, counted from 0.
    text: usize,
    /// The column of the id.
    id: Option<usize>,
    /// How many lines the csv crate's count is behind: it counts the `\n` of a `\r\n` to the row
    /// that follows.
    line_lag: u64,
}

impl Csv {
    /// Documents of `input`.
    pub(super) fn new(input: Input, options: &ReadOptions) -> Self {
        let reader = ::csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let (text, id) = (options.text_field.clone(), options.id_field.clone());
        Self { reader, state: State::Start { text, id } }
    }

    /// Finds the columns in the header row; `None` for an empty file.
    fn columns(&mut self, text: Option<&str>, id: Option<&str>) -> Result<Option<Columns>, Fault> {
        let header = self.reader.byte_headers().map_err(|error| fault(&error))?;
        if header.is_empty() {
            return Ok(None);
        }
        let find = |name: &str| header.iter().position(|column| column == name.as_bytes());
        let require = |name: &str| {
            find(name).ok_or_else(|| {
                let known: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
                Fault::of_file(format!("no column {name:?}; the columns are {known:?}"))
            })
        };
        let text = text.map_or_else(|| Ok(find(DEFAULT_TEXT).unwrap_or(0)), require)?;
        let id = id.map_or_else(|| Ok(find(DEFAULT_ID)), |name| require(name).map(Some))?;
        let header_lines = 1 + header.as_slice().iter().filter(|&&byte| byte == b'\n').count();
        let counted = self.reader.position().line() - 1;
        let line_lag = (header_lines as u64).saturating_sub(counted);
        Ok(Some(Columns { text, id, line_lag }))
    }

    /// The next row's document.
    fn row(&mut self, columns: Columns) -> Option<Result<Parsed, Fault>> {
        let mut row = ::csv::ByteRecord::new();
        match self.reader.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                self.state = State::Ended;
                return Some(Err(fault(&error)));
            }
        }
        let line = row.position().map_or(0, ::csv::Position::line) + columns.line_lag;
        Some(parse(&row, columns, line))
    }
}

impl Iterator for Csv {
    type Item = Result<Parsed, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let columns = match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return None,
            State::Rows(columns) => columns,
            State::Start { text, id } => match self.columns(text.as_deref(), id.as_deref()) {
                Ok(columns) => columns?,
                Err(fault) => return Some(Err(fault)),
            },
        };
        self.state = State::Rows(columns);
        self.row(columns)
    }
}

/// The document of a row that starts on `line`.
fn parse(row: &::csv::ByteRecord, columns: Columns, line: u64) -> Result<Parsed, Fault> {
    let Some(text) = row.get(columns.text) else {
        let message =
            format!("the row has {} fields; the text is number {}", row.len(), columns.text + 1);
        return Err(Fault::at(line, message));
    };
    let utf8 = |bytes: &[u8]| {
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| Fault::utf8(line, error))
    };
    let id = columns.id.and_then(|column| row.get(column)).filter(|id| !id.is_empty());
    Ok(Parsed {
        id: id.map(utf8).transpose()?.map(Id::Text),
        document: Document::new(utf8(text)?),
        line,
    })
}

/// A failed read in the reader's words.
fn fault(error: &::csv::Error) -> Fault {
    Fault::of_file(format!("cannot read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::{
        InputFormat::Csv,
        testing::{read, texts},
    };
    use super::*;

    #[test]
    fn quoted_fields_hold_commas_quotes_and_line_breaks() {
        let input = "id,text\r\n7,\"Ana, \"\"la\r\nalta\"\"\"\r\n8,Luis\r\n";
        let parsed = read(Csv, input.as_bytes(), &ReadOptions::default());
        let [first, second] = &parsed[..] else { panic!("{parsed:?}") };
        assert_eq!(first.as_ref().unwrap().line, 2);
        let (first, second) = (first.as_ref().unwrap(), second.as_ref().unwrap());
        assert_eq!(first.document.text, "Ana, \"la\r\nalta\"");
        assert_eq!(first.id, Some(Id::Text("7".into())));
        assert_eq!((second.document.text.as_str(), second.line), ("Luis", 4));
    }

    #[test]
    fn without_a_text_column_the_first_one_is_read() {
        assert_eq!(texts(Csv, b"frase,n\nuno,1\n"), [Ok("uno".into())]);
        assert_eq!(texts(Csv, b"").len(), 0);
        assert_eq!(texts(Csv, b"text\n").len(), 0);
    }

    #[test]
    fn a_named_column_must_exist() {
        let options = ReadOptions { text_field: Some("cuerpo".into()), ..ReadOptions::default() };
        let read = read(Csv, b"a,b\n1,2\n", &options);
        assert_eq!(read.len(), 1);
        assert_eq!(
            read[0].as_ref().unwrap_err().message,
            "no column \"cuerpo\"; the columns are [\"a\", \"b\"]"
        );
    }

    #[test]
    fn bad_rows_are_reported_with_their_line() {
        assert_eq!(
            texts(Csv, b"n,text\n1,uno\n2\n3,\xFF\n4,dos\n"),
            [
                Ok("uno".into()),
                Err("3: the row has 1 fields; the text is number 2".into()),
                Err("4: invalid UTF-8 at byte 1".into()),
                Ok("dos".into()),
            ]
        );
    }
}
