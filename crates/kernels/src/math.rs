//! exp, the normal distribution and tanh on vectors, by polynomials with stated errors.
//!
//! The coefficients are printed by `weights-tools/python/fit_polynomials.py`. A NaN goes through
//! every function as NaN.

use nervio_simd::Simd;

/// `c[0] x^n + c[1] x^(n-1) + … + c[n]` by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::Vector, coefficients: [f32; N]) -> S::Vector {
    let mut sum = s.splat(coefficients[0]);
    let mut i = 1;
    while i < N {
        sum = s.mul_add(sum, x, s.splat(coefficients[i]));
        i += 1;
    }
    sum
}

/// Below this, [`exp`] is zero.
const EXP_LOW: f32 = -87.0;
/// Above this, [`exp`] stays at `exp(88)`, 1.65e38.
const EXP_HIGH: f32 = 88.0;

/// `exp(x)`, relative error below 1.5e-7 on [-87, 88]; zero below, `exp(88)` above.
///
/// Cody and Waite: `x = n ln 2 + r` with ln 2 in two parts, `exp(r)` by polynomial, times `2^n`.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    // Operands in this order let NaN through: see `Simd::min`.
    let clamped = s.max(s.splat(EXP_LOW), s.min(s.splat(EXP_HIGH), x));
    let n = s.round(s.mul(clamped, s.splat(std::f32::consts::LOG2_E)));
    // The high part has few enough bits for n * high to be exact.
    let r = s.mul_add(n, s.splat(-0.693_359_4), clamped);
    let r = s.mul_add(n, s.splat(2.121_944_4e-4), r);
    let quotient = polynomial(
        s,
        r,
        [0.000_198_909_81, 0.001_393_364_2, 0.008_333_310_5, 0.041_666_467, 0.166_666_67, 0.5],
    );
    let value = s.mul_add(quotient, s.mul(r, r), s.add(r, s.splat(1.0)));
    s.select_lt(x, s.splat(EXP_LOW), s.splat(0.0), s.mul(value, s.pow2(n)))
}

/// From here down [`exp2_to_one`] is next to nothing.
const EXP2_LOW: f32 = -127.0;

/// `2^x` for `x <= 0`, relative error below 2.5e-7 down to -126; where `x` rounds to -127 or less
/// zero or, on some legs, `2^-127`.
///
/// Half of the work of [`exp`]: a fraction in base 2 is exact, and the softmax, whose largest
/// exponent is 0, needs no upper end.
#[allow(clippy::approx_constant, reason = "fitted: not quite ln 2")]
#[inline(always)]
pub(crate) fn exp2_to_one<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    // Operands in this order let NaN through: see `Simd::max`.
    let x = s.max(s.splat(EXP2_LOW), x);
    let n = s.round(x);
    let value = polynomial(
        s,
        s.sub(x, n),
        [0.001_326_472_7, 0.009_671_513, 0.055_507_336, 0.240_222_42, 0.693_147, 1.0],
    );
    s.mul_pow2(value, n)
}

/// Beyond ± this, [`normal_cdf`] is 0 or 1.
const CDF_END: f32 = 5.25;

/// The normal distribution `Φ(x) = (1 + erf(x / √2)) / 2`, absolute error below 2e-7; exactly 0 from
/// -5.25 down and 1 from 5.25 up, never below 0.
///
/// `Φ(x) = 1/2 + x P(t)` with `t = x² · 2/5.25² - 1`, which lies in [-1, 1]: in powers of `x²` itself
/// the terms would cancel. No exponential and no division.
#[inline(always)]
pub(crate) fn normal_cdf<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    // Operands in this order let NaN through: see `Simd::min`.
    let x = s.max(s.splat(-CDF_END), s.min(s.splat(CDF_END), x));
    let t = s.mul_add(s.mul(x, x), s.splat(2.0 / (CDF_END * CDF_END)), s.splat(-1.0));
    let slope = polynomial(
        s,
        t,
        [
            -0.000_517_262,
            0.001_456_751_4,
            -0.001_459_578_3,
            0.001_868_188_5,
            -0.004_964_752,
            0.009_072_594,
            -0.013_040_516,
            0.018_324_506,
            -0.024_971_923,
            0.032_064_673,
            -0.039_771_236,
            0.049_643_86,
            -0.067_126_57,
            0.134_659_36,
        ],
    );
    s.max(s.splat(0.0), s.mul_add(x, slope, s.splat(0.5)))
}

/// Pieces of [`minus_normal_tail`] in a unit of its argument: the last but one ends at 5.2.
const TAIL_PIECES: f32 = 2.788_461_4;

