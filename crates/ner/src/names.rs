//! Choices that have a name.

use crate::Error;

/// The choice called `found`, from a table of names.
pub(crate) fn parse<T: Copy>(
    what: &'static str,
    table: &[(&str, T)],
    found: &str,
) -> Result<T, Error> {
    let choice = table.iter().find(|(name, _)| *name == found);
    choice.map(|(_, choice)| *choice).ok_or_else(|| Error::Name {
        what,
        expected: table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
        found: found.to_owned(),
    })
}

/// The name of a choice; the table holds all of them.
pub(crate) fn name<T: PartialEq>(table: &[(&'static str, T)], choice: &T) -> &'static str {
    table.iter().find(|(_, other)| other == choice).map_or("", |(name, _)| *name)
}
