//! Somebody has every byte of the vault's directory as it is and as it ever
//! was, the root key as it is now, and knows the format. They find everybody
//! but the erased, and of the erased nothing.
//!
//! The scanner goes by `FORMAT.md` and not by the vault's code. It knows all
//! names that were ever used, and tries, in the raw bytes of all snapshots, each
//! key that can be reached from the root key.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use custody_vault::{EraseMark, FileRootStore, RootKey, RootStore, Vault};
use memchr::memmem;

use super::Home;

const PAGE_BYTES: usize = 33 + 16 * 49;
const DIRECTORY: u8 = 1;
const PERSONS: u8 = 2;
const IDENTIFIERS: u8 = 3;
const POINTERS: u8 = 4;
const LINKS: u8 = 5;
const SECRETS: u8 = 6;
const MARKS: u8 = 7;

fn derive(context: &str, key: &[u8]) -> [u8; 32] {
    blake3::derive_key(&format!("custody 2026 {context}"), key)
}

fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 16] {
    let hash = blake3::keyed_hash(key, &parts.concat());
    hash.as_bytes()[..16].try_into().unwrap()
}

fn path(first: [u8; 16], second: [u8; 16]) -> [u8; 32] {
    [first, second].concat().try_into().unwrap()
}

/// Every stretch of bytes that is in any file of any snapshot, once.
#[derive(Default)]
struct Bytes {
    seen: HashSet<blake3::Hash>,
    parts: Vec<Vec<u8>>,
}

impl Bytes {
    const STEP: usize = 64 << 10;
    /// Longer than anything that is looked for.
    const OVERLAP: usize = 2 << 10;

    fn take(&mut self, dir: &Path) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.take(&path);
                continue;
            }
            let mut bytes = std::fs::read(&path).unwrap();
            // Journals are laid out in advance.
            let zeros = bytes
                .rchunks(4096)
                .take_while(|part| **part == [0; 4096][..part.len()]);
            let end = bytes.len() - zeros.map(<[u8]>::len).sum::<usize>();
            bytes.truncate(end);
            for start in (0..bytes.len()).step_by(Self::STEP) {
                let end = (start + Self::STEP + Self::OVERLAP).min(bytes.len());
                let part = &bytes[start..end];
                if self.seen.insert(blake3::hash(part)) {
                    self.parts.push(part.to_vec());
                }
            }
        }
    }

    /// Opens whatever was ever stored under a name. The engine may leave out
    /// the beginning of a name: its end is looked for.
    fn open(&self, key: &[u8; 32], name: &[u8], skip: usize, sizes: &[usize]) -> BTreeSet<Vec<u8>> {
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
        let end = match name.len() {
            16 => &name[4..],
            40 => &name[24..],
            _ => name,
        };
        let finder = memmem::Finder::new(end);
        let mut found = BTreeSet::new();
        for part in &self.parts {
            for at in finder.find_iter(part) {
                let after = at + end.len() + skip;
                for start in after..after + 24 {
                    if part.get(start) != Some(&2) {
                        continue;
                    }
                    for size in sizes {
                        let Some(value) = part.get(start..start + 1 + 12 + size + 16) else {
                            continue;
                        };
                        let nonce = Nonce::try_assume_unique_for_key(&value[1..13]).unwrap();
                        let mut plain = value[13..].to_vec();
                        if let Ok(plain) = cipher.open_in_place(nonce, Aad::from(name), &mut plain)
                        {
                            found.insert(plain.to_vec());
                        }
                    }
                }
            }
        }
        found
    }
}

/// All that was ever said to the vault.
#[derive(Default)]
struct Known {
    /// Reference → identifiers.
    persons: BTreeMap<[u8; 16], BTreeSet<String>>,
    links: Vec<([u8; 16], [u8; 16])>,
    windows: Vec<u64>,
}

impl Known {
    fn admit(&mut self, vault: &Vault, ids: &[&str]) -> [u8; 16] {
        let admission = vault.admit(ids).unwrap();
        let reference = admission.person.reference();
        let texts = ids.iter().map(|id| (*id).to_owned());
        self.persons.entry(reference).or_default().extend(texts);
        self.links.extend(admission.linked);
        reference
    }