/// From here on [`minus_normal_tail`] is zero: the middle of the last piece.
pub(crate) const TAIL_END: f32 = 15.0 / TAIL_PIECES;

/// Coefficients of each piece, the highest power in the first row: piece `n`, around `n / TAIL_PIECES`,
/// is a polynomial in the distance from there, whose unit is the width of a piece.
#[rustfmt::skip]
const TAIL: [[f32; 16]; 5] = [
    [0.0, 0.000_263_117_28, 0.000_376_187_82, 0.000_304_059_6, 0.000_133_171_95, -2.000_392_9e-05, -9.416_226e-05, -9.710_638e-05, -6.73399e-05, -3.617_263_4e-05, -1.582_477_5e-05, -5.776_810_7e-06, -1.784_258_3e-06, -4.703_979_4e-07, -1.064_901_5e-07, 0.0],
    [-0.003_048_244_2, -0.002_492_902, -0.001_150_513_4, 0.000_261_790_3, 0.001_148_123_8, 0.001_353_806_7, 0.001_097_435, 0.000_697_365_44, 0.000_363_990_78, 0.000_159_593_92, 5.953_202_3e-05, 1.904_341_5e-05, 5.251_925e-06, 1.253_468_6e-06, 2.596_202_4e-07, 0.0],
    [0.0, -0.008_626_712, -0.014_226_515, -0.015_472_452, -0.013_152_693, -0.009_216_941, -0.005_452_223, -0.002_757_193_5, -0.001_201_004_7, -0.000_452_812_44, -0.000_148_261_71, -4.225_741_6e-05, -1.050_258_9e-05, -2.279_198_3e-06, -4.323_183e-07, 0.0],
    [0.143_067_8, 0.134_157_75, 0.110_620_864, 0.080_205_66, 0.051_135_04, 0.028_666_599, 0.014_131_089, 0.006_125_118, 0.002_334_476_7, 0.000_782_343_2, 0.000_230_533_33, 5.973_022_4e-05, 1.360_734_5e-05, 2.725_622_6e-06, 4.80026e-07, 0.0],
    [-0.5, -0.359_939_43, -0.236_612_59, -0.140_994_47, -0.075_717_26, -0.036_478_184, -0.015_709_538, -0.006_030_663_4, -0.002_059_083, -0.000_624_197_24, -0.000_167_761_67, -3.992_888e-05, -8.408_083e-06, -1.565_258e-06, -2.574_390_7e-07, 0.0],
];

/// `-Φ(-x) = -erfc(x / √2) / 2` for `x` in [0, [`TAIL_END`]]: absolute error below 1.5e-7, exactly 0 at
/// the end, never above 0.
///
/// Fewer operations than [`normal_cdf`], and half of them no multiply-adds, where
/// [`look_up`](Simd::look_up) is one instruction.
#[inline(always)]
pub(crate) fn minus_normal_tail<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    let scale = s.splat(TAIL_PIECES);
    // Added to a number below 2^22 this leaves its nearest integer in the low bits.
    let shift = s.splat(12_582_912.0);
    let piece = s.mul_add(x, scale, shift);
    let distance = s.mul_add(x, scale, s.sub(shift, piece));
    let mut sum = s.look_up(&TAIL[0], piece);
    for row in &TAIL[1..] {
        sum = s.mul_add(sum, distance, s.look_up(row, piece));
    }
    sum
}

/// Below this magnitude [`tanh`] is a polynomial, above it a quotient of exponentials.
const TANH_SMALL: f32 = 0.625;

/// `tanh(x)`, relative error below 3e-7; never beyond ±1.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    let a = s.abs(x);
    let square = s.mul(x, x);
    let quotient = polynomial(
        s,
        square,
        [-0.006_096_714, 0.020_997_18, -0.053_850_908, 0.133_327_7, -0.333_333_28],
    );
    let small = s.mul_add(s.mul(quotient, square), x, x);
    let e = exp(s, s.mul(a, s.splat(-2.0)));
    let one = s.splat(1.0);
    let large = s.copysign(s.div(s.sub(one, e), s.add(one, e)), x);
    s.select_lt(a, s.splat(TANH_SMALL), small, large)
}

/// `1 / (1 + exp(-x))`, absolute error below 2e-7; never beyond [0, 1].
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp(s, s.sub(s.splat(0.0), x))))
}

#[cfg(test)]
mod tests {
    use nervio_simd::{Isa, Kernel};

    use super::*;

