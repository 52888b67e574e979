//! The left operand of 8-bit products: bytes with a scale and a zero point for each row.

use std::ops::Range;

use nervio_simd::{Isa, Kernel, MAX_LANES, Simd, Tiles};

use super::int8::RowScale;
use super::row_panels::RowPanels;
use super::tile::STEP;
use crate::parallel::join;

/// Numbers that a thread quantises at least: fewer take less time than it takes to share them out.
const SHARE: usize = 1 << 13;

/// Bytes of one tile.
const TILE_BYTES: usize = Tiles::ROWS * Tiles::BYTE_STEPS;

/// Quantises the left operand, `[rows, k]`, into row panels, on up to `threads` threads: `values` is
/// `[panels][k / STEP][tile rows][STEP]`, `scales` `[panels][tile rows]`. Bytes of rows and steps past the end are
/// zero. A row with a number that is not finite gets a scale that is not a number.
pub(crate) fn quantize_left(
    isa: Isa,
    values: &mut [u8],
    scales: &mut [RowScale],
    (left, k): (&[f32], usize),
    rows: RowPanels,
    threads: usize,
) {
    assert_eq!(
        [values.len(), scales.len()],
        [rows.packed_len(k), rows.padded()],
        "room for panels"
    );
    if k == 0 {
        return;
    }
    let threads = threads.min(left.len() / SHARE);
    in_shares(0..rows.count(), threads, (values, scales), &|panels, values, scales| {
        let scales = scales.chunks_exact_mut(rows.tile_rows());
        let to = values.chunks_exact_mut(rows.panel_len(k)).zip(scales);
        for (panel, (values, scales)) in panels.zip(to) {
            let rows = &left[rows.start(panel) * k..rows.start(panel + 1) * k];
            isa.run(QuantizePanel { values, scales, rows, k });
        }
    });
}

/// Quantises the left operand, `[rows, k]`, into tiles, on up to `threads` threads: `values` is
/// `[tiles][k / 64][16][64]`, `scales` `[tiles][16]`; `k` is not zero and a multiple of 64. Of rows past the end
/// nothing is written. The numbers are those of [`quantize_left`].
pub(crate) fn quantize_tiles(
    isa: Isa,
    values: &mut [u8],
    scales: &mut [RowScale],
    (left, k): (&[f32], usize),
    threads: usize,
) {
    let (rows, count) = (left.len() / k, (left.len() / k).div_ceil(Tiles::ROWS));
    let padded = count * Tiles::ROWS;
    assert_eq!([values.len(), scales.len()], [padded * k, padded], "room for tiles");
    let threads = threads.min(left.len() / SHARE);
    in_shares(0..count, threads, (values, scales), &|tiles, values, scales| {
        let end = (tiles.end * Tiles::ROWS).min(rows);
        let left = &left[tiles.start * Tiles::ROWS * k..end * k];
        isa.run(QuantizeTiles { values, scales, left, k });
    });
}

/// Runs `work` on shares of the tiles or panels `units`, with the bytes and scales that belong to them (as many
/// for each), each on a thread.
fn in_shares<F>(
    units: Range<usize>,
    threads: usize,
    (values, scales): (&mut [u8], &mut [RowScale]),
    work: &F,
) where
    F: Fn(Range<usize>, &mut [u8], &mut [RowScale]) + Sync,
{
    if threads < 2 || units.len() < 2 {
        return work(units, values, scales);
    }
    let threads = threads.min(units.len());
    let (half, cut) = (threads / 2, units.len() * (threads / 2) / threads);
    let middle = units.start + cut;
    let values = values.split_at_mut(values.len() / units.len() * cut);
    let scales = scales.split_at_mut(scales.len() / units.len() * cut);
    join(
        || in_shares(units.start..middle, half, (values.0, scales.0), work),
        || in_shares(middle..units.end, threads - half, (values.1, scales.1), work),
    );
}

struct QuantizeTiles<'a> {
    values: &'a mut [u8],
    scales: &'a mut [RowScale],
    left: &'a [f32],
    k: usize,
}

