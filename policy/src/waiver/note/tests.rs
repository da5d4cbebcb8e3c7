use proptest::prelude::*;

use super::{KeyError, NoteError, SigningKey, VerifyingKey, open, sign};

/// Bytes 0 to 31 as seed; keys and note as `golang.org/x/mod/sumdb/note` v0.42
/// writes them.
const SECRET: &str =
    "PRIVATE+KEY+operator.example+4d8d5c46+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const PUBLIC: &str = "operator.example+4d8d5c46+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const TEXT: &str = "custody.waiver/v1\nid w-1\n";
const NOTE: &str = "custody.waiver/v1\nid w-1\n\n\u{2014} operator.example TY1cRkqdLePoEQW1cWi5l48zjE1hAkYKxwrtmv+xLoQEQGZT1JznLQ7PHOSIDhKzfzXfCS3up9vIkaKMCk6M60AJxAc=\n";

fn secret() -> SigningKey {
    SECRET.parse().unwrap()
}

fn public() -> VerifyingKey {
    PUBLIC.parse().unwrap()
}

#[test]
fn is_as_frozen() {
    assert_eq!(secret().verifying_key().to_string(), PUBLIC);
    assert_eq!(*secret().to_secret_string(), SECRET);
    assert_eq!(public().name(), "operator.example");
    assert_eq!(sign(TEXT, &secret()), NOTE);
    let opened = open(NOTE, &[public()]).unwrap();
    assert_eq!((opened.text, opened.signer), (TEXT, "operator.example"));
}

#[test]
fn keys_are_read_to_the_last_letter() {
    let wrong = |text: &str| text.parse::<VerifyingKey>().unwrap_err();
    assert!(matches!(
        wrong("operator.example"),
        KeyError::Malformed { .. }
    ));
    assert!(matches!(wrong("a+b"), KeyError::Malformed { .. }));
    assert!(matches!(
        wrong(&PUBLIC.replace("+4d8", "++48")),
        KeyError::Malformed { .. }
    ));
    assert_eq!(wrong(&PUBLIC.replace("+4d8", "+4d9")), KeyError::Hash);
    assert_eq!(
        wrong(&PUBLIC.replace("operator", "operat0r")),
        KeyError::Hash
    );
    assert_eq!(
        wrong(&PUBLIC.replace("operator", "the operator")),
        KeyError::Name
    );
    assert_eq!(
        wrong(&PUBLIC.replacen("+AQ", "+BA", 1)),
        KeyError::Algorithm
    );
    assert!(matches!(
        wrong(&PUBLIC[..PUBLIC.len() - 4]),
        KeyError::Malformed { .. }
    ));
    assert!(matches!(
        PUBLIC.parse::<SigningKey>().unwrap_err(),
        KeyError::Malformed { .. }
    ));
    assert_eq!(
        SECRET
            .replace("operator", "operat0r")
            .parse::<SigningKey>()
            .unwrap_err(),
        KeyError::Hash
    );
    for name in ["", "a b", "a+b", "a\u{2003}b", "a\n"] {
        assert_eq!(SigningKey::generate(name).unwrap_err(), KeyError::Name);
    }
}

#[test]
fn a_new_key_is_new_and_comes_back() {
    let (one, other) = (
        SigningKey::generate("a.example").unwrap(),
        SigningKey::generate("a.example").unwrap(),
    );
    assert_ne!(one.verifying_key(), other.verifying_key());
    let again: SigningKey = one.to_secret_string().parse().unwrap();
    assert_eq!(again.verifying_key(), one.verifying_key());
    assert!(open(&sign(TEXT, &again), &[one.verifying_key().clone()]).is_ok());
}

#[test]
fn the_secret_is_not_shown() {
    let shown = format!("{:?}", secret());
    assert!(!shown.contains("PRIVATE") && shown.contains("operator.example"));
}

#[test]
fn who_is_not_trusted_has_not_signed() {
    let other = SigningKey::generate("operator.example").unwrap();
    assert_eq!(
        open(NOTE, &[other.verifying_key().clone()]),
        Err(NoteError::Untrusted)
    );
    assert_eq!(open(NOTE, &[]), Err(NoteError::Untrusted));
}

#[test]
fn others_may_sign_too() {
    let other = SigningKey::generate("witness.example").unwrap();
    let line = |note: &str| note.lines().last().map(|l| format!("{l}\n")).unwrap();
    let both = format!("{NOTE}{}", line(&sign(TEXT, &other)));
    assert_eq!(open(&both, &[public()]).unwrap().signer, "operator.example");
    let trusted = [public(), other.verifying_key().clone()];
    assert!(open(&both, &trusted).is_ok());
    // A trusted signer's wrong signature is not passed over.
    let forged = format!("{NOTE}{}", line(&sign("other\n", &other)));
    assert_eq!(
        open(&forged, &trusted),
        Err(NoteError::Signature {
            signer: "witness.example".to_owned(),
            line: 5
        })
    );
    assert!(open(&forged, &[public()]).is_ok());
    let many = format!("{NOTE}{}", line(&sign(TEXT, &other)).repeat(16));
    assert_eq!(open(&many, &trusted), Err(NoteError::TooMany));
}

#[test]
fn what_is_no_note_is_said_to_be_none() {
    let keys = [public()];
    for (note, error) in [
        ("", NoteError::Shape),
        ("text\n", NoteError::Shape),
        ("text\n\n", NoteError::Shape),
        (NOTE.strip_suffix('\n').unwrap(), NoteError::Shape),
        (
            "text\n\nno signature\n",
            NoteError::SignatureLine { line: 3 },
        ),
        (
            "text\n\n\u{2014} name\n",
            NoteError::SignatureLine { line: 3 },
        ),
        (
            "text\n\n\u{2014} name AAAA\n",
            NoteError::SignatureLine { line: 3 },
        ),
        ("text\n\n\u{2014} name AAAAAAA=\n", NoteError::Untrusted),
        (
            "te\txt\n\n\u{2014} name AAAAAAA=\n",
            NoteError::Control { line: 1 },
        ),
        ("text\nmore\r\n", NoteError::Control { line: 2 }),
    ] {
        assert_eq!(open(note, &keys), Err(error), "{note:?}");
    }
    let long = "x".repeat(70_000);
    assert_eq!(
        open(&long, &keys),
        Err(NoteError::TooLong { found: 70_000 })
    );
}

proptest! {
    #[test]
    fn any_flipped_bit_is_refused(index in 0..NOTE.len(), bit in 0..8u8) {
        let mut bytes = NOTE.as_bytes().to_vec();
        bytes[index] ^= 1 << bit;
        // What is no text at all cannot be handed over.
        if let Ok(note) = String::from_utf8(bytes) {
            prop_assert!(open(&note, &[public()]).is_err(), "{note:?}");
        }
    }

    #[test]
    fn any_text_comes_back(lines in prop::collection::vec("[^\\p{Cc}]{1,40}", 1..8)) {
        let text = lines.join("\n") + "\n";
        let note = sign(&text, &secret());
        prop_assert_eq!(open(&note, &[public()]).unwrap().text, text.as_str());
    }

    #[test]
    fn no_text_brings_it_down(note in "(\\PC|\n|\u{2014} ){0,200}") {
        prop_assert!(open(&note, &[public()]).is_err());
    }
}
