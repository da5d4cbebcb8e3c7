//! Frozen bytes of format 1. A change here is a change of format: what was
//! stored before no longer opens.

use std::path::Path;

use crate::codec;
use crate::derive::{self, Names};
use crate::entry::EntryContext;
use crate::error::VaultError;
use crate::key::Key;
use crate::person::Person;
use crate::root::{RootKey, SLOT_BYTES, decode, encode};

const PLACE: EntryContext = EntryContext {
    ledger: [0xa1; 16],
    shard: [0xb2; 16],
    sequence: 7,
};
const SALT: [u8; 16] = *b"0123456789abcdef";

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn derivations_from_a_data_key() {
    let person = Person::from_data_key(&key(1));
    assert_eq!(hex(&person.reference()), "6da0bf11f68d94bf639cdf91adfda535");
    assert_eq!(
        hex(&person.tag("//orders.example", "o-1")),
        "a81ca4d15050492bf0f41f49d2f4112b"
    );
    assert_ne!(person.tag("ab", "c"), person.tag("a", "bc"));
    // What the code does, said once more by the primitive's own words.
    let root = blake3::derive_key("custody 2026 person: entry keys v1", &[1; 32]);
    let mut input = Vec::new();
    input.extend_from_slice(&PLACE.ledger);
    input.extend_from_slice(&PLACE.shard);
    input.extend_from_slice(&7_u64.to_le_bytes());
    input.extend_from_slice(&SALT);
    let entry_key = blake3::keyed_hash(&root, &input);
    let sealed = person.seal_salted(&PLACE, b"", &SALT).unwrap();
    let found = person.entry_key(&PLACE, &sealed).unwrap();
    assert_eq!(found.expose(), entry_key.as_bytes());
    let commitment = blake3::derive_key(
        "custody 2026 entry: key commitment v1",
        entry_key.as_bytes(),
    );
    assert_eq!(sealed[18..50], commitment);
}

#[test]
fn derivations_from_the_root_key() {
    let root = key(2);
    let names = Names::new(&root);
    let identifier = names.identifier("account:1001");
    let all = [
        hex(&derive::root_commitment(&root, &[3; 16])),
        hex(&identifier),
        hex(&names.person(&[4; 16])),
        hex(&names.identifier_row(&[4; 16], &identifier)),
        hex(&names.pointer_row(&identifier, &[4; 16])),
        hex(&names.link_row(&[4; 16], &[5; 16])),
        hex(derive::row_key(&derive::space_key(&root, "persons"), b"row").bytes()),
    ];
    assert_eq!(
        all,
        [
            "19fd02180b69923ebc894b3bd5e1151f7997eb49518c8b76bafb7943dd64012a",
            "238785349b788b693963fa791a94d683",
            "8c6ca29a9848862d76e18f527588971b",
            "8c6ca29a9848862d76e18f527588971b781c5e5171d089680420c2d278c352a8",
            "238785349b788b693963fa791a94d68371a069490b073a990af3b5aa4ceeb295",
            "8c6ca29a9848862d76e18f527588971be9815e03e6d12a4925357ecb6e3f76f7",
            "9924605331a3cfc7711375471fc40e27363c75c37051a322451b46ccfe2de13c"
        ]
    );
}

#[test]
fn list_digests_tell_lists_apart() {
    let names = Names::new(&key(2));
    let long = "x".repeat(300);
    let lists: [&[&str]; 7] = [
        &["ab", "c"],
        &["a", "bc"],
        &["abc"],
        &["c", "ab"],
        &[],
        &[&long],
        &[&long, "a"],
    ];
    for (at, one) in lists.iter().enumerate() {
        for other in &lists[at + 1..] {
            assert_ne!(names.list(one), names.list(other), "{one:?} {other:?}");
        }
    }
}

