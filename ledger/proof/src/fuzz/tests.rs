use std::fs;
use std::path::Path;

use super::known::KNOWN;
use super::*;
use crate::evidence::Evidence;

#[test]
fn corpora_and_changes_of_them_are_read_in_peace() {
    run_corpora(&TARGETS);
}

fn golden(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    fs::read(dir.join(name)).unwrap()
}

fn named(names: &[&str]) -> Vec<(String, Vec<u8>)> {
    let file = |name: &&str| ((*name).to_owned(), golden(name));
    names.iter().map(file).collect()
}

fn numbered(files: Vec<Vec<u8>>) -> impl Iterator<Item = (String, Vec<u8>)> {
    let files = files.into_iter().enumerate();
    files.map(|(number, bytes)| (format!("{number:02}"), bytes))
}

/// Documents that are smaller than the frozen one.
fn documents() -> Vec<(String, Vec<u8>)> {
    let mut documents = named(&[
        "consistency.json",
        "inclusion.json",
        "evidence.json",
        "erasure-certificate.json",
    ]);
    for subject in [0, 3] {
        let document = Evidence {
            subjects: vec![KNOWN.document.subjects[subject].clone()],
            ..KNOWN.document.clone()
        };
        let name = format!("subject-{subject}.json");
        documents.push((name, document.to_json().into_bytes()));
    }
    // What does nothing, and some changes.
    documents.push(("unchanged".to_owned(), vec![15, 0, 0, 3]));
    let all = (0..16_u8).flat_map(|what| [what, 1, 1, 17]);
    documents.push(("changes".to_owned(), all.collect()));
    documents
}

/// Writes files that are not there yet.
#[test]
#[ignore = "writes new corpus files"]
fn seed_corpora() {
    let checkpoints = [
        "ledger.checkpoint",
        "ledger.former.checkpoint",
        "house.checkpoint",
        "shard.checkpoint",
        "resumed.checkpoint",
    ];
    let (tree, maps) = proofs::good();
    seed("tree_proof", numbered(tree));
    seed("map_proof", numbered(maps));
    seed("key", named(&["ledger.key", "witness.key"]));
    let secret = crate::note::SigningKey::from_seed("name", &[7; 32]).unwrap();
    let secret = secret.to_secret_string().as_bytes().to_vec();
    seed("key", [("secret.key".to_owned(), secret)]);
    for name in ["ledger.key", "witness.key"] {
        let line = golden(name).trim_ascii().to_vec();
        seed("key", [(format!("{name}.line"), line)]);
    }
    seed("checkpoint", named(&checkpoints));
    seed("manifest", named(&["manifest"]));
    let note = golden("ledger.checkpoint");
    let note = std::str::from_utf8(&note).unwrap();
    let signatures = note.split_once("\n\n").unwrap().1.as_bytes().to_vec();
    seed("witness", named(&["add-checkpoint"]));
    seed("witness", [("cosigned".to_owned(), signatures)]);
    seed("witness", [("size".to_owned(), b"1700\n".to_vec())]);
    let paths = [
        "tile/0/x001/x234/067",
        "tile/63/000.p/1",
        "tile/entries/x001/000.p/9",
    ];
    seed("tile_path", numbered(paths.map(Vec::from).to_vec()));
    seed("evidence", documents());
    let entries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    for file in fs::read_dir(entries).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("entry_") {
            let text = fs::read_to_string(&path).unwrap();
            let bytes = hex::decode(text.replace('\n', "")).unwrap();
            seed("entry", [(name, bytes)]);
        }
    }
}
