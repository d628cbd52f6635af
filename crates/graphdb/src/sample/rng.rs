//! Random numbers that are the same for ever: SplitMix64 and integer arithmetic alone, because the results of
//! floating-point logarithms and powers differ between platforms.

/// The seed of every sample. Another value would be another graph: the golden hash in the tests would change.
const SEED: u64 = 0x6772_6170_6864_6231; // "graphdb1"

/// The step between SplitMix64 states: 2^64 divided by the golden ratio, made odd.
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of random numbers that belongs to one node, so that each node can be made without the others.
pub(super) struct Rng {
    state: u64,
}

impl Rng {
    /// Starts the stream of the node `index` of the kind numbered `kind`.
    pub(super) fn of(kind: u64, index: u64) -> Self {
        Self { state: mix(mix(SEED ^ kind).wrapping_add(index)) }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// A number in `0..limit`, evenly spread; `limit` is not 0. The bias, `limit` in 2^64, does not matter here.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True `percent` times in a hundred.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One element of `words`, which is not empty.
    pub(super) fn pick<T: Copy>(&mut self, words: &[T]) -> T {
        words[self.below(words.len() as u64) as usize]
    }

    /// A rank in `0..count` whose frequency falls like `1 / (rank + shift)` (Zipf and Mandelbrot): few are drawn very
    /// often, most seldom. A greater `shift`, a power of two, flattens the head.
    ///
    /// Each octave `shift·2^k ..< shift·2^(k+1)` is equally likely, and within one all numbers are: a staircase under
    /// the curve that needs no logarithm.
    pub(super) fn zipf(&mut self, count: u64, shift: u64) -> u64 {
        debug_assert!(count > 0 && shift.is_power_of_two());
        if count <= shift {
            return self.below(count); // within the first octave, where all are equal
        }
        let end = count + shift;
        let octaves = u64::from((end - 1).ilog2() - shift.ilog2()) + 1;
        loop {
            let base = shift << self.below(octaves);
            let drawn = base + self.below(base);
            if drawn < end {
                return drawn - shift;
            }
        }
    }
}

/// The finalizer of SplitMix64: every bit of the input changes half the bits of the result.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs of the reference implementation for the seed 1234567.
        let mut rng = Rng { state: 1_234_567 };
        assert_eq!([rng.next(), rng.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn every_draw_stays_below_its_limit_and_reaches_both_ends() {
        for count in [1, 2, 3, 7, 8, 9, 1000] {
            let mut rng = Rng::of(1, count);
            for shift in [1, 8, 64] {
                let ranks: Vec<u64> = (0..200_000).map(|_| rng.zipf(count, shift)).collect();
                assert_eq!((ranks.iter().min(), ranks.iter().max()), (Some(&0), Some(&(count - 1))), "{count} {shift}");
            }
        }
    }

    #[test]
    fn a_tenth_of_the_ranks_gets_more_than_half_of_the_draws() {
        let mut rng = Rng::of(2, 0);
        let head = (0..100_000).filter(|_| rng.zipf(10_000, 8) < 1_000).count();
        assert!((60_000..80_000).contains(&head), "{head}");
    }
}
