//! The figures of all layers and the table that shows them.

use std::io::{self, Write};

use super::difference::Difference;

/// Differences by tensor name, over all documents, in the order in which the names first came.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    layers: Vec<(String, Difference)>,
}

impl Comparison {
    /// Takes in one tensor of one document.
    pub(super) fn add(&mut self, name: &str, ours: &[f32], theirs: &[f32]) {
        let known = self.layers.iter().position(|(known, _)| known == name);
        let index = known.unwrap_or_else(|| {
            self.layers.push((name.to_owned(), Difference::default()));
            self.layers.len() - 1
        });
        if let Some((_, difference)) = self.layers.get_mut(index) {
            difference.add(ours, theirs);
        }
    }

    /// Whether nothing was compared.
    pub(super) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The largest absolute difference of all.
    pub(super) fn max_abs(&self) -> f64 {
        self.layers.iter().map(|(_, difference)| difference.max_abs()).fold(0.0, f64::max)
    }

    /// Writes a line a tensor; those above `tolerance` are marked.
    pub(super) fn write(&self, out: &mut dyn Write, tolerance: f64) -> io::Result<()> {
        let width = self.layers.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(6);
        writeln!(
            out,
            "{:width$}  {:>9}  {:>9}  {:>12}",
            "tensor", "max abs", "mean abs", "cosine"
        )?;
        for (name, difference) in &self.layers {
            let mark = if difference.max_abs() > tolerance { "  above tolerance" } else { "" };
            writeln!(
                out,
                "{name:width$}  {:>9.2e}  {:>9.2e}  {:>12.9}{mark}",
                difference.max_abs(),
                difference.mean_abs(),
                difference.cosine(),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_tensor_once() {
        let mut comparison = Comparison::default();
        comparison.add("hidden_states.0", &[1.0, 2.0], &[1.0, 2.0]);
        comparison.add("logits", &[1.0], &[1.5]);
        comparison.add("hidden_states.0", &[3.0], &[3.0]);
        assert_eq!(comparison.max_abs(), 0.5);
        let mut table = Vec::new();
        comparison.write(&mut table, 0.1).unwrap();
        assert_eq!(
            String::from_utf8(table).unwrap(),
            concat!(
                "tensor             max abs   mean abs        cosine\n",
                "hidden_states.0     0.00e0     0.00e0   1.000000000\n",
                "logits             5.00e-1    5.00e-1   1.000000000  above tolerance\n",
            )
        );
    }
}
