//! Evidence on the command line: exported, checked by who has only the key,
//! and put back from a backup. No broker is needed.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::custody::{custody, custody_ok, data_dir, text, verify};

const LI: &str = "account:1001";

/// A ledger with two shards, made of two files.
struct Ledger {
    dir: TempDir,
}

impl Ledger {
    fn new() -> Self {
        let ledger = Self { dir: data_dir() };
        for (file, events) in [("first", 0..40), ("second", 40..70)] {
            let mut lines = String::new();
            for number in events {
                // Every third is Li's.
                let account = 1000 + number % 3;
                writeln!(
                    lines,
                    r#"{{"specversion":"1.0","id":"c-{number}","source":"//shop.example","type":"custody.disclosure.v1","time":"2025-03-01T09:{:02}:00Z","data":{{"subject":{{"ids":["account:{account}"],"jurisdiction":"DE"}},"service":"alibaba.com","controller":"alibaba-com-singapore","purposes":["account"],"categories":[{{"term":"contact","fields":["email"]}}],"legal_basis":"eu-gdpr:A6-1-b","location":"DE","disclosure":{{"recipient":{{"id":"dhl","name":"DHL","country":"DE"}}}}}}}}"#,
                    number % 60
                )
                .expect("written");
            }
            let path = ledger.path(&format!("{file}.jsonl"));
            std::fs::write(&path, lines).expect("written");
            custody_ok(&["import", text(&path), "--data", &ledger.data()]);
        }
        let key = custody_ok(&[
            "keys",
            "show",
            "--data",
            &ledger.data(),
            "--format",
            "table",
        ]);
        std::fs::write(ledger.path("vkey"), format!("# of the ledger\n{key}")).expect("written");
        ledger
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> String {
        text(&self.path("data")).to_owned()
    }

    /// Checks a document with nothing but the key.
    fn check(&self, document: &Path, more: &[&str]) -> (Option<i32>, Value) {
        let key = self.path("vkey");
        let mut args = vec!["check", text(document), "--key-file", text(&key)];
        args.extend(["--format", "json"]);
        args.extend(more);
        let output = custody(&args);
        let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
        });
        (output.status.code(), said)
    }
}

/// The event ids' numbers that are Li's.
fn lis_entries() -> usize {
    (0..70).filter(|number| number % 3 == 1).count()
}

#[test]
fn an_export_is_checked_with_the_key_alone() {
    let ledger = Ledger::new();
    let document = ledger.path("evidence.json");
    custody_ok(&[
        "export",
        "evidence",
        LI,
        "--data",
        &ledger.data(),
        "--out",
        text(&document),
    ]);
    let (code, said) = ledger.check(&document, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said["ok"], true);
    let entries = said["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), lis_entries());
    let shards: std::collections::BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| entry["position"]["shard"].as_str())
        .collect();
    assert_eq!(shards.len(), 2);
    assert_eq!(
        said["subjects"].as_array().map(Vec::len),
        Some(3),
        "the house too"
    );

    let key = ledger.path("vkey");
    let words = custody_ok(&[
        "check",
        text(&document),
        "--key-file",
        text(&key),
        "--format",
        "table",
    ]);
    for word in ["Proven:", "Not proven:", "disclosed to dhl", "All 3 shards"] {
        assert!(
            words.replace("\n  ", " ").contains(word),
            "{word} in:\n{words}"
        );
    }

    // One byte of one entry.
    let text_of = std::fs::read_to_string(&document).expect("read");
    let mut json: Value = serde_json::from_str(&text_of).expect("JSON");
    let entries = json["subjects"][0]["shards"]
        .as_array_mut()
        .expect("shards")
        .iter_mut()
        .find_map(|shard| shard["entries"].as_array_mut().filter(|e| !e.is_empty()))
        .expect("entries");
    entries.remove(0);
    let less = ledger.path("less.json");
    std::fs::write(&less, json.to_string()).expect("written");
    let (code, said) = ledger.check(&less, &[]);
    assert_eq!(
        (code, &said["ok"]),
        (Some(1), &Value::Bool(false)),
        "{said}"
    );
    let fault = said["fault"].as_str().expect("a fault");
    assert!(
        fault.contains("entries") && fault.contains("are here"),
        "{fault}"
    );
    assert!(
        said.get("entries").is_none(),
        "nothing of it is to be believed"
    );

    // Another ledger's key, and none.
    let other = Ledger::new();
    let (code, _) = other.check(&document, &[]);
    assert_eq!(code, Some(1));
    let output = custody(&["check", text(&document)]);
    assert_eq!(output.status.code(), Some(2));
    verify(&ledger.path("data"));
}

