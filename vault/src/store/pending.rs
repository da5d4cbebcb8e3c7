//! What a change of root keys writes down first, so that it can be undone or
//! finished by whoever opens the vault next.
//!
//! ```text
//! from 8 | to 8 | length 4 | sealed under the old root key: names of what is new
//!                          | sealed under the new root key: names of what is old
//! names: count of buckets 4 | 16 … | nodes 16 …
//! ```
//!
//! Who opens the vault with the old key deletes what is new, with the new key
//! what is old: each finds its own list. Sealed, because which buckets were
//! written together says something about who was in them.

use super::StoreError;
use super::bucket::RowName;
use super::engine::{Area, Engine, EngineBatch};
use super::page::Id;
use super::seal::Sealer;
use super::tree::{PENDING_ROW, Store, root_row};
use crate::derive;
use crate::root::RootKey;

/// Rows that are deleted in one go.
const DELETED_AT_ONCE: usize = 10_000;

/// Names of buckets and nodes.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) buckets: Vec<Id>,
    pub(super) nodes: Vec<Id>,
}

impl Tree {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + 16 * (self.buckets.len() + self.nodes.len()));
        // As many as one change touches: far below 2^32.
        bytes.extend_from_slice(&(self.buckets.len() as u32).to_le_bytes());
        for id in self.buckets.iter().chain(&self.nodes) {
            bytes.extend_from_slice(id);
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let (ids, []) = rest.as_chunks::<16>() else {
            return None;
        };
        let (buckets, nodes) = ids.split_at_checked(count)?;
        Some(Self {
            buckets: buckets.to_vec(),
            nodes: nodes.to_vec(),
        })
    }
}

/// A change from one root key to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Pending {
    pub(super) fn seal(
        &self,
        old_root: &RootKey,
        new: &Tree,
        new_root: &RootKey,
        old: &Tree,
    ) -> Result<Vec<u8>, StoreError> {
        let failed = StoreError::Seal { space: "meta" };
        let new = seal(old_root, new).ok_or(StoreError::Seal { space: "meta" })?;
        let old = seal(new_root, old).ok_or(failed)?;
        let mut row = Vec::with_capacity(20 + new.len() + old.len());
        row.extend_from_slice(&self.from.to_le_bytes());
        row.extend_from_slice(&self.to.to_le_bytes());
        row.extend_from_slice(&(new.len() as u32).to_le_bytes());
        row.extend_from_slice(&new);
        row.extend_from_slice(&old);
        Ok(row)
    }

    /// The change that was cut off, if one was, and what is to be deleted after
    /// it when the vault is opened with `root`.
    pub(super) fn read(
        engine: &Engine,
        root: &RootKey,
    ) -> Result<Option<(Self, Tree)>, StoreError> {
        let Some(row) = engine.view().get(Area::Meta, PENDING_ROW)? else {
            return Ok(None);
        };
        decode(row.as_ref(), root)
            .map(Some)
            .ok_or(StoreError::Damaged { space: "meta" })
    }

    /// Deletes what is new: the change never was.
    pub(super) fn undo(&self, store: &Store, new: &Tree) -> Result<(), StoreError> {
        self.clean(store, self.to, None, new)
    }

    /// Deletes buckets and nodes, the row of the root key that opened them, and
    /// the row that says so.
    pub(super) fn clean(
        &self,
        store: &Store,
        generation: u64,
        rows: Option<&[RowName]>,
        gone: &Tree,
    ) -> Result<(), StoreError> {
        let mut deleting = Deleting::new(&store.engine);
        match rows {
            Some(rows) => {
                for name in rows {
                    deleting.delete(Area::Rows, name)?;
                }
            }
            None => {
                let view = store.engine.view();
                for id in &gone.buckets {
                    for row in view.scan(Area::Rows, id) {
                        deleting.delete(Area::Rows, row?.0.as_ref())?;
                    }
                }
            }
        }
        for id in &gone.nodes {
            deleting.delete(Area::Nodes, id)?;
        }
        // Last, so that a crash leaves the list.
        deleting.delete(Area::Meta, &root_row(generation))?;
        deleting.delete(Area::Meta, PENDING_ROW)?;
        deleting.done()
    }
}

fn seal(root: &RootKey, tree: &Tree) -> Option<Vec<u8>> {
    Sealer::new(&derive::pending_key(root.key()))?.seal(PENDING_ROW, &[&tree.encode()])
}

fn decode(row: &[u8], root: &RootKey) -> Option<(Pending, Tree)> {
    let (from, rest) = row.split_first_chunk()?;
    let (to, rest) = rest.split_first_chunk()?;
    let (size, rest) = rest.split_first_chunk()?;
    let (new, old) = rest.split_at_checked(u32::from_le_bytes(*size).try_into().ok()?)?;
    let pending = Pending {
        from: u64::from_le_bytes(*from),
        to: u64::from_le_bytes(*to),
    };
    let sealed = match root.generation() {
        generation if generation == pending.from => new,
        generation if generation == pending.to => old,
        _ => return None,
    };
    let plain = Sealer::new(&derive::pending_key(root.key()))?.open(PENDING_ROW, sealed)?;
    Some((pending, Tree::decode(&plain)?))
}

/// Deletes in batches of bounded size.
struct Deleting<'a> {
    engine: &'a Engine,
    batch: EngineBatch<'a>,
    count: usize,
}

impl<'a> Deleting<'a> {
    fn new(engine: &'a Engine) -> Self {
        Self {
            engine,
            batch: engine.batch(),
            count: 0,
        }
    }

    fn delete(&mut self, area: Area, row: &[u8]) -> Result<(), StoreError> {
        self.batch.delete(area, row);
        self.count += 1;
        if self.count == DELETED_AT_ONCE {
            self.count = 0;
            std::mem::replace(&mut self.batch, self.engine.batch()).commit()?;
        }
        Ok(())
    }

    fn done(self) -> Result<(), StoreError> {
        self.batch.commit()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_key_finds_its_own_list(new in prop::collection::vec(any::<[u8; 16]>(), 0..20), cut in 0_usize..20) {
            let (one, two) = (RootKey::new(4, [1; 32]), RootKey::new(5, [2; 32]));
            let (buckets, nodes) = new.split_at(cut.min(new.len()));
            let made = Tree { buckets: buckets.to_vec(), nodes: nodes.to_vec() };
            let gone = Tree { buckets: nodes.to_vec(), nodes: buckets.to_vec() };
            let row = Pending { from: 4, to: 5 }.seal(&one, &made, &two, &gone).unwrap();
            for (root, buckets, nodes) in [(&one, buckets, nodes), (&two, nodes, buckets)] {
                let (pending, tree) = decode(&row, root).unwrap();
                prop_assert_eq!(pending, Pending { from: 4, to: 5 });
                prop_assert_eq!((&tree.buckets[..], &tree.nodes[..]), (buckets, nodes));
            }
            prop_assert!(decode(&row, &RootKey::new(6, [1; 32])).is_none());
            prop_assert!(decode(&row, &RootKey::new(4, [2; 32])).is_none());
        }

        #[test]
        fn noise_is_refused(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&noise, &RootKey::new(1, [1; 32])).is_none());
            if let Some(tree) = Tree::decode(&noise) {
                prop_assert_eq!(tree.encode(), noise);
            }
        }
    }
}
