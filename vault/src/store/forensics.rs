//! What somebody finds who has the root key and every byte that the vault's
//! directory ever held.
//!
//! He takes every record of every journal and every row of every table from
//! all copies of the directory, and opens what opens: the root page, each page
//! and row whose key stands in a page that he has opened, and so on. Nothing
//! else is derived from the root key, so there is nothing else to try.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path as FilePath;

use super::bucket::{Bucket, NAME_BYTES};
use super::engine::{Area, Engine};
use super::page::{Link, Page, Slot};
use super::seal::Sealer;
use super::space::Space;
use super::tree::{COMMITMENT_BYTES, ROOT_ROW, root_row};
use crate::derive::{self, Name};
use crate::directory;
use crate::keyring;
use crate::root::RootKey;
use crate::{Vault, VaultOptions};

/// So many buckets are few enough to try each key at each.
const FEW: usize = 2_000;

/// Every value that was ever stored, by its name.
#[derive(Default)]
struct Everything {
    values: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    /// Copies that the engine does not open.
    torn: usize,
}

impl Everything {
    /// Takes in a copy of the directory, which is changed by it.
    fn take(&mut self, copy: &FilePath) {
        for file in files(copy) {
            self.take_records(&std::fs::read(file).unwrap());
        }
        // The engine works while it is copied: a copy may miss a table, and then
        // its bytes alone count.
        let Ok(engine) = Engine::open(copy, 1 << 20) else {
            self.torn += 1;
            return;
        };
        let view = engine.view();
        for area in Area::ALL {
            for row in view.rows(area) {
                let (name, value) = row.unwrap();
                self.put(name.as_ref(), value.as_ref());
            }
        }
    }

    fn put(&mut self, name: &[u8], value: &[u8]) {
        let values = self.values.entry(name.to_vec()).or_default();
        values.insert(value.to_vec());
    }

    /// The engine's journals hold what is overwritten later, and what was
    /// rolled back: tag 2 ‖ kind 1 ‖ compression 1 ‖ key space 8 ‖ length of
    /// the name 2 ‖ of the value 4 ‖ stored 4 ‖ name ‖ value. Looked for at
    /// every byte of every file.
    fn take_records(&mut self, bytes: &[u8]) {
        const HEAD: usize = 21;
        for at in 0..bytes.len().saturating_sub(HEAD) {
            if bytes[at] != 2 || bytes[at + 1] != 0 || bytes[at + 2] != 0 {
                continue;
            }
            let name_bytes = usize::from(u16::from_le_bytes([bytes[at + 11], bytes[at + 12]]));
            let Some(size) = bytes[at + 13..]
                .first_chunk()
                .map(|s| u32::from_le_bytes(*s))
            else {
                continue;
            };
            let name = at + HEAD..at + HEAD + name_bytes;
            let value = name.end..name.end + size as usize;
            let of_ours = name_bytes == NAME_BYTES
                || name_bytes == 16
                || bytes[name.start..].starts_with(ROOT_ROW);
            if of_ours && let (Some(name), Some(value)) = (bytes.get(name), bytes.get(value)) {
                self.put(name, value);
            }
        }
    }

