use custody_vault::VaultError;

use super::Home;

#[test]
fn a_window_keeps_its_key_until_it_is_destroyed() {
    let home = Home::new();
    let vault = home.open();
    let one = *vault.window_key(1).unwrap();
    let two = *vault.window_key(2).unwrap();
    assert_ne!(one, two);
    assert_eq!(*vault.window_key(1).unwrap(), one);
    // Durable at once: the index that rests on it may be written before the
    // next barrier.
    assert_eq!(*home.copy().open().window_key(1).unwrap(), one);

    vault.destroy_window(1).unwrap();
    let destroyed = |error| matches!(error, VaultError::WindowDestroyed { window: 1 });
    assert!(destroyed(vault.window_key(1).unwrap_err()));
    assert_eq!(*vault.window_key(2).unwrap(), two);
    drop(vault);

    let vault = home.open();
    assert!(destroyed(vault.window_key(1).unwrap_err()));
    assert_eq!(*vault.window_key(2).unwrap(), two);
    // One that never was cannot come into being afterwards.
    vault.destroy_window(3).unwrap();
    assert!(matches!(
        vault.window_key(3),
        Err(VaultError::WindowDestroyed { window: 3 })
    ));
}
