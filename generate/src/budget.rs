//! How many events each person gets: Zipf's law in whole numbers.

use crate::dice::mix;

/// One is guaranteed to everybody; the rest follows rank by `rank^-skew`. The
/// sum is exactly `events`. `events` must not be below `persons`.
pub(crate) fn budgets(seed: u64, events: u64, persons: u32, skew: f64) -> Vec<u32> {
    let count = persons as usize;
    let spare = events.saturating_sub(u64::from(persons)) as f64;
    // libm's power is software: the same bits everywhere. Sums and products
    // are exact by IEEE 754, in this order.
    let weight = |rank: usize| libm::pow(rank as f64 + 1.0, -skew);
    let total: f64 = (0..count).map(weight).sum();

    let shuffle = Shuffle::new(seed, persons);
    let mut result = vec![1u32; count];
    let mut reached = 0.0;
    let mut given = 0u64;
    for rank in 0..count {
        reached += weight(rank);
        // The last rank takes what is left.
        let upto = if rank + 1 == count {
            spare as u64
        } else {
            ((reached / total) * spare) as u64
        };
        let share = upto.saturating_sub(given);
        given += share;
        result[shuffle.place(rank)] += u32::try_from(share).unwrap_or(u32::MAX - 1);
    }
    result
}

/// Which person has which rank: a permutation, so that the busy ones are spread
/// over the whole time.
struct Shuffle {
    start: u64,
    /// Without a common divisor with `persons`, so that everybody is met once.
    step: u64,
    persons: u64,
}

impl Shuffle {
    fn new(seed: u64, persons: u32) -> Self {
        let persons = u64::from(persons).max(1);
        let mut step = (mix(seed, 0x57e9) % persons) | 1;
        while gcd(step, persons) != 1 {
            step += 2;
        }
        Self {
            start: mix(seed, 0x57a7) % persons,
            step,
            persons,
        }
    }

    fn place(&self, rank: usize) -> usize {
        // Both factors are below 2^33.
        ((self.start + rank as u64 * self.step) % self.persons) as usize
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::budgets;

    proptest! {
        #[test]
        fn everybody_gets_one_and_the_sum_is_exact(
            seed: u64, persons in 1u32..2000, more in 0u64..100_000, skew in 0.0f64..3.0,
        ) {
            let events = u64::from(persons) + more;
            let all = budgets(seed, events, persons, skew);
            prop_assert_eq!(all.len(), persons as usize);
            prop_assert!(all.iter().all(|b| *b >= 1));
            prop_assert_eq!(all.iter().map(|b| u64::from(*b)).sum::<u64>(), events);
        }
    }

    #[test]
    fn ranks_follow_zipf() {
        let mut all = budgets(7, 1_000_000, 10_000, 1.0);
        all.sort_unstable_by_key(|b| std::cmp::Reverse(*b));
        let ratio = |rank: usize| f64::from(all[0]) / f64::from(all[rank - 1]);
        assert!((1.9..2.1).contains(&ratio(2)), "{}", ratio(2));
        assert!((9.0..11.0).contains(&ratio(10)), "{}", ratio(10));
        assert!(all[0] < 110_000);
    }

    #[test]
    fn without_skew_all_are_alike() {
        let all = budgets(7, 50_000, 1_000, 0.0);
        assert!(all.iter().all(|b| (49..=51).contains(b)));
    }
}
