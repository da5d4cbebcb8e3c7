//! What others' tools say of an export: the `fsck` of Tessera and Go's
//! `sumdb/note`, over a ledger of a million entries.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use custody_ledger::{
    BlockBuilder, Digest, Entry, Kind, Ledger, LedgerId, LedgerOptions, NotaryOptions,
    ShardDescriptor, SubjectReference,
};
use custody_proof::checkpoint::ledger_origin;
use custody_proof::note::SigningKey;

use crate::custody::{custody_ok, data_dir, text, verify};

const ENTRIES: u64 = 1_000_000;
const SHARDS: i32 = 2;
const TIME: i64 = 1_700_000_000_000_000_000;

/// Go itself, where it is; without it the check is left out, loudly.
fn go() -> Option<PathBuf> {
    let found = Command::new("go").arg("version").output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(PathBuf::from("go"));
    }
    eprintln!("*** NOT CHECKED BY OTHERS: there is no Go here, so Tessera's fsck was not run ***");
    None
}

/// Builds the checker from the sources beside this file.
fn checker(go: &Path, out: &Path) -> PathBuf {
    let binary = out.join("custody-fsck");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/outside/fsck");
    let output = Command::new(go)
        .args(["build", "-o", text(&binary), "."])
        .current_dir(&sources)
        .output()
        .expect("go runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    binary
}

/// A data directory with a ledger of a million small entries, all signed.
fn fill(data: &Path) -> String {
    // The origin that a ledger has where nothing else is configured.
    let id = LedgerId([0x0e; 16]);
    let key = SigningKey::from_seed(&ledger_origin(id), &[9; 32]).expect("a key");
    let vkey = key.verifying_key().to_string();
    std::fs::create_dir_all(data).expect("a directory");
    let file = data.join("signing.key");
    std::fs::write(&file, format!("{}\n", *key.to_secret_string())).expect("a key file");
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, owner_only).expect("a mode");
    let ledger = Ledger::open(
        &data.join("ledger"),
        LedgerOptions {
            notary: Some(NotaryOptions::new(key)),
            ledger_id: Some(id),
            ..LedgerOptions::default()
        },
    )
    .expect("a ledger");
    let mut sizes = Vec::new();
    for partition in 0..SHARDS {
        let shard = ShardDescriptor {
            cluster_id: "cluster".to_owned(),
            topic: "events".to_owned(),
            topic_id: String::new(),
            partition,
            epoch: 0,
        };
        let mut head = ledger.open_shard(&shard).expect("a shard");
        let mut entry = Entry::new(Kind::Use, TIME);
        while head.size < ENTRIES / u64::from(SHARDS.unsigned_abs()) {
            let mut block = BlockBuilder::new(ledger.id(), &head);
            while !block.is_full() {
                let sequence = block.next_sequence();
                entry.offset = block.next_offset();
                entry.subject = Some(person(sequence * 7919 % 30_011));
                block.push(&entry).expect("it fits");
            }
            let built = block.finish(TIME, Digest([1; 32])).expect("it is built");
            head = built.head_after;
            ledger.submit(built, |answer| {
                answer.expect("it is durable");
            });
        }
        sizes.push((head.shard, head.size));
    }
    assert!(sizes.iter().map(|(_, size)| size).sum::<u64>() >= ENTRIES);
    ledger
        .wait_published(&sizes, Duration::from_secs(300))
        .expect("everything is signed");
    ledger.close().expect("it closes");
    vkey
}

fn person(number: u64) -> SubjectReference {
    let mut reference = [0; 16];
    reference[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    reference[8..].copy_from_slice(&number.to_be_bytes());
    SubjectReference(reference)
}

#[test]
fn other_peoples_tools_agree_on_a_million_entries() {
    let Some(go) = go() else { return };
    let dir = data_dir();
    let fsck = checker(&go, dir.path());
    let data = dir.path().join("data");
    let vkey = fill(&data);
    let out = dir.path().join("export");
    custody_ok(&["export", "log", "--data", text(&data), "--out", text(&out)]);

    let check = || {
        let output = Command::new(&fsck)
            .args(["ledger", "-dir", text(&out), "-key", &vkey])
            .output()
            .expect("the checker runs");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.success(), said)
    };
    let (ok, said) = check();
    assert!(ok, "{said}");
    // And it is no check that finds everything in order.
    let tile = full_tile(&out);
    let mut bytes = std::fs::read(&tile).expect("a tile");
    bytes[100] ^= 1;
    std::fs::write(&tile, bytes).expect("it is written");
    let (ok, said) = check();
    assert!(!ok, "{said}");

    verify(&data);
}

/// A full tile of level 0 of some shard.
fn full_tile(out: &Path) -> PathBuf {
    let shards = std::fs::read_dir(out).expect("a directory");
    let mut tiles = shards.map(|entry| entry.expect("an entry").path().join("tile/0/000"));
    tiles.find(|tile| tile.is_file()).expect("a full tile")
}
