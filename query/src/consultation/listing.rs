//! Listings under way: the pages of one listing are one consultation.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// So many listings are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 65_536;

/// A listing is remembered so long after its first page.
const LASTING: Duration = Duration::from_secs(3600);

/// A listing: a digest of who asks and of what is asked, but for the page.
pub(super) type ListingKey = [u8; 16];

/// Listings that were begun lately, and by whom.
///
/// What is forgotten costs one more consultation, and none is left out: a page
/// of somebody else's listing is a listing of its own.
#[derive(Default)]
pub(super) struct Listings(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    begun: HashMap<ListingKey, Instant>,
    /// In order of time. One that was begun again is there twice.
    order: VecDeque<(ListingKey, Instant)>,
}

impl Listings {
    /// Whether a page belongs to a consultation that is written already. A
    /// first page never does, and begins one.
    pub(super) fn is_known(&self, key: ListingKey, is_first: bool, now: Instant) -> bool {
        let mut remembered = self.0.lock();
        remembered.forget(now);
        if !is_first && remembered.begun.contains_key(&key) {
            return true;
        }
        remembered.begun.insert(key, now);
        remembered.order.push_back((key, now));
        false
    }
}

impl Remembered {
    fn forget(&mut self, now: Instant) {
        while let Some(&(key, begun)) = self.order.front() {
            let is_old = now.saturating_duration_since(begun) >= LASTING;
            if !is_old && self.order.len() < REMEMBERED {
                break;
            }
            self.order.pop_front();
            if self.begun.get(&key) == Some(&begun) {
                self.begun.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> ListingKey {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        key
    }

    #[test]
    fn pages_of_one_listing_are_known_and_first_pages_never() {
        let (listings, now) = (Listings::default(), Instant::now());
        assert!(!listings.is_known(key(1), true, now));
        assert!(listings.is_known(key(1), false, now));
        assert!(!listings.is_known(key(1), true, now));
        assert!(
            !listings.is_known(key(2), false, now),
            "somebody else's page"
        );
        assert!(listings.is_known(key(2), false, now));
        assert!(!listings.is_known(key(2), false, now + LASTING));
    }

    #[test]
    fn a_bounded_number_is_remembered() {
        let (listings, now) = (Listings::default(), Instant::now());
        for number in 0..2 * REMEMBERED {
            listings.is_known(key(number), true, now);
        }
        let remembered = listings.0.lock();
        assert!(remembered.begun.len() <= REMEMBERED && remembered.order.len() <= REMEMBERED);
        drop(remembered);
        assert!(listings.is_known(key(2 * REMEMBERED - 1), false, now));
        assert!(!listings.is_known(key(0), false, now));
    }
}
