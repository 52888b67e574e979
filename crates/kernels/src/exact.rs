//! Exact functions for references, in double precision.

/// `a erfc(a / √2) / 2` for `a >= 0`, to about 1e-15.
///
/// A series about zero below 3, Lentz's continued fraction above (Abramowitz and Stegun 7.1.6 and
/// 7.1.14).
pub(crate) fn normal_tail_times(a: f64) -> f64 {
    let x = a / std::f64::consts::SQRT_2;
    let erfc = if x < 3.0 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        1.0 - 2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
    } else {
        let fraction = (1..=60).rev().fold(x, |below, k| x + f64::from(k) / 2.0 / below);
        (-x * x).exp() / (std::f64::consts::PI.sqrt() * fraction)
    };
    a * erfc / 2.0
}

/// The normal distribution, `erfc(-x / √2) / 2`.
#[cfg(test)]
pub(crate) fn normal_cdf(x: f64) -> f64 {
    if x == 0.0 {
        return 0.5;
    }
    let tail = normal_tail_times(x.abs()) / x.abs();
    if x > 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::normal_tail_times;

    #[test]
    fn known_values() {
        // Q(1), Q(3), Q(5) and Q(8) of the normal distribution, from tables.
        for (a, tail) in [
            (1.0, 0.158_655_253_931_457),
            (3.0, 1.349_898_031_630_09e-3),
            (5.0, 2.866_515_718_791_93e-7),
            (8.0, 6.220_960_574_271_78e-16),
        ] {
            assert!((normal_tail_times(a) / a / tail - 1.0).abs() < 1e-9, "Q({a})");
        }
    }
}