    /// Kinds and paths of all rows that there may have been.
    fn rows(&self, names: &[u8; 32]) -> Vec<(u8, [u8; 32])> {
        let subkey = |what: &str| derive(&format!("vault: {what} v1"), names);
        let (directory, person) = (subkey("identifier digests"), subkey("person row names"));
        let (identifier, pointer) = (subkey("identifier row names"), subkey("pointer row names"));
        let link = subkey("link row names");
        let secret = derive("vault: positions of secrets v2", names);
        let none = [0; 16];
        let mut rows = Vec::new();
        for (reference, texts) in &self.persons {
            let position = keyed(&person, &[reference]);
            rows.push((PERSONS, path(position, none)));
            for text in texts {
                let digest = keyed(&directory, &[text.as_bytes()]);
                rows.push((DIRECTORY, path(digest, none)));
                rows.push((MARKS, path(digest, none)));
                let second = keyed(&identifier, &[reference, &digest]);
                rows.push((IDENTIFIERS, path(position, second)));
                let second = keyed(&pointer, &[&digest, reference]);
                rows.push((POINTERS, path(digest, second)));
            }
        }
        for (a, b) in &self.links {
            for (from, to) in [(a, b), (b, a)] {
                let second = keyed(&link, &[from, to]);
                rows.push((LINKS, path(keyed(&person, &[from]), second)));
            }
        }
        rows.push((SECRETS, path(keyed(&secret, &[b"house"]), none)));
        for window in &self.windows {
            let name = [&b"window"[..], &window.to_be_bytes()].concat();
            rows.push((SECRETS, path(keyed(&secret, &[&name]), none)));
        }
        rows.sort_unstable();
        rows.dedup();
        rows
    }
}

fn step(path: &[u8], at: usize) -> u8 {
    if at.is_multiple_of(2) {
        path[at / 2] >> 4
    } else {
        path[at / 2] & 15
    }
}

fn covers(prefix: &[u8], depth: usize, path: &[u8]) -> bool {
    (0..depth).all(|at| step(prefix, at) == step(path, at))
}

/// What a root key leads to.
#[derive(Default)]
struct Found {
    pages: usize,
    references: BTreeSet<[u8; 16]>,
    /// Everything that stands in a row.
    contents: Vec<Vec<u8>>,
    /// What nodes stand for: paths and depths.
    prefixes: BTreeSet<([u8; 32], usize)>,
    paths: Vec<(u8, [u8; 32])>,
}

impl Found {
    fn says(&self, what: &[u8]) -> bool {
        self.contents
            .iter()
            .any(|content| memmem::find(content, what).is_some())
    }
}

fn scan(bytes: &Bytes, root: &RootKey, known: &Known) -> Found {
    let mut found = Found::default();
    let name = [&b"root "[..], &root.generation().to_be_bytes()].concat();
    let key = derive("vault: root page v2", root.expose());
    let roots = bytes.open(&key, &name, 32, &[32 + PAGE_BYTES]);
    let mut open: Vec<Vec<u8>> = roots.iter().map(|plain| plain[32..].to_vec()).collect();
    let Some(names) = roots.first() else {
        return found;
    };
    found.paths = known.rows(&names[..32].try_into().unwrap());
    let sizes: Vec<usize> = (34..=33 + 192).collect();
    let mut seen = HashSet::new();
    let mut stored = BTreeSet::new();
    while let Some(page) = open.pop() {
        found.pages += 1;
        let (depth, prefix) = (usize::from(page[0]), &page[1..33]);
        found.prefixes.insert((prefix.try_into().unwrap(), depth));
        for (number, slot) in page[33..].chunks(49).enumerate() {
            let (kind, id, key) = (slot[0], &slot[1..17], &slot[17..]);
            if kind == 0 || !seen.insert((slot.to_vec(), prefix.to_vec())) {
                continue;
            }
            if kind == 2 {
                let key = derive("vault: node page v2", key);
                open.extend(bytes.open(&key, id, 0, &[PAGE_BYTES]));
                continue;
            }
            let rows_key = derive("vault: bucket rows v2", key);
            let key: [u8; 32] = key.try_into().unwrap();
            let here = found.paths.iter().filter(|(_, path)| {
                covers(prefix, depth, path) && usize::from(step(path, depth)) == number
            });
            for (kind, path) in here {
                let first = keyed(&key, &[&[*kind], &path[..16]]);
                let second = keyed(&key, &[&[*kind], path]);
                let name = [id, &first[..8], &second].concat();
                for plain in bytes.open(&rows_key, &name, 0, &sizes) {
                    assert_eq!((plain[0], &plain[1..33]), (*kind, &path[..]));
                    stored.insert((*kind, plain[33..].to_vec()));
                }
            }
        }
    }
    for (kind, content) in stored {
        if kind == PERSONS {
            let reference = derive("person: subject reference v1", &content[1..]);
            found.references.insert(reference[..16].try_into().unwrap());
        }
        found.contents.push(content);
    }
    found
}

struct History {
    home: Home,
    bytes: Bytes,
    known: Known,
    /// Root keys by generation.
    roots: BTreeMap<u64, RootKey>,
    gone: BTreeSet<[u8; 16]>,
}

impl History {
    fn snapshot(&mut self, vault: &Vault) {
        vault.flush().unwrap();
        self.bytes.take(&self.home.vault());
        for key in FileRootStore::new(self.home.root()).get().unwrap() {
            self.roots.insert(key.generation(), key);
        }
    }

    fn erase(&mut self, vault: &Vault, gone: &[[u8; 16]], mark: Option<EraseMark>) {
        self.snapshot(vault);
        vault.begin_erasing(gone).unwrap().erase(mark).unwrap();
        self.gone.extend(gone);
        self.snapshot(vault);
    }
}

