//! Keys that sign waivers.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use custody_policy::{SigningKey, generate_key};

use crate::error::{CommandError, Exit};

/// Makes a key that signs waivers
///
/// The secret half goes into a file that only you can read, and that is never
/// overwritten; the public half is printed, for `policy.waiver_keys`.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody waiver keygen operator.example
  custody waiver keygen dpo.example --key /etc/custody/dpo.key")]
pub(super) struct Keygen {
    /// Who signs, such as a host name; without spaces and plus signs
    name: String,
    /// Where the secret half goes. By default NAME.key
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Keygen {
    pub(super) fn run(self) -> Result<Exit, CommandError> {
        let key = generate_key(&self.name)
            .map_err(|error| CommandError::Usage(format!("{}: {error}", self.name)))?;
        let path = match self.key {
            Some(path) => path,
            // A name may hold a slash, a file's name may not.
            None => PathBuf::from(format!("{}.key", self.name.replace('/', "_"))),
        };
        let write_error = |source| CommandError::Write {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(write_error)?;
        let secret = key.to_secret_string();
        file.write_all(secret.as_bytes())
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all())
            .map_err(write_error)?;
        let mut err = io::stderr().lock();
        writeln!(
            err,
            "The secret half is in {}. The public half:",
            path.display()
        )?;
        writeln!(io::stdout().lock(), "{}", key.verifying_key())?;
        Ok(Exit::Done)
    }
}

/// Reads a signing key. The error does not show what the file holds.
pub(super) fn read_key(path: &Path) -> Result<SigningKey, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|source| CommandError::Read {
        path: path.to_owned(),
        source,
    })?;
    text.trim()
        .parse()
        .map_err(|error| CommandError::Usage(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_for_its_owner_and_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operator.key");
        let keygen = || Keygen {
            name: "operator.example".to_owned(),
            key: Some(path.clone()),
        };
        assert_eq!(keygen().run().unwrap(), Exit::Done);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let key = read_key(&path).unwrap();
        assert_eq!(key.verifying_key().name(), "operator.example");
        assert!(matches!(keygen().run(), Err(CommandError::Write { .. })));
    }

    #[test]
    fn what_is_no_key_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        std::fs::write(&path, "PRIVATE+KEY+a+00000000+c2VjcmV0").unwrap();
        let error = read_key(&path).unwrap_err().to_string();
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }
}
