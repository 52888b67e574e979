//! Every operation of every leg that this machine has, against plain scalar arithmetic.
#![allow(missing_docs, reason = "tests")]

use half::{bf16, f16};
use nervio_simd::{Isa, Kernel, Level, MAX_LANES, Simd};

/// Values around every boundary that the operations care about.
const VALUES: [f32; 16] = [
    0.0, -0.0, 1.0, -1.5, 0.5, 2.5, -2.5, 1e-30, 3e38, -3e38, 7.25, 0.1, -0.3, 126.0, -126.0, 88.7,
];

/// Bits that are no number, others for each place of a square.
fn square_bits(row: u32, column: u32) -> u32 {
    0x7f80_0001 + row * 100 + column
}

struct Check;

impl Kernel for Check {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = S::LANES;
        let a = s.load(&VALUES);
        let b = s.load(&VALUES[16 - lanes..]);
        let lane = |vector: S::Vector| {
            let mut out = vec![0.0; lanes];
            s.store(vector, &mut out);
            out
        };
        let scalar = |f: &dyn Fn(f32, f32) -> f32| -> Vec<f32> {
            (0..lanes).map(|i| f(VALUES[i], VALUES[16 - lanes + i])).collect()
        };
        assert_eq!(lane(s.add(a, b)), scalar(&|a, b| a + b));
        assert_eq!(lane(s.sub(a, b)), scalar(&|a, b| a - b));
        assert_eq!(lane(s.mul(a, b)), scalar(&|a, b| a * b));
        assert_eq!(lane(s.div(b, s.splat(3.0))), scalar(&|_, b| b / 3.0));
        assert_eq!(lane(s.min(a, b)), scalar(&|a, b| if a < b { a } else { b }));
        assert_eq!(lane(s.max(a, b)), scalar(&|a, b| if a > b { a } else { b }));
        assert_eq!(lane(s.abs(a)), scalar(&|a, _| a.abs()));
        assert_eq!(lane(s.copysign(b, a)), scalar(&|a, b| b.copysign(a)));
        assert_eq!(lane(s.round(a)), scalar(&|a, _| a.round_ties_even()));
        assert_eq!(
            lane(s.select_lt(a, b, s.splat(1.0), s.splat(2.0))),
            scalar(&|a, b| if a < b { 1.0 } else { 2.0 })
        );
        let mut square = [s.splat(0.0); MAX_LANES];
        for (i, row) in (0..).zip(&mut square) {
            let numbers = (0..).map(|j| f32::from_bits(square_bits(i, j)));
            *row = s.load(&numbers.take(lanes).collect::<Vec<f32>>());
        }
        s.turn(&mut square);
        for (i, row) in (0..).zip(&square[..lanes]) {
            let bits = lane(*row).into_iter().map(f32::to_bits);
            assert!(bits.eq((0..).map(|j| square_bits(j, i)).take(lanes)), "row {i} of a square");
        }
        let table: [f32; 16] = std::array::from_fn(|i| i as f32 - 3.5);
        let numbers: [f32; 32] = std::array::from_fn(|i| f32::from_bits(0x4b40_0000 + i as u32));
        for first in 0..16 {
            let found = lane(s.look_up(&table, s.load(&numbers[first..])));
            let expected: Vec<f32> = (first..first + lanes).map(|i| table[i % 16]).collect();
            assert_eq!(found, expected);
        }
        let fused = lane(s.mul_add(s.splat(0.1), s.splat(10.0), s.splat(-1.0)));
        assert!(fused.iter().all(|x| *x == 0.0 || *x == 0.1_f32.mul_add(10.0, -1.0)));
        assert_eq!(lane(s.load_partial(&VALUES[2..4]))[..4], [1.0, -1.5, 0.0, 0.0]);
        let mut few = [9.0; 3];
        s.store_partial(s.splat(4.0), &mut few);
        assert_eq!(few, [4.0; 3]);
        check_nan(s);
        check_widening(s);
        check_reductions(s);
        check_integers(s);
        check_pairs(s);
    }
}

#[inline(always)]
fn check_nan<S: Simd>(s: S) {
    let nan = s.splat(f32::NAN);
    let one = s.splat(1.0);
    let first = |vector| {
        let mut out = vec![0.0; S::LANES];
        s.store(vector, &mut out);
        out[0]
    };
    assert_eq!(first(s.min(nan, one)), 1.0);
    assert_eq!(first(s.max(nan, one)), 1.0);
    assert!(first(s.min(one, nan)).is_nan() && first(s.max(one, nan)).is_nan());
    assert_eq!(first(s.select_lt(nan, one, one, s.splat(0.0))), 0.0);
}