#[test]
fn a_stored_entry() {
    let person = Person::from_data_key(&key(1));
    let sealed = person.seal_salted(&PLACE, b"said", &SALT).unwrap();
    assert_eq!(
        hex(&sealed),
        "01003031323334353637383961626364656695eac9c356b9fbc1a44945d5e23ff6ad2908685f12d01707315e926521c0f36a61bd1833a43e28683bdecfa6474ed3fab7596a1b04866f7e421a07dc349014580bfa46f78f2d31fcd876484163c2b2fc29e20c4343cb702779992ab82d29cc1371701e45a73d0beaacc1b7cc397fda75"
    );
    assert_eq!(&**person.open(&PLACE, &sealed).unwrap(), b"said");
}

#[test]
fn a_stored_state() {
    let person = Person::from_data_key(&key(1));
    let sealed = person
        .seal_state_salted(PLACE.ledger, b"known", &SALT)
        .unwrap();
    assert_eq!(
        hex(&sealed),
        "01003031323334353637383961626364656643773e3fcf67dca1e3d21728f20efe582371d40a71183cb9137e0b95aaa63361bf39601d78d9be524d74894a06cfa36ccfa5f02379621b7f145d303a62e5290a709e4ef5a2c11845f387ffd310d8ac8bdfc258599aec0361bced62a9dd5e0dccc9ce7b1a8de3ecb01ce491d37604ad64"
    );
    assert_eq!(
        &**person.open_state(PLACE.ledger, &sealed).unwrap(),
        b"known"
    );
    // Said once more by the primitive's own words.
    let root = blake3::derive_key("custody 2026 person: subject state keys v1", &[1; 32]);
    let input = [&PLACE.ledger[..], &[0; 16], &[0; 8], &SALT].concat();
    let state_key = blake3::keyed_hash(&root, &input);
    let commitment = blake3::derive_key(
        "custody 2026 entry: key commitment v1",
        state_key.as_bytes(),
    );
    assert_eq!(sealed[18..50], commitment);
}

/// Opened, not compared: another release of zstd may make other bytes of the
/// same content.
#[test]
fn a_compressed_entry() {
    let person = Person::from_data_key(&key(1));
    let plain = b"what was said ".repeat(20);
    let golden = unhex(
        "01013031323334353637383961626364656695eac9c356b9fbc1a44945d5e23ff6ad2908685f12d01707315e926521c0f36a7abd1833ffea6ef15bc6cf0b474ea38ddf381e3b73e71c5e317b6eb81491145faab463f78f2d31fcd876484163c2b2fc29e20c4343cb702779992ab82d29cc13082eb65cb0521b8fdfcf37a06dae0973",
    );
    assert_eq!(&**person.open(&PLACE, &golden).unwrap(), &plain[..]);
}

/// As above: any release of zstd opens it by dictionary 1, whatever it would
/// itself make of the content.
#[test]
fn an_entry_compressed_by_dictionary_1() {
    let person = Person::from_data_key(&key(1));
    let plain = br#"{"specversion":"1.0","id":"e-7","source":"//orders.example","type":"custody.use.v1","time":"2025-07-01T10:00:00Z","data":{"subject":{"ids":["account:1001"]},"purposes":["custody:orders"],"categories":[{"term":"custody:contact"}],"use":{"operation":"dpv:Use","system":"crm"}}}"#;
    let sealed = person.seal_salted(&PLACE, plain, &SALT).unwrap();
    assert_eq!(sealed[..2], [1, 2]);
    let golden = unhex(
        "01023031323334353637383961626364656695eac9c356b9fbc1a44945d5e23ff6ad2908685f12d01707315e926521c0f36a45902f03aa50bd2a34ff481a95f28669d2590de733dccc728e3d5a7db4deef37b9d27a2c64b9329aa521ced17dc4f59e29e20c4343cb702779992ab82d29cc13a48c8c729fe0390fd02810b161acb3f7",
    );
    assert_eq!(&**person.open(&PLACE, &golden).unwrap(), &plain[..]);
}

/// A dictionary that changed opens nothing that was sealed by it.
#[test]
fn dictionary_1() {
    assert_eq!(
        blake3::hash(codec::DICTIONARY).to_hex().as_str(),
        "f213ae63d17a6717c5bd9c6b38880653b50246daae9f033ff1b01221c8c62c63"
    );
}

