//! Where the vault's root key is kept, as the configuration says.

use std::path::Path;
use std::time::Duration;

use custody_vault::{
    CommandRootStore, FileRootStore, HttpRootStore, Passphrase, RootStore, Vault, VaultOptions,
};
use zeroize::Zeroizing;

use crate::config::{Config, RootKind};
use crate::data_dir::vault_dir;
use crate::error::CommandError;

/// The store of the root key.
///
/// # Errors
/// [`CommandError`] where what it is configured with cannot be used.
pub(crate) fn root_store(config: &Config) -> Result<Box<dyn RootStore>, CommandError> {
    let root = &config.root;
    let timeout = Duration::from_secs(root.timeout_s);
    Ok(match root.kind {
        RootKind::File => Box::new(file_store(config)?),
        RootKind::Command => {
            let (program, arguments) = root
                .command
                .split_first()
                .ok_or_else(|| CommandError::Usage("root.command names no program".to_owned()))?;
            Box::new(CommandRootStore::new(program, arguments).with_timeout(timeout))
        }
        RootKind::Http => {
            let authorization = secret(&root.authorization_file)?;
            Box::new(HttpRootStore::new(&root.url, authorization, timeout))
        }
    })
}

/// The file, with its passphrase where there is one.
///
/// # Errors
/// [`CommandError::Read`].
pub(crate) fn file_store(config: &Config) -> Result<FileRootStore, CommandError> {
    let path = config.root_key_path();
    Ok(match secret(&config.root.passphrase_file)? {
        Some(text) => FileRootStore::with_passphrase(path, Passphrase::new(text.as_str())),
        None => FileRootStore::new(path),
    })
}

/// What a file holds but for its line end; `None` where none is named.
///
/// # Errors
/// [`CommandError::Read`]; [`CommandError::Usage`] of an empty one.
pub(crate) fn secret(path: &Path) -> Result<Option<Zeroizing<String>>, CommandError> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|source| CommandError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = Zeroizing::new(text);
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(CommandError::Usage(format!("{} is empty", path.display())));
    }
    Ok(Some(Zeroizing::new(secret.to_owned())))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_what_its_file_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert!(secret(Path::new("")).unwrap().is_none());
        assert!(secret(&path).is_err());
        std::fs::write(&path, "two words\r\n").unwrap();
        assert_eq!(secret(&path).unwrap().unwrap().as_str(), "two words");
        std::fs::write(&path, "\n").unwrap();
        assert!(secret(&path).unwrap_err().to_string().contains("is empty"));
    }

    #[test]
    fn a_vault_opens_with_what_keeps_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = dir.path().join("passphrase");
        std::fs::write(&passphrase, "correct horse\n").unwrap();
        let mut config = Config {
            data_dir: dir.path().join("data"),
            ..Config::default()
        };
        config.root.passphrase_file.clone_from(&passphrase);
        open_vault(&config).unwrap().close().unwrap();
        open_vault(&config).unwrap().close().unwrap();
        std::fs::write(&passphrase, "another one\n").unwrap();
        let error = open_vault(&config).unwrap_err();
        let said = format!("{:#}", anyhow::Error::from(error));
        assert!(
            said.contains("passphrase") && !said.contains("another"),
            "{said}"
        );
        config.root.kind = RootKind::Command;
        assert!(open_vault(&config).is_err());
    }
}