#[inline(always)]
fn check_widening<S: Simd>(s: S) {
    let mut out = vec![0.0; S::LANES];
    let half: Vec<f16> = VALUES.map(f16::from_f32).to_vec();
    s.store(s.load_f16(&half), &mut out);
    assert!(out.iter().zip(&half).all(|(x, h)| x.to_bits() == h.to_f32().to_bits()));
    let brain: Vec<bf16> = VALUES.map(bf16::from_f32).to_vec();
    s.store(s.load_bf16(&brain), &mut out);
    assert!(out.iter().zip(&brain).all(|(x, h)| x.to_bits() == h.to_f32().to_bits()));
}

#[inline(always)]
fn check_integers<S: Simd>(s: S) {
    // Bytes at both ends of what is allowed, in every pairing.
    let limit = S::INT8_LIMIT;
    let signed = [-limit, limit, limit - 1, -1, 0, 7].into_iter().cycle();
    let signed: Vec<i8> = signed.take(4 * S::LANES).collect();
    let byte = |a: &u8| if S::BYTE_LOW == 0 { i32::from(*a) } else { i32::from(a.cast_signed()) };
    let mut out = vec![0.0; S::LANES];
    for quad in [[255, 255, 255, 255], [0, 255, 1, 128], [3, 0, 254, 9]] {
        let sums = s.dot_quads(s.splat_quad(quad), s.load_quads(&signed), s.splat_i32(-70_000));
        s.store(s.int_to_f32(sums), &mut out);
        for (out, signed) in out.iter().zip(signed.chunks(4)) {
            let dot: i32 = quad.iter().zip(signed).map(|(a, b)| byte(a) * i32::from(*b)).sum();
            assert_eq!(*out, (dot - 70_000) as f32);
        }
    }
    // Pairs of quads with bytes up to one above the largest, which rounding may give.
    let top = S::BYTE_STEPS.saturating_add(1).wrapping_add(S::BYTE_LOW as u8);
    let most = [limit; 4].into_iter().cycle().take(4 * S::LANES).collect::<Vec<i8>>();
    for (quads, signed) in [([[top; 4]; 2], &most), ([[top, 0, 3, top], [1, 2, top, 9]], &signed)] {
        let bytes = [s.splat_quad(quads[0]), s.splat_quad(quads[1])];
        let weights = s.load_quads(signed);
        s.store(s.int_to_f32(s.dot_quad_pairs(bytes, [weights; 2], s.splat_i32(5))), &mut out);
        for (out, signed) in out.iter().zip(signed.chunks(4)) {
            let products = quads.iter().flat_map(|quad| quad.iter().zip(signed));
            let dot: i32 = products.map(|(a, b)| byte(a) * i32::from(*b)).sum();
            assert_eq!(*out, (dot + 5) as f32);
        }
    }
    let count: Vec<i32> = (0..S::LANES as i32).map(|i| i * 1000 - 3).collect();
    let product = s.sub_product_i32(s.splat_i32(5), s.splat_i32(-200), s.load_i32(&count));
    s.store(s.int_to_f32(product), &mut out);
    assert!(out.iter().zip(&count).all(|(out, x)| *out == (5 + 200 * x) as f32));
    let cases = [(0.5, 0), (1.5, 2), (-0.6, 0), (-9e8, 0), (254.5, 254), (255.5, 255), (1e9, 255)];
    let mut bytes = vec![9; S::LANES];
    for (x, byte) in cases {
        s.store_bytes(s.add(s.splat(x), s.splat(S::BYTE_LOW as f32)), &mut bytes);
        let low = S::BYTE_LOW as u8;
        assert!(bytes.iter().all(|b| b.wrapping_sub(low) == byte), "{x} became {bytes:?}");
    }
}