impl Kernel for QuantizeTiles<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { values, scales, left, k } = self;
        for (r, (row, scale)) in left.chunks_exact(k).zip(scales).enumerate() {
            *scale = RowRange::of(s, row).scale::<S>();
            quantize_row(s, row, *scale, lines_of_row(values, r, k));
        }
    }
}

/// Quantises some of the depth of the left operand, `[rows, k]`, whose scales are known, into the tiles of
/// [`quantize_tiles`] on this thread.
pub(crate) fn quantize_part(
    isa: Isa,
    values: &mut [u8],
    scales: &[RowScale],
    (left, k): (&[f32], usize),
) {
    isa.run(QuantizePart { values, scales, left, k });
}

struct QuantizePart<'a> {
    values: &'a mut [u8],
    scales: &'a [RowScale],
    left: &'a [f32],
    k: usize,
}

impl Kernel for QuantizePart<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { values, scales, left, k } = self;
        for (r, (row, scale)) in left.chunks_exact(k).zip(scales).enumerate() {
            quantize_row(s, row, *scale, lines_of_row(values, r, k));
        }
    }
}

/// The lines of row `r` in tiles of `k` steps, 64 bytes each.
#[inline(always)]
fn lines_of_row(values: &mut [u8], r: usize, k: usize) -> impl Iterator<Item = &mut [u8]> {
    let first = r / Tiles::ROWS * Tiles::ROWS * k + r % Tiles::ROWS * Tiles::BYTE_STEPS;
    values[first..].chunks_mut(TILE_BYTES).map(|tile| &mut tile[..Tiles::BYTE_STEPS])
}

/// Quantises a row into its lines.
#[inline(always)]
fn quantize_row<'a, S: Simd>(
    s: S,
    row: &[f32],
    scale: RowScale,
    lines: impl Iterator<Item = &'a mut [u8]>,
) {
    const { assert!(Tiles::BYTE_STEPS.is_multiple_of(S::LANES), "whole vectors") };
    let (inverse, zero) = (s.splat(scale.inverse()), s.splat(scale.zero as f32));
    for (steps, line) in row.chunks_exact(Tiles::BYTE_STEPS).zip(lines) {
        for (chunk, bytes) in steps.chunks_exact(S::LANES).zip(line.chunks_exact_mut(S::LANES)) {
            s.store_bytes(s.mul_add(s.load(chunk), inverse, zero), bytes);
        }
    }
}

/// The ranges of all rows of some of the depth of the left operand, `[rows, k]`.
pub(crate) fn row_ranges(isa: Isa, (left, k): (&[f32], usize), ranges: &mut [RowRange]) {
    isa.run(Ranges { left, k, ranges });
}

struct Ranges<'a> {
    left: &'a [f32],
    k: usize,
    ranges: &'a mut [RowRange],
}

impl Kernel for Ranges<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (row, range) in self.left.chunks_exact(self.k).zip(self.ranges) {
            *range = RowRange::of(s, row);
        }
    }
}

/// The scales of rows of which there are the ranges of both halves of the depth.
pub(crate) fn scales_of_halves(isa: Isa, halves: [&[RowRange]; 2], scales: &mut [RowScale]) {
    isa.run(ScalesOfHalves { halves, scales });
}

struct ScalesOfHalves<'a> {
    halves: [&'a [RowRange]; 2],
    scales: &'a mut [RowScale],
}

impl Kernel for ScalesOfHalves<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let [lower, upper] = self.halves;
        for ((lower, upper), scale) in lower.iter().zip(upper).zip(self.scales) {
            *scale = lower.with(*upper).scale::<S>();
        }
    }
}

struct QuantizePanel<'a> {
    values: &'a mut [u8],
    scales: &'a mut [RowScale],
    rows: &'a [f32],
    k: usize,
}

