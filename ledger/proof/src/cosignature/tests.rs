use super::{CosignatureError, Cosigned, CosignerKey, CosigningKey, cosigned};
use crate::note::{KeyError, Note, SigningKey, VerifyingKey, sign};

const TEXT: &str = "custody/1\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

fn witness(seed: u8) -> CosigningKey {
    CosigningKey::from_seed("witness.example/w1", &[seed; 32]).unwrap()
}

fn note(times: &[(u8, u64)]) -> Note {
    let log = SigningKey::from_seed("custody/1", &[9; 32]).unwrap();
    let mut note = Note::parse(&sign(TEXT, &[&log]).unwrap()).unwrap();
    for (seed, time) in times {
        note.add_signature(witness(*seed).cosign(TEXT, *time).unwrap());
    }
    note
}

#[test]
fn a_cosignature_says_who_and_when() {
    let key = witness(1).cosigner_key().clone();
    let note = note(&[(1, 1_679_315_147), (2, 5)]);
    let at = |time_s| Cosigned {
        cosigner: "witness.example/w1".to_owned(),
        time_s,
    };
    assert_eq!(
        cosigned(&note, std::slice::from_ref(&key)),
        Ok(vec![at(1_679_315_147)])
    );
    assert_eq!(cosigned(&note, &[]), Ok(vec![]));
    // It is a signature line like any other, and comes back from a text.
    let again = Note::parse(&note.to_string()).unwrap();
    assert_eq!(
        key.verify(&again.signatures()[1], again.text()),
        Ok(1_679_315_147)
    );
}

#[test]
fn the_latest_time_counts() {
    let key = witness(1).cosigner_key().clone();
    let found = cosigned(&note(&[(1, 7), (1, 9), (1, 8)]), &[key]).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].time_s, 9);
}

#[test]
fn time_text_and_key_are_signed() {
    let key = witness(1).cosigner_key().clone();
    let signature = witness(1).cosign(TEXT, 7).unwrap();
    assert_eq!(key.verify(&signature, TEXT), Ok(7));
    let wrong = CosignatureError::Signature {
        cosigner: "witness.example/w1".to_owned(),
    };
    assert_eq!(
        key.verify(&signature, &TEXT.replace('3', "4")),
        Err(wrong.clone())
    );
    for index in 0..signature.bytes().len() {
        let mut bytes = signature.bytes().to_vec();
        bytes[index] ^= 1;
        let changed = super::Signature::from_parts(key.name(), key.id(), &bytes);
        assert_eq!(key.verify(&changed, TEXT), Err(wrong.clone()), "{index}");
    }
    let other = witness(2).cosigner_key().clone();
    assert!(matches!(
        other.verify(&signature, TEXT),
        Err(CosignatureError::Other { .. })
    ));
    let short = super::Signature::from_parts(key.name(), key.id(), &[0; 71]);
    assert_eq!(key.verify(&short, TEXT), Err(wrong));
    let mut late = signature.bytes().to_vec();
    late[0] = 0x80;
    let late = super::Signature::from_parts(key.name(), key.id(), &late);
    assert_eq!(key.verify(&late, TEXT), Err(CosignatureError::Time));
    assert_eq!(
        witness(1).cosign(TEXT, 1 << 63).unwrap_err(),
        CosignatureError::Time
    );
}

#[test]
fn a_wrong_cosignature_of_a_known_witness_is_not_passed_over() {
    let key = witness(1).cosigner_key().clone();
    let mut note = note(&[(1, 7)]);
    note.add_signature(witness(1).cosign("another\n", 8).unwrap());
    assert!(cosigned(&note, &[key]).is_err());
}

#[test]
fn keys_of_witnesses_and_of_logs_are_not_taken_for_each_other() {
    let key = witness(1).cosigner_key().clone();
    let text = key.to_string();
    assert_eq!(text.parse::<CosignerKey>().unwrap(), key);
    assert_eq!(
        text.parse::<VerifyingKey>().unwrap_err(),
        KeyError::Algorithm
    );
    let log = SigningKey::from_seed("witness.example/w1", &[1; 32]).unwrap();
    let log = log.verifying_key();
    assert_ne!(log.id(), key.id());
    assert_eq!(CosignerKey::from(log), key);
    assert_eq!(
        log.to_string().parse::<CosignerKey>().unwrap_err(),
        KeyError::Algorithm
    );
    assert_eq!(
        CosigningKey::from_seed("a b", &[1; 32]).unwrap_err(),
        KeyError::Name
    );
    let shown = format!("{:?}", witness(1));
    assert!(shown.contains("witness.example/w1"));
}
