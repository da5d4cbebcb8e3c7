//! The inner nodes of the key tree: pages of sixteen slots, each with the key
//! of what hangs below it.
//!
//! ```text
//! depth 1 | prefix 32 | 16 × (kind 1: 0 empty, 1 bucket, 2 node | id 16 | key 32)
//! ```
//!
//! A node stands for all paths that begin as its prefix does, for `depth`
//! steps of half a byte, and branches at the next one. Steps at which nothing
//! branches have no node of their own: an address that a million people share
//! is one position, and the paths below it branch only after its 32 steps.

use zeroize::Zeroizing;

use super::StoreError;
use super::seal::Sealer;
use super::space::{PATH_STEPS, Path, common_steps, step};
use crate::derive;
use crate::key::{Key, RandomnessError, fill_random};

pub(super) const SLOTS: usize = 16;
const SLOT_BYTES: usize = 1 + 16 + 32;
pub(super) const PAGE_BYTES: usize = 1 + 32 + SLOTS * SLOT_BYTES;

const EMPTY: u8 = 0;
const BUCKET: u8 = 1;
const NODE: u8 = 2;

/// Names a node or a bucket. Random, and new with each new key.
pub(crate) type Id = [u8; 16];

/// A node or a bucket: its name, and the key that opens it.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) id: Id,
    pub(super) key: Key,
}

impl Link {
    pub(super) fn random() -> Result<Self, RandomnessError> {
        let mut id = [0; 16];
        fill_random(&mut id)?;
        Ok(Self {
            id,
            key: Key::random()?,
        })
    }
}

#[derive(Clone)]
pub(super) enum Slot {
    Empty,
    Bucket(Link),
    Node(Link),
}

/// An inner node, opened.
#[derive(Clone)]
pub(super) struct Page {
    depth: usize,
    prefix: [u8; 32],
    pub(super) slots: [Slot; SLOTS],
}

impl Page {
    /// That of the root: stands for everything.
    pub(super) fn root() -> Self {
        Self::new(0, &[0; 32])
    }

    /// Stands for what begins as `path` does.
    pub(super) fn new(depth: usize, path: &[u8; 32]) -> Self {
        let mut prefix = *path;
        for at in depth..PATH_STEPS {
            prefix[at / 2] &= if at.is_multiple_of(2) { 0x0f } else { 0xf0 };
        }
        Self {
            depth,
            prefix,
            slots: [const { Slot::Empty }; SLOTS],
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn prefix(&self) -> &[u8; 32] {
        &self.prefix
    }

    /// Whether what lies there lies below this node.
    pub(super) fn covers(&self, path: &[u8; 32]) -> bool {
        common_steps(&self.prefix, path) >= self.depth
    }

    /// The slot for a path that it covers.
    pub(super) fn slot(&self, path: &Path) -> &Slot {
        &self.slots[path.step(self.depth)]
    }

    pub(super) fn slot_mut(&mut self, path: &[u8; 32]) -> &mut Slot {
        &mut self.slots[step(path, self.depth)]
    }

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(PAGE_BYTES));
        // Below 64.
        bytes.push(self.depth as u8);
        bytes.extend_from_slice(&self.prefix);
        for slot in &self.slots {
            let (kind, link) = match slot {
                Slot::Empty => (EMPTY, None),
                Slot::Bucket(link) => (BUCKET, Some(link)),
                Slot::Node(link) => (NODE, Some(link)),
            };
            bytes.push(kind);
            match link {
                Some(Link { id, key }) => {
                    bytes.extend_from_slice(id);
                    bytes.extend_from_slice(key.bytes());
                }
                None => bytes.extend_from_slice(&[0; SLOT_BYTES - 1]),
            }
        }
        bytes
    }

    /// `None` unless it is what [`Page::encode`] makes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != PAGE_BYTES {
            return None;
        }
        let (&depth, rest) = bytes.split_first()?;
        let (prefix, rest) = rest.split_first_chunk()?;
        let mut page = Self::new(depth.into(), prefix);
        if page.depth >= PATH_STEPS || page.prefix != *prefix {
            return None;
        }
        for (slot, bytes) in page.slots.iter_mut().zip(rest.chunks_exact(SLOT_BYTES)) {
            let (&kind, rest) = bytes.split_first()?;
            let (id, key) = rest.split_first_chunk()?;
            let link = || {
                Some(Link {
                    id: *id,
                    key: Key::from_slice(key)?,
                })
            };
            *slot = match kind {
                EMPTY if rest.iter().all(|&byte| byte == 0) => Slot::Empty,
                BUCKET => Slot::Bucket(link()?),
                NODE => Slot::Node(link()?),
                _ => return None,
            };
        }
        Some(page)
    }

    pub(super) fn seal(&self, link: &Link) -> Result<Vec<u8>, StoreError> {
        Sealer::new(&derive::page_key(&link.key))
            .and_then(|sealer| sealer.seal(&link.id, &[&self.encode()]))
            .ok_or(StoreError::Seal { space: "nodes" })
    }

    pub(super) fn open(link: &Link, sealed: &[u8]) -> Result<Self, StoreError> {
        Sealer::new(&derive::page_key(&link.key))
            .and_then(|sealer| sealer.open(&link.id, sealed))
            .and_then(|plain| Self::decode(&plain))
            .ok_or(StoreError::Damaged { space: "nodes" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page() -> impl Strategy<Value = Vec<u8>> {
        let slots = prop::collection::vec((0_u8..3, any::<[u8; 16]>(), any::<[u8; 32]>()), SLOTS);
        (0_usize..64, any::<[u8; 32]>(), slots).prop_map(|(depth, path, slots)| {
            let mut page = Page::new(depth, &path);
            for (slot, (kind, id, key)) in page.slots.iter_mut().zip(slots) {
                let link = Link {
                    id,
                    key: Key::new(key),
                };
                *slot = match kind {
                    EMPTY => Slot::Empty,
                    BUCKET => Slot::Bucket(link),
                    _ => Slot::Node(link),
                };
            }
            page.encode().to_vec()
        })
    }

    proptest! {
        #[test]
        fn a_page_has_one_encoding(bytes in page()) {
            let page = Page::decode(&bytes).unwrap();
            prop_assert_eq!(&**page.encode(), &bytes[..]);
            prop_assert!(page.covers(page.prefix()));
        }

        #[test]
        fn a_changed_page_is_refused_or_means_something_else(bytes in page(), at in 0..PAGE_BYTES, with in 1_u8..) {
            let mut changed = bytes;
            changed[at] ^= with;
            if let Some(page) = Page::decode(&changed) {
                prop_assert_eq!(&**page.encode(), &changed[..]);
            }
        }

        #[test]
        fn noise_is_no_page(noise in prop::collection::vec(any::<u8>(), 0..2 * PAGE_BYTES)) {
            if let Some(page) = Page::decode(&noise) {
                prop_assert_eq!(&**page.encode(), &noise[..]);
            }
        }
    }

    #[test]
    fn a_sealed_page_opens_in_its_place_only() {
        let (here, there) = (Link::random().unwrap(), Link::random().unwrap());
        let page = Page::new(9, &[0xab; 32]);
        let sealed = page.seal(&here).unwrap();
        assert_eq!(Page::open(&here, &sealed).unwrap().depth(), 9);
        for link in [
            Link {
                id: there.id,
                key: here.key.clone(),
            },
            Link {
                id: here.id,
                key: there.key.clone(),
            },
        ] {
            assert!(Page::open(&link, &sealed).is_err());
        }
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(Page::open(&here, &bad).is_err(), "byte {at}");
        }
    }
}
