//! What a shard has of a person.

use super::encoding::Reader;
use super::{MapProof, Record, malformed};
use crate::error::{DecodeError, ProofError};
use crate::id::SubjectReference;
use crate::tree::Hash;

const RECENT_ONLY: u8 = 0;
const RECENT_AND_BASE: u8 = 1;

/// What a shard has of a person, or that it has nothing, against the two map
/// roots of its checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMapProof {
    /// What the recent map has. A record there is the person's whole record.
    pub recent: MapProof,
    /// What the base map has: exactly where the recent map has nothing.
    pub base: Option<MapProof>,
}

impl ShardMapProof {
    /// What the shard has of a person: the record, or `None`, proved.
    ///
    /// # Errors
    ///
    /// Those of [`MapProof::verify`]; [`ProofError::BaseMissing`] where the
    /// recent map has nothing and the base is not asked,
    /// [`ProofError::BaseNeedless`] where it has a record and the base is.
    pub fn verify(
        &self,
        base_root: &Hash,
        recent_root: &Hash,
        reference: &SubjectReference,
    ) -> Result<Option<Record>, ProofError> {
        match (self.recent.verify(recent_root, reference)?, &self.base) {
            (Some(record), None) => Ok(Some(record)),
            (Some(_), Some(_)) => Err(ProofError::BaseNeedless),
            (None, Some(base)) => base.verify(base_root, reference),
            (None, None) => Err(ProofError::BaseMissing),
        }
    }

    /// The stored bytes: 0 and the recent map's proof, or 1, the recent map's
    /// proof and the base map's.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![match self.base {
            None => RECENT_ONLY,
            Some(_) => RECENT_AND_BASE,
        }];
        self.recent.encode_to(&mut bytes);
        if let Some(base) = &self.base {
            base.encode_to(&mut bytes);
        }
        bytes
    }

    /// Reads [`ShardMapProof::encode`]: exactly its bytes, and no others for
    /// the same proof.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] where the bytes are no proof that it could have made.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let has_base = match reader.byte()? {
            RECENT_ONLY => false,
            RECENT_AND_BASE => true,
            _ => return Err(malformed("the proof is of no kind that is known")),
        };
        let recent = MapProof::decode_from(&mut reader)?;
        let base = has_base
            .then(|| MapProof::decode_from(&mut reader))
            .transpose()?;
        reader.finish()?;
        Ok(Self { recent, base })
    }
}