impl Kernel for QuantizePanel<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.values.fill(0);
        for (r, row) in self.rows.chunks_exact(self.k).enumerate() {
            let scale = RowRange::of(s, row).scale::<S>();
            self.scales[r] = scale;
            let (inverse, zero) = (s.splat(scale.inverse()), s.splat(scale.zero as f32));
            let mut bytes = [0_u8; 2 * MAX_LANES];
            // Two vectors at a time are a whole number of quads on every level.
            let mut chunks = row.chunks_exact(2 * S::LANES);
            let mut blocks = self.values.chunks_mut(2 * S::LANES * S::TILE_ROWS);
            for (chunk, blocks) in (&mut chunks).zip(&mut blocks) {
                for (v, part) in chunk.chunks_exact(S::LANES).enumerate() {
                    let x = s.mul_add(s.load(part), inverse, zero);
                    s.store_bytes(x, &mut bytes[v * S::LANES..]);
                }
                // Of lengths known when compiled, so that every store has an address of its own.
                let block = STEP * S::TILE_ROWS;
                let last = (2 * S::LANES / STEP - 1) * block;
                let blocks = &mut blocks[r * STEP..][..last + STEP];
                for quad in 0..2 * S::LANES / STEP {
                    blocks[quad * block..][..STEP].copy_from_slice(&bytes[quad * STEP..][..STEP]);
                }
            }
            let rest = chunks.remainder();
            if let (false, Some(blocks)) = (rest.is_empty(), blocks.next()) {
                for (v, part) in rest.chunks(S::LANES).enumerate() {
                    let x = s.mul_add(s.load_partial(part), inverse, zero);
                    s.store_bytes(x, &mut bytes[v * S::LANES..]);
                }
                bytes[rest.len()..].fill(0);
                store_bytes_by_quads::<S>(&bytes[..rest.len().next_multiple_of(STEP)], blocks, r);
            }
        }
    }
}

/// Writes the bytes of some steps of row `r` to a row panel.
#[inline(always)]
fn store_bytes_by_quads<S: Simd>(bytes: &[u8], blocks: &mut [u8], r: usize) {
    let quads = bytes.as_chunks::<STEP>().0;
    for (block, quad) in blocks.chunks_exact_mut(STEP * S::TILE_ROWS).zip(quads) {
        block[r * STEP..][..STEP].copy_from_slice(quad);
    }
}

/// From where to where the numbers of a row go, with zero among them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowRange {
    low: f32,
    high: f32,
    /// Zero, or not a number if one of the row is not finite.
    poison: f32,
}

impl RowRange {
    /// The range of some numbers of a row.
    #[inline(always)]
    fn of<S: Simd>(s: S, row: &[f32]) -> Self {
        let zero = s.splat(0.0);
        let (mut low, mut high, mut poison) = (zero, zero, zero);
        let (whole, rest) = row.split_at(row.len() / S::LANES * S::LANES);
        for chunk in whole.chunks_exact(S::LANES) {
            let x = s.load(chunk);
            low = s.min(low, x);
            high = s.max(high, x);
            // Zero times a number is zero; times an infinity or NaN it is NaN, and stays.
            poison = s.mul_add(x, zero, poison);
        }
        let x = s.load_partial(rest);
        (low, high, poison) = (s.min(low, x), s.max(high, x), s.mul_add(x, zero, poison));
        Self { low: s.reduce_min(low), high: s.reduce_max(high), poison: s.reduce_add(poison) }
    }

    /// The range of these numbers and of others.
    fn with(self, other: Self) -> Self {
        let (low, high) = (self.low.min(other.low), self.high.max(other.high));
        Self { low, high, poison: self.poison + other.poison }
    }

    /// The scale of a row with this range.
    #[inline(always)]
    fn scale<S: Simd>(self) -> RowScale {
        let Self { low, high, poison } = self;
        let scale = (high - low) / f32::from(S::BYTE_STEPS) + poison;
        if scale.is_nan() || scale.is_infinite() {
            return RowScale { scale: f32::NAN, zero: 0 };
        }
        if scale < f32::MIN_POSITIVE {
            return RowScale { scale: 0.0, zero: 0 };
        }
        #[allow(clippy::cast_possible_truncation, reason = "between 0 and BYTE_STEPS")]
        let zero = (-low / scale).round_ties_even() as i32 + S::BYTE_LOW;
        RowScale { scale, zero }
    }
}

