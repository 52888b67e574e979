//! The activation functions that a `BertConfig.hidden_act` may name.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use nervio_simd::{MatMut, Simd};

use crate::math::{TAIL_END, minus_normal_tail, normal_cdf, sigmoid, tanh};

/// An activation function, applied element by element.
///
/// The names are those of `ACT2FN` in `transformers/activations.py`; several names there compute
/// the same thing. Errors are the largest absolute differences from the exact function on
/// [-30, 30], measured on every leg by the tests of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `gelu`, `gelu_python`: `x Φ(x)` with the normal distribution Φ (Hendrycks and Gimpel,
    /// arXiv 1606.08415). Error below 2e-6, relative to `|x|` below 3e-7.
    /// Of -∞ it is 0 or NaN, by instruction set.
    Gelu,
    /// `gelu_new`, `gelu_fast`, `gelu_pytorch_tanh`, `gelu_python_tanh`:
    /// `x σ(2 √(2/π) (x + 0.044715 x³))`, which is the tanh form.
    GeluTanh,
    /// `quick_gelu`: `x σ(1.702 x)`.
    QuickGelu,
    /// `gelu_10`: `gelu` clipped to [-10, 10].
    Gelu10,
    /// `relu`: `max(x, 0)`.
    Relu,
    /// `relu6`: `min(max(x, 0), 6)`.
    Relu6,
    /// `silu`, `swish`: `x σ(x)`.
    Silu,
    /// `tanh`.
    Tanh,
    /// `mish`: `x tanh(ln(1 + eˣ))` (Misra, arXiv 1908.08681).
    Mish,
}

/// Every accepted name with what it computes.
const NAMES: [(&str, Activation); 14] = [
    ("gelu", Activation::Gelu),
    ("gelu_python", Activation::Gelu),
    ("gelu_new", Activation::GeluTanh),
    ("gelu_fast", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("gelu_python_tanh", Activation::GeluTanh),
    ("quick_gelu", Activation::QuickGelu),
    ("gelu_10", Activation::Gelu10),
    ("relu", Activation::Relu),
    ("relu6", Activation::Relu6),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("tanh", Activation::Tanh),
    ("mish", Activation::Mish),
];

/// A `hidden_act` that is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownActivation(String);

impl fmt::Display for UnknownActivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = NAMES.map(|(name, _)| name).join(", ");
        write!(f, "activation {:?} is not supported; expected one of {known}", self.0)
    }
}

impl std::error::Error for UnknownActivation {}

impl FromStr for Activation {
    type Err = UnknownActivation;

    fn from_str(name: &str) -> Result<Self, UnknownActivation> {
        NAMES
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, activation)| activation)
            .ok_or_else(|| UnknownActivation(name.to_owned()))
    }
}

impl fmt::Display for Activation {
    /// The first name of the function.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.into_iter().find(|(_, activation)| activation == self);
        f.pad(name.map_or("", |(name, _)| name))
    }
}

/// Who takes the results of an activation: a trait, not a closure, since the call of one might not be inlined
/// into the kernel.
pub(crate) trait Sink {
    /// Takes the vector whose first element is element `at`.
    fn put<S: Simd>(&mut self, s: S, at: usize, x: S::Vector);
}

/// Runs `work` with the name `function` for what the activation computes: a macro, not a function pointer,
/// since the call of one would not be inlined into the kernel.
macro_rules! with_function {
    ($activation:expr, $function:ident => $work:expr) => {
        with_function!(@ $activation, $function, $work, [
            Gelu gelu, GeluTanh gelu_tanh, QuickGelu quick_gelu, Gelu10 gelu_10, Relu relu,
            Relu6 relu6, Silu silu, Tanh tanh, Mish mish
        ])
    };
    (@ $activation:expr, $function:ident, $work:expr, [$($name:ident $path:ident),*]) => {
        match $activation {
            $(Activation::$name => {
                use self::$path as $function;
                $work
            })*
        }
    };
}

impl Activation {
    /// Applies the function to some rows of a matrix: in each to `width` elements from `column` on, a
    /// multiple of a vector's.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(
        self,
        s: S,
        out: &mut MatMut<'_>,
        rows: Range<usize>,
        (column, width): (usize, usize),
    ) {
        with_function!(self, function => {
            for row in rows {
                let values = &mut out.row(row)[column..][..width];
                for lanes in values.chunks_exact_mut(S::LANES) {
                    s.store(function(s, s.load(lanes)), lanes);
                }
            }
        });
    }

    /// Applies the function to `values`, whole vectors, and hands each result to `sink`.
    #[inline(always)]
    pub(crate) fn hand_on<S: Simd>(self, s: S, values: &[f32], mut sink: impl Sink) {
        with_function!(self, function => {
            for (index, lanes) in values.chunks_exact(S::LANES).enumerate() {
                sink.put(s, index * S::LANES, function(s, s.load(lanes)));
            }
        });
    }

    /// The exact value, in double precision: the reference for every leg.
    #[must_use]
    pub fn scalar(self, x: f64) -> f64 {
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        match self {
            Self::Gelu => x.max(0.0) - crate::exact::normal_tail_times(x.abs()),
            Self::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
            Self::QuickGelu => x * logistic(1.702 * x),
            Self::Gelu10 => Self::Gelu.scalar(x).clamp(-10.0, 10.0),
            Self::Relu => x.max(0.0),
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::Silu => x * logistic(x),
            Self::Tanh => x.tanh(),
            Self::Mish => x * x.exp().ln_1p().tanh(),
        }
    }
}

