//! Small files that are read as a whole.

use super::{trimmed, with_digest};
use crate::anchor::AnchorState;
use crate::identity::Identity;
use crate::notary::SignedState;
use crate::segment::Manifest;
use crate::shard::ShardDescriptor;
use crate::stamp::Stamp;

/// How far each shard has come.
pub fn anchor(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), with_digest(b"custody anchor v2", bytes)] {
        if let Ok(state) = AnchorState::decode(&bytes) {
            // Filled up with zeros, to any length.
            assert!(trimmed(&state.encode()) == trimmed(&bytes));
        }
    }
}

/// The last signed checkpoints.
pub fn signed_anchor(bytes: &[u8]) {
    for bytes in [
        bytes.to_vec(),
        with_digest(b"custody signed anchor v1", bytes),
    ] {
        if let Ok(state) = SignedState::decode(&bytes) {
            assert!(trimmed(&state.encode()) == trimmed(&bytes));
        }
    }
}

/// What is sealed.
pub fn segments_manifest(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), with_digest(b"custody segments v1", bytes)] {
        if let Ok(manifest) = Manifest::decode(&bytes) {
            assert!(manifest.encode().unwrap() == bytes);
        }
    }
}

/// A descriptor of a shard, an identity or a stamp.
pub fn small_files(bytes: &[u8]) {
    if let Ok(shard) = ShardDescriptor::decode(bytes) {
        assert!(shard.encode().unwrap() == bytes);
    }
    for bytes in [bytes.to_vec(), with_digest(b"custody identity v1", bytes)] {
        if let Ok(identity) = Identity::decode(&bytes) {
            assert!(identity.encode() == bytes);
        }
    }
    for bytes in [bytes.to_vec(), with_digest(b"custody stamp v1", bytes)] {
        if let Ok(stamp) = Stamp::decode(&bytes) {
            assert!(stamp.encode().unwrap() == bytes);
        }
    }
}
