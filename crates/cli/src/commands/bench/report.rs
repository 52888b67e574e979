//! The figures of a benchmark, as a table and as JSON.

use std::io::{self, Write};

use serde::Serialize;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The model's folder, or what stands for it.
    pub(super) model: String,
    /// The instruction set in use.
    pub(super) isa: String,
    /// How weights are held in memory.
    pub(super) dtype: String,
    /// Threads of the pool.
    pub(super) threads: usize,
    /// What the multiply-adds of these threads reach without memory, in GFLOPS.
    pub(super) peak_gflops: f64,
    /// One entry a shape.
    pub(super) shapes: Vec<ShapeReport>,
}

/// One shape's figures; of times the median.
#[derive(Debug, Serialize)]
pub(super) struct ShapeReport {
    /// Documents x pieces of each.
    pub(super) shape: String,
    /// Pieces in all.
    pub(super) tokens: usize,
    /// Milliseconds of one forward pass.
    pub(super) ms: f64,
    /// Pieces a second.
    pub(super) tokens_per_second: f64,
    /// 10⁹ floating-point operations a second, two to a multiply-add.
    pub(super) gflops: f64,
    /// The share of [`Report::peak_gflops`], from 0 to 1.
    pub(super) share_of_peak: f64,
    /// Milliseconds of each kernel in one forward pass, in the order of the pass.
    pub(super) kernels: Vec<KernelTime>,
}

/// One kernel's time.
#[derive(Debug, Serialize)]
pub(super) struct KernelTime {
    /// Its name.
    pub(super) name: &'static str,
    /// Milliseconds.
    pub(super) ms: f64,
}

impl Report {
    /// Writes a table of shapes, then one of kernels.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { model, isa, dtype, threads, peak_gflops, shapes } = self;
        let noun = if *threads == 1 { "thread" } else { "threads" };
        writeln!(out, "model {model}, weights {dtype}, {isa}, {threads} {noun}")?;
        writeln!(out, "measured peak of f32 multiply-adds: {peak_gflops:.1} GFLOPS\n")?;
        write_shapes(out, shapes)?;
        writeln!(out)?;
        write_kernels(out, shapes)
    }
}

/// One line a shape.
fn write_shapes(out: &mut dyn Write, shapes: &[ShapeReport]) -> io::Result<()> {
    writeln!(
        out,
        "{:>10}  {:>10}  {:>10}  {:>8}  {:>7}",
        "shape", "ms", "tokens/s", "GFLOPS", "of peak"
    )?;
    for shape in shapes {
        writeln!(
            out,
            "{:>10}  {:>10.3}  {:>10.0}  {:>8.1}  {:>5.1} %",
            shape.shape,
            shape.ms,
            shape.tokens_per_second,
            shape.gflops,
            100.0 * shape.share_of_peak
        )?;
    }
    Ok(())
}

/// One line a kernel, one column a shape: milliseconds and the share of the pass.
fn write_kernels(out: &mut dyn Write, shapes: &[ShapeReport]) -> io::Result<()> {
    let Some(first) = shapes.first() else { return Ok(()) };
    let width = first.kernels.iter().map(|kernel| kernel.name.len()).max().unwrap_or(0);
    write!(out, "{:width$}", "ms")?;
    for shape in shapes {
        write!(out, "  {:>16}", shape.shape)?;
    }
    writeln!(out)?;
    for (index, kernel) in first.kernels.iter().enumerate() {
        write!(out, "{:width$}", kernel.name)?;
        for shape in shapes {
            let total: f64 = shape.kernels.iter().map(|kernel| kernel.ms).sum();
            let ms = shape.kernels.get(index).map_or(0.0, |kernel| kernel.ms);
            let share = if total > 0.0 { 100.0 * ms / total } else { 0.0 };
            write!(out, "  {ms:>9.3} {share:>4.1} %")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let shape = |name: &str, ms: f64| ShapeReport {
            shape: name.to_owned(),
            tokens: 16,
            ms,
            tokens_per_second: 16_000.0 / ms,
            gflops: 50.0,
            share_of_peak: 0.5,
            kernels: vec![
                KernelTime { name: "query_key_value", ms: 0.25 * ms },
                KernelTime { name: "attention", ms: 0.75 * ms },
            ],
        };
        let report = Report {
            model: "m".to_owned(),
            isa: "avx2".to_owned(),
            dtype: "f32".to_owned(),
            threads: 1,
            peak_gflops: 100.0,
            shapes: vec![shape("1x16", 2.0), shape("8x128", 100.0)],
        };
        let mut table = Vec::new();
        report.write(&mut table).unwrap();
        assert_eq!(
            String::from_utf8(table).unwrap(),
            concat!(
                "model m, weights f32, avx2, 1 thread\n",
                "measured peak of f32 multiply-adds: 100.0 GFLOPS\n\n",
                "     shape          ms    tokens/s    GFLOPS  of peak\n",
                "      1x16       2.000        8000      50.0   50.0 %\n",
                "     8x128     100.000         160      50.0   50.0 %\n",
                "\n",
                "ms                           1x16             8x128\n",
                "query_key_value      0.500 25.0 %     25.000 25.0 %\n",
                "attention            1.500 75.0 %     75.000 75.0 %\n",
            )
        );
    }
}
