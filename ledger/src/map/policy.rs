//! When the recent map goes into the base map.

/// When to merge. A merge writes the whole base map, so it is due when the
/// recent map is a good part of it, or when memory asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergePolicy {
    /// No merge with fewer persons in the recent map. 4096 by default.
    pub minimum: usize,
    /// A merge when the recent map has this part of the persons of the base
    /// map: 4, the default, is a quarter. At least 1.
    pub part: u64,
    /// A merge with this many persons in any case. 262,144 by default, which
    /// take about 30 MB.
    pub cap: usize,
}

impl Default for MergePolicy {
    fn default() -> Self {
        Self {
            minimum: 4096,
            part: 4,
            cap: 1 << 18,
        }
    }
}

impl MergePolicy {
    /// Whether a merge is due with so many persons in the two maps.
    pub const fn is_due(&self, recent: usize, base: u64) -> bool {
        let part = match self.part {
            0 => base,
            part => base / part,
        };
        recent >= self.cap || (recent >= self.minimum && recent > 0 && recent as u64 >= part)
    }
}
