//! Files of maps of somebody who means harm: see [`crate::fuzz`].
#![allow(clippy::unwrap_used, reason = "to fail is what it is for")]

use custody_proof::map::{MapProof, RECORD_BYTES, Record, root_of_sorted};

use super::base::Base;
use super::snapshot::Snapshot;
use super::trie::Trie;
use crate::chain;
use crate::fuzz::{file, with_digest};
use crate::id::{ShardId, SubjectReference};

/// Where a base map's records begin: after its header.
const RECORDS_AT: usize = 176;

/// A base map.
pub(crate) fn base_map(bytes: &[u8]) {
    read(bytes);
    if let Some(sealed) = sealed(bytes) {
        read(&sealed);
    }
}

fn read(bytes: &[u8]) {
    let Some(shard) = bytes.get(8..).and_then(<[u8]>::first_chunk) else {
        return;
    };
    if !bytes.starts_with(b"CSTU") {
        return;
    }
    let (_dir, path) = file("base", bytes);
    let Ok(base) = Base::open(&path, ShardId(*shard)) else {
        return;
    };
    let (base, covered) = base.unwrap();
    assert_eq!(base.covers(), covered.size);
    // What is held of it is no more than it is long.
    assert!(base.allocated_bytes() <= bytes.len());
    let mut records: Vec<Record> = Vec::new();
    let all = base.for_each(|record| {
        records.push(*record);
        Ok(())
    });
    let is_sorted = records.is_sorted_by(|a, b| a.reference < b.reference);
    let is_good = all.is_ok() && is_sorted && root_of_sorted(&records) == base.root();
    let strangers = [0, 0x55, 0x80, 0xff].map(|byte| SubjectReference([byte; 16]));
    let asked = records.iter().map(|record| record.reference);
    for reference in asked.chain(strangers) {
        let _ = base.lookup().get(&reference);
        let Ok(proof) = base.prove(&reference) else {
            continue;
        };
        assert_eq!(MapProof::decode(&proof.encode()).as_ref(), Ok(&proof));
        let Ok(found) = proof.verify(&base.root(), &reference) else {
            continue;
        };
        if let Some(found) = found {
            assert!(records.contains(&found));
        }
        if is_good {
            assert_eq!(proof, MapProof::of_sorted(&records, &reference));
        }
    }
}

/// The file with the digests and checksums that it should have.
fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = bytes.split_at_checked(RECORDS_AT)?;
    let count = u64::from_le_bytes(*header[64..].first_chunk()?);
    let records = usize::try_from(count).ok()?.checked_mul(RECORD_BYTES)?;
    let mut index = rest
        .get(records..)?
        .get(..16_usize << header[72].min(25))?
        .to_vec();
    let mut start = 0;
    for bucket in index.as_chunks_mut::<16>().0 {
        let end = u64::from_le_bytes(*bucket.first_chunk()?);
        let end = usize::try_from(end).ok()?.checked_mul(RECORD_BYTES)?;
        let checksum = blake3::hash(rest.get(start..end)?);
        bucket[8..].copy_from_slice(&checksum.as_bytes()[..8]);
        start = end;
    }
    let digest = chain::digest(b"custody map index v1", &[&index]);
    let header = [&header[..112], digest.as_bytes()].concat();
    let mut sealed = with_digest(b"custody map header v1", &header);
    sealed.extend_from_slice(&rest[..records]);
    sealed.extend_from_slice(&index);
    sealed.extend_from_slice(&rest[records + index.len()..]);
    Some(sealed)
}

/// A saved recent map.
pub(crate) fn recent_map(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), with_digest(b"custody map recent v1", bytes)] {
        let Ok((shard, saved)) = Snapshot::decode(&bytes) else {
            continue;
        };
        let mut recent = Trie::default();
        saved
            .records
            .iter()
            .for_each(|record| recent.insert(*record));
        let again: Vec<Record> = recent.iter().copied().collect();
        assert!(again == saved.records, "another map than was saved");
        assert!(saved.encode(shard) == bytes);
        assert_eq!(recent.rehash(), root_of_sorted(&saved.records));
    }
}
