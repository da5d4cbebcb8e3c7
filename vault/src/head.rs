//! The first rows of a vault: what it is, and which root key it wants.
//!
//! The root key is made durable before the vault that needs it. A crash in
//! between leaves a key without a vault, which the next opening uses.

use std::fs;
use std::io;
use std::path::Path;

use subtle::ConstantTimeEq;

use crate::derive;
use crate::error::VaultError;
use crate::identifier::UniqueSchemes;
use crate::key::fill_random;
use crate::root::{RootKey, RootStore};
use crate::store::{Engine, EngineView, Space, Store};

const MAGIC: &[u8; 8] = b"CUSTVALT";
const VERSION: u16 = 1;
const FLAGS: u16 = 0;

const HEAD_ROW: &[u8] = b"vault";
/// Followed by the generation of the key, so that a rotation can write the
/// next commitment before it overwrites the key.
const COMMITMENT_ROW: &[u8] = b"root ";
const SCHEMES_ROW: &[u8] = b"unique schemes";

/// An open vault's head.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) root: RootKey,
    pub(crate) vault_id: [u8; 16],
}

/// Opens the store, or makes it, and checks the root key against it.
pub(crate) fn open(
    dir: &Path,
    roots: &dyn RootStore,
    cache_bytes: u64,
    schemes: &UniqueSchemes,
) -> Result<Opened, VaultError> {
    let is_new = is_empty(dir)?;
    let root = match roots.get()?.into_iter().next() {
        Some(root) => root,
        None if is_new => {
            let root = RootKey::generate(1)?;
            roots.put(&root)?;
            tracing::info!("made a new root key");
            root
        }
        None => {
            return Err(VaultError::RootKeyMissing {
                place: roots.place(),
            });
        }
    };

    let engine = Engine::open(dir, cache_bytes)?;
    let head = engine
        .view()
        .get(Space::Meta, HEAD_ROW)?
        .map(|row| row.as_ref().to_vec());
    match head {
        Some(head) => {
            let vault_id = decode_head(&head, dir)?;
            check_root(&engine, &root, roots, &vault_id)?;
            let store = Store::new(engine, root.key());
            check_schemes(&store, schemes, dir)?;
            Ok(Opened {
                store,
                root,
                vault_id,
            })
        }
        // An engine's files without a first row: the crash came before it.
        None if engine.view().is_empty()? => create(engine, root, schemes),
        None => Err(VaultError::NotAVault { path: dir.into() }),
    }
}

/// Whether nothing lies in `dir`, or it is not there.
pub(crate) fn is_empty(dir: &Path) -> Result<bool, VaultError> {
    match fs::read_dir(dir) {
        Ok(mut found) => Ok(found.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(source) => Err(VaultError::Io {
            doing: "read the vault",
            path: dir.into(),
            source,
        }),
    }
}

fn create(engine: Engine, root: RootKey, schemes: &UniqueSchemes) -> Result<Opened, VaultError> {
    let mut vault_id = [0; 16];
    fill_random(&mut vault_id)?;
    let mut head = Vec::with_capacity(28);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&FLAGS.to_le_bytes());
    head.extend_from_slice(&vault_id);

    let store = Store::new(engine, root.key());
    let mut batch = store.batch();
    batch.put(Space::Secrets, SCHEMES_ROW, schemes.encode().as_bytes())?;
    batch.put_plain(Space::Meta, HEAD_ROW, &head);
    batch.put_plain(
        Space::Meta,
        &commitment_row(root.generation()),
        &derive::root_commitment(root.key(), &vault_id),
    );
    batch.commit()?;
    store.flush()?;
    Ok(Opened {
        store,
        root,
        vault_id,
    })
}

fn commitment_row(generation: u64) -> Vec<u8> {
    [COMMITMENT_ROW, &generation.to_be_bytes()].concat()
}

fn decode_head(head: &[u8], dir: &Path) -> Result<[u8; 16], VaultError> {
    let not_a_vault = || VaultError::NotAVault { path: dir.into() };
    let rest = head.strip_prefix(MAGIC).ok_or_else(not_a_vault)?;
    let (version, rest) = rest.split_first_chunk().ok_or_else(not_a_vault)?;
    let version = u16::from_le_bytes(*version);
    if version != VERSION {
        return Err(VaultError::wrong_version("vault", version, VERSION));
    }
    let (flags, vault_id) = rest.split_first_chunk().ok_or_else(not_a_vault)?;
    if u16::from_le_bytes(*flags) != FLAGS {
        return Err(not_a_vault());
    }
    vault_id.try_into().map_err(|_| not_a_vault())
}

fn check_root(
    engine: &Engine,
    root: &RootKey,
    roots: &dyn RootStore,
    vault_id: &[u8; 16],
) -> Result<(), VaultError> {
    let have = root.generation();
    let wrong = || VaultError::RootKeyWrong {
        place: roots.place(),
        generation: have,
    };
    let view = engine.view();
    let Some(stored) = view.get(Space::Meta, &commitment_row(have))? else {
        return Err(match newest_generation(&view)? {
            Some(need) => VaultError::RootKeyOld { have, need },
            None => wrong(),
        });
    };
    let commitment = derive::root_commitment(root.key(), vault_id);
    if bool::from(commitment.as_slice().ct_eq(stored.as_ref())) {
        Ok(())
    } else {
        Err(wrong())
    }
}

/// Of the root keys that the vault names.
fn newest_generation(view: &EngineView<'_>) -> Result<Option<u64>, VaultError> {
    let mut newest = None;
    for row in view.scan(Space::Meta, COMMITMENT_ROW) {
        let (name, _) = row?;
        let generation = name
            .as_ref()
            .get(COMMITMENT_ROW.len()..)
            .and_then(|rest| rest.try_into().ok())
            .map(u64::from_be_bytes);
        newest = newest.max(generation);
    }
    Ok(newest)
}

fn check_schemes(store: &Store, schemes: &UniqueSchemes, dir: &Path) -> Result<(), VaultError> {
    let not_a_vault = || VaultError::NotAVault { path: dir.into() };
    let stored = store
        .view()
        .get(Space::Secrets, SCHEMES_ROW)?
        .ok_or_else(not_a_vault)?;
    let stored = std::str::from_utf8(&stored).map_err(|_| not_a_vault())?;
    let stored = UniqueSchemes::decode(stored);
    if stored == *schemes {
        Ok(())
    } else {
        Err(VaultError::SchemesChanged {
            made_with: stored.names().to_vec(),
        })
    }
}
