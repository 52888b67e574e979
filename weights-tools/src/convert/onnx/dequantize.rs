//! From integers back to floats: `(q - zero_point) * scale`, per tensor, per axis or per block.

use anyhow::{Context, Result, bail, ensure};

use super::tensor::{Array, Values, halves};

/// `DequantizeLinear`: `scale` is a scalar, a vector along `axis`, or blocks of `block` along it.
pub(super) fn linear(
    quantized: &Array,
    scale: &Array,
    zero_point: Option<&Array>,
    axis: i64,
    block: usize,
) -> Result<Array> {
    let (values, scales) = (quantized.ints()?, scale.floats()?);
    let zeros = zero_point.map(Array::ints).transpose()?;
    let shape = &quantized.shape;
    let place = places(shape, &scale.shape, axis, block)?;
    ensure!(
        zeros.is_none_or(|zeros| zeros.len() == scales.len()),
        "expected a zero point for each scale"
    );
    let number = |(index, value): (usize, &i32)| {
        let at = place(index);
        (value - zeros.map_or(0, |zeros| zeros[at])) as f32 * scales[at]
    };
    let floats = values.iter().enumerate().map(number).collect();
    Ok(Array { shape: shape.clone(), values: Values::Float(floats) })
}

/// Which scale the element at an index has.
fn places(
    shape: &[usize],
    scales: &[usize],
    axis: i64,
    block: usize,
) -> Result<impl Fn(usize) -> usize> {
    let rank = i64::try_from(shape.len())?;
    let axis = if axis < 0 { axis + rank } else { axis };
    let axis = usize::try_from(axis).ok().filter(|axis| *axis < shape.len().max(1));
    let axis = axis.context("axis: expected one of the tensor's")?;
    let inner: usize = shape.iter().skip(axis + 1).product::<usize>().max(1);
    let length = shape.get(axis).copied().unwrap_or(1).max(1);
    // Indices of scales: (outer, block along the axis, inner), of which some have one value.
    let (group, groups, has_inner) = if scales.iter().product::<usize>() == 1 {
        (usize::MAX, 1, false)
    } else if block == 0 {
        ensure!(
            scales == [length],
            "expected {length} scales along axis {axis}, found shape {scales:?}"
        );
        (1, 0, false)
    } else {
        let mut expected = shape.to_vec();
        expected[axis] = length.div_ceil(block);
        ensure!(
            scales == expected,
            "expected scales of shape {expected:?} for blocks of {block}, found {scales:?}"
        );
        (block, expected[axis], true)
    };
    Ok(move |index: usize| {
        let (outer, along) = (index / inner / length, index / inner % length);
        if has_inner {
            (outer * groups + along / group) * inner + index % inner
        } else {
            along / group
        }
    })
}

/// The dimensions of a matrix in blocks (`MatMulNBits`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    /// Outputs of the layer.
    pub(super) rows: usize,
    /// Inputs of the layer.
    pub(super) columns: usize,
    pub(super) block: usize,
    pub(super) bits: usize,
}

/// `MatMulNBits` of onnxruntime: rows `[out]` of blocks of unsigned numbers of 4 or 8 bits, a scale
/// for each block, and zero points packed in the same way, row by row; without any the middle is 0.
pub(super) fn blocks(
    blocks: Blocks,
    packed: &Array,
    scale: &Array,
    zero_point: Option<&Array>,
) -> Result<Array> {
    let Blocks { rows, columns, block, bits } = blocks;
    ensure!(matches!(bits, 4 | 8), "bits: expected 4 or 8, found {bits}");
    ensure!(block >= 16 && block.is_power_of_two(), "block_size: expected 16, 32 …, found {block}");
    let count = columns.div_ceil(block);
    let numbers = unpack(packed.ints()?, bits)?;
    let scales = scale.floats()?;
    let cells = rows.checked_mul(count).context("too many blocks")?;
    ensure!(
        Some(numbers.len()) == cells.checked_mul(block) && scales.len() == cells,
        "expected {rows} x {count} blocks of {block} with a scale each, found {} numbers and {} \
         scales",
        numbers.len(),
        scales.len()
    );
    let zeros = zeros(zero_point, cells, rows, count, bits)?;
    let mut floats = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let cell = row * count + column / block;
            let number = numbers[cell * block + column % block] as f32;
            floats.push((number - zeros[cell]) * scales[cell]);
        }
    }
    Ok(Array { shape: vec![rows, columns], values: Values::Float(floats) })
}

