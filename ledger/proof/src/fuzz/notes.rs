//! Texts: keys, signed notes and the checkpoints in them, manifests, and what
//! a ledger and a witness say to each other.

use super::known::KNOWN;
use crate::checkpoint::{Checkpoint, LedgerCheckpoint, ShardCheckpoint, verifying_keys};
use crate::cosignature::{CosignerKey, cosigned};
use crate::manifest::Manifest;
use crate::note::{Limits, Note, SigningKey, VerifyingKey};
use crate::witness::{AddCheckpoint, Answer, MAX_PROOF, SIZE_CONTENT_TYPE};

/// Keys, public and secret. They may have a second spelling.
pub fn key(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(key) = text.parse::<VerifyingKey>() {
        assert_eq!(key.to_string().parse::<VerifyingKey>(), Ok(key));
    }
    if let Ok(key) = text.parse::<CosignerKey>() {
        assert_eq!(key.to_string().parse::<CosignerKey>(), Ok(key));
    }
    if let Ok(key) = text.parse::<SigningKey>() {
        let again: SigningKey = key.to_secret_string().parse().unwrap();
        assert_eq!(again.verifying_key(), key.verifying_key());
    }
}

/// A signed note, its signatures and the checkpoint in it.
pub fn checkpoint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    checkpoint_text(text);
    let Ok(note) = Note::parse_within(text, Limits::CHECKPOINT) else {
        return;
    };
    assert_eq!(note.to_string(), text);
    for signature in note.signatures() {
        assert_eq!(signature.to_string().parse().as_ref(), Ok(signature));
    }
    checkpoint_text(note.text());

    // Only what was signed is opened.
    let known = &*KNOWN;
    let origin = text.lines().next().unwrap_or_default();
    let keys = verifying_keys(origin, &known.keys);
    if let Ok(signers) = note.opened_by(&keys) {
        assert!(!signers.is_empty());
        assert!(known.signed.contains(note.text()), "a forged signature");
    }
    if let Ok(by) = cosigned(&note, std::slice::from_ref(&known.witness))
        && !by.is_empty()
    {
        assert_eq!(note.text(), known.cosigned_text, "a forged cosignature");
        assert_eq!(by, known.cosigned);
    }
}

fn checkpoint_text(text: &str) {
    let Ok(checkpoint) = Checkpoint::parse(text) else {
        assert!(ShardCheckpoint::parse(text).is_err() && LedgerCheckpoint::parse(text).is_err());
        return;
    };
    assert_eq!(checkpoint.to_text(), text);
    if let Ok(ledger) = LedgerCheckpoint::parse(text) {
        assert_eq!(ledger.to_text(), text);
    }
    if let Ok(shard) = ShardCheckpoint::parse(text) {
        assert_eq!(shard.to_text(), text);
        assert!(!shard.ledger_origin().is_empty());
        let _ = shard.accounts_for_every_offset();
    }
    // What can be signed is read as it was meant.
    if let Ok(key) = SigningKey::from_seed(&checkpoint.origin, &[1; 32])
        && let Ok(note) = checkpoint.sign(&[&key])
        && note.len() <= Limits::CHECKPOINT.bytes
    {
        let keys = [key.verifying_key().clone()];
        assert_eq!(Checkpoint::open(&note, &keys), Ok(checkpoint));
    }
}

/// A manifest.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(manifest) = Manifest::parse(text) else {
        return;
    };
    assert_eq!(manifest.to_text(), text);
    assert_eq!(manifest.leaf(), crate::manifest::leaf(text));
    for line in &manifest.shards {
        assert_eq!(manifest.shard(&line.shard), Some(line));
    }
}

/// What a ledger asks a witness, and what it answers.
pub fn witness(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(request) = AddCheckpoint::parse(text) {
        assert_eq!(request.encode(), text);
        assert!(request.proof.len() <= MAX_PROOF);
        let known = &*KNOWN;
        if let Ok(head) = LedgerCheckpoint::open(&request.note, &known.keys) {
            assert!(known.signed.contains(&head.to_text()), "a forged signature");
        }
    }
    for status in [200, 400, 404, 409, 503] {
        for content_type in [None, Some("text/plain"), Some(SIZE_CONTENT_TYPE)] {
            let Ok(answer) = Answer::parse(status, content_type, text) else {
                continue;
            };
            assert_eq!(answer.status(), status);
            if !matches!(answer, Answer::Refused(_)) {
                assert_eq!(answer.body(), text);
            }
            let again = Answer::parse(status, Some(answer.content_type()), &answer.body());
            assert_eq!(again, Ok(answer));
        }
    }
}