#[test]
fn nothing_is_left_of_the_erased_and_everything_of_the_others() {
    let mut history = History {
        home: Home::new(),
        bytes: Bytes::default(),
        known: Known::default(),
        roots: BTreeMap::new(),
        gone: BTreeSet::new(),
    };
    let mut vault = history.home.open();
    let mut persons: Vec<[u8; 16]> = Vec::new();
    let admit = |history: &mut History, vault: &Vault, n: usize| {
        let (account, email) = (format!("account:{n:04}"), format!("email:{n:04}@e.example"));
        let shared = format!("ip:192.0.2.{}", n % 3);
        let reference = history.known.admit(vault, &[&account, &email, &shared]);
        if n.is_multiple_of(40) {
            history.snapshot(vault);
        }
        reference
    };
    history.known.windows = vec![1, 2, 3];
    let windows: Vec<[u8; 32]> = (1..=3).map(|n| *vault.window_key(n).unwrap()).collect();
    // Erased early, before the buckets of these positions are split; again and
    // again while they are; and at the end.
    for n in 0..45 {
        persons.push(admit(&mut history, &vault, n));
    }
    history.erase(&vault, &persons[3..5].to_vec(), None);
    for n in 45..120 {
        persons.push(admit(&mut history, &vault, n));
    }
    for (a, b) in [(10, 11), (11, 12), (20, 21)] {
        let ids = [format!("account:{a:04}"), format!("account:{b:04}")];
        history.known.admit(&vault, &[&ids[0], &ids[1]]);
        history.snapshot(&vault);
    }
    vault.unlink(&persons[20], &persons[21]).unwrap();
    let mark = EraseMark {
        day: 20_000,
        scope: String::new(),
    };
    history.erase(&vault, &persons[10..13].to_vec(), Some(mark));
    vault.destroy_window(2).unwrap();
    drop(vault);
    vault = history.home.open();
    vault.release("account:0030", 1_000).unwrap();
    let new = history
        .known
        .admit(&vault, &["account:0030", "email:new@e.example"]);
    assert_ne!(new, persons[30]);
    let mut many = persons[25..40].to_vec();
    many.push(persons[20]);
    history.erase(&vault, &many, None);
    for n in 120..160 {
        persons.push(admit(&mut history, &vault, n));
    }
    history.erase(&vault, &persons[150..152].to_vec(), None);
    // Somebody who was erased comes back: a new person.
    let again = admit(&mut history, &vault, 3);
    assert_ne!(again, persons[3]);
    history.snapshot(&vault);
    drop(vault);
    history.bytes.take(&history.home.vault());

    let all: BTreeSet<[u8; 16]> = history.known.persons.keys().copied().collect();
    let kept: BTreeSet<[u8; 16]> = all.difference(&history.gone).copied().collect();
    assert_eq!(history.gone.len(), 2 + 3 + 16 + 2);
    let now = history.roots.last_key_value().unwrap().1.clone();
    let found = scan(&history.bytes, &now, &history.known);
    assert_eq!(found.references, kept, "with the root key as it is");
    let texts = |persons: &BTreeSet<[u8; 16]>| -> BTreeSet<String> {
        let texts = persons.iter().flat_map(|one| &history.known.persons[one]);
        texts.cloned().collect()
    };
    for text in texts(&kept) {
        assert!(found.says(text.as_bytes()), "{text}");
    }
    for text in texts(&history.gone).difference(&texts(&kept)) {
        assert!(!found.says(text.as_bytes()), "{text}");
    }
    for reference in &history.gone {
        assert!(!found.says(reference), "a reference");
    }
    assert!(found.says(&windows[0]) && found.says(&windows[2]));
    assert!(!found.says(&windows[1]), "a window's key");

    // What nodes stand for is said of nobody who is gone: some row that is
    // there lies below each of them.
    let left = Known {
        persons: kept
            .iter()
            .map(|one| (*one, history.known.persons[one].clone()))
            .collect(),
        links: Vec::new(),
        windows: history.known.windows.clone(),
    };
    let names = scan_names(&history.bytes, &now);
    let left = left.rows(&names);
    for (prefix, depth) in &found.prefixes {
        assert!(left.iter().any(|(_, path)| covers(prefix, *depth, path)));
    }

    // The scanner looks: with the keys of before it finds them all.
    let mut ever = BTreeSet::new();
    for root in history.roots.values() {
        ever.extend(scan(&history.bytes, root, &history.known).references);
    }
    assert_eq!(ever, all, "with every root key that ever was");
    let before = &history.roots[&(now.generation() - 1)];
    let found = scan(&history.bytes, before, &history.known);
    assert!(
        found.references.contains(&persons[150]),
        "one generation before"
    );
    assert!(!found.references.contains(&persons[25]), "two before");
}

fn scan_names(bytes: &Bytes, root: &RootKey) -> [u8; 32] {
    let name = [&b"root "[..], &root.generation().to_be_bytes()].concat();
    let key = derive("vault: root page v2", root.expose());
    let roots = bytes.open(&key, &name, 32, &[32 + PAGE_BYTES]);
    roots.first().unwrap()[..32].try_into().unwrap()
}
