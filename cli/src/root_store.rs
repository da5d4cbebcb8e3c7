//! Where the vault's root key is kept, as the configuration says.

use custody_vault::{FileRootStore, RootStore, Vault, VaultOptions};

use crate::config::Config;
use crate::data_dir::vault_dir;
use crate::error::CommandError;

/// The store of the root key.
///
/// # Errors
/// [`CommandError`] where what it is configured with cannot be used.
pub(crate) fn root_store(config: &Config) -> Result<Box<dyn RootStore>, CommandError> {
    Ok(Box::new(FileRootStore::new(config.root_key_path())))
}

/// Opens the vault with it; makes the vault where there is none.
///
/// # Errors
/// [`CommandError::Store`].
pub(crate) fn open_vault(config: &Config) -> Result<Vault, CommandError> {
    let options = VaultOptions {
        unique_schemes: config.identity.unique_schemes.clone(),
        ..VaultOptions::default()
    };
    Vault::open_with(&vault_dir(&config.data_dir), root_store(config)?, options)
        .map_err(CommandError::store("the vault", &config.data_dir))
}
