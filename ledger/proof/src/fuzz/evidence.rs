//! Documents of evidence: what verifies is true of the known ledger.

use super::known::KNOWN;
use crate::evidence::{
    ConsistencyProof, ErasureCertificate, Evidence, InclusionProof, SubjectEvidence, Verified,
    VerifiedShard, verify,
};
use crate::id::SubjectReference;

/// Somebody who is in the known ledger, and whom its documents do not show.
const HIDDEN: SubjectReference = SubjectReference([3; 16]);

/// A document in JSON; or, where it begins otherwise, changes of four bytes
/// each to the one that is known.
pub fn evidence(bytes: &[u8]) {
    if bytes.first().is_some_and(|&byte| byte != b'{') {
        let mut document = KNOWN.document.clone();
        for change in bytes.as_chunks().0 {
            edit(&mut document, *change);
        }
        check(&document);
        return;
    }
    if let Ok(document) = Evidence::from_json(bytes) {
        let again = Evidence::from_json(document.to_json().as_bytes());
        assert!(again.as_ref() == Ok(&document), "reads otherwise");
        check(&document);
    }
    if let Ok(document) = InclusionProof::from_json(bytes) {
        let again = InclusionProof::from_json(document.to_json().as_bytes());
        assert!(again.as_ref() == Ok(&document), "reads otherwise");
        if let Ok(included) = document.verify(&KNOWN.keys) {
            // The entry, and its place, and everything that it stands on.
            assert!(included == KNOWN.included, "a false proof");
        }
    }
    if let Ok(document) = ConsistencyProof::from_json(bytes) {
        let again = ConsistencyProof::from_json(document.to_json().as_bytes());
        assert!(again.as_ref() == Ok(&document), "reads otherwise");
        if let Ok(grown) = document.verify(KNOWN.earlier, None, &KNOWN.keys) {
            let same = grown.earlier == grown.later;
            assert!(same || grown == KNOWN.grown, "a false proof");
        }
    }
    if let Ok(document) = ErasureCertificate::from_json(bytes) {
        let again = ErasureCertificate::from_json(document.to_json().as_bytes());
        assert!(again.as_ref() == Ok(&document), "reads otherwise");
        if let Ok(erased) = document.verify(&KNOWN.erased_keys) {
            assert!(erased == KNOWN.erased, "a false certificate");
        }
    }
}

fn check(document: &Evidence) {
    if let Ok(verified) = verify(document, &KNOWN.keys) {
        must_be_true(&verified);
    }
}

fn must_be_true(verified: &Verified) {
    let known = &KNOWN.evidence;
    assert_eq!(verified.ledger, known.ledger);
    assert_eq!(verified.head, known.head);
    assert_eq!(verified.shards, known.shards);
    for subject in &verified.subjects {
        let mut subjects = known.subjects.iter();
        match subjects.find(|known| known.reference == subject.reference) {
            Some(known) => {
                // What was left out is the path of an entry at most.
                let shards: Vec<_> = subject.shards.iter().map(without_paths).collect();
                let known: Vec<_> = known.shards.iter().map(without_paths).collect();
                assert!(shards == known, "false evidence");
            }
            None => {
                assert_ne!(subject.reference, HIDDEN, "somebody was denied");
                let mut shards = subject.shards.iter();
                assert!(shards.all(|shard| shard.count == 0 && shard.entries.is_empty()));
            }
        }
    }
}

fn without_paths(shard: &VerifiedShard) -> VerifiedShard {
    let mut shard = shard.clone();
    for entry in &mut shard.entries {
        entry.in_log = true;
    }
    shard
}

/// One change: what, where, and with what.
fn edit(document: &mut Evidence, [what, a, b, value]: [u8; 4]) {
    let (a, b) = (usize::from(a), usize::from(b));
    match what % 16 {
        0 => remove(&mut document.subjects, a),
        1 => again(&mut document.subjects, a),
        2 => swap(&mut document.checkpoints, a, b),
        3 => remove(&mut document.checkpoints, a),
        4 => remove(&mut document.manifest_path, a),
        5 => {
            let mut lines: Vec<&str> = document.manifest.split_inclusive('\n').collect();
            if value & 1 == 0 {
                remove(&mut lines, a);
            } else {
                swap(&mut lines, a, b);
            }
            document.manifest = lines.concat();
        }
        6 => {
            if let Some(note) = pick(&mut document.checkpoints, a) {
                std::mem::swap(&mut document.ledger_checkpoint, note);
            }
        }
        what => {
            let Some(subject) = pick(&mut document.subjects, a) else {
                return;
            };
            edit_subject(subject, what, b, value);
        }
    }
}

fn edit_subject(subject: &mut SubjectEvidence, what: u8, at: usize, value: u8) {
    let number = usize::from(value);
    match what {
        7 => subject.reference = SubjectReference([value; 16]),
        8 => remove(&mut subject.shards, at),
        9 => swap(&mut subject.shards, at, number),
        _ => {
            let Some(shard) = pick(&mut subject.shards, at) else {
                return;
            };
            match what {
                10 => remove(&mut shard.entries, number),
                11 => again(&mut shard.entries, number),
                12 => swap(&mut shard.entries, number / 16, number % 16),
                13 => flip(&mut shard.map, number),
                14 => shard.entries.iter_mut().for_each(|entry| entry.path = None),
                _ => {
                    let Some(entry) = pick(&mut shard.entries, number % 4) else {
                        return;
                    };
                    match number / 4 % 4 {
                        0 => entry.sequence ^= 1 << (number / 16 % 4),
                        1 => flip(&mut entry.entry, number / 16),
                        2 => flip(&mut entry.previous.0, number / 16),
                        _ => {
                            if let Some(path) = &mut entry.path {
                                remove(path, number / 16);
                            }
                        }
                    }
                }
            }
        }
    }
}

fn pick<T>(list: &mut [T], at: usize) -> Option<&mut T> {
    let length = list.len().max(1);
    list.get_mut(at % length)
}

fn remove<T>(list: &mut Vec<T>, at: usize) {
    if !list.is_empty() {
        drop(list.remove(at % list.len()));
    }
}

fn again<T: Clone>(list: &mut Vec<T>, at: usize) {
    if let Some(item) = pick(list, at).cloned() {
        list.push(item);
    }
}

fn swap<T>(list: &mut [T], a: usize, b: usize) {
    if !list.is_empty() {
        list.swap(a % list.len(), b % list.len());
    }
}

fn flip(bytes: &mut [u8], at: usize) {
    if let Some(byte) = pick(bytes, at) {
        *byte ^= 1 << (at % 8);
    }
}
