//! Where the root key is kept, and its shares.

use custody_vault::{EscrowInfo, FileRootStore, RootStore, Share, Vault, VaultError};

use super::{Home, small};

#[test]
fn shares_give_the_root_key_back() {
    let home = Home::new();
    let vault = home.open();
    let reference = vault.admit(&["account:1"]).unwrap().person.reference();
    assert!(vault.root().escrow.is_none());
    let shares = vault.escrow(2, 3, 1_000).unwrap();
    let generation = vault.root().generation;
    let expected = EscrowInfo {
        generation,
        made_ns: 1_000,
        shares: 3,
        threshold: 2,
    };
    assert_eq!(vault.root().escrow, Some(expected));
    assert_eq!(vault.root().kind, "file");
    assert!(matches!(vault.escrow(1, 3, 0), Err(VaultError::Escrow(_))));
    drop(vault);

    let lost = std::fs::read(home.root()).unwrap();
    std::fs::remove_file(home.root()).unwrap();
    let kept: Vec<Share> = [2, 0].map(|at| shares[at].text().parse().unwrap()).to_vec();
    let store = FileRootStore::new(home.root());
    Share::recover_into(&kept, &store).unwrap();
    assert_eq!(std::fs::read(home.root()).unwrap(), lost);
    let vault = Vault::open_with(&home.vault(), Box::new(store), small()).unwrap();
    assert_eq!(
        vault.admit(&["account:1"]).unwrap().person.reference(),
        reference
    );
    assert_eq!(vault.root().escrow, Some(expected));
    // Over a key that is there: no.
    let store = FileRootStore::new(home.root());
    let error = Share::recover_into(&kept, &store).unwrap_err();
    assert!(matches!(error, VaultError::RootService { .. }), "{error}");
    assert_eq!(store.get().unwrap().len(), 1);
}
