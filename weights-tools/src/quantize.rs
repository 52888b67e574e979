//! `nervio-weights quantize`: the same model in half the bytes, or in a quarter.
//!
//! 8-bit weights are symmetric with one scale for each row (each output of a layer, each token of
//! an embedding): `w[row, i] = q[row, i] * scale[row]`, `q` from -127 to 127. The scale of a row is
//! not simply its largest magnitude over 127: a few smaller ones, which clip the largest weights,
//! are tried, and the one with the least squared error is taken.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use half::{bf16, f16};
use indicatif::{ProgressBar, ProgressStyle};
use nervio_eval::read_conll;
use nervio_weights::{
    BertTensors, Checkpoint, Dtype, FloatTensor, OpenOptions, OwnedTensor, write_file,
};

use crate::evaluate::Evaluated;
use crate::output::{COMPANIONS, whole_folder};

/// The types that weights can be brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// Half precision.
    F16,
    /// bfloat16.
    Bf16,
    /// 8-bit integers with a scale for each row.
    Int8,
}

/// Write a model folder with smaller weights
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    nervio-weights quantize my-model my-model-int8 --dtype int8\n  \
    nervio-weights quantize my-model my-model-int8 --dtype int8 --data held-out.conll")]
pub struct Args {
    /// The model folder to read
    source: PathBuf,
    /// The new folder to write
    out: PathBuf,
    /// The type of matrices; biases and layer norms stay f32
    #[arg(long, value_enum)]
    dtype: Target,
    /// A CoNLL file with gold tags in the last column: F1 before and after, and how many words keep
    /// their label
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

/// What a tensor lost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// Root of the mean squared difference.
    pub rms: f64,
    /// Largest difference.
    pub max: f64,
    /// Root of the mean square of the weights themselves.
    pub scale: f64,
}

/// Shares of a row's largest magnitude that are tried as the end of the 8-bit range.
const CLIP_RATIOS: [f32; 6] = [1.0, 0.95, 0.9, 0.85, 0.8, 0.7];

/// Runs the command.
///
/// # Errors
/// When the source cannot be read or the folder not be written.
pub fn run(args: &Args) -> Result<()> {
    // Read first: a wrong name should not cost the time to quantise.
    let sentences = args.data.as_deref().map(read_conll).transpose()?;
    let mut report = Vec::new();
    whole_folder(&args.out, |folder| {
        report = quantize_folder(&args.source, folder, args.dtype)?;
        Ok(())
    })?;
    println!("{:<60} {:>10} {:>10} {:>10}", "tensor", "rms", "max", "rms/scale");
    for (name, loss) in &report {
        let relative = if loss.scale > 0.0 { loss.rms / loss.scale } else { 0.0 };
        println!("{name:<60} {:>10.2e} {:>10.2e} {relative:>10.5}", loss.rms, loss.max);
    }
    if let Some(sentences) = sentences {
        let before = Evaluated::new(&args.source, &sentences)?;
        let after = Evaluated::new(&args.out, &sentences)?;
        println!(
            "F1 {:.2}, before {:.2}; {:.3} % of the words keep their label",
            after.f1 * 100.0,
            before.f1 * 100.0,
            after.agreement(&before) * 100.0
        );
    }
    Ok(())
}

