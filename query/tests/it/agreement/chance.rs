//! Chance that gives the same for the same seed, on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut chance = Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        chance.next();
        chance
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(super) fn seconds(&mut self, end: i64) -> i64 {
        self.below(usize::try_from(end.max(1)).unwrap()) as i64
    }

    /// Below `end`, and each number about as often as its share in Zipf's law.
    pub(super) fn skewed(&mut self, end: usize) -> usize {
        let share = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        let number = ((end + 1) as f64).powf(share) as usize;
        number.clamp(1, end) - 1
    }

    pub(super) fn percent(&mut self, odds: usize) -> bool {
        self.below(100) < odds
    }

    pub(super) fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// At most so many of them, in their order.
    pub(super) fn some<'a>(&mut self, of: &[&'a str], most: usize) -> Vec<&'a str> {
        let count = self.below(most + 1);
        let mut chosen: Vec<usize> = (0..count).map(|_| self.below(of.len())).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen.into_iter().map(|number| of[number]).collect()
    }
}