    /// Every value of a name, and the names that begin so.
    fn beginning<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + 'a {
        self.values
            .range(prefix.to_vec()..)
            .take_while(move |(name, _)| name.starts_with(prefix))
            .flat_map(|(name, values)| values.iter().map(move |v| (name.as_slice(), v.as_slice())))
    }

    /// Opens all that opens with this root key.
    fn open(&self, root: &RootKey) -> Found {
        let mut found = Found::default();
        let mut links: Vec<Slot> = Vec::new();
        let sealer = Sealer::new(&derive::root_page_key(root.key())).unwrap();
        for (name, value) in self.beginning(ROOT_ROW) {
            let generation = u64::from_be_bytes(name[ROOT_ROW.len()..].try_into().unwrap());
            let sealed = value.get(COMMITMENT_BYTES..).unwrap_or_default();
            if let Some(plain) = sealer.open(&root_row(generation), sealed) {
                links.extend(Page::decode(&plain[32..]).unwrap().slots);
            }
        }
        let mut seen = HashSet::new();
        let mut keys = Vec::new();
        while let Some(slot) = links.pop() {
            match slot {
                Slot::Empty => {}
                Slot::Node(link) => {
                    if seen.insert((link.id, *link.key.bytes())) {
                        for (_, sealed) in self.beginning(&link.id) {
                            if let Ok(page) = Page::open(&link, sealed) {
                                found.pages += 1;
                                links.extend(page.slots);
                            }
                        }
                    }
                }
                Slot::Bucket(link) => {
                    if seen.insert((link.id, *link.key.bytes())) {
                        self.open_bucket(&link, &mut found);
                        keys.push(link);
                    }
                }
            }
        }
        if keys.len() < FEW {
            self.try_elsewhere(&keys, &mut found);
        }
        found
    }

    /// Each key of a bucket at every other bucket that ever was: one that was
    /// used again under a new name would open the old rows.
    fn try_elsewhere(&self, keys: &[Link], found: &mut Found) {
        let names = self.values.keys().filter(|name| name.len() == NAME_BYTES);
        let ids: BTreeSet<[u8; 16]> = names.filter_map(|n| n.first_chunk().copied()).collect();
        for link in keys {
            for id in ids.iter().filter(|id| **id != link.id) {
                let elsewhere = Link {
                    id: *id,
                    key: link.key.clone(),
                };
                let bucket = Bucket::new(&elsewhere).unwrap();
                let first = self.beginning(id).next();
                if first.is_some_and(|(name, sealed)| bucket.open(name, sealed).is_ok()) {
                    self.open_bucket(&elsewhere, found);
                }
            }
        }
    }

    fn open_bucket(&self, link: &Link, found: &mut Found) {
        let bucket = Bucket::new(link).unwrap();
        for (name, sealed) in self.beginning(&link.id) {
            let Ok(row) = bucket.open(name, sealed) else {
                continue;
            };
            found.rows += 1;
            match row.space {
                Space::Persons => {
                    let person = keyring::decode_person(&row.content).unwrap();
                    found.persons.insert(person.reference());
                }
                Space::Identifiers => {
                    let (_, text) = directory::decode_identifier(&row.content).unwrap();
                    found.identifiers.insert(text);
                }
                _ => {}
            }
            found
                .plain
                .push([row.path.bytes(), &row.content[..]].concat());
        }
    }
}

/// What was opened.
#[derive(Default)]
struct Found {
    pages: u64,
    rows: u64,
    /// Whose data key.
    persons: BTreeSet<Name>,
    identifiers: BTreeSet<String>,
    /// Every row's path and content.
    plain: Vec<Vec<u8>>,
}

impl Found {
    /// Whether a row says anything of one of these, in whatever place.
    fn mentions(&self, names: &HashSet<Name>) -> bool {
        self.plain.iter().any(|row| {
            row.windows(16)
                .any(|window| <Name>::try_from(window).is_ok_and(|name| names.contains(&name)))
        })
    }
}

fn files(dir: &FilePath) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

fn copy(from: &FilePath, to: &FilePath) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if path.file_name().is_some_and(|name| name != "lock") {
            // One that went away meanwhile is not part of the copy.
            let _ = std::fs::copy(&path, &target);
        } else {
            std::fs::write(&target, "").unwrap();
        }
    }
}

/// A vault's life, a copy of its directory after each part of it.
struct History {
    dir: tempfile::TempDir,
    vault: Vault,
    everything: Everything,
    copies: usize,
}

impl History {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(
            &dir.path().join("vault"),
            &dir.path().join("root.key"),
            VaultOptions::default(),
        )
        .unwrap();
        Self {
            dir,
            vault,
            everything: Everything::default(),
            copies: 0,
        }
    }

    fn keep(&mut self) {
        self.vault.flush().unwrap();
        let to = self.dir.path().join(format!("copy-{}", self.copies));
        copy(&self.dir.path().join("vault"), &to);
        let torn = self.everything.torn;
        self.everything.take(&to);
        std::fs::remove_dir_all(&to).unwrap();
        self.copies += 1;
        if self.everything.torn > torn {
            assert!(torn < 100, "no copy opens");
            std::thread::sleep(std::time::Duration::from_millis(20));
            self.keep();
        }
    }

    fn root(&self) -> RootKey {
        self.vault.inner().store.root_key()
    }

    fn admit(&self, persons: std::ops::Range<usize>) -> Vec<Name> {
        let admitted = persons.map(|number| {
            let ids = ids(number);
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            self.vault.admit(&ids).unwrap().person.reference()
        });
        admitted.collect()
    }
}