/// Writes the model of `source` into `folder` and tells what each matrix lost.
///
/// # Errors
/// As [`run`].
pub fn quantize_folder(
    source: &Path,
    folder: &Path,
    target: Target,
) -> Result<Vec<(String, Loss)>> {
    let checkpoint = Checkpoint::open(source, &OpenOptions::default())?;
    let names = BertTensors::new(&checkpoint)?;
    let ignored = names.ignored();
    let (mut tensors, mut report) = (Vec::new(), Vec::new());
    let bar = ProgressBar::new(checkpoint.names().count() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?);
    for name in checkpoint.names().filter(|name| !ignored.contains(name)) {
        let Some(tensor) = checkpoint.get(name) else { continue };
        bar.set_message(name.to_owned());
        bar.inc(1);
        let floats = tensor.floats()?;
        floats.check_finite()?;
        if tensor.shape.len() == 2 && name.ends_with(".weight") {
            let (mut quantized, loss) = quantize(name, tensor.shape, &floats, target)
                .with_context(|| tensor.file.display().to_string())?;
            tensors.append(&mut quantized);
            report.push((name.to_owned(), loss));
        } else {
            tensors.push(OwnedTensor::from_f32(name, tensor.shape.to_vec(), &floats.to_vec()));
        }
    }
    bar.finish_and_clear();
    let mut metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    if target == Target::Int8 {
        metadata.insert("nervio.quantization".into(), "int8-per-row-symmetric".into());
    }
    write_file(&folder.join("model.safetensors"), &tensors, metadata)?;
    for name in COMPANIONS {
        let from = source.join(name);
        if from.exists() {
            fs::copy(&from, folder.join(name))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    Ok(report)
}

/// One matrix in the new type: one tensor, or integers and scales.
fn quantize(
    name: &str,
    shape: &[usize],
    floats: &FloatTensor<'_>,
    target: Target,
) -> Result<(Vec<OwnedTensor>, Loss)> {
    let values = floats.to_vec();
    let (tensors, stored) = match target {
        Target::Int8 => int8(name, shape, &values),
        Target::F16 => {
            let narrow = |x| f16::from_f32(x);
            half(name, shape, &values, Dtype::F16, |x| (narrow(x).to_le_bytes(), narrow(x).into()))?
        }
        Target::Bf16 => {
            let narrow = |x| bf16::from_f32(x);
            half(name, shape, &values, Dtype::BF16, |x| {
                (narrow(x).to_le_bytes(), narrow(x).into())
            })?
        }
    };
    Ok((tensors, loss(&values, &stored)))
}

/// A tensor of 16-bit floats, and the numbers that they stand for; `narrow` gives both for each.
fn half(
    name: &str,
    shape: &[usize],
    values: &[f32],
    dtype: Dtype,
    narrow: impl Fn(f32) -> ([u8; 2], f32),
) -> Result<(Vec<OwnedTensor>, Vec<f32>)> {
    let mut data = Vec::with_capacity(2 * values.len());
    let mut stored = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let (bytes, number) = narrow(*value);
        if !number.is_finite() {
            bail!(
                "tensor {name}: expected numbers that fit {dtype}, found {value} at element {index}"
            );
        }
        data.extend(bytes);
        stored.push(number);
    }
    Ok((vec![OwnedTensor { name: name.into(), dtype, shape: shape.into(), data }], stored))
}

/// Integers `[rows, columns]` and scales `[rows]`, and the numbers that they stand for.
fn int8(name: &str, shape: &[usize], values: &[f32]) -> (Vec<OwnedTensor>, Vec<f32>) {
    let columns = shape.last().copied().unwrap_or(0).max(1);
    let mut data = Vec::with_capacity(values.len());
    let mut scales = Vec::new();
    let mut stored = Vec::with_capacity(values.len());
    for row in values.chunks(columns) {
        let scale = best_scale(row);
        scales.push(scale);
        for value in row {
            let q = nearest(*value, scale);
            data.push(q.cast_unsigned());
            stored.push(f32::from(q) * scale);
        }
    }
    let integers = OwnedTensor { name: name.into(), dtype: Dtype::I8, shape: shape.into(), data };
    let scales = OwnedTensor::from_f32(format!("{name}_scale"), vec![scales.len()], &scales);
    (vec![integers, scales], stored)
}

/// The scale of a row with the least squared error.
fn best_scale(row: &[f32]) -> f32 {
    let largest = row.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let error = |scale: f32| -> f64 {
        row.iter().map(|x| f64::from(*x - f32::from(nearest(*x, scale)) * scale).powi(2)).sum()
    };
    let scales = CLIP_RATIOS.map(|ratio| largest * ratio / 127.0);
    let best = scales.into_iter().map(|scale| (error(scale), scale));
    best.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(0.0, |(_, scale)| scale)
}

/// The multiple of `scale` nearest to `value`.
fn nearest(value: f32, scale: f32) -> i8 {
    let q = if scale > 0.0 { value / scale } else { 0.0 };
    #[allow(clippy::cast_possible_truncation, reason = "clamped to the range of i8")]
    let q = q.round_ties_even().clamp(-127.0, 127.0) as i8;
    q
}

fn loss(values: &[f32], stored: &[f32]) -> Loss {
    let count = values.len().max(1) as f64;
    let differences = values.iter().zip(stored).map(|(a, b)| f64::from((a - b).abs()));
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
    Loss {
        rms: (squares(&mut differences.clone()) / count).sqrt(),
        max: differences.fold(0.0, f64::max),
        scale: (squares(&mut values.iter().map(|x| f64::from(*x))) / count).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_multiples_is_kept_exactly() {
        let row: Vec<f32> = (-127..=127).map(|q| q as f32 * 0.5).collect();
        let (tensors, stored) = int8("x.weight", &[1, 255], &row);
        assert_eq!(stored, row);
        assert_eq!(tensors[1].name, "x.weight_scale");
        assert_eq!(tensors[0].shape, [1, 255]);
    }

    #[test]
    fn one_outlier_is_clipped_where_that_costs_less() {
        let mut row = vec![0.004; 4000];
        row[7] = 1.0;
        let scale = best_scale(&row);
        assert!(scale < 1.0 / 127.0);
        assert_eq!(best_scale(&[0.0; 8]), 0.0);
    }

    #[test]
    fn zero_and_the_smallest_numbers_are_kept_finite() {
        for row in [[0.0; 4], [f32::from_bits(1); 4], [1e-40, -1e-40, 0.0, 1e-41]] {
            let (tensors, stored) = int8("x.weight", &[1, 4], &row);
            assert!(stored.iter().zip(row).all(|(a, b)| (a - b).abs() <= 1e-40), "{stored:?}");
            assert!(!tensors[0].data.contains(&i8::MIN.cast_unsigned()));
        }
        let (_, stored) = int8("x.weight", &[1, 2], &[f32::MAX, f32::MIN]);
        assert!(stored.iter().all(|x| x.is_finite()), "{stored:?}");
        assert!(int8("x.weight", &[0, 4], &[]).1.is_empty());
    }

    fn folder(tensors: &[OwnedTensor]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        write_file(&folder.path().join("model.safetensors"), tensors, HashMap::new()).unwrap();
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let checkpoint = Checkpoint::open(folder, &OpenOptions::default()).unwrap();
        checkpoint.names().map(Into::into).collect()
    }

    #[test]
    fn what_cannot_be_quantised_is_refused_and_leaves_nothing() {
        let weight =
            |value: f32| OwnedTensor::from_f32("classifier.weight", vec![1, 2], &[0.0, value]);
        let integers = OwnedTensor::from_i64("classifier.weight", vec![1, 1], &[1]);
        for (tensor, dtype, words) in [
            (weight(7e4), Target::F16, ["classifier.weight", "fit F16, found 70000 at element 1"]),
            (weight(f32::MAX), Target::Bf16, ["model.safetensors", "fit BF16"]),
            (weight(f32::NAN), Target::Int8, ["classifier.weight", "found NaN at element 1"]),
            (integers, Target::Int8, ["classifier.weight", "found I64"]),
        ] {
            let (source, root) = (folder(&[tensor]), tempfile::tempdir().unwrap());
            let (source, out) = (source.path().into(), root.path().join("out"));
            let args = Args { source, out, dtype, data: None };
            let message = format!("{:#}", run(&args).unwrap_err());
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        }
        let empty = tempfile::tempdir().unwrap();
        let error = quantize_folder(empty.path(), empty.path(), Target::Int8).unwrap_err();
        assert!(error.to_string().contains("expected model.safetensors"), "{error}");
    }

    #[test]
    fn the_same_source_gives_the_same_bytes() {
        let weight: Vec<f32> = (0..64).map(|i| (i as f32).cos()).collect();
        let source = folder(&[OwnedTensor::from_f32("classifier.weight", vec![4, 16], &weight)]);
        let write = || {
            let out = tempfile::tempdir().unwrap();
            quantize_folder(source.path(), out.path(), Target::Int8).unwrap();
            fs::read(out.path().join("model.safetensors")).unwrap()
        };
        let first = write();
        assert!((0..8).all(|_| write() == first));
    }

    #[test]
    fn a_folder_goes_through_every_type() {
        let weight: Vec<f32> = (0..64).map(|i| (i as f32).sin()).collect();
        let source = folder(&[
            OwnedTensor::from_f32("bert.encoder.layer.0.output.dense.weight", vec![4, 16], &weight),
            OwnedTensor::from_f32("bert.encoder.layer.0.output.dense.bias", vec![4], &weight[..4]),
            OwnedTensor::from_f32("bert.pooler.dense.weight", vec![4, 4], &weight[..16]),
            OwnedTensor::from_f32("crf.transitions", vec![2, 2], &weight[..4]),
        ]);
        fs::write(source.path().join("config.json"), "{}").unwrap();
        for (target, dtype, bound) in [
            (Target::F16, Dtype::F16, 3e-4),
            (Target::Bf16, Dtype::BF16, 2e-3),
            (Target::Int8, Dtype::I8, 4e-3),
        ] {
            let out = tempfile::tempdir().unwrap();
            let report = quantize_folder(source.path(), out.path(), target).unwrap();
            assert_eq!(report.len(), 1, "the pooler is left out, other matrices stay");
            assert_eq!(names(out.path()).len(), if target == Target::Int8 { 4 } else { 3 });
            assert!(report[0].1.rms < bound, "{target:?}: {:?}", report[0]);
            let written = Checkpoint::open(out.path(), &OpenOptions::default()).unwrap();
            let name = "bert.encoder.layer.0.output.dense";
            assert_eq!(written.get(&format!("{name}.weight")).unwrap().dtype, dtype);
            assert_eq!(written.get(&format!("{name}.bias")).unwrap().dtype, Dtype::F32);
            assert!(out.path().join("config.json").exists());
        }
    }
}
