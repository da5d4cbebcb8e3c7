use std::path::Path;

use custody_policy::{SigningKey, generate_key};

use super::super::write::{Add, Revoke};
use super::*;

const DRAFT: &str = "custody.waiver/v1\nid w-1\ncodes storage_elsewhere\n\
    from 2026-01-01T00:00:00Z\nuntil 2026-02-01T00:00:00Z\nreason The archive moves\n";

struct Shop {
    dir: tempfile::TempDir,
    config: Config,
    key: SigningKey,
}

impl Shop {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = generate_key("operator.example").unwrap();
        let mut config = Config {
            data_dir: dir.path().join("data"),
            ..Config::default()
        };
        config.policy.waiver_keys = vec![key.verifying_key().to_string()];
        DataDir::open(&config).unwrap().close().unwrap();
        let shop = Self { dir, config, key };
        std::fs::write(shop.path("key"), shop.key.to_secret_string().as_bytes()).unwrap();
        shop
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn signed(&self, key: &SigningKey) -> String {
        Waiver::draft(DRAFT).unwrap().sign(key).unwrap()
    }
}

#[test]
fn given_and_taken_back() {
    let shop = Shop::new();
    let note = shop.signed(&shop.key);
    assert!(waivers(&shop.config).unwrap().is_empty());
    Add::record(&shop.config, &note, Path::new("w.note")).unwrap();
    let all = waivers(&shop.config).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].0.id.as_str(), all[0].1), ("w-1", None));
    assert_eq!(all[0].0.signer, "operator.example");

    let again = Add::record(&shop.config, &note, Path::new("w.note")).unwrap_err();
    assert!(
        again.to_string().contains("a waiver w-1 already"),
        "{again}"
    );

    Revoke::record(&shop.config, "w-1", "It is over", &shop.path("key")).unwrap();
    let all = waivers(&shop.config).unwrap();
    assert!(all[0].1.is_some());
    assert_eq!(state(&all[0].0, all[0].1, i64::MAX), "revoked");
    for (id, why) in [("w-1", "revoked already"), ("w-2", "no waiver w-2")] {
        let error = Revoke::record(&shop.config, id, "Over", &shop.path("key")).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn whose_key_is_not_listed_lets_nothing_pass() {
    let shop = Shop::new();
    let stranger = generate_key("operator.example").unwrap();
    let error = Add::record(&shop.config, &shop.signed(&stranger), Path::new("w.note"));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("w.note: nobody who is trusted")
    );
    let nobody = Config {
        policy: crate::config::Policy::default(),
        ..shop.config.clone()
    };
    let error = Add::record(&nobody, &shop.signed(&shop.key), Path::new("w.note")).unwrap_err();
    assert!(error.to_string().contains("policy.waiver_keys"), "{error}");

    // Recorded while the key counted, and shown as what it is now.
    Add::record(&shop.config, &shop.signed(&shop.key), Path::new("w.note")).unwrap();
    let all = waivers(&nobody).unwrap();
    assert_eq!(state(&all[0].0, None, 0), "not trusted");
}

#[test]
fn a_running_server_is_named() {
    let shop = Shop::new();
    let _open = DataDir::open(&shop.config).unwrap();
    let error = Add::record(&shop.config, &shop.signed(&shop.key), Path::new("w.note"));
    assert!(matches!(error, Err(CommandError::InUse { .. })));
}

#[test]
fn a_waiver_has_its_time() {
    let waiver = opened(&(DRAFT.to_owned() + "\nnothing"), &[]).unwrap();
    let signed = Waiver {
        signer: "o".to_owned(),
        ..waiver.clone()
    };
    assert_eq!(state(&waiver, None, waiver.from_ns), "not trusted");
    assert_eq!(state(&signed, None, waiver.from_ns - 1), "not yet");
    assert_eq!(state(&signed, None, waiver.from_ns), "in force");
    assert_eq!(state(&signed, None, waiver.until_ns), "over");
}