/// The zero point of each block.
fn zeros(
    zero_point: Option<&Array>,
    cells: usize,
    rows: usize,
    count: usize,
    bits: usize,
) -> Result<Vec<f32>> {
    let Some(array) = zero_point else { return Ok(vec![(1 << (bits - 1)) as f32; cells]) };
    match &array.values {
        Values::Float(zeros) if zeros.len() == cells => Ok(zeros.clone()),
        Values::Int(bytes) => {
            // Each row begins on a byte.
            let width = (count * bits).div_ceil(8);
            ensure!(bytes.len() == rows * width, "zero points: expected {rows} x {width} bytes");
            let mut zeros = Vec::with_capacity(cells);
            for row in bytes.chunks(width.max(1)) {
                zeros.extend(unpack(row, bits)?.iter().take(count).map(|zero| *zero as f32));
            }
            Ok(zeros)
        }
        Values::Float(_) => bail!("zero points: expected one for each block"),
    }
}

/// Unsigned numbers of 4 or 8 bits out of bytes.
fn unpack(bytes: &[i32], bits: usize) -> Result<Vec<i32>> {
    let bytes: Vec<u8> = bytes
        .iter()
        .map(|byte| u8::try_from(*byte).context("expected unsigned bytes"))
        .collect::<Result<_>>()?;
    Ok(if bits == 4 {
        halves(&bytes).collect()
    } else {
        bytes.into_iter().map(i32::from).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(shape: &[usize], values: &[i32]) -> Array {
        Array { shape: shape.into(), values: Values::Int(values.into()) }
    }

    fn floats(shape: &[usize], values: &[f32]) -> Array {
        Array { shape: shape.into(), values: Values::Float(values.into()) }
    }

    #[test]
    fn scales_are_for_all_for_a_row_or_for_a_block() {
        let matrix = ints(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        for (scale, zero, axis, block, expected) in [
            (floats(&[], &[0.5]), Some(ints(&[], &[1])), 1, 0, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]),
            (floats(&[2], &[1.0, 2.0]), None, 0, 0, [1.0, 2.0, 3.0, 8.0, 10.0, 12.0]),
            (floats(&[3], &[1.0, 2.0, 3.0]), None, -1, 0, [1.0, 4.0, 9.0, 4.0, 10.0, 18.0]),
            (
                floats(&[2, 2], &[1.0, 2.0, 3.0, 4.0]),
                Some(ints(&[2, 2], &[0, 1, 2, 3])),
                1,
                2,
                [1.0, 2.0, 4.0, 6.0, 9.0, 12.0],
            ),
            (floats(&[1, 3], &[1.0, 2.0, 3.0]), None, 0, 2, [1.0, 4.0, 9.0, 4.0, 10.0, 18.0]),
        ] {
            let found = linear(&matrix, &scale, zero.as_ref(), axis, block).unwrap();
            assert_eq!(found.floats().unwrap(), expected);
        }
        assert!(linear(&matrix, &floats(&[2], &[1.0; 2]), None, 1, 0).is_err());
        assert!(linear(&matrix, &floats(&[2, 3], &[1.0; 6]), None, 1, 2).is_err());
        assert!(linear(&matrix, &floats(&[2], &[1.0; 2]), None, 7, 0).is_err());
    }

    #[test]
    fn blocks_of_four_bits_are_unpacked() {
        let shape = Blocks { rows: 1, columns: 20, block: 16, bits: 4 };
        let packed = ints(&[1, 2, 8], &[0x98; 16]);
        let scales = floats(&[2], &[1.0, 0.5]);
        let found = blocks(shape, &packed, &scales, None).unwrap();
        let expected: Vec<f32> = (0..20)
            .map(|i| {
                if i % 2 == 0 {
                    0.0
                } else if i < 16 {
                    1.0
                } else {
                    0.5
                }
            })
            .collect();
        assert_eq!(found.floats().unwrap(), expected);
        let zeros = ints(&[1], &[0x08]);
        let found = blocks(shape, &packed, &scales, Some(&zeros)).unwrap();
        assert_eq!(found.floats().unwrap()[16..], [4.0, 4.5, 4.0, 4.5]);
        assert!(blocks(Blocks { columns: 40, ..shape }, &packed, &scales, None).is_err());
        assert!(blocks(Blocks { bits: 3, ..shape }, &packed, &scales, None).is_err());
    }
}
