use super::*;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn ids(file: &KeyFile) -> Vec<[u8; 4]> {
    let keys = file.verifying_keys("custody/x").unwrap();
    keys.iter().map(VerifyingKey::id).collect()
}

#[test]
fn a_key_file_is_for_its_owner_and_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys/signing.key");
    let made = KeyFile::create(&path, "custody/x").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(ids(&KeyFile::read(&path).unwrap()), ids(&made));
    let again = KeyFile::create(&path, "custody/x").unwrap_err();
    assert!(matches!(again, KeyFileError::Present { .. }), "{again}");
    assert_eq!(ids(&KeyFile::read(&path).unwrap()), ids(&made));
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("signing.key");
    KeyFile::create(&path, "custody/x").unwrap();
    for wide in [0o640, 0o604, 0o620] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(wide)).unwrap();
        let error = KeyFile::read(&path).unwrap_err();
        assert!(
            matches!(error, KeyFileError::Exposed { mode, .. } if mode == wide),
            "{error}"
        );
    }
}

#[test]
fn keys_are_rotated_and_retired() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("signing.key");
    let first = ids(&KeyFile::create(&path, "custody/x").unwrap())[0];
    let both = ids(&KeyFile::read(&path).unwrap().rotate("custody/x").unwrap());
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], first);
    assert_eq!(ids(&KeyFile::read(&path).unwrap()), both);
    assert_eq!(mode(&path), 0o600);

    // The current one stays.
    let current = KeyFile::read(&path).unwrap().retire(0).unwrap_err();
    assert!(matches!(current, KeyFileError::Keys { .. }), "{current}");
    let left = KeyFile::read(&path).unwrap().retire(1).unwrap();
    assert_eq!(ids(&left), both[..1]);
    assert_eq!(ids(&KeyFile::read(&path).unwrap()), both[..1]);
}

#[test]
fn what_is_no_key_is_named_by_its_line_and_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("signing.key");
    KeyFile::create(&path, "custody/x").unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{good}\nPRIVATE+KEY+a+00000000+c2VjcmV0\n")).unwrap();
    let error = KeyFile::read(&path).unwrap_err().to_string();
    assert!(error.contains("line 3"), "{error}");
    assert!(!error.contains("c2VjcmV0"), "{error}");

    std::fs::write(&path, format!("{good}{good}")).unwrap();
    let error = KeyFile::read(&path).unwrap_err().to_string();
    assert!(error.contains("twice"), "{error}");
    std::fs::write(&path, "\n").unwrap();
    let error = KeyFile::read(&path).unwrap_err().to_string();
    assert!(error.contains("no key"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = KeyFile::read(&path).unwrap_err();
    assert!(matches!(error, KeyFileError::Absent { .. }), "{error}");
}

#[test]
fn the_origin_is_set_or_has_the_ledgers_id() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config {
        data_dir: dir.path().to_owned(),
        ..Config::default()
    };
    let error = origin(&config).unwrap_err();
    assert!(matches!(error, KeyFileError::NoOrigin), "{error}");
    let ledger = custody_ledger::Ledger::open(
        &ledger_dir(dir.path()),
        custody_ledger::LedgerOptions::default(),
    )
    .unwrap();
    assert_eq!(origin(&config).unwrap(), format!("custody/{}", ledger.id()));
    config.signing.origin = "shop.example/custody".to_owned();
    assert_eq!(origin(&config).unwrap(), "shop.example/custody");
}

#[test]
fn a_key_is_made_once_and_never_in_place_of_one_that_has_signed() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config {
        data_dir: dir.path().to_owned(),
        ..Config::default()
    };
    config.signing.origin = "shop.example".to_owned();
    let first = signers(&config).unwrap();
    assert_eq!(first[0].verifying_key().name(), "shop.example");
    let again = signers(&config).unwrap();
    assert_eq!(first[0].verifying_key(), again[0].verifying_key());

    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("signed.1"), "x").unwrap();
    config.ledger.signed_anchor_dir = elsewhere.path().to_owned();
    std::fs::remove_file(config.signing_key_path()).unwrap();
    let error = signers(&config).unwrap_err();
    assert!(matches!(error, KeyFileError::Lost { .. }), "{error}");
    // Whoever says so begins anew.
    KeyFile::create(&config.signing_key_path(), "shop.example").unwrap();
    signers(&config).unwrap();
}