/// Two of a person's own, and one that a hundred share.
fn ids(number: usize) -> [String; 3] {
    [
        format!("account:{}", 900_000 + number),
        format!("email:p{number}@example.com"),
        format!("device:tablet-{}", number / 100),
    ]
}

fn persons() -> usize {
    std::env::var("CUSTODY_SCAN_PERSONS")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(2_000)
}

/// `CUSTODY_SCAN_PERSONS=100000` for the full run.
#[test]
fn of_the_erased_nothing_opens_in_any_copy_of_any_time() {
    let count = persons();
    let mut history = History::new();
    let mut references = Vec::new();
    for part in 0..5 {
        references.extend(history.admit(part * count / 5..(part + 1) * count / 5));
        history.keep();
    }
    history.vault.link(&references[1], &references[2]).unwrap();
    let (gone_window, kept_window) = (
        *history.vault.window_key(1).unwrap(),
        *history.vault.window_key(2).unwrap(),
    );
    history.keep();

    // One in a hundred at once, one more by himself, and a window.
    let erased: Vec<usize> = (0..count).filter(|number| number % 100 == 7).collect();
    let alone = 11;
    let before = history.root();
    let gone: Vec<usize> = erased.iter().copied().chain([alone]).collect();
    let names: HashSet<Name> = gone.iter().map(|number| references[*number]).collect();
    let at_once: Vec<Name> = erased.iter().map(|number| references[*number]).collect();
    let erase = |vault: &Vault, whom: &[Name]| {
        let done = vault.begin_erasing(whom).unwrap().erase(None).unwrap();
        assert_eq!(done.persons, whom.len() as u64);
    };
    // He who comes in time has it all: so the search finds what there is.
    let seen = history.everything.open(&before);
    assert_eq!(seen.persons.len(), count);
    for (number, reference) in references.iter().enumerate().take(count) {
        assert!(seen.persons.contains(reference));
        assert!(ids(number).iter().all(|id| seen.identifiers.contains(id)));
    }
    assert!(seen.plain.iter().any(|row| row.ends_with(&gone_window)));

    erase(&history.vault, &at_once);
    assert_eq!(history.root().generation(), before.generation() + 1);
    history.keep();
    // The key of a window goes from old copies with the next root key.
    history.vault.destroy_window(1).unwrap();
    erase(&history.vault, &[references[alone]]);
    history.keep();
    // Life goes on, also in the buckets that were sealed anew.
    references.extend(history.admit(count..count + count / 5));
    history.keep();

    let now = history.everything.open(&history.root());
    for (number, reference) in references.iter().enumerate() {
        let is_gone = gone.contains(&number);
        assert_eq!(now.persons.contains(reference), !is_gone);
        let own = &ids(number)[..2];
        assert!(own.iter().all(|id| now.identifiers.contains(id) != is_gone));
    }
    assert!(!now.mentions(&names), "a row names a reference of theirs");
    let digests: HashSet<Name> = gone
        .iter()
        .flat_map(|number| ids(*number).into_iter().take(2))
        .map(|id| history.vault.inner().names.identifier(&id))
        .collect();
    assert!(!now.mentions(&digests), "a row lies where theirs would");
    assert!(!now.plain.iter().any(|row| row.ends_with(&gone_window)));
    assert!(now.plain.iter().any(|row| row.ends_with(&kept_window)));
    let report = history.vault.check(&mut |_| {}).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);

    // The key of before, had somebody kept it, opens what was there then.
    let then = history.everything.open(&before);
    assert!(names.iter().all(|name| then.persons.contains(name)));
    eprintln!(
        "{count} persons, {} erased, {} copies: {} pages and {} rows open now",
        gone.len(),
        history.copies,
        now.pages,
        now.rows
    );
}
