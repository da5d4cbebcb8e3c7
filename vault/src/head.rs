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
use crate::steps::{Step, Steps};
use crate::store::{Area, COMMITMENT_BYTES, Engine, Space, Store, migrate, root_rows};

const MAGIC: &[u8; 8] = b"CUSTVALT";
/// 1 had no tree.
const VERSION: u16 = 2;
const VERSION_WITHOUT_TREE: u16 = 1;
const FLAGS: u16 = 0;

const HEAD_ROW: &[u8] = b"vault";
const SCHEMES_ROW: &[u8] = b"unique schemes";

/// An open vault's head.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) vault_id: [u8; 16],
}

/// Opens the store, or makes it, checks the root key against it, and finishes
/// what was cut off.
pub(crate) fn open(
    dir: &Path,
    roots: &dyn RootStore,
    cache_bytes: u64,
    schemes: &UniqueSchemes,
    steps: Steps,
) -> Result<Opened, VaultError> {
    let is_new = is_empty(dir)?;
    let mut kept = roots.get()?;
    if kept.is_empty() && is_new {
        let root = RootKey::generate(1)?;
        roots.put(&root)?;
        tracing::info!("made a new root key");
        steps
            .passed(Step::RootKeyMade)
            .map_err(|source| crate::store::StoreError::Stopped { source })?;
        kept.push(root);
    }
    let Some(root) = kept.first().cloned() else {
        return Err(VaultError::RootKeyMissing {
            place: roots.place(),
        });
    };

    let engine = Engine::open(dir, cache_bytes)?;
    let head = engine
        .view()
        .get(Area::Meta, HEAD_ROW)?
        .map(|row| row.as_ref().to_vec());
    let Some(head) = head else {
        // An engine's files without a first row: the crash came before it.
        return if engine.view().is_empty()? {
            create(engine, root, schemes, steps)
        } else {
            Err(VaultError::NotAVault { path: dir.into() })
        };
    };
    let (version, vault_id) = decode_head(&head, dir)?;
    let page = check_root(&engine, &root, roots, &vault_id)?;
    let store = match (version, page) {
        (VERSION_WITHOUT_TREE, None) => {
            let store = migrate(engine, vault_id, &root, roots, steps)?;
            kept.insert(0, store.root_key());
            store
        }
        (_, Some(page)) => Store::open(engine, vault_id, root, &page, steps)?,
        (_, None) => return Err(VaultError::NotAVault { path: dir.into() }),
    };
    if version == VERSION_WITHOUT_TREE {
        let mut batch = store.batch();
        batch.put_plain(HEAD_ROW, encode_head(&vault_id));
        batch.commit()?;
        store.flush()?;
    }
    store.recover(roots, &kept)?;
    check_schemes(&store, schemes, dir)?;
    Ok(Opened { store, vault_id })
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

fn create(
    engine: Engine,
    root: RootKey,
    schemes: &UniqueSchemes,
    steps: Steps,
) -> Result<Opened, VaultError> {
    let mut vault_id = [0; 16];
    fill_random(&mut vault_id)?;
    let store = Store::create(engine, vault_id, root, steps)?;
    let mut batch = store.batch();
    // The first row changes the root page, which is written with it.
    batch.put(Space::Secrets, SCHEMES_ROW, schemes.encode().as_bytes())?;
    batch.put_plain(HEAD_ROW, encode_head(&vault_id));
    batch.commit()?;
    store.flush()?;
    Ok(Opened { store, vault_id })
}

fn encode_head(vault_id: &[u8; 16]) -> Vec<u8> {
    let mut head = Vec::with_capacity(28);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&FLAGS.to_le_bytes());
    head.extend_from_slice(vault_id);
    head
}

fn decode_head(head: &[u8], dir: &Path) -> Result<(u16, [u8; 16]), VaultError> {
    let not_a_vault = || VaultError::NotAVault { path: dir.into() };
    let rest = head.strip_prefix(MAGIC).ok_or_else(not_a_vault)?;
    let (version, rest) = rest.split_first_chunk().ok_or_else(not_a_vault)?;
    let version = u16::from_le_bytes(*version);
    if !(VERSION_WITHOUT_TREE..=VERSION).contains(&version) {
        return Err(VaultError::wrong_version("vault", version, VERSION));
    }
    let (flags, vault_id) = rest.split_first_chunk().ok_or_else(not_a_vault)?;
    if u16::from_le_bytes(*flags) != FLAGS {
        return Err(not_a_vault());
    }
    let vault_id = vault_id.try_into().map_err(|_| not_a_vault())?;
    Ok((version, vault_id))
}

/// The page that the root key opens; `None` where the vault has no tree yet.
fn check_root(
    engine: &Engine,
    root: &RootKey,
    roots: &dyn RootStore,
    vault_id: &[u8; 16],
) -> Result<Option<Vec<u8>>, VaultError> {
    let have = root.generation();
    let wrong = || VaultError::RootKeyWrong {
        place: roots.place(),
        generation: have,
    };
    let rows = root_rows(engine)?;
    let Some((_, row)) = rows.iter().find(|(generation, _)| *generation == have) else {
        // Rows are in the order of generations.
        return Err(match rows.last() {
            Some((need, _)) => VaultError::RootKeyOld { have, need: *need },
            None => wrong(),
        });
    };
    let (stored, page) = row.split_at_checked(COMMITMENT_BYTES).ok_or_else(wrong)?;
    let commitment = derive::root_commitment(root.key(), vault_id);
    if !bool::from(commitment.as_slice().ct_eq(stored)) {
        return Err(wrong());
    }
    Ok((!page.is_empty()).then(|| page.to_vec()))
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