#[test]
fn every_proof_is_checked_by_itself() {
    let ledger = Ledger::new();
    let data = ledger.data();
    let signed = ledger.path("signed");
    custody_ok(&["checkpoint", "--data", &data, "--out", text(&signed)]);
    let (code, said) = ledger.check(&signed.join("checkpoint"), &[]);
    assert_eq!((code, &said["ok"]), (Some(0), &Value::Bool(true)), "{said}");
    let size = said["checkpoint"]["size"]
        .as_u64()
        .expect("a size")
        .to_string();
    let shard = std::fs::read_dir(&signed)
        .expect("a directory")
        .filter_map(|entry| {
            let entry = entry.expect("an entry");
            let checkpoint = std::fs::read_to_string(entry.path().join("checkpoint")).ok()?;
            checkpoint.contains("\nkafka ").then_some(entry.file_name())
        })
        .next()
        .expect("a shard");
    let shard = shard.to_str().expect("UTF-8");
    let (code, _) = ledger.check(&signed.join(shard).join("checkpoint"), &[]);
    assert_eq!(code, Some(0));

    let proof = |name: &str, args: &[&str]| {
        let path = ledger.path(name);
        let mut all = vec!["prove"];
        all.extend(args);
        all.extend(["--data", &data, "--out", text(&path)]);
        custody_ok(&all);
        path
    };
    let inclusion = proof("inclusion.json", &["inclusion", shard, "3"]);
    let (code, said) = ledger.check(&inclusion, &[]);
    assert_eq!(
        (code, &said["entries"][0]["kind"]),
        (Some(0), &"disclosure".into()),
        "{said}"
    );

    let completeness = proof("completeness.json", &["completeness", LI]);
    let (code, said) = ledger.check(&completeness, &[]);
    assert_eq!(code, Some(0), "{said}");
    let counts = said["subjects"].as_array().expect("subjects").iter();
    let total: u64 = counts.filter_map(|count| count["entries"].as_u64()).sum();
    assert_eq!(total, lis_entries() as u64);

    // More is recorded; the checkpoint that was kept still holds.
    let kept = signed.join("checkpoint");
    let more = ledger.path("more.jsonl");
    let first = std::fs::read_to_string(ledger.path("first.jsonl")).expect("read");
    std::fs::write(&more, first.replace("\"c-", "\"d-")).expect("written");
    custody_ok(&["import", text(&more), "--data", &data]);
    let consistency = proof("consistency.json", &["consistency", "--from", &size]);
    let (code, said) = ledger.check(&consistency, &["--earlier", text(&kept)]);
    assert_eq!((code, &said["ok"]), (Some(0), &Value::Bool(true)), "{said}");
    let output = custody(&["prove", "inclusion", shard, "999", "--data", &data]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("covers 40"));
}

#[test]
fn a_backup_is_restored_and_says_what_is_missing() {
    let ledger = Ledger::new();
    let data = ledger.data();
    let backup = ledger.path("backup");
    let made = custody_ok(&["backup", "--data", &data, "--to", text(&backup)]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    assert_eq!(made["root_key_included"], false);
    let output = custody(&["backup", "--data", &data, "--to", text(&backup)]);
    assert_eq!(output.status.code(), Some(2), "there already");

    let again = ledger.path("again");
    // Where nobody was erased, the register is empty, and a restore still wants it.
    let args = ["restore", text(&backup), "--data", text(&again)];
    assert_eq!(custody(&args).status.code(), Some(2), "no register");
    std::fs::copy(
        ledger.path("data.root.key.erasures"),
        ledger.path("again.root.key.erasures"),
    )
    .expect("copied");
    let restored: Value = serde_json::from_str(&custody_ok(&args)).expect("JSON");
    assert_eq!(restored["entries"], made["entries"]);
    assert_eq!(restored["root_key_state"], "missing");
    assert_eq!(restored["signing_key_state"], "missing");
    assert_eq!(custody(&args).status.code(), Some(2), "not empty");
    verify(&again);

    for (from, to) in [
        ("data.root.key", "again.root.key"),
        ("data/signing.key", "again/signing.key"),
    ] {
        std::fs::copy(ledger.path(from), ledger.path(to)).expect("copied");
    }
    let document = ledger.path("evidence.json");
    custody_ok(&[
        "export",
        "evidence",
        LI,
        "--data",
        text(&again),
        "--out",
        text(&document),
    ]);
    let (code, said) = ledger.check(&document, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        said["entries"].as_array().map(Vec::len),
        Some(lis_entries())
    );

    // What was copied wrong is found, and named.
    let segments = backup.join("ledger/segments");
    let segment = walk(&segments)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "seg"))
        .max_by_key(|path| path.metadata().expect("metadata").len())
        .expect("a segment");
    let mut bytes = std::fs::read(&segment).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // It may be a link to the ledger's own.
    std::fs::remove_file(&segment).expect("removed");
    std::fs::write(&segment, bytes).expect("written");
    let third = ledger.path("third");
    let output = custody(&["restore", text(&backup), "--data", text(&third)]);
    assert_ne!(output.status.code(), Some(0));
}

#[test]
fn the_log_is_exported_as_files() {
    let ledger = Ledger::new();
    let log = ledger.path("log");
    custody_ok(&[
        "export",
        "log",
        "--data",
        &ledger.data(),
        "--out",
        text(&log),
    ]);
    for file in ["checkpoint", "manifest"] {
        assert!(log.join(file).is_file(), "{file}");
    }
    let mut logs = 0;
    for entry in std::fs::read_dir(&log).expect("a directory") {
        let dir = entry.expect("an entry").path();
        let checkpoint = dir.join("checkpoint");
        if !checkpoint.is_file() {
            continue;
        }
        let (code, said) = ledger.check(&checkpoint, &[]);
        assert_eq!(code, Some(0), "{said}");
        logs += 1;
        let size = said["checkpoint"]["size"].as_u64().expect("a size");
        if size == 0 {
            continue;
        }
        let bundle = dir.join(format!("tile/entries/000.p/{size}"));
        let bytes = std::fs::read(&bundle).expect("a bundle");
        assert_eq!(bytes.len() as u64, 34 * size);
        let tile = std::fs::read(dir.join(format!("tile/0/000.p/{size}"))).expect("a tile");
        assert_eq!(tile.len() as u64, 32 * size);
    }
    assert_eq!(logs, 3);
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}