    /// Which function a test evaluates.
    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        Exp2ToOne,
        NormalCdf,
        MinusNormalTail,
        Tanh,
        Sigmoid,
    }

    struct Evaluate<'a>(Function, &'a mut [f32]);

    impl Kernel for Evaluate<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for chunk in self.1.chunks_mut(S::LANES) {
                let x = s.load_partial(chunk);
                let y = match self.0 {
                    Function::Exp => exp(s, x),
                    Function::Exp2ToOne => exp2_to_one(s, x),
                    Function::NormalCdf => normal_cdf(s, x),
                    Function::MinusNormalTail => minus_normal_tail(s, x),
                    Function::Tanh => tanh(s, x),
                    Function::Sigmoid => sigmoid(s, x),
                };
                s.store_partial(y, chunk);
            }
        }
    }

    /// Largest `error(value, exact)` of `function` over an even grid, on every leg.
    fn worst(
        function: Function,
        low: f32,
        high: f32,
        exact: impl Fn(f64) -> f64,
        error: impl Fn(f64, f64) -> f64,
    ) -> f64 {
        let inputs: Vec<f32> =
            (0..=400_000).map(|i| low + (high - low) * (i as f32 / 400_000.0)).collect();
        let mut worst = 0.0_f64;
        for isa in Isa::supported() {
            let mut values = inputs.clone();
            isa.run_floats(Evaluate(function, &mut values));
            for (x, y) in inputs.iter().zip(&values) {
                worst = worst.max(error(f64::from(*y), exact(f64::from(*x))));
            }
        }
        worst
    }

    fn relative(value: f64, exact: f64) -> f64 {
        if exact == 0.0 { value.abs() } else { (value / exact - 1.0).abs() }
    }

    fn absolute(value: f64, exact: f64) -> f64 {
        (value - exact).abs()
    }

    #[test]
    fn errors_are_as_documented() {
        let exp = worst(Function::Exp, -87.0, 88.0, f64::exp, relative);
        assert!(exp < 1.5e-7, "exp: {exp:e}");
        let exp2 = worst(Function::Exp2ToOne, -126.0, 0.0, f64::exp2, relative);
        assert!(exp2 < 2.5e-7, "exp2: {exp2:e}");
        let tanh = worst(Function::Tanh, -12.0, 12.0, f64::tanh, relative);
        assert!(tanh < 3e-7, "tanh: {tanh:e}");
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let sigmoid = worst(Function::Sigmoid, -90.0, 90.0, logistic, absolute);
        assert!(sigmoid < 2e-7, "sigmoid: {sigmoid:e}");
        let cdf = worst(Function::NormalCdf, -16.0, 16.0, crate::exact::normal_cdf, absolute);
        assert!(cdf < 2e-7, "normal distribution: {cdf:e}");
        let tail = |x: f64| -crate::exact::normal_cdf(-x);
        let tail = worst(Function::MinusNormalTail, 0.0, TAIL_END, tail, absolute);
        assert!(tail < 1.5e-7, "its tail: {tail:e}");
    }

    #[test]
    fn ends_and_nan() {
        let inputs = [f32::NEG_INFINITY, -1e30, -88.0, 0.0, 88.0, 1e30, f32::INFINITY, f32::NAN];
        for isa in Isa::supported() {
            let mut values = inputs;
            isa.run_floats(Evaluate(Function::Exp, &mut values));
            assert_eq!(values[..4], [0.0, 0.0, 0.0, 1.0]);
            assert!(values[4..7].iter().all(|y| *y == values[4] && y.is_finite()));
            assert!(values[7].is_nan());
            let mut values = [f32::NEG_INFINITY, -1e30, -1.0, 0.0, f32::NAN];
            isa.run_floats(Evaluate(Function::Exp2ToOne, &mut values));
            assert!(values[..2].iter().all(|y| (0.0..f32::MIN_POSITIVE).contains(y)));
            assert_eq!(values[2..4], [0.5, 1.0]);
            assert!(values[4].is_nan());
            let mut values = [0.0, 5.2, TAIL_END - 1e-6, TAIL_END, f32::NAN];
            isa.run_floats(Evaluate(Function::MinusNormalTail, &mut values));
            assert_eq!(values[0], -0.5);
            assert!((-1.5e-7..0.0).contains(&values[1]), "{}", values[1]);
            assert_eq!(values[2..4], [0.0; 2]);
            assert!(values[4].is_nan());
            let mut values = inputs;
            isa.run_floats(Evaluate(Function::Tanh, &mut values));
            assert_eq!(values[..7], [-1.0, -1.0, -1.0, 0.0, 1.0, 1.0, 1.0]);
            assert!(values[7].is_nan());
            let mut values = inputs;
            isa.run_floats(Evaluate(Function::Sigmoid, &mut values));
            assert!(values[..7].iter().all(|y| (0.0..=1.0).contains(y)) && values[7].is_nan());
        }
    }
}
