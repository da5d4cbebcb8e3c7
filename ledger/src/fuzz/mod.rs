//! What fuzzers and tests do with files of somebody who means harm.
//!
//! Each function reads bytes as one thing. That nothing panics is the least:
//! what is read must be written again the same. Digests would keep a fuzzer
//! from everything that they guard, so each function reads the bytes as they
//! are, and once more with the digests that they should have: somebody who
//! changes files can make them too.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "to fail is what it is for"
)]

mod block;
mod files;

pub use block::block;
pub use files::{anchor, segments_manifest, signed_anchor, small_files};

pub use custody_proof::fuzz::Target;

/// Every target of this crate, by the name of its corpus.
pub const TARGETS: [(&str, Target); 9] = [
    ("block", block),
    ("segment", segment),
    ("segments_manifest", segments_manifest),
    ("anchor", anchor),
    ("signed_anchor", signed_anchor),
    ("base_map", base_map),
    ("recent_map", recent_map),
    ("tiles", tiles),
    ("small_files", small_files),
];

/// A file of sealed blocks.
pub fn segment(bytes: &[u8]) {
    crate::segment::fuzz::segment(bytes);
}

/// A base map of persons.
pub fn base_map(bytes: &[u8]) {
    crate::map::fuzz::base_map(bytes);
}

/// A saved recent map of persons.
pub fn recent_map(bytes: &[u8]) {
    crate::map::fuzz::recent_map(bytes);
}

/// One level of a tree.
pub fn tiles(bytes: &[u8]) {
    crate::tree::fuzz::tiles(bytes);
}

/// Bytes with their digest, as it follows most of our files.
pub(crate) fn with_digest(domain: &[u8], bytes: &[u8]) -> Vec<u8> {
    let digest = crate::chain::digest(domain, &[bytes]);
    [bytes, digest.as_bytes()].concat()
}

/// Without the zeros at the end.
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != 0);
    &bytes[..end.map_or(0, |last| last + 1)]
}

/// A file with these bytes, gone with the directory.
pub(crate) fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}
