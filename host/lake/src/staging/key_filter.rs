//! Tells most values that are no key from those that may be one, in a few instructions.

/// Bits for each key: two in a hundred other values pass.
const BITS_PER_KEY: usize = 64;

/// A set of keys, of which only one bit of each is kept.
#[derive(Debug, Default)]
pub(crate) struct KeyFilter {
    /// A power of two of words; none before there are keys.
    words: Vec<u64>,
}

impl KeyFilter {
    pub(crate) fn new(keys: &[i128]) -> KeyFilter {
        let words = (keys.len() * BITS_PER_KEY / 64).next_power_of_two();
        let mut filter = KeyFilter {
            words: vec![0; words],
        };
        for &key in keys {
            let (word, bit) = filter.place(key);
            if let Some(word) = filter.words.get_mut(word) {
                *word |= bit;
            }
        }
        filter
    }

    /// False only where the value is none of the keys.
    #[inline]
    pub(crate) fn may_hold(&self, value: i128) -> bool {
        let (word, bit) = self.place(value);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Which word, and which bit of it.
    #[inline]
    fn place(&self, value: i128) -> (usize, u64) {
        // Two rounds of multiplying and folding, so that every bit of the value tells (MurmurHash3's finaliser).
        let mut hash = (value as u64) ^ ((value >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        let word = (hash >> 32) as usize & self.words.len().wrapping_sub(1);
        (word, 1 << (hash >> 26 & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_pass_and_most_others_do_not() {
        for apart in [1, 10, 1000, 1 << 40, 1 << 64, 1 << 90] {
            let keys: Vec<i128> = (0..10_000).map(|n| n * 3 * apart).collect();
            let filter = KeyFilter::new(&keys);
            assert!(keys.iter().all(|&key| filter.may_hold(key)), "{apart}");
            let others = (0..10_000).map(|n| (n * 3 + 1) * apart);
            let passing = others.filter(|&other| filter.may_hold(other)).count();
            assert!(passing < 500, "{passing} of 10,000 pass, {apart} apart");
        }
    }

    #[test]
    fn without_keys_nothing_passes() {
        assert!(!KeyFilter::default().may_hold(0));
        assert!(!KeyFilter::new(&[]).may_hold(0));
    }
}
