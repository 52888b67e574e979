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
    /// The same of 8-bit integers, in 10⁹ operations a second.
    pub(super) peak_int8_gops: f64,
    /// The most that the products of linear layers reach with these weights.
    pub(super) peak_linear_gflops: f64,
    /// What these threads read from memory, in GB/s.
    pub(super) read_gb_per_second: f64,
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
    /// The share of [`Report::peak_linear_gflops`], from 0 to 1.
    pub(super) share_of_peak: f64,
    /// Milliseconds of each kernel in one forward pass, in the order of the pass.
    pub(super) kernels: Vec<KernelTime>,
    /// Milliseconds of each layer.
    pub(super) layers: Vec<f64>,
}

/// One kernel's time.
#[derive(Debug, Serialize)]
pub(super) struct KernelTime {
    /// Its name.
    pub(super) name: &'static str,
    /// Milliseconds.
    pub(super) ms: f64,
    /// 10⁹ operations a second, of a kernel that multiplies matrices.
    pub(super) gflops: Option<f64>,
    /// Bytes of weights that it reads in one pass.
    pub(super) weight_bytes: u64,
    /// The least time that the machine needs for it over the time that it took, from 0 to 1.
    pub(super) share_of_roof: Option<f64>,
    /// What that least time is needed for: `compute` or `memory`.
    pub(super) bound: Option<&'static str>,
}

impl Report {
    /// Writes a table of shapes, then one of kernels and, if asked, one of layers.
    pub(super) fn write(&self, out: &mut dyn Write, layers: bool) -> io::Result<()> {
        let Self { model, isa, dtype, threads, shapes, .. } = self;
        let noun = if *threads == 1 { "thread" } else { "threads" };
        writeln!(out, "model {model}, weights {dtype}, {isa}, {threads} {noun}")?;
        writeln!(
            out,
            "measured peaks: {:.1} GFLOPS in f32, {:.1} GOPS in int8, {:.1} in linear layers, {:.1} GB/s \
             read from memory\n",
            self.peak_gflops, self.peak_int8_gops, self.peak_linear_gflops, self.read_gb_per_second
        )?;
        write_shapes(out, shapes)?;
        writeln!(out)?;
        write_kernels(out, shapes)?;
        writeln!(
            out,
            "\nof roof: the least time that this machine needs over the time taken; m: bound by \
             reading\nthe weights from memory, c: by multiply-adds"
        )?;
        if layers {
            writeln!(out)?;
            write_layers(out, shapes)?;
        }
        Ok(())
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

/// One line a kernel, one column a shape: milliseconds, the share of the pass, the share of the roof.
fn write_kernels(out: &mut dyn Write, shapes: &[ShapeReport]) -> io::Result<()> {
    let Some(first) = shapes.first() else { return Ok(()) };
    let width = first.kernels.iter().map(|kernel| kernel.name.len()).max().unwrap_or(0);
    write!(out, "{:width$}", "ms")?;
    for shape in shapes {
        write!(out, "  {:>16}  of roof", shape.shape)?;
    }
    writeln!(out)?;
    for (index, kernel) in first.kernels.iter().enumerate() {
        write!(out, "{:width$}", kernel.name)?;
        for shape in shapes {
            let total: f64 = shape.kernels.iter().map(|kernel| kernel.ms).sum();
            let Some(kernel) = shape.kernels.get(index) else { continue };
            let share = if total > 0.0 { 100.0 * kernel.ms / total } else { 0.0 };
            write!(out, "  {:>9.3} {share:>4.1} %  {:>7}", kernel.ms, roof(kernel))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The share of the roof with a letter for what holds it up.
fn roof(kernel: &KernelTime) -> String {
    match (kernel.share_of_roof, kernel.bound) {
        (Some(share), Some(bound)) => format!("{:.0} % {}", 100.0 * share, &bound[..1]),
        _ => "-".to_owned(),
    }
}

/// One line a layer, one column a shape.
fn write_layers(out: &mut dyn Write, shapes: &[ShapeReport]) -> io::Result<()> {
    write!(out, "{:8}", "ms")?;
    for shape in shapes {
        write!(out, "  {:>9}", shape.shape)?;
    }
    writeln!(out)?;
    for layer in 0..shapes.first().map_or(0, |shape| shape.layers.len()) {
        write!(out, "layer {layer:<2}")?;
        for ms in shapes.iter().filter_map(|shape| shape.layers.get(layer)) {
            write!(out, "  {ms:>9.3}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(name: &'static str, ms: f64, bound: Option<&'static str>) -> KernelTime {
        let share_of_roof = bound.map(|_| 0.75);
        KernelTime { name, ms, gflops: None, weight_bytes: 0, share_of_roof, bound }
    }

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
                kernel("query_key_value", 0.25 * ms, Some("memory")),
                kernel("layer_norm", 0.75 * ms, None),
            ],
            layers: vec![0.5 * ms; 2],
        };
        let report = Report {
            model: "m".to_owned(),
            isa: "avx2".to_owned(),
            dtype: "f32".to_owned(),
            threads: 1,
            peak_gflops: 100.0,
            peak_int8_gops: 200.0,
            peak_linear_gflops: 100.0,
            read_gb_per_second: 10.0,
            shapes: vec![shape("1x16", 2.0), shape("8x128", 100.0)],
        };
        let mut table = Vec::new();
        report.write(&mut table, true).unwrap();
        assert_eq!(
            String::from_utf8(table).unwrap(),
            concat!(
                "model m, weights f32, avx2, 1 thread\n",
                "measured peaks: 100.0 GFLOPS in f32, 200.0 GOPS in int8, 100.0 in linear layers, ",
                "10.0 GB/s read from memory\n\n",
                "     shape          ms    tokens/s    GFLOPS  of peak\n",
                "      1x16       2.000        8000      50.0   50.0 %\n",
                "     8x128     100.000         160      50.0   50.0 %\n",
                "\n",
                "ms                           1x16  of roof             8x128  of roof\n",
                "query_key_value      0.500 25.0 %   75 % m     25.000 25.0 %   75 % m\n",
                "layer_norm           1.500 75.0 %        -     75.000 75.0 %        -\n",
                "\n",
                "of roof: the least time that this machine needs over the time taken; m: bound by reading\n",
                "the weights from memory, c: by multiply-adds\n",
                "\n",
                "ms             1x16      8x128\n",
                "layer 0       1.000     50.000\n",
                "layer 1       1.000     50.000\n",
            )
        );
    }
}