#[inline(always)]
fn check_pairs<S: Simd>(s: S) {
    let words = [-32_767, 32_767, 1, -5_792, 0, 300, 32_766].into_iter().cycle();
    let words: Vec<i16> = words.take(2 * S::LANES).collect();
    let pairs = words.as_chunks::<2>().0;
    let mut out = vec![0.0; S::LANES];
    for pair in [[32_767, 32_767], [-32_767, 0], [3, -32_767]] {
        let sums = s.dot_pairs(s.splat_pair(pair), s.load_pairs(pairs), s.splat_i32(-7));
        s.store(s.int_to_f32(sums), &mut out);
        for (out, b) in out.iter().zip(pairs) {
            let dot: i32 = pair.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
            assert_eq!(*out, (dot - 7) as f32);
        }
    }
    let numbers: Vec<f32> = (0..S::LANES).map(|i| 1.25 * i as f32 - 2.5).collect();
    let mut stored = vec![9; S::LANES + 1];
    s.store_words(s.load(&numbers), &mut stored);
    let expected = numbers.iter().map(|x| x.round_ties_even() as i16);
    assert_eq!(stored, expected.chain([9]).collect::<Vec<_>>());
    let whole = s.round_to_i32(s.load(&numbers));
    let mut side_by_side = vec![[9; 2]; S::LANES + 1];
    for low in [32_000, -32_000, 0] {
        let lows = s.sub_product_i32(whole, s.splat_i32(-1), s.splat_i32(low));
        s.store_pairs(lows, whole, &mut side_by_side);
        for (pair, x) in side_by_side.iter().zip(&numbers) {
            let x = x.round_ties_even() as i16;
            assert_eq!(*pair, [x + low as i16, x]);
        }
        assert_eq!(side_by_side[S::LANES], [9; 2]);
    }
    for ends in [[32_767, -32_767], [-32_767, 32_767]] {
        let [low, high] = ends.map(|x| s.splat_i32(i32::from(x)));
        s.store_pairs(low, high, &mut side_by_side);
        assert_eq!(side_by_side[..S::LANES], vec![ends; S::LANES]);
    }
    let mut apart = [[9; 2]; 5 * 3 + 4];
    s.store_words_by_eights([whole, s.add_i32(whole, s.splat_i32(100))], &mut apart, 5);
    let expected: Vec<i16> = (0..2 * S::LANES)
        .map(|i| numbers[i % S::LANES].round_ties_even() as i16 + 100 * (i / S::LANES) as i16)
        .collect();
    for (i, pair) in apart.iter().enumerate() {
        let written = i % 5 < 4 && i / 5 < S::LANES / 4;
        let at = 2 * (i / 5 * 4 + i % 5);
        let there = if written { [expected[at], expected[at + 1]] } else { [9; 2] };
        assert_eq!(*pair, there);
    }
    for end in [-32_767, 32_767] {
        s.store_words(s.splat(f32::from(end)), &mut stored);
        assert_eq!(stored[..S::LANES], vec![end; S::LANES]);
    }
}

#[inline(always)]
fn check_reductions<S: Simd>(s: S) {
    let count: Vec<f32> = (0..S::LANES).map(|i| i as f32 - 3.0).collect();
    assert_eq!(s.reduce_add(s.load(&count)), count.iter().sum::<f32>());
    assert_eq!(s.reduce_max(s.load(&count)), S::LANES as f32 - 4.0);
    assert_eq!(s.reduce_min(s.load(&count)), -3.0);
    let mut out = vec![0.0; S::LANES];
    for exponent in -126..=127 {
        s.store(s.pow2(s.splat(exponent as f32)), &mut out);
        assert_eq!(out[0], 2.0_f32.powi(exponent));
        s.store(s.mul_pow2(s.splat(0.75), s.splat(exponent as f32)), &mut out);
        assert_eq!(out[0], 0.75 * 2.0_f32.powi(exponent));
    }
    s.store(s.pow2(s.splat(-127.0)), &mut out);
    assert_eq!(out[0], 0.0);
}

#[test]
fn operations_agree_with_scalar_arithmetic_on_every_leg() {
    for level in Level::ALL {
        match Isa::new(level) {
            Some(isa) => isa.run(Check),
            None => println!("skipped: this machine lacks {level}"),
        }
    }
}

/// Writes four pairs at a time that far apart to so many pairs.
struct FourPairs(usize, usize);

impl Kernel for FourPairs {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        s.store_words_by_eights([s.splat_i32(0); 2], &mut vec![[0; 2]; self.1], self.0);
    }
}

#[test]
fn four_pairs_without_room_panic_on_every_leg() {
    for isa in Isa::supported() {
        // The last strides would wrap around to an end that fits.
        for (stride, len) in [(4, 3), (usize::MAX / 3, 3), (usize::MAX - 2, 3)] {
            let run = std::panic::AssertUnwindSafe(|| isa.run(FourPairs(stride, len)));
            assert!(std::panic::catch_unwind(run).is_err(), "{isa}: {stride}, {len}");
        }
    }
}

struct ShortLoad;

impl Kernel for ShortLoad {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let _ = s.load(&[1.0; 3]);
    }
}

#[test]
#[should_panic(expected = "out of range")]
fn a_short_load_panics() {
    Isa::best().run(ShortLoad);
}
