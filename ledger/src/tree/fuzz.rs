//! Files of tiles of somebody who means harm: see [`crate::fuzz`].
#![allow(clippy::unwrap_used, reason = "to fail is what it is for")]

use custody_proof::tree::Hash;

use super::array::HashArray;
use crate::fuzz::file;

const LEVEL: u32 = 1;
const OWNER: [u8; 16] = [0x1e; 16];

pub(crate) fn tiles(bytes: &[u8]) {
    let (dir, path) = file(&LEVEL.to_string(), bytes);
    let open = || HashArray::open(dir.path(), LEVEL, OWNER);
    let Ok(array) = open() else {
        // What is refused is left as it is.
        assert!(std::fs::read(&path).unwrap() == bytes);
        return;
    };
    let (header, hashes) = bytes.split_first_chunk::<32>().unwrap_or((&[0; 32], &[]));
    let mut hashes: Vec<Hash> = hashes.as_chunks().0.iter().copied().map(Hash).collect();
    assert_eq!(array.len().unwrap(), hashes.len() as u64);
    assert_eq!(array.read(0, hashes.len()).unwrap(), hashes);
    assert!(array.read(0, hashes.len() + 1).is_err());
    if bytes.len() >= 32 {
        assert!(std::fs::read(&path).unwrap()[..32] == *header);
    }
    // It goes on from any earlier end.
    hashes.truncate(hashes.len() / 2);
    array.truncate(hashes.len() as u64).unwrap();
    array.write(hashes.len() as u64, &[Hash([5; 32])]).unwrap();
    hashes.push(Hash([5; 32]));
    let array = open().unwrap();
    assert_eq!(array.read(0, hashes.len()).unwrap(), hashes);
}
