//! What fuzzers and tests do with bytes of somebody who means harm.
//!
//! Each function reads bytes as one thing. That nothing panics is the least:
//! what is read must be written again the same, and what verifies must be true.
//! The targets in `fuzz/` and the tests over the corpus call the same ones.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "to fail is what it is for"
)]

mod corpus;
mod evidence;
mod known;
mod mutate;
mod notes;
mod proofs;

pub use corpus::{run_corpora, seed};
pub use evidence::evidence;
pub use mutate::mutations;
pub use notes::{checkpoint, key, manifest, witness};
pub use proofs::{map_proof, tree_proof};

use crate::entry::{Entry, EntryView, Outline};
use crate::tiles::TilePath;

/// A function that reads bytes.
pub type Target = fn(&[u8]);

/// Every target of this crate, by the name of its corpus.
pub const TARGETS: [(&str, Target); 9] = [
    ("entry", entry),
    ("tree_proof", tree_proof),
    ("map_proof", map_proof),
    ("key", key),
    ("checkpoint", checkpoint),
    ("manifest", manifest),
    ("witness", witness),
    ("tile_path", tile_path),
    ("evidence", evidence),
];

/// A stored entry, its outline, and the same read in place.
pub fn entry(bytes: &[u8]) {
    let outline = Outline::read(bytes);
    let view = EntryView::read(bytes).ok().flatten();
    let Ok(entry) = Entry::decode(bytes) else {
        assert!(view.is_none(), "read in place only");
        return;
    };
    if let Some(view) = view {
        assert_eq!(view.kind_code, entry.kind_code);
        assert_eq!(view.event_tag, entry.event_tag);
        assert!(view.purposes.iter().eq(entry.purposes.iter()));
        assert_eq!(view.policy, entry.policy);
        assert_eq!(view.recipient().is_some(), entry.recipient().is_some());
        assert!(view.clauses.iter().eq(entry.judgement.clauses.iter()));
        assert_eq!(view.findings, entry.judgement.findings.len() as u64);
        assert_eq!(view.sealed, entry.sealed);
    }
    let outline = outline.unwrap();
    assert_eq!(outline.kind_code, entry.kind_code);
    assert_eq!(outline.offset, entry.offset);
    assert_eq!(outline.kafka_time_ms, entry.kafka_time_ms);
    assert_eq!(outline.event_time_ns, entry.event_time_ns);
    assert_eq!(outline.subject, entry.subject);
    assert!(entry.kind().is_some());
    // Longer by what a version did not have, and the limit is the same: then it
    // is not written.
    let Ok(written) = entry.encode() else {
        return;
    };
    if bytes[0] > 1 {
        assert!(written == bytes, "another encoding of the same entry");
    } else {
        // Version 1 is not written any more.
        assert!(Entry::decode(&written).unwrap() == entry);
    }
}

/// Where a tile lies.
pub fn tile_path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(path) = text.parse::<TilePath>() {
        assert_eq!(path.to_string(), text);
    }
}

#[cfg(test)]
mod tests;
