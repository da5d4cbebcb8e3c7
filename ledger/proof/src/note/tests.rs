use proptest::prelude::*;

use super::{KeyError, Limits, Note, NoteError, SigningKey, VerifyingKey, open, sign};

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

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(name, &[seed; 32]).unwrap()
}

fn signed(text: &str, key: &SigningKey) -> String {
    sign(text, &[key]).unwrap()
}

#[test]
fn is_as_frozen() {
    assert_eq!(secret().verifying_key().to_string(), PUBLIC);
    assert_eq!(*secret().to_secret_string(), SECRET);
    assert_eq!(public().name(), "operator.example");
    assert_eq!(signed(TEXT, &secret()), NOTE);
    let opened = open(NOTE, &[public()]).unwrap();
    assert_eq!(
        (opened.text.as_str(), opened.signer()),
        (TEXT, "operator.example")
    );
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
        assert_eq!(
            SigningKey::from_seed(name, &[1; 32]).unwrap_err(),
            KeyError::Name
        );
        assert_eq!(secret().for_name(name).unwrap_err(), KeyError::Name);
        assert_eq!(public().for_name(name).unwrap_err(), KeyError::Name);
    }
}

#[test]
fn a_key_with_which_anything_could_be_signed_is_refused() {
    // The neutral element, and bytes that are no point.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut none = [0; 32];
    none[0] = 2;
    for key in [neutral, none] {
        let id = super::key_id("a.example", 1, &key);
        let text = super::key_text("a.example", id, 1, &key);
        assert_eq!(
            text.parse::<VerifyingKey>().unwrap_err(),
            KeyError::Point,
            "{text}"
        );
    }
}

#[test]
fn a_key_comes_back() {
    let one = SigningKey::generate("a.example", |bytes| {
        bytes.fill(7);
        Ok::<(), ()>(())
    })
    .unwrap();
    assert_eq!(one.verifying_key(), key("a.example", 7).verifying_key());
    assert_ne!(one.verifying_key(), key("a.example", 8).verifying_key());
    let again: SigningKey = one.to_secret_string().parse().unwrap();
    assert_eq!(again.verifying_key(), one.verifying_key());
    assert!(open(&signed(TEXT, &again), &[one.verifying_key().clone()]).is_ok());
    let none = SigningKey::generate("a.example", |_| Err(()));
    assert_eq!(none.unwrap_err(), KeyError::Random);
}

#[test]
fn one_seed_signs_under_several_names() {
    let other = secret().for_name("operator.example/2").unwrap();
    let public = public().for_name("operator.example/2").unwrap();
    assert_eq!(other.verifying_key(), &public);
    assert_ne!(public.id(), self::public().id());
    let note = signed(TEXT, &other);
    assert!(open(&note, &[public]).is_ok());
    assert_eq!(open(&note, &[self::public()]), Err(NoteError::Untrusted));
}

#[test]
fn several_sign_one_note() {
    let other = key("witness.example", 9);
    let note = sign(TEXT, &[&secret(), &other]).unwrap();
    let keys = [other.verifying_key().clone(), public()];
    let opened = open(&note, &keys).unwrap();
    let names: Vec<&str> = opened.signers.iter().map(|key| key.name()).collect();
    assert_eq!(names, ["operator.example", "witness.example"]);
    // A line more than once is one signer, and is added once.
    let mut twice = Note::parse(NOTE).unwrap();
    twice.add_signature(twice.signatures()[0].clone());
    assert_eq!(twice.to_string(), NOTE);
    let line = NOTE.lines().last().unwrap();
    let twice = format!("{NOTE}{line}\n");
    assert_eq!(open(&twice, &keys).unwrap().signers.len(), 1);
}

#[test]
fn what_no_note_can_carry_is_not_signed() {
    for text in ["", "\n", "no end", "a\tb\n", "a\r\n"] {
        assert!(sign(text, &[&secret()]).is_err(), "{text:?}");
    }
    assert_eq!(sign(TEXT, &[]), Err(NoteError::Shape));
}

#[test]
fn the_secret_is_not_shown() {
    let shown = format!("{:?}", secret());
    assert!(!shown.contains("PRIVATE") && shown.contains("operator.example"));
}

#[test]
fn who_is_not_trusted_has_not_signed() {
    let other = key("operator.example", 9);
    assert_eq!(
        open(NOTE, &[other.verifying_key().clone()]),
        Err(NoteError::Untrusted)
    );
    assert_eq!(open(NOTE, &[]), Err(NoteError::Untrusted));
}

#[test]
fn others_may_sign_too() {
    let other = key("witness.example", 9);
    let line = |note: &str| note.lines().last().map(|l| format!("{l}\n")).unwrap();
    let both = format!("{NOTE}{}", line(&signed(TEXT, &other)));
    assert_eq!(
        open(&both, &[public()]).unwrap().signer(),
        "operator.example"
    );
    let trusted = [public(), other.verifying_key().clone()];
    assert!(open(&both, &trusted).is_ok());
    // A trusted signer's wrong signature is not passed over.
    let forged = format!("{NOTE}{}", line(&signed("other\n", &other)));
    assert_eq!(
        open(&forged, &trusted),
        Err(NoteError::Signature {
            signer: "witness.example".to_owned(),
            line: 5
        })
    );
    assert!(open(&forged, &[public()]).is_ok());
    let many = format!("{NOTE}{}", line(&signed(TEXT, &other)).repeat(16));
    assert_eq!(open(&many, &trusted), Err(NoteError::TooMany { limit: 16 }));
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
        Err(NoteError::TooLong {
            found: 70_000,
            limit: 65_536
        })
    );
    let limits = Limits {
        bytes: 100_000,
        ..Limits::NOTE
    };
    assert_eq!(Note::parse_within(&long, limits), Err(NoteError::Shape));
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
        let note = signed(&text, &secret());
        prop_assert_eq!(Note::parse(&note).unwrap().to_string(), note.as_str());
        prop_assert_eq!(open(&note, &[public()]).unwrap().text, text);
    }

    #[test]
    fn no_text_brings_it_down(note in "(\\PC|\n|\u{2014} ){0,200}") {
        prop_assert!(open(&note, &[public()]).is_err());
    }
}
