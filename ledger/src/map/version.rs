//! The version of the maps that proofs are against.

use std::sync::Arc;

use custody_proof::map::{Record, ShardMapProof};
use custody_proof::tree::Hash;
use parking_lot::RwLock;

use super::MapError;
use super::base::Base;
use super::trie::Trie;
use crate::id::{Digest, SubjectReference};

/// Which entries of a shard its maps account for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered {
    /// How many entries, from the first on.
    pub size: u64,
    /// h(size - 1), the genesis where there are none: so that maps of another
    /// log are told from maps of this.
    pub chain_head: Digest,
}

/// The two roots of a shard's maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roots {
    /// How many entries the base map covers, from the first on. The recent map
    /// is of the persons of those after.
    pub base_size: u64,
    /// Of the base map.
    pub base: Hash,
    /// Of the recent map.
    pub recent: Hash,
}

/// What a shard has of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The record, `None` where the shard has nothing of the person.
    pub record: Option<Record>,
    /// Its proof, verified.
    pub proof: ShardMapProof,
}

/// A sealed version: nothing in it changes until the next takes its place.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) covered: Covered,
    pub(super) roots: Roots,
    pub(super) base: Arc<Base>,
    pub(super) recent: Trie,
}

/// Gives proofs against the roots that were sealed last, to any thread.
#[derive(Debug, Clone)]
pub struct MapReader(pub(super) Arc<RwLock<Version>>);

impl MapReader {
    /// Which entries the sealed version accounts for, and its roots.
    pub fn sealed(&self) -> (Covered, Roots) {
        let version = self.0.read();
        (version.covered, version.roots)
    }

    /// What the shard has of these persons, all in one version, which is named
    /// so that the caller can tell whether it is that of a checkpoint.
    ///
    /// The lock is held for the recent map only, some microseconds a person;
    /// the base map is read after it.
    ///
    /// # Errors
    ///
    /// [`MapError::Bucket`] and [`MapError::SelfCheck`] where the maps are
    /// damaged, [`MapError::Io`] where they cannot be read.
    pub fn prove(
        &self,
        references: &[SubjectReference],
    ) -> Result<(Covered, Roots, Vec<Proved>), MapError> {
        let version = self.0.read();
        let (covered, roots) = (version.covered, version.roots);
        let base = Arc::clone(&version.base);
        let recent = references
            .iter()
            .map(|reference| version.recent.prove(reference))
            .collect::<Result<Vec<_>, _>>()
            .map_err(MapError::SelfCheck)?;
        drop(version);
        let proved = references.iter().zip(recent).map(|(reference, recent)| {
            let in_recent = recent.verify(&roots.recent, reference);
            let base = match in_recent.map_err(MapError::SelfCheck)? {
                Some(_) => None,
                None => Some(base.prove(reference)?),
            };
            let proof = ShardMapProof { recent, base };
            let record = proof
                .verify(&roots.base, &roots.recent, reference)
                .map_err(MapError::SelfCheck)?;
            Ok(Proved { record, proof })
        });
        let proved = proved.collect::<Result<_, MapError>>()?;
        Ok((covered, roots, proved))
    }
}
