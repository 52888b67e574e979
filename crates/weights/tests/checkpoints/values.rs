//! Numbers of every type, whatever their alignment.

use half::{bf16, f16};
use nervio_weights::{BertTensors, Checkpoint, Error};

use crate::bytes::{assert_error, file, one, open, tensor};

fn bytes_f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn every_half_is_widened_exactly() {
    let bits: Vec<u16> = (0..=u16::MAX).collect();
    let data: Vec<u8> = bits.iter().flat_map(|x| x.to_le_bytes()).collect();
    for (dtype, widen) in [
        ("F16", (|x| f16::from_bits(x).to_f32()) as fn(u16) -> f32),
        ("BF16", |x| bf16::from_bits(x).to_f32()),
    ] {
        let checkpoint = open(one(dtype, "[256,256]", &data));
        let floats = checkpoint.get("x").unwrap().floats().unwrap();
        assert_eq!(floats.len(), 1 << 16);
        for (value, bits) in floats.to_vec().into_iter().zip(&bits) {
            let expected = widen(*bits);
            assert!(value == expected || value.is_nan() && expected.is_nan(), "{dtype} {bits}");
        }
    }
}

#[test]
fn any_part_is_read_at_any_alignment() {
    let values: Vec<f32> = (0_u16..700).map(|i| f32::from(i) - 300.0).collect();
    let stored = [
        ("F32", bytes_f32(&values)),
        ("F16", values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect()),
        ("BF16", values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect()),
    ];
    for (dtype, data) in stored {
        for offset in 0..4 {
            let before = tensor("a", "I8", &format!("[{offset}]"), 0, offset);
            let x = tensor("x", dtype, "[700]", offset, offset + data.len());
            let bytes = [vec![0; offset], data.clone()].concat();
            let checkpoint = open(file(&format!("{{{before},{x}}}"), &bytes));
            let floats = checkpoint.get("x").unwrap().floats().unwrap();
            for (start, len) in [(0, 700), (1, 256), (255, 257), (699, 1), (700, 0), (3, 513)] {
                let mut out = vec![f32::NAN; len];
                floats.read(start, &mut out);
                let close = |(a, b): (&f32, &f32)| (a - b).abs() <= b.abs() / 256.0;
                assert!(out.iter().zip(&values[start..]).all(close), "{dtype} {offset} {start}");
            }
        }
    }
}

#[test]
fn values_that_are_no_numbers_are_found_wherever_they_are() {
    for at in [0, 1, 7, 8, 31, 32, 499] {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = [f32::MAX; 500];
            values[at] = bad;
            let halves: Vec<u8> =
                values.iter().flat_map(|x| f16::from_f32(x.min(6e4)).to_le_bytes()).collect();
            let mut halves = halves;
            halves[2 * at..2 * at + 2].copy_from_slice(&f16::from_f32(bad).to_le_bytes());
            let brains: Vec<u8> =
                values.iter().flat_map(|x| bf16::from_f32(*x * 0.5).to_le_bytes()).collect();
            for (dtype, data) in [("F32", bytes_f32(&values)), ("F16", halves), ("BF16", brains)] {
                let checkpoint = open(one(dtype, "[20,25]", &data));
                let error =
                    checkpoint.get("x").unwrap().floats().unwrap().check_finite().unwrap_err();
                let place = format!("found {bad} at element {at}");
                assert_error!(error, Error::NotFinite { .. }, "weights: tensor x: ", &place);
            }
        }
    }
}

#[test]
fn the_largest_and_smallest_numbers_are_finite() {
    let values = [f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -0.0, 0.0];
    let checkpoint = open(one("F32", "[6]", &bytes_f32(&values)));
    let floats = checkpoint.get("x").unwrap().floats().unwrap();
    floats.check_finite().unwrap();
    assert_eq!(floats.to_vec(), values);
    let halves = [f16::MAX, f16::MIN, f16::MIN_POSITIVE].map(f16::to_le_bytes).concat();
    let checkpoint = open(one("F16", "[3]", &halves));
    checkpoint.get("x").unwrap().floats().unwrap().check_finite().unwrap();
}

