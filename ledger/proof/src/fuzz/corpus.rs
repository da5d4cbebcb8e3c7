//! The files that fuzzing begins with, and what it has found worth keeping.

use std::fs;
use std::path::PathBuf;

use super::{Target, mutations};

/// Changes of each file.
const MUTATIONS: usize = 48;
/// And so many bytes of them, so that a long file costs no more.
const MUTATED_BYTES: usize = 64 << 10;

/// Runs every file of the corpora of these targets, and changes of it.
pub fn run_corpora(targets: &[(&str, Target)]) {
    for (name, target) in targets {
        let files = corpus(name);
        assert!(!files.is_empty(), "{name} has no corpus");
        // The last one is beside the first.
        let mut beside = &files[files.len() - 1];
        for file in &files {
            let run = |bytes: &[u8]| {
                if std::panic::catch_unwind(|| target(bytes)).is_err() {
                    panic!("{name}: {}", hex::encode(bytes));
                }
            };
            run(&file.1);
            let count = MUTATIONS.min(MUTATED_BYTES / (file.1.len() + 1));
            for changed in mutations(&file.1, &beside.1, count) {
                run(&changed);
            }
            beside = file;
        }
    }
}

/// Writes the files of a corpus that are not there yet.
pub fn seed(target: &str, files: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let dir = dir().join(target);
    fs::create_dir_all(&dir).unwrap();
    for (name, bytes) in files {
        let path = dir.join(name);
        if !path.exists() {
            fs::write(path, bytes).unwrap();
        }
    }
}

fn dir() -> PathBuf {
    // The crate that is tested lies one or two levels below.
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let mut above = package.ancestors().map(|dir| dir.join("fuzz/corpus"));
    above.find(|dir| dir.is_dir()).unwrap()
}

/// In the order of their names.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    let mut files: Vec<_> = fs::read_dir(dir().join(target))
        .unwrap()
        .map(|entry| read(entry.unwrap().path()))
        .collect();
    files.sort();
    files
}