#[inline(always)]
fn gelu<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    if S::LOOKS_UP { gelu_by_table(s, x) } else { s.mul(x, normal_cdf(s, x)) }
}

/// `max(x, 0) - |x| Φ(-|x|)`: the normal distribution has but one side to look up.
#[inline(always)]
fn gelu_by_table<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    // Operands in this order let NaN through: see `Simd::min`.
    let a = s.min(s.splat(TAIL_END), s.abs(x));
    s.mul_add(a, minus_normal_tail(s, a), s.max(x, s.splat(0.0)))
}

#[inline(always)]
fn gelu_tanh<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    // 2 √(2/π), and the same times 0.044715.
    let cubic = s.mul(s.mul(x, x), s.splat(0.071_354_814));
    let inner = s.mul(x, s.add(cubic, s.splat(1.595_769)));
    s.mul(x, sigmoid(s, inner))
}

#[inline(always)]
fn quick_gelu<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    s.mul(x, sigmoid(s, s.mul(x, s.splat(1.702))))
}

#[inline(always)]
fn gelu_10<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    s.max(s.splat(-10.0), s.min(s.splat(10.0), gelu(s, x)))
}

#[inline(always)]
fn relu<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    s.max(s.splat(0.0), x)
}

#[inline(always)]
fn relu6<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    s.min(s.splat(6.0), relu(s, x))
}

#[inline(always)]
fn silu<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    s.mul(x, sigmoid(s, x))
}

/// With `e = eˣ`, `tanh(ln(1 + e)) = n / (n + 2)` where `n = e (e + 2)`.
#[inline(always)]
fn mish<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    // From 20 on the quotient is 1 in f32, and e² stays finite.
    let e = crate::math::exp(s, s.min(s.splat(20.0), x));
    let n = s.mul(e, s.add(e, s.splat(2.0)));
    s.mul(x, s.div(n, s.add(n, s.splat(2.0))))
}

#[cfg(test)]
mod tests {
    use nervio_simd::{Isa, Kernel};

    use super::*;

    struct Vectors<'a>(&'a mut [f32]);

    impl Sink for Vectors<'_> {
        #[inline(always)]
        fn put<S: Simd>(&mut self, s: S, at: usize, x: S::Vector) {
            s.store(x, &mut self.0[at..]);
        }
    }

    /// Applies a function in place and by handing its results on, which are the same.
    struct Apply<'a>(Activation, &'a mut [f32]);

    impl Kernel for Apply<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let mut padded = self.1.to_vec();
            padded.resize(self.1.len().next_multiple_of(S::LANES), 0.0);
            let len = padded.len();
            let mut handed_on = vec![f32::NAN; len];
            self.0.hand_on(s, &padded, Vectors(&mut handed_on));
            self.0.apply(s, &mut MatMut::new(&mut padded, len), 0..1, (0, len));
            let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&handed_on), bits(&padded), "{}", self.0);
            self.1.copy_from_slice(&padded[..self.1.len()]);
        }
    }

    fn on_every_leg(activation: Activation, inputs: &[f32], check: impl Fn(f32, f32)) {
        for isa in Isa::supported() {
            let mut values = inputs.to_vec();
            isa.run_floats(Apply(activation, &mut values));
            inputs.iter().zip(&values).for_each(|(x, y)| check(*x, *y));
        }
    }

    #[test]
    fn every_activation_is_close_to_its_exact_value() {
        let inputs: Vec<f32> = (-300_000..=300_000).map(|i| i as f32 * 1e-4).collect();
        for (name, activation) in NAMES {
            on_every_leg(activation, &inputs, |x, y| {
                let error = (f64::from(y) - activation.scalar(f64::from(x))).abs();
                let bound = 1.5e-7 + 2.4e-7 * f64::from(x.abs());
                assert!(error <= bound, "{name}({x}) = {y}, error {error:e}");
            });
        }
    }

    #[test]
    fn signs_ranges_and_tails() {
        let inputs = [-1e30, -1e4, -88.5, -30.0, -6.0, -1e-6, 0.0, 1e-6, 6.0, 30.0, 1e4, 1e30];
        for (name, activation) in NAMES {
            on_every_leg(activation, &inputs, |x, y| {
                assert!(y.is_finite(), "{name}({x}) = {y}");
                assert!(x < 0.0 || y >= 0.0, "{name}({x}) = {y}: sign");
                assert!(x > 0.0 || y <= 0.0, "{name}({x}) = {y}: sign");
            });
        }
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Silu] {
            on_every_leg(activation, &[-200.0, 200.0], |x, y| {
                assert!(
                    if x > 0.0 { y == x } else { y.abs() < 1e-30 },
                    "{activation:?}({x}) = {y}"
                );
            });
        }
        on_every_leg(Activation::Gelu, &[f32::NEG_INFINITY], |_, y| {
            assert!(y == 0.0 || y.is_nan())
        });
        on_every_leg(Activation::Gelu, &[f32::INFINITY], |_, y| assert_eq!(y, f32::INFINITY));
    }

    #[test]
    fn nan_stays_nan() {
        for (_, activation) in NAMES {
            on_every_leg(activation, &[f32::NAN], |_, y| assert!(y.is_nan(), "{activation:?}"));
        }
    }

    #[test]
    fn names_round_trip() {
        for (name, activation) in NAMES {
            assert_eq!(name.parse(), Ok(activation));
            assert_eq!(activation.to_string().parse(), Ok(activation));
        }
    }

    #[test]
    fn unknown_names_are_refused_by_name() {
        let error = "geglu".parse::<Activation>().unwrap_err().to_string();
        assert!(error.contains("geglu") && error.contains("gelu_new"), "{error}");
    }
}
