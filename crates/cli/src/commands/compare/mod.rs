//! `nervio compare`: how far a model's outputs are from a reference, layer by layer.

mod comparison;
mod difference;
mod part;
mod reference;

use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use nervio::{Config, Document, Recognizer, Trace};

use crate::args::CompareArgs;
use crate::failure::Outcome;
use comparison::Comparison;
use reference::Reference;

/// Runs the command.
pub(crate) fn run(arguments: &CompareArgs) -> Result<Outcome> {
    let reference = Reference::open(&arguments.reference)?;
    let builder = Recognizer::builder().model(arguments.model.source()?);
    let tracer = arguments.engine.configure(builder).build_tracer()?;
    let mut comparison = Comparison::default();
    for (number, text) in reference.texts.iter().enumerate() {
        let document = Document::new(text.as_str());
        let trace = tracer
            .trace(&document, reference.layers())
            .with_context(|| format!("document {number} of the reference"))?;
        check_ids(number, &trace.input_ids, &reference.input_ids(number)?)?;
        compare(&mut comparison, &reference, number, &trace, tracer.config())?;
    }
    if comparison.is_empty() {
        bail!("{}: nothing to compare in it", arguments.reference.display());
    }
    report(&comparison, reference.texts.len(), arguments.tolerance)
}

/// Writes the table and the verdict.
fn report(comparison: &Comparison, documents: usize, tolerance: f64) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    comparison.write(&mut out, tolerance)?;
    let largest = comparison.max_abs();
    let passes = largest <= tolerance;
    let verdict = if passes { "within" } else { "above" };
    writeln!(
        out,
        "documents {documents}: largest difference {largest:.2e}, {verdict} the tolerance of \
         {tolerance:.0e}"
    )?;
    Ok(if passes { Outcome::Success } else { Outcome::Failed })
}

/// Both sides must have read the same pieces, or the comparison means nothing.
fn check_ids(number: usize, ours: &[u32], theirs: &[u32]) -> Result<()> {
    let longest = ours.len().max(theirs.len());
    let Some(place) = (0..longest).find(|&place| ours.get(place) != theirs.get(place)) else {
        return Ok(());
    };
    let show = |id: Option<&u32>| id.map_or("nothing".to_owned(), ToString::to_string);
    bail!(
        "document {number}: input_ids differ first at position {place}: ours {}, reference {}",
        show(ours.get(place)),
        show(theirs.get(place))
    )
}

/// Compares every tensor that the reference has of one document.
fn compare(
    comparison: &mut Comparison,
    reference: &Reference,
    number: usize,
    trace: &Trace,
    config: &Config,
) -> Result<()> {
    for part in reference.parts(number)? {
        let (ours, shape) = part
            .of(trace, config)
            .with_context(|| format!("the reference has {number}.{part}, which the model lacks"))?;
        comparison.add(&part.to_string(), ours, &reference.values(number, part, &shape)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_different_id_is_named() {
        assert!(check_ids(0, &[1, 2], &[1, 2]).is_ok());
        let message =
            |ours: &[u32], theirs: &[u32]| check_ids(3, ours, theirs).unwrap_err().to_string();
        assert_eq!(
            message(&[1, 2, 3], &[1, 5, 3]),
            "document 3: input_ids differ first at position 1: ours 2, reference 5"
        );
        assert!(message(&[1], &[1, 7]).ends_with("position 1: ours nothing, reference 7"));
    }
}
