//! Documents that were frozen with the format, as `custody check` takes them.

use std::path::Path;

use super::checked::Checked;
use super::verify::{Trust, check};
use crate::output::{Format, Look, Rendering, Zone};

fn golden(name: &str) -> String {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger/proof/tests/golden");
    std::fs::read_to_string(Path::new(dir).join(name)).unwrap()
}

fn trust() -> Trust {
    Trust {
        keys: vec![golden("ledger.key").trim().parse().unwrap()],
        witnesses: Vec::new(),
        earlier: None,
    }
}

fn witnessed() -> Trust {
    Trust {
        witnesses: vec![golden("witness.key").trim().parse().unwrap()],
        ..trust()
    }
}

fn checked(name: &str, trust: &Trust) -> Checked {
    check(golden(name).as_bytes(), trust).unwrap()
}

fn shown(checked: &Checked, format: Format) -> String {
    let rendering = Rendering {
        format,
        look: Look {
            width: None,
            colour: false,
        },
        zone: Zone::utc(),
    };
    let mut out = Vec::new();
    checked.write(&mut out, &rendering).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_certificate_of_erasure_is_checked() {
    let key = golden("erased.key").trim().parse().unwrap();
    let trusted = Trust {
        keys: vec![key],
        ..trust()
    };
    let good = checked("erasure-certificate.json", &trusted);
    assert!(good.ok, "{:?}", good.fault);
    let table = shown(&good, Format::Table);
    for says in [
        "erasure requested",
        "dsr-12",
        "dhl, stripe",
        "generation 3",
        "Not proven",
    ] {
        assert!(table.contains(says), "{says}: {table}");
    }
    let json = shown(&good, Format::Json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["erasure"]["persons"], 2);
    assert_eq!(json["erasure"]["references"].as_array().unwrap().len(), 3);

    // Another ledger's key, and another word.
    assert!(!checked("erasure-certificate.json", &trust()).ok);
    let forged = golden("erasure-certificate.json").replacen("AAAA", "AAAB", 1);
    let forged = check(forged.as_bytes(), &trusted).unwrap();
    assert!(!forged.ok && forged.erasure.is_none());
}

#[test]
fn every_kind_of_document_is_checked() {
    for name in [
        "evidence.json",
        "inclusion.json",
        "ledger.checkpoint",
        "house.checkpoint",
        "shard.checkpoint",
        "resumed.checkpoint",
    ] {
        let good = checked(name, &trust());
        assert!(good.ok && good.fault.is_none(), "{name}: {:?}", good.fault);
        assert!(
            !good.proves.is_empty() && good.checkpoint.is_some(),
            "{name}"
        );

        let nobody = Trust {
            keys: vec![
                golden("ledger.key")
                    .trim()
                    .parse::<custody_proof::note::VerifyingKey>()
                    .unwrap()
                    .for_name("custody/other")
                    .unwrap(),
            ],
            ..trust()
        };
        let refused = checked(name, &nobody);
        assert!(!refused.ok && refused.fault.is_some(), "{name}");
        assert!(
            refused.entries.is_empty() && refused.proves.is_empty(),
            "{name}"
        );
    }
}

#[test]
fn a_kept_checkpoint_is_needed_for_consistency_and_looked_at() {
    let document = golden("consistency.json");
    let error = check(document.as_bytes(), &trust()).err().unwrap();
    assert!(error.to_string().contains("--earlier"), "{error}");
    let kept = |name| Trust {
        earlier: Some(golden(name)),
        ..trust()
    };
    let grown = check(document.as_bytes(), &kept("ledger.former.checkpoint")).unwrap();
    assert!(grown.ok, "{:?}", grown.fault);
    assert_eq!(grown.earlier.map(|head| head.size), Some(3));
    assert_eq!(grown.checkpoint.map(|head| head.size), Some(5));
    let other = check(document.as_bytes(), &kept("ledger.checkpoint")).unwrap();
    assert!(!other.ok);
}

#[test]
fn a_witness_that_is_named_must_have_signed() {
    for name in ["evidence.json", "ledger.checkpoint"] {
        let good = checked(name, &witnessed());
        assert!(good.ok, "{name}: {:?}", good.fault);
        assert_eq!(good.witnesses.len(), 1);
        assert!(shown(&good, Format::Table).contains("by witness.example/w1, 2026-09-21"));
    }
    let alone = checked("inclusion.json", &witnessed());
    let fault = alone.fault.unwrap();
    assert!(
        fault.contains("witness.example/w1 has not cosigned"),
        "{fault}"
    );
}

#[test]
fn what_is_proven_is_said_in_words_and_in_json() {
    let good = checked("evidence.json", &trust());
    let words = shown(&good, Format::Table).replace("\n  ", " ");
    for part in [
        "Proven:",
        "All 3 shards of its manifest are accounted for",
        "Not proven:",
        "what Custody itself recorded",
    ] {
        assert!(words.contains(part), "{part} in:\n{words}");
    }
    assert!(words.lines().all(|line| !line.ends_with(' ')));
    let json: serde_json::Value = serde_json::from_str(&shown(&good, Format::Json)).unwrap();
    assert_eq!(json["ok"], true);
    let entries = json["entries"].as_array().unwrap();
    let counted = json["subjects"].as_array().unwrap().iter();
    let counted: u64 = counted
        .filter_map(|subject| subject["entries"].as_u64())
        .sum();
    assert!(counted > 0 && entries.len() as u64 == counted);
    let csv = shown(&good, Format::Csv);
    assert_eq!(csv.lines().count() as u64, counted + 1);

    let refused = checked(
        "evidence.json",
        &Trust {
            keys: Vec::new(),
            ..trust()
        },
    );
    let words = shown(&refused, Format::Table);
    assert!(
        words.starts_with("NOT PROVEN: the ledger's checkpoint"),
        "{words}"
    );
}

#[test]
fn what_is_no_evidence_is_said_to_be_none() {
    let error = check(br#"{"format":"custody.other/v1"}"#, &trust())
        .err()
        .unwrap();
    assert!(error.to_string().contains("no document of evidence"));
    for text in ["", "hello", "{}", "\u{0}"] {
        let refused = check(text.as_bytes(), &trust()).unwrap();
        assert!(!refused.ok && refused.fault.is_some());
    }
}
