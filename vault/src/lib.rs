//! The vault: who somebody is, and the keys under which what was said about
//! them is sealed.
//!
//! It turns identifiers (`account:1001`, `email:a@example.com`) into persons,
//! gives each person a random data key, and seals and opens opaque bytes under
//! keys derived from it. It is the only room that sees an identifier and a key
//! at once. It knows nothing of events, ledgers or policies, and it is not a
//! general secret store: what is outside it holds references and sealed bytes,
//! and both mean nothing without it.
//!
//! ```
//! use custody_vault::{EntryContext, Vault, VaultOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dir = tempfile::tempdir()?;
//! let vault = Vault::open(
//!     &dir.path().join("vault"),
//!     &dir.path().join("root.key"),
//!     VaultOptions::default(),
//! )?;
//!
//! let admission = vault.admit(&["account:1001", "email:a@example.com"])?;
//! assert!(admission.is_new);
//!
//! let place = EntryContext { ledger: [1; 16], shard: [2; 16], sequence: 0 };
//! let sealed = admission.person.seal(&place, b"what was said")?;
//! vault.flush()?; // keys are durable before the block that needs them
//!
//! let found = vault.lookup("email:a@example.com")?.ok_or("nobody")?;
//! assert_eq!(&**found.persons[0].open(&place, &sealed)?, b"what was said");
//! # Ok(())
//! # }
//! ```

mod key;
mod root;

mod derive;
mod steps;
mod store;

mod head;
mod identifier;
mod keyring;
mod linked;

mod codec;
mod directory;
mod entry;
mod person;
mod vault;

mod admit;
mod fence;
mod identity;

mod erase;

mod check;

mod error;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod golden_v1;

pub use admit::Admission;
pub use check::{Fault, VaultReport};
pub use directory::{EraseMark, MAX_SCOPE_BYTES};
pub use entry::{EntryContext, EntryKey, MAX_PLAIN_BYTES, PADDING_BYTES, SealError};
pub use erase::{Erased, Erasing};
pub use error::VaultError;
pub use identifier::{MAX_IDENTIFIER_BYTES, MAX_IDENTIFIERS};
pub use identity::{AMBIGUOUS_COUNT_LIMIT, Identity};
pub use key::RandomnessError;
pub use keyring::WindowKey;
pub use person::Person;
pub use root::{
    CommandRootStore, EscrowError, FileRootStore, HttpRootStore, Passphrase, RootKey, RootStore,
    Share,
};
pub use steps::{Step, Steps};
pub use store::StoreError;
pub use vault::{EscrowInfo, RootInfo, Vault, VaultOptions};
