//! How fields stand in JSON: ids in hexadecimal, hashes, digests and bytes in
//! base64 with padding. Each value has one spelling.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use crate::field;

/// Ids, in hexadecimal.
pub(super) mod id {
    use std::fmt::Display;
    use std::str::FromStr;

    use super::*;

    pub(in super::super) fn serialize<T: Display, S: Serializer>(
        id: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(in super::super) fn deserialize<'de, T: FromStr + Display, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        field::canonical(&text).ok_or_else(|| Error::custom("not an id"))
    }
}

/// Ids that may be absent.
pub(super) mod optional_id {
    use super::*;
    use crate::id::ShardId;

    pub(in super::super) fn serialize<S: Serializer>(
        id: &Option<ShardId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        id.map(|id| id.to_string()).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<ShardId>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let id = field::canonical(&text);
        id.map(Some).ok_or_else(|| Error::custom("not an id"))
    }
}

/// Bytes of any length, in base64.
pub(super) mod bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        bytes: &[u8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The decoder's own error would show a byte of the text.
        STANDARD
            .decode(text)
            .map_err(|_| Error::custom("not base64"))
    }
}

/// A digest, in base64.
pub(super) mod digest {
    use super::*;
    use crate::id::Digest;
    use crate::tree::Hash;

    pub(in super::super) fn serialize<S: Serializer>(
        digest: &Digest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&field::hash_text(&Hash(digest.0)))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Digest, D::Error> {
        OneHash::deserialize(deserializer).map(|hash| Digest(hash.0.0))
    }
}

/// The hashes of a path, in base64.
pub(super) mod hashes {
    use super::*;
    use crate::tree::Hash;

    pub(in super::super) fn serialize<S: Serializer>(
        hashes: &[Hash],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(hashes.iter().map(field::hash_text))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Hash>, D::Error> {
        let hashes = Vec::<OneHash>::deserialize(deserializer)?;
        Ok(hashes.into_iter().map(|hash| hash.0).collect())
    }
}

/// The hashes of a path that may be absent.
pub(super) mod optional_hashes {
    use super::*;
    use crate::tree::Hash;

    pub(in super::super) fn serialize<S: Serializer>(
        hashes: &Option<Vec<Hash>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match hashes {
            Some(hashes) => super::hashes::serialize(hashes, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<Hash>>, D::Error> {
        super::hashes::deserialize(deserializer).map(Some)
    }
}

struct OneHash(crate::tree::Hash);

impl<'de> Deserialize<'de> for OneHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        field::hash(&text)
            .map(Self)
            .ok_or_else(|| Error::custom("not a hash"))
    }
}
