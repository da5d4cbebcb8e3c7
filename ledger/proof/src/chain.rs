//! The digests that tie entries and blocks together.
//!
//! All are BLAKE3 over a domain label followed by stored bytes, never over a
//! re-encoding, so that what was checked is what lies on disk.

use crate::id::{Digest, LedgerId};

/// Before the first entry of a shard: `BLAKE3("custody genesis v1" ‖ ledger id
/// ‖ identity bytes of the shard)`.
pub fn genesis(ledger: LedgerId, identity: &[u8]) -> Digest {
    digest(b"custody genesis v1", &[ledger.as_bytes(), identity])
}

/// One link: `h(i) = BLAKE3("custody entry v1" ‖ h(i-1) ‖ stored bytes)`.
///
/// The chain of a shard goes straight across its blocks. `entry` is the entry
/// as stored, without the length before it.
pub fn link(previous: Digest, entry: &[u8]) -> Digest {
    digest(b"custody entry v1", &[previous.as_bytes(), entry])
}

/// The digest of a block: `BLAKE3("custody block v1" ‖ header ‖ body)`.
pub fn block(header_and_body: &[u8]) -> Digest {
    digest(b"custody block v1", &[header_and_body])
}

/// `BLAKE3(domain ‖ parts)`.
pub fn digest(domain: &[u8], parts: &[&[u8]]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(domain);
    for part in parts {
        hasher.update(part);
    }
    Digest(*hasher.finalize().as_bytes())
}
