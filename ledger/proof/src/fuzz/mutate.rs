//! Changes to bytes that are the same in every run.

/// What lengths and counts are replaced by.
const HOSTILE: [u64; 6] = [
    u64::MAX,
    i64::MAX as u64,
    1 << 40,
    u32::MAX as u64,
    1 << 31,
    0,
];

/// Bytes that differ from some good ones: bits flipped, bytes set, removed,
/// repeated and cut off, lengths made hostile, and parts of others put in. The
/// same for the same bytes.
pub fn mutations<'a>(
    bytes: &'a [u8],
    other: &'a [u8],
    count: usize,
) -> impl Iterator<Item = Vec<u8>> + 'a {
    let seed = *blake3::hash(bytes).as_bytes().first_chunk().unwrap();
    let mut random = Random(u64::from_le_bytes(seed));
    (0..count).map(move |_| {
        let mut changed = bytes.to_vec();
        for _ in 0..=random.below(3) {
            random.change(&mut changed, other);
        }
        changed
    })
}

/// SplitMix64 (Steele, Lea and Flood, 2014): good enough to choose.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Of `0..limit`; 0 where that is empty.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % (limit as u64).max(1)) as usize
    }

    /// A part of bytes, mostly a short one.
    fn part(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(bytes.len());
        let most = [4, 64, bytes.len()][self.below(3)];
        let length = self.below(most.min(bytes.len() - start) + 1);
        start..start + length
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        if bytes.is_empty() {
            bytes.extend_from_slice(&other[self.part(other)]);
            return;
        }
        let at = self.below(bytes.len());
        match self.below(9) {
            0 | 1 => bytes[at] ^= 1 << self.below(8),
            2 => bytes[at] = self.next() as u8,
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(self.part(bytes))),
            5 => {
                let again = bytes[self.part(bytes)].to_vec();
                drop(bytes.splice(at..at, again));
            }
            6 => {
                let part = self.part(other);
                let end = (at + part.len()).min(bytes.len());
                drop(bytes.splice(at..end, other[part].iter().copied()));
            }
            7 => {
                let value = HOSTILE[self.below(HOSTILE.len())].to_le_bytes();
                let width = [1, 4, 8][self.below(3)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&value[..width]);
            }
            _ => {
                let with = self.below(bytes.len());
                bytes.swap(at, with);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_are_the_same_in_every_run() {
        let run = || mutations(b"some bytes", b"others", 200).collect::<Vec<_>>();
        assert_eq!(run(), run());
        let changed = run().iter().filter(|bytes| *bytes != b"some bytes").count();
        assert!(changed > 150);
        assert_eq!(mutations(b"", b"", 9).count(), 9);
    }
}
