use custody_vault::{EntryContext, EntryKey, MAX_PLAIN_BYTES, PADDING_BYTES, Person, SealError};
use proptest::prelude::*;

use super::Home;

const PLACE: EntryContext = EntryContext {
    ledger: [1; 16],
    shard: [2; 16],
    sequence: 3,
};
/// Suite, codec, salt, commitment, tag.
const AROUND: usize = 2 + 16 + 32 + 16;

fn person(home: &Home, id: &str) -> Person {
    home.open().admit(&[id]).unwrap().person
}

#[test]
fn any_flipped_bit_is_refused() {
    let home = Home::new();
    let person = person(&home, "account:1001");
    let json = br#"{"specversion":"1.0","source":"//orders.example","type":"custody.use.v1"}"#;
    for plain in [b"short".to_vec(), json.to_vec()] {
        let sealed = person.seal(&PLACE, &plain).unwrap();
        for byte in 0..sealed.len() {
            for bit in 0..8 {
                let mut bad = sealed.clone();
                bad[byte] ^= 1 << bit;
                let error = person.open(&PLACE, &bad).expect_err("tampered");
                let expected = match byte {
                    0 => SealError::UnknownSuite(bad[0]),
                    2..50 => SealError::OtherKey,
                    _ => SealError::Tampered,
                };
                assert_eq!(error, expected, "byte {byte}");
            }
        }
        for size in 0..sealed.len() {
            person.open(&PLACE, &sealed[..size]).expect_err("truncated");
        }
    }
}

#[test]
fn another_person_or_place_is_refused_before_decrypting() {
    let home = Home::new();
    let vault = home.open();
    let one = vault.admit(&["account:1"]).unwrap().person;
    let two = vault.admit(&["account:2"]).unwrap().person;
    let sealed = one.seal(&PLACE, b"said").unwrap();
    assert_eq!(two.open(&PLACE, &sealed).unwrap_err(), SealError::OtherKey);
    for place in [
        EntryContext {
            ledger: [9; 16],
            ..PLACE
        },
        EntryContext {
            shard: [9; 16],
            ..PLACE
        },
        EntryContext {
            sequence: 4,
            ..PLACE
        },
    ] {
        assert_eq!(one.open(&place, &sealed).unwrap_err(), SealError::OtherKey);
        // The key of the entry fits its commitment, and the place is still
        // authenticated.
        let key = one.entry_key(&PLACE, &sealed).unwrap();
        assert_eq!(key.open(&place, &sealed).unwrap_err(), SealError::Tampered);
    }
}

#[test]
fn a_state_is_sealed_under_keys_of_its_own() {
    let home = Home::new();
    let vault = home.open();
    let one = vault.admit(&["account:1"]).unwrap().person;
    let two = vault.admit(&["account:2"]).unwrap().person;
    let sealed = one.seal_state(PLACE.ledger, b"known").unwrap();
    assert_eq!(&**one.open_state(PLACE.ledger, &sealed).unwrap(), b"known");
    // Written again, nothing of it is as before: salt, commitment (and so the
    // key) and ciphertext.
    let again = one.seal_state(PLACE.ledger, b"known").unwrap();
    for part in [2..18, 18..50, 50..sealed.len()] {
        assert_ne!(sealed[part.clone()], again[part]);
    }
    let other_key = Some(SealError::OtherKey);
    assert_eq!(two.open_state(PLACE.ledger, &sealed).err(), other_key);
    assert_eq!(one.open_state([9; 16], &sealed).err(), other_key);
    // Neither is taken for the other, at the same place.
    let place = EntryContext {
        shard: [0; 16],
        sequence: 0,
        ..PLACE
    };
    assert_eq!(one.open(&place, &sealed).err(), other_key);
    let entry = one.seal(&place, b"said").unwrap();
    assert_eq!(one.open_state(PLACE.ledger, &entry).err(), other_key);
    for byte in 0..sealed.len() {
        let mut bad = sealed.clone();
        bad[byte] ^= 1;
        assert!(one.open_state(PLACE.ledger, &bad).is_err(), "byte {byte}");
    }
}

/// An exported key opens its entry and no other sealing, not even that of the
/// same place.
#[test]
fn an_entry_key_opens_one_entry() {
    let home = Home::new();
    let person = person(&home, "account:1001");
    let lost = person
        .seal(&PLACE, b"a block that was never committed")
        .unwrap();
    let kept = person.seal(&PLACE, b"the one that was").unwrap();
    let key = EntryKey::from_bytes(*person.entry_key(&PLACE, &kept).unwrap().expose());
    assert_eq!(&**key.open(&PLACE, &kept).unwrap(), b"the one that was");
    assert_eq!(key.open(&PLACE, &lost).unwrap_err(), SealError::OtherKey);
    assert_ne!(lost[2..18], kept[2..18], "salt");
}

#[test]
fn too_much_is_refused() {
    let home = Home::new();
    let person = person(&home, "account:1001");
    let plain = vec![0; MAX_PLAIN_BYTES + 1];
    let size = plain.len();
    assert_eq!(
        person.seal(&PLACE, &plain).unwrap_err(),
        SealError::TooLarge { size }
    );
    let sealed = person.seal(&PLACE, &plain[1..]).unwrap();
    assert_eq!(person.open(&PLACE, &sealed).unwrap().len(), MAX_PLAIN_BYTES);
}

#[test]
fn nothing_secret_prints() {
    let home = Home::new();
    let vault = home.open();
    let admission = vault
        .admit(&["account:1001", "email:a@example.com"])
        .unwrap();
    let sealed = admission.person.seal(&PLACE, b"x").unwrap();
    let key = admission.person.entry_key(&PLACE, &sealed).unwrap();
    assert_eq!(format!("{:?}", admission.person), "Person(redacted)");
    assert_eq!(format!("{key:?}"), "EntryKey(redacted)");
    assert_eq!(
        format!("{:?}", vault.window_key(1).unwrap()),
        "WindowKey(redacted)"
    );
    assert_eq!(format!("{vault:?}"), "Vault(redacted)");
    let identity = format!("{:?}", vault.lookup("account:1001").unwrap().unwrap());
    assert!(
        !identity.contains("1001") && !identity.contains("example"),
        "{identity}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_sealed_opens(
        plain in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..2000),
            (any::<u8>(), 0_usize..5000).prop_map(|(byte, size)| vec![byte; size]),
        ],
        sequence: u64,
    ) {
        thread_local! {
            static PERSON: Person = person(&Home::new(), "account:1001");
        }
        PERSON.with(|person| {
            let place = EntryContext { sequence, ..PLACE };
            let sealed = person.seal(&place, &plain).unwrap();
            prop_assert_eq!(&**person.open(&place, &sealed).unwrap(), &plain[..]);
            prop_assert_eq!((sealed.len() - AROUND) % PADDING_BYTES, 0);
            prop_assert!(sealed.len() - AROUND <= (plain.len() + 4).next_multiple_of(PADDING_BYTES));
            Ok(())
        })?;
    }

    #[test]
    fn noise_does_not_open(mut noise in prop::collection::vec(any::<u8>(), 0..400)) {
        thread_local! {
            static PERSON: Person = person(&Home::new(), "account:1001");
        }
        PERSON.with(|person| {
            prop_assert!(person.open(&PLACE, &noise).is_err());
            if noise.len() > 1 {
                noise[0] = 1;
                for codec in 0..4 {
                    noise[1] = codec;
                    prop_assert!(person.open(&PLACE, &noise).is_err());
                }
            }
            Ok(())
        })?;
    }
}
