//! Segment files and their manifest: frozen, changed, and against bytes of
//! somebody who means harm.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::Compression;
use crate::error::DecodeError;
use crate::segment::{Manifest, Segment, SegmentError};
use crate::tests::golden::{assert_golden, frozen};
use crate::tests::{blocks, manifest, segment, segment_header};

#[derive(Debug)]
enum Failed {
    Segment,
}

impl From<SegmentError> for Failed {
    fn from(_: SegmentError) -> Self {
        Self::Segment
    }
}

/// Every block of a file, by reading it as a whole.
fn walk(path: &Path) -> Result<Vec<Vec<u8>>, SegmentError> {
    let segment = Segment::open(path)?;
    let mut read = Vec::new();
    segment.walk(|walked| {
        read.push(walked.bytes.to_vec());
        Ok::<_, SegmentError>(())
    })?;
    Ok(read)
}

fn stored() -> Vec<Vec<u8>> {
    blocks().into_iter().map(|block| block.bytes).collect()
}

#[test]
fn segments_and_manifests_are_stored_as_they_were() {
    assert_golden("segment_v1", &segment(Compression::None));
    // What a compressor writes may change with its version; what was written
    // must stay readable.
    let name = "segment_zstd_v1";
    if std::env::var_os("CUSTODY_FREEZE").is_some() {
        assert_golden(name, &segment(Compression::Zstd(1)));
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["segment_v1", name] {
        let path = dir.path().join(name);
        fs::write(&path, frozen(name)).unwrap();
        assert_eq!(walk(&path).unwrap(), stored(), "{name}");
        let segment = Segment::open(&path).unwrap();
        assert_eq!(*segment.header(), segment_header());
        for (height, block) in (0..).zip(stored()) {
            let read = segment.block(height).unwrap().unwrap();
            assert_eq!(read.as_bytes(), block);
        }
        assert!(segment.block(3).unwrap().is_none());
        assert_eq!([0, 1, 2].map(|at| segment.find(at).unwrap()), [0, 0, 2]);
    }
    assert!(frozen("segment_zstd_v1").len() < frozen("segment_v1").len());

    let bytes = manifest().encode().unwrap();
    assert_golden("manifest_v1", &bytes);
    assert_eq!(Manifest::decode(&bytes).unwrap(), manifest());
}

#[test]
fn parts_of_long_blocks_are_stored_as_they_were() {
    let block = blocks().remove(0).bytes;
    let mut all = Vec::new();
    for part in crate::store::cut(&block, 300) {
        all.extend_from_slice(&part);
    }
    assert_golden("block_parts_v1", &all);
}

#[test]
fn every_flipped_byte_of_a_segment_and_a_manifest_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segment");
    for compression in [Compression::None, Compression::Zstd(1)] {
        let bytes = segment(compression);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            assert!(walk(&path).is_err(), "byte {at}");
        }
        for length in (0..bytes.len()).step_by(13) {
            fs::write(&path, &bytes[..length]).unwrap();
            assert!(walk(&path).is_err(), "{length} bytes");
        }
    }
    let bytes = manifest().encode().unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(Manifest::decode(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn other_versions_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segment");
    let bytes = segment(Compression::None);
    let footer = bytes.len() - 88;
    for at in [4, footer + 4] {
        for (version, expected) in [
            (
                0,
                DecodeError::TooOld {
                    version: 0,
                    oldest: 1,
                },
            ),
            (
                2,
                DecodeError::TooNew {
                    version: 2,
                    newest: 1,
                },
            ),
        ] {
            let mut changed = bytes.clone();
            changed[at] = version;
            fs::write(&path, &changed).unwrap();
            match Segment::open(&path) {
                Err(SegmentError::File(error)) => assert_eq!(error, expected),
                other => panic!("{other:?}"),
            }
        }
    }
    let mut changed = manifest().encode().unwrap();
    changed[4] = 2;
    assert!(matches!(
        Manifest::decode(&changed),
        Err(DecodeError::TooNew { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn hostile_segments_are_refused_in_peace(
        at in any::<prop::sample::Index>(),
        value in prop_oneof![
            Just(u64::MAX), Just(i64::MAX as u64), Just(1 << 40), Just(u64::from(u32::MAX)), any::<u64>(),
        ],
        zstd in any::<bool>(),
    ) {
        let compression = if zstd { Compression::Zstd(1) } else { Compression::None };
        let mut bytes = segment(compression);
        let at = at.index(bytes.len() - 8);
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("segment");
        fs::write(&path, &bytes).unwrap();
        if let Ok(segment) = Segment::attach(&path) {
            // The index is not known to be whole here.
            for height in 0..4 {
                let _ = segment.block(height);
            }
            let _ = segment.find(1);
            let _ = segment.walk(|_| Ok::<_, Failed>(()));
        }
    }
}
