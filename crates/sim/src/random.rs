//! Random numbers that a seed determines, so that every run of a plant can be repeated.

/// SplitMix64: tiny, and good enough for noise.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    /// The Box-Muller method makes two numbers at a time.
    spare: Option<f64>,
}

/// Spreads the bits of a number over all 64.
pub const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The top 53 bits of a number as a fraction in 0..1.
pub fn fraction(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

impl Random {
    /// The stream with this number of this seed. Streams of one seed do not resemble each other.
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self { state: mix(seed ^ mix(stream)), spare: None }
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// Uniform in 0..1.
    pub fn uniform(&mut self) -> f64 {
        fraction(self.number())
    }

    /// From the normal distribution.
    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let standard = self.spare.take().unwrap_or_else(|| {
            // 1 - uniform lies in 0..=1 without the 0 that has no logarithm.
            let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
            let angle = std::f64::consts::TAU * self.uniform();
            self.spare = Some(radius * angle.sin());
            radius * angle.cos()
        });
        mean + deviation * standard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_their_mean_and_deviation() {
        let mut random = Random::new(7, 0);
        let numbers: Vec<f64> = (0..100_000).map(|_| random.normal(3.0, 2.0)).collect();
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / numbers.len() as f64;
        assert!((mean - 3.0).abs() < 0.03, "mean {mean}");
        assert!((variance.sqrt() - 2.0).abs() < 0.03, "deviation {}", variance.sqrt());
    }

    #[test]
    fn a_seed_determines_its_streams_and_streams_differ() {
        let take = |seed, stream| {
            let mut random = Random::new(seed, stream);
            [random.number(), random.number()]
        };
        assert_eq!(take(1, 2), take(1, 2));
        assert_ne!(take(1, 2), take(1, 3));
        assert_ne!(take(1, 2), take(2, 2));
    }
}