/// The same ciphertext and salt with another commitment, or another key, is
/// refused by the commitment: decrypting, which would say `Tampered`, is not
/// reached.
#[test]
fn the_commitment_is_checked_first() {
    use crate::SealError;
    let person = Person::from_data_key(&key(1));
    let mut sealed = person.seal_salted(&PLACE, b"said", &SALT).unwrap();
    let other = Person::from_data_key(&key(9));
    assert_eq!(
        other.open(&PLACE, &sealed).unwrap_err(),
        SealError::OtherKey
    );
    // With the commitment of the other person's key in its place the
    // ciphertext is reached, and refuses.
    let theirs = other.seal_salted(&PLACE, b"said", &SALT).unwrap();
    sealed[18..50].copy_from_slice(&theirs[18..50]);
    assert_eq!(
        other.open(&PLACE, &sealed).unwrap_err(),
        SealError::Tampered
    );
    assert_eq!(
        person.open(&PLACE, &sealed).unwrap_err(),
        SealError::OtherKey
    );
}

#[test]
fn the_root_key_file() {
    let root = RootKey::new(5, [6; 32]);
    let bytes = encode(&root);
    assert_eq!(bytes.len(), 2 * SLOT_BYTES);
    assert_eq!(bytes[..SLOT_BYTES], bytes[SLOT_BYTES..]);
    let mut head = b"CUSTROOT\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0".to_vec();
    head.extend_from_slice(&[6; 32]);
    assert_eq!(bytes[..56], head);
    assert!(bytes[56..SLOT_BYTES - 32].iter().all(|&byte| byte == 0));
    assert_eq!(
        hex(&bytes[SLOT_BYTES - 32..SLOT_BYTES]),
        "2dffa6739a0296ea709019428f12bb9cb318f8aed007c2eca08d801c04ff2680"
    );
}

/// Every byte of one slot, then of both.
#[test]
fn a_flipped_byte_of_the_root_key_file() {
    let path = Path::new("root.key");
    let good = encode(&RootKey::new(5, [6; 32]));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let root = decode(&bad, path).unwrap().remove(0);
        assert_eq!(
            (root.generation(), root.expose()),
            (5, &[6; 32]),
            "byte {at}"
        );
        bad[(at + SLOT_BYTES) % good.len()] ^= 0x10;
        let error = decode(&bad, path).err().unwrap();
        assert!(
            matches!(error, VaultError::RootKeyDamaged { .. }),
            "byte {at}: {error}"
        );
    }
}

/// A write that was cut off between the slots, either way round.
#[test]
fn the_newest_slot_wins() {
    let path = Path::new("root.key");
    let old = encode(&RootKey::new(5, [6; 32]));
    let new = encode(&RootKey::new(6, [7; 32]));
    for (first, second) in [(&old, &new), (&new, &old)] {
        let mixed = [&first[..SLOT_BYTES], &second[SLOT_BYTES..]].concat();
        let root = decode(&mixed, path).unwrap().remove(0);
        assert_eq!((root.generation(), root.expose()), (6, &[7; 32]));
    }
    // The newest was torn: the one before it.
    let mut torn = [&old[..SLOT_BYTES], &new[SLOT_BYTES..]].concat();
    torn[SLOT_BYTES + 2048] = 1;
    assert_eq!(decode(&torn, path).unwrap()[0].generation(), 5);
}

#[test]
fn a_root_key_of_another_version() {
    let path = Path::new("root.key");
    for (version, is_new) in [(2_u16, true), (0, false)] {
        let mut bytes = encode(&RootKey::new(5, [6; 32]));
        for slot in bytes.chunks_mut(SLOT_BYTES) {
            slot[8..10].copy_from_slice(&version.to_le_bytes());
            let checksum = blake3::hash(&slot[..SLOT_BYTES - 32]);
            slot[SLOT_BYTES - 32..].copy_from_slice(checksum.as_bytes());
        }
        match decode(&bytes, path).err().unwrap() {
            VaultError::TooNew {
                found: 2, known: 1, ..
            } => assert!(is_new),
            VaultError::TooOld {
                found: 0, known: 1, ..
            } => assert!(!is_new),
            other => panic!("{other}"),
        }
    }
}
