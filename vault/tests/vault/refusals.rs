use std::os::unix::fs::PermissionsExt;

use custody_vault::{MAX_IDENTIFIERS, StoreError, Vault, VaultError, VaultOptions};

use super::{Home, small};

fn refused(home: &Home) -> VaultError {
    home.try_open().expect_err("refused")
}

#[test]
fn the_root_key_is_private_and_of_fixed_size() {
    let home = Home::new();
    drop(home.open());
    let metadata = std::fs::metadata(home.root()).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(metadata.len(), 8192);
}

#[test]
fn a_missing_root_key_is_refused_and_not_made_anew() {
    let home = Home::new();
    drop(home.open());
    std::fs::remove_file(home.root()).unwrap();
    let error = refused(&home);
    assert!(
        matches!(error, VaultError::RootKeyMissing { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("restore"));
    assert!(!home.root().exists());
}

#[test]
fn a_root_key_of_another_vault_is_refused() {
    let (home, other) = (Home::new(), Home::new());
    drop(home.open());
    drop(other.open());
    std::fs::copy(other.root(), home.root()).unwrap();
    let error = refused(&home);
    assert!(
        matches!(error, VaultError::RootKeyWrong { generation: 1, .. }),
        "{error}"
    );
}

/// A root key that is there before the vault is used, not replaced.
#[test]
fn a_root_key_without_a_vault_is_used() {
    let home = Home::new();
    drop(home.open());
    let before = std::fs::read(home.root()).unwrap();
    std::fs::remove_dir_all(home.vault()).unwrap();
    assert!(home.open().admit(&["account:1"]).unwrap().is_new);
    assert_eq!(std::fs::read(home.root()).unwrap(), before);
}

/// One damaged slot costs nothing; both are refused, and so is a cut file.
#[test]
fn damage_to_the_root_key_file() {
    let home = Home::new();
    let reference = home
        .open()
        .admit(&["account:1"])
        .unwrap()
        .person
        .reference();
    let good = std::fs::read(home.root()).unwrap();
    for at in [0, 30, 4095, 4096, 4126, 8191] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(home.root(), &bad).unwrap();
        let found = home.open().admit(&["account:1"]).unwrap();
        assert_eq!(found.person.reference(), reference, "byte {at}");
        bad[(at + 4096) % 8192] ^= 0x80;
        std::fs::write(home.root(), &bad).unwrap();
        let error = refused(&home);
        assert!(
            matches!(error, VaultError::RootKeyDamaged { .. }),
            "byte {at}: {error}"
        );
    }
    for size in [0, 1, 4096, 8191] {
        std::fs::write(home.root(), &good[..size]).unwrap();
        assert!(
            matches!(refused(&home), VaultError::RootKeyDamaged { .. }),
            "{size} bytes"
        );
    }
    std::fs::write(home.root(), &good).unwrap();
    assert!(!home.open().admit(&["account:1"]).unwrap().is_new);
}

#[test]
fn other_unique_schemes_are_refused() {
    let home = Home::new();
    drop(home.open());
    let schemes = vec!["account".to_owned(), "email".to_owned()];
    let options = VaultOptions {
        unique_schemes: schemes,
        ..small()
    };
    match Vault::open(&home.vault(), &home.root(), options) {
        Err(VaultError::SchemesChanged { made_with }) => {
            assert_eq!(made_with, ["account", "member"])
        }
        other => panic!("{other:?}"),
    }
    // Order and repetition say nothing.
    let schemes = ["member", "account", "member"].map(str::to_owned).to_vec();
    let options = VaultOptions {
        unique_schemes: schemes,
        ..small()
    };
    Vault::open(&home.vault(), &home.root(), options).unwrap();
}

#[test]
fn a_second_opening_is_refused() {
    let home = Home::new();
    let _open = home.open();
    let error = refused(&home);
    assert!(
        matches!(error, VaultError::Store(StoreError::Locked)),
        "{error}"
    );
}

#[test]
fn malformed_identifiers_are_refused_without_being_told() {
    let home = Home::new();
    let vault = home.open();
    let long = format!("account:{}", "x".repeat(1017));
    for bad in [
        "secretname",
        ":secretvalue",
        "secretscheme:",
        "",
        long.as_str(),
    ] {
        for error in [
            vault.admit(&["account:1", bad]).unwrap_err(),
            vault.lookup(bad).unwrap_err(),
        ] {
            assert!(
                matches!(error, VaultError::InvalidIdentifier { .. }),
                "{error}"
            );
            assert!(error.is_input());
            let said = format!("{error} {error:?}");
            assert!(!said.contains("secret") && !said.contains("xxx"), "{said}");
        }
    }
    assert!(matches!(vault.admit(&[]), Err(VaultError::NoIdentifier)));
    let many: Vec<String> = (0..=MAX_IDENTIFIERS)
        .map(|n| format!("device:{n}"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(matches!(
        vault.admit(&many),
        Err(VaultError::TooManyIdentifiers { .. })
    ));
    // A refused event leaves nothing behind.
    assert!(vault.lookup("account:1").unwrap().is_none());
    let longest = format!("account:{}", "x".repeat(1016));
    vault.admit(&[&longest]).unwrap();
    assert_eq!(
        vault.lookup(&longest).unwrap().unwrap().identifiers,
        [longest]
    );
}