#[test]
fn types_that_are_no_floats_are_refused_when_used() {
    for (dtype, bytes) in [("I64", 8), ("I32", 4), ("U8", 1), ("F64", 8), ("BOOL", 1), ("I8", 1)] {
        let checkpoint = open(one(dtype, "[1]", &vec![0; bytes]));
        let tensor = checkpoint.get("x").unwrap();
        assert_eq!(tensor.dtype.to_string(), dtype);
        let error = tensor.floats().unwrap_err();
        assert_error!(error, Error::Dtype { .. }, "tensor x", "F32, F16 or BF16", dtype);
    }
}

/// `classifier.weight` I8 `[2, 3]` with scales, the two types and the scales to be chosen.
fn int8(q: [i8; 6], dtype: &str, scales: &[f32], scale_dtype: &str) -> BertTensors {
    let scales = bytes_f32(scales);
    let rows = scales.len() / 4;
    let weight = tensor("classifier.weight", dtype, "[2,3]", 0, 6);
    let scale =
        tensor("classifier.weight_scale", scale_dtype, &format!("[{rows}]"), 6, 6 + scales.len());
    let data = [&q.map(i8::cast_unsigned)[..], &scales].concat();
    BertTensors::new(&open(file(&format!("{{{weight},{scale}}}"), &data))).unwrap()
}

#[test]
fn eight_bit_weights_are_multiplied_by_the_scale_of_their_row() {
    let tensors = int8([1, -2, 127, 0, -127, 5], "I8", &[0.5, 0.0], "F32");
    assert!(tensors.unknown().is_empty());
    let matrix = tensors.require_int8("classifier.weight", &[2, 3]).unwrap();
    assert_eq!(matrix.scales(), [0.5, 0.0]);
    let (mut row, mut raw) = ([0.0; 3], [0; 3]);
    matrix.read(0, &mut row);
    assert_eq!(row, [0.5, -1.0, 63.5]);
    matrix.read(1, &mut row);
    assert_eq!(row, [0.0, 0.0, 0.0]);
    matrix.read_raw(1, &mut raw);
    assert_eq!(raw, [0, -127, 5]);
}

#[test]
fn eight_bit_weights_out_of_their_range_are_refused() {
    let refused = |tensors: BertTensors| {
        tensors.require_int8("classifier.weight", &[2, 3]).map(|_| ()).unwrap_err()
    };
    let q = [1; 6];
    assert_error!(refused(int8(q, "U8", &[1.0, 1.0], "F32")), Error::Dtype { .. }, "I8, found U8");
    assert_error!(refused(int8(q, "I8", &[1.0, 1.0], "I32")), Error::Dtype { .. }, "_scale", "I32");
    assert_error!(refused(int8(q, "I8", &[1.0], "F32")), Error::Shape { .. }, "[2], found [1]");
    let nan = refused(int8(q, "I8", &[1.0, f32::NAN], "F32"));
    assert_error!(nan, Error::NotFinite { index: 1, .. }, "classifier.weight_scale");
    let negative = refused(int8(q, "I8", &[1.0, -1.0], "F32"));
    assert_error!(negative, Error::Range { index: 1, .. }, "found -1 at element 1");
    let lowest = refused(int8([0, 0, 0, 0, -128, 0], "I8", &[1.0, 1.0], "F32"));
    assert_error!(lowest, Error::Range { index: 4, .. }, "-127 to 127", "found -128");
    let alone = open(file(&format!("{{{}}}", tensor("w", "I8", "[1,1]", 0, 1)), b"x"));
    let missing = BertTensors::new(&alone).unwrap();
    let error = missing.require_int8("w", &[1, 1]).map(|_| ()).unwrap_err();
    assert_error!(error, Error::Missing { .. }, "w_scale");
}

#[test]
fn the_embedded_kind_reads_the_same() {
    let bytes: &'static [u8] = Box::leak(one("F32", "[1]", &bytes_f32(&[2.0])).into_boxed_slice());
    let checkpoint = Checkpoint::from_static("embedded", bytes).unwrap();
    assert_eq!(checkpoint.get("x").unwrap().floats().unwrap().to_vec(), [2.0]);
}
