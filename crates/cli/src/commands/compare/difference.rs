//! How far two tensors are apart.

/// Sums over pairs of numbers, from which the figures of a comparison follow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Difference {
    count: usize,
    max: f64,
    sum: f64,
    dot: f64,
    ours_squared: f64,
    theirs_squared: f64,
}

impl Difference {
    /// Takes in the numbers of two tensors of one size, pair by pair.
    pub(crate) fn add(&mut self, ours: &[f32], theirs: &[f32]) {
        for (&ours, &theirs) in ours.iter().zip(theirs) {
            let (ours, theirs) = (f64::from(ours), f64::from(theirs));
            let distance = distance(ours, theirs);
            self.count += 1;
            self.max = self.max.max(distance);
            self.sum += distance;
            self.dot += ours * theirs;
            self.ours_squared += ours * ours;
            self.theirs_squared += theirs * theirs;
        }
    }

    /// The largest absolute difference; infinite where a number is missing (NaN) on either side.
    pub(crate) fn max_abs(&self) -> f64 {
        self.max
    }

    /// The mean absolute difference; 0 of nothing.
    pub(crate) fn mean_abs(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }

    /// The cosine of the angle between the tensors as vectors; 1 where both are zero.
    pub(crate) fn cosine(&self) -> f64 {
        if self.ours_squared == 0.0 && self.theirs_squared == 0.0 {
            return 1.0;
        }
        self.dot / (self.ours_squared.sqrt() * self.theirs_squared.sqrt())
    }
}

/// `|ours - theirs|`; NaN on either side counts as infinitely far, since `max` would pass it over.
fn distance(ours: f64, theirs: f64) -> f64 {
    let distance = (ours - theirs).abs();
    match distance.is_nan() {
        true if ours == theirs => 0.0,
        true => f64::INFINITY,
        false => distance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_small_case() {
        let mut difference = Difference::default();
        difference.add(&[3.0, 0.0], &[3.0, 0.5]);
        difference.add(&[4.0], &[4.0]);
        assert_eq!(difference.max_abs(), 0.5);
        assert!((difference.mean_abs() - 0.5 / 3.0).abs() < 1e-12);
        let cosine = 25.0 / (5.0 * 25.25_f64.sqrt());
        assert!((difference.cosine() - cosine).abs() < 1e-12);
    }

    #[test]
    fn equal_tensors_are_equal_and_nan_is_infinitely_far() {
        let mut same = Difference::default();
        assert_eq!((same.mean_abs(), same.cosine()), (0.0, 1.0));
        same.add(&[0.0, f32::INFINITY], &[0.0, f32::INFINITY]);
        assert_eq!(same.max_abs(), 0.0);
        for pair in [[f32::NAN, 1.0], [1.0, f32::NAN], [f32::NAN, f32::NAN]] {
            let mut difference = Difference::default();
            difference.add(&pair[..1], &pair[1..]);
            assert_eq!(difference.max_abs(), f64::INFINITY);
        }
    }
}