/// The scalar reference of [`quantize_left`] for one row: its bytes, and what turns them back.
#[cfg(test)]
fn quantize_row_reference(row: &[f32], steps: f32) -> (Vec<u8>, f32, i32) {
    let low = row.iter().copied().fold(0.0_f32, f32::min);
    let high = row.iter().copied().fold(0.0_f32, f32::max);
    let scale = (high - low) / steps;
    let zero = (-low / scale).round_ties_even();
    let byte = |x: &f32| (x.mul_add(1.0 / scale, zero)).round_ties_even().clamp(0.0, 255.0) as u8;
    (row.iter().map(byte).collect(), scale, zero as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a leg for the least number of its bytes.
    struct ByteLow;

    impl Kernel for ByteLow {
        type Output = i32;
        #[inline(always)]
        fn run<S: Simd>(self, _: S) -> i32 {
            S::BYTE_LOW
        }
    }

    fn quantize(isa: Isa, row: &[f32]) -> (Vec<u8>, RowScale) {
        let panels = RowPanels::new(1, isa.tile_rows());
        let mut values = vec![9; panels.packed_len(row.len())];
        let mut scales = vec![RowScale::default(); panels.padded()];
        quantize_left(isa, &mut values, &mut scales, (row, row.len()), panels, 1);
        let quads = values.chunks_exact(STEP * isa.tile_rows());
        let bytes: Vec<u8> = quads.flat_map(|quad| quad[..STEP].to_vec()).collect();
        assert!(bytes[row.len()..].iter().all(|byte| *byte == 0));
        (bytes[..row.len()].to_vec(), scales[0])
    }

    #[test]
    fn rows_are_quantised_as_the_reference_does() {
        for isa in Isa::supported() {
            for len in [1, 3, 4, 8, 15, 16, 17, 100, 769] {
                let row: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7).sin() * 3.0 + 1.0).collect();
                let (mut bytes, mut scale) = quantize(isa, &row);
                // The reference counts from zero.
                let low = isa.run(ByteLow);
                bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_sub(low as u8));
                scale.zero -= low;
                let (expected, factor, zero) =
                    quantize_row_reference(&row, f32::from(isa.byte_steps()));
                assert_eq!((scale.scale, scale.zero), (factor, zero), "{isa} {len}");
                for (a, b) in bytes.iter().zip(&expected) {
                    // Without a fused multiply-add a tie may go the other way.
                    assert!(a.abs_diff(*b) <= 1, "{isa} {len}: {a} and {b}");
                }
                for (byte, x) in bytes.iter().zip(&row) {
                    let back = scale.scale * (i32::from(*byte) - scale.zero) as f32;
                    assert!((back - x).abs() <= scale.scale * 1.01, "{isa}: {x} became {back}");
                }
            }
        }
    }

    #[test]
    fn threads_share_rows_without_changing_a_byte() {
        let (k, count) = (192, 131);
        let left: Vec<f32> = (0..count * k).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
        assert!(left.len() >= 3 * SHARE);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for isa in Isa::supported() {
            let panels = RowPanels::new(count, isa.tile_rows());
            let run = |threads| {
                let mut packed = vec![9; panels.packed_len(k)];
                let mut packed_scales = vec![RowScale::default(); panels.padded()];
                let padded = count.next_multiple_of(Tiles::ROWS);
                let mut tiles = vec![9; padded * k];
                let mut scales = vec![RowScale::default(); padded];
                let operand = (&left[..], k);
                pool.install(|| {
                    quantize_left(isa, &mut packed, &mut packed_scales, operand, panels, threads);
                    quantize_tiles(isa, &mut tiles, &mut scales, operand, threads);
                });
                (packed, packed_scales, tiles, scales)
            };
            let alone = run(1);
            let of_rows: Vec<RowScale> = (0..panels.count())
                .flat_map(|panel| {
                    let first = panel * panels.tile_rows();
                    let rows = panels.start(panel + 1) - panels.start(panel);
                    alone.1[first..first + rows].to_vec()
                })
                .collect();
            assert_eq!(of_rows, alone.3[..count], "{isa}: in tiles and in panels");
            for (r, row) in left.chunks(k).enumerate() {
                let bytes = |at: usize| {
                    let tile = (r / Tiles::ROWS * k / Tiles::BYTE_STEPS + at) * TILE_BYTES;
                    &alone.2[tile + r % Tiles::ROWS * Tiles::BYTE_STEPS..][..Tiles::BYTE_STEPS]
                };
                let bytes: Vec<u8> = (0..k / Tiles::BYTE_STEPS).flat_map(bytes).copied().collect();
                assert_eq!(bytes, quantize(isa, row).0, "{isa}: row {r}");
            }
            for threads in [2, 3, 64, 200] {
                assert!(run(threads) == alone, "{isa}: {threads} threads");
            }
        }
    }

    #[test]
    fn halves_of_the_depth_have_the_bytes_of_the_whole() {
        let (count, halves) = (37, [64, 128]);
        let k = halves[0] + halves[1];
        let mut left: Vec<f32> = (0..count * k).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
        left[5 * k + 100] = f32::NAN;
        left[6 * k + 10] = f32::INFINITY;
        left[7 * k..8 * k].fill(0.0);
        // Finite, but not from one half to the other.
        left[8 * k] = f32::MAX;
        left[9 * k - 1] = -f32::MAX;
        let padded = count.next_multiple_of(Tiles::ROWS);
        for isa in Isa::supported() {
            let (mut whole, mut scales) = (vec![9; padded * k], vec![RowScale::default(); padded]);
            quantize_tiles(isa, &mut whole, &mut scales, (&left, k), 1);
            let columns = [0..halves[0], halves[0]..k];
            let parts = columns.clone().map(|columns| -> Vec<f32> {
                left.chunks(k).flat_map(|row| row[columns.clone()].to_vec()).collect()
            });
            let ranges = [0, 1].map(|half| {
                let mut ranges = vec![RowRange::default(); count];
                row_ranges(isa, (&parts[half], halves[half]), &mut ranges);
                ranges
            });
            let mut of_halves = vec![RowScale::default(); count];
            scales_of_halves(isa, [&ranges[0], &ranges[1]], &mut of_halves);
            let bits = |scales: &[RowScale]| -> Vec<(u32, i32)> {
                scales.iter().map(|x| (x.scale.to_bits(), x.zero)).collect()
            };
            assert_eq!(bits(&of_halves), bits(&scales[..count]), "{isa}");
            for ((columns, part), len) in columns.into_iter().zip(&parts).zip(halves) {
                let mut bytes = vec![9; padded * len];
                quantize_part(isa, &mut bytes, &of_halves, (part, len));
                let (tiles, of_whole) = (Tiles::ROWS * len, Tiles::ROWS * k);
                let at = columns.start * Tiles::ROWS..columns.end * Tiles::ROWS;
                for (part, whole) in bytes.chunks(tiles).zip(whole.chunks(of_whole)) {
                    assert!(part == &whole[at.clone()], "{isa}: {columns:?}");
                }
            }
        }
    }

    #[test]
    fn zeros_stay_zero_and_what_is_not_finite_is_not_hidden() {
        for isa in Isa::supported() {
            assert_eq!(quantize(isa, &[0.0; 20]).1, RowScale { scale: 0.0, zero: 0 });
            assert_eq!(quantize(isa, &[-0.0, 1e-45]).1.scale, 0.0);
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for at in [0, 8, 19] {
                    let mut row = [1.0; 20];
                    row[at] = bad;
                    assert!(quantize(isa, &row).1.scale.is_nan(), "{isa}: {bad} at {at}");
                }
            }
        }
    }
}
