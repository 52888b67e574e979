//! Counter-based random numbers: element `i` of a tensor needs no element before it.

/// Odd 64-bit fraction of the golden ratio, the step of SplitMix64.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// How the numbers of one tensor are spread: uniform in `[centre - scale, centre + scale)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Law {
    /// Middle of the range.
    pub centre: f32,
    /// Half the width of the range.
    pub scale: f32,
}

/// The random numbers of one tensor.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    key: u64,
    law: Law,
}

impl Stream {
    /// The stream of the tensor with this canonical name, under this seed.
    #[must_use]
    pub fn new(canonical: &str, seed: u64, law: Law) -> Self {
        Self { key: mix(fnv1a(canonical.as_bytes()) ^ mix(seed)), law }
    }

    /// Element `index` in row-major order.
    #[must_use]
    pub fn value(&self, index: u64) -> f32 {
        let bits = mix(self.key.wrapping_add(index.wrapping_add(1).wrapping_mul(GOLDEN)));
        // 24 bits about zero: both the difference and its conversion to f32 are exact.
        let signed = ((bits >> 40) as i32 - (1 << 23)) as f32 * (1.0 / (1 << 23) as f32);
        let scaled = self.law.scale * signed;
        self.law.centre + scaled
    }
}

/// Output function of SplitMix64 (variant 13 of Stafford's mixers).
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::{GOLDEN, Law, Stream, fnv1a, mix};

    const UNIT: Law = Law { centre: 0.0, scale: 1.0 };

    #[test]
    fn mix_is_splitmix64() {
        // First outputs of SplitMix64 seeded with 1234567 (its published test vector).
        let outputs: Vec<u64> =
            (1..=3u64).map(|i| mix(1_234_567u64.wrapping_add(i.wrapping_mul(GOLDEN)))).collect();
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn fnv1a_matches_its_published_vectors() {
        assert_eq!(fnv1a(b""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn numbers_are_uniform() {
        let stream = Stream::new("encoder.layer.0.output.dense.weight", 7, UNIT);
        let values: Vec<f64> = (0..100_000).map(|i| f64::from(stream.value(i))).collect();
        let mean = values.iter().sum::<f64>() / 1e5;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0 / 3.0).abs() < 0.01, "{variance}");
        assert!(values.iter().all(|v| (-1.0..1.0).contains(v)));
    }

    #[test]
    fn name_and_seed_both_change_the_stream() {
        let first = |name, seed| Stream::new(name, seed, UNIT).value(0);
        assert_ne!(first("a", 0), first("b", 0));
        assert_ne!(first("a", 0), first("a", 1));
    }

    #[test]
    fn the_law_moves_and_widens() {
        let stream = Stream::new("a", 0, Law { centre: 1.0, scale: 0.25 });
        let unit = Stream::new("a", 0, UNIT);
        for index in 0..100 {
            assert_eq!(stream.value(index), 1.0 + 0.25 * unit.value(index));
        }
    }
}
