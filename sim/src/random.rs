//! Pseudo-random stimuli that repeat for a seed, whatever the version of any library.

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A generator of its own for the `index`-th thing that this seed decides.
    pub fn fork(seed: u64, index: u64) -> Random {
        Random(Random(seed ^ Random(index).word()).word())
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number of `0..limit`.
    ///
    /// # Panics
    /// If `limit` is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.word() % limit as u64) as usize
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `options`.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, options: &'a [T]) -> &'a T {
        &options[self.below(options.len())]
    }

    /// A value of `width` bits in little-endian words, half of the time one where hardware goes wrong: nothing, one
    /// bit, all but one, a run of ones from either end, a small number.
    pub fn value(&mut self, width: usize) -> Vec<u64> {
        let at = self.below(width);
        let bit = |i: usize| i == at;
        let ones = |chosen: &dyn Fn(usize) -> bool| {
            let mut words = vec![0; width.div_ceil(64)];
            (0..width).filter(|&i| chosen(i)).for_each(|i| words[i / 64] |= 1 << (i % 64));
            words
        };
        match self.below(16) {
            0 => ones(&|_| false),
            1 => ones(&|_| true),
            2 => ones(&bit),
            3 => ones(&|i| !bit(i)),
            4 => ones(&|i| i <= at),
            5 => ones(&|i| i >= at),
            6 => ones(&|i| i == width - 1),
            7 => {
                let small = self.below(16) as u64;
                ones(&|i| i < 64 && small >> i & 1 == 1)
            }
            _ => {
                let words: Vec<u64> = (0..width.div_ceil(64)).map(|_| self.word()).collect();
                ones(&|i| words[i / 64] >> (i % 64) & 1 == 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn values_fit_and_meet_the_corners() {
        let mut random = Random::new(1);
        let values: Vec<_> = (0..2000).map(|_| random.value(70)).collect();
        assert!(values.iter().all(|value| value.len() == 2 && value[1] < 64));
        for corner in [[0, 0], [u64::MAX, 63], [0, 32], [1, 0]] {
            assert!(values.iter().any(|value| value[..] == corner), "{corner:?}");
        }
    }
}
