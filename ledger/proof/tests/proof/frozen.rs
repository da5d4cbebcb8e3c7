//! Documents as they were written once: whoever keeps one can verify it with
//! every later version.

use std::path::PathBuf;

use custody_proof::checkpoint::{LedgerCheckpoint, ShardCheckpoint, verifying_keys};
use custody_proof::cosignature::{Cosigned, CosignerKey, CosigningKey, cosigned};
use custody_proof::evidence::{
    ConsistencyProof, ErasureCertificate, Evidence, InclusionProof, verify,
};
use custody_proof::manifest::Manifest;
use custody_proof::note::{Note, VerifyingKey};
use custody_proof::witness::AddCheckpoint;

use crate::erasure;
use crate::world::{World, consistency, key, trusted};

/// When the witness signed.
const TIME_S: u64 = 1_790_000_000;

pub(crate) fn witness() -> CosigningKey {
    CosigningKey::from_seed("witness.example/w1", &[9; 32]).unwrap()
}

fn path(name: &str) -> PathBuf {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    PathBuf::from(dir).join(name)
}

fn frozen(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// The documents, as today's version writes them.
pub(crate) fn documents() -> Vec<(&'static str, String)> {
    let world = World::small();
    let mut note = Note::parse(&world.note()).unwrap();
    note.add_signature(witness().cosign(note.text(), TIME_S).unwrap());
    let request = AddCheckpoint {
        old_size: 3,
        proof: consistency(3, &world.log()),
        note: world.note(),
    };
    let mut evidence = world.evidence(&[1, 2, 4, 5]);
    evidence.ledger_checkpoint = note.to_string();
    let [ledger_key] = <[VerifyingKey; 1]>::try_from(trusted()).unwrap();
    vec![
        ("ledger.key", format!("{ledger_key}\n")),
        ("witness.key", format!("{}\n", witness().cosigner_key())),
        ("ledger.checkpoint", note.to_string()),
        ("ledger.former.checkpoint", world.former_note(3)),
        ("house.checkpoint", world.shards[0].note()),
        ("shard.checkpoint", world.shards[1].note()),
        ("resumed.checkpoint", world.shards[2].note()),
        ("manifest", world.manifest().to_text()),
        ("add-checkpoint", request.encode()),
        ("evidence.json", evidence.to_json() + "\n"),
        ("inclusion.json", world.inclusion(1, 3).to_json() + "\n"),
        ("consistency.json", world.consistency(3).to_json() + "\n"),
        ("erased.key", format!("{}\n", erasure::trusted()[0])),
        (
            "erasure-certificate.json",
            erasure::certificate().to_json() + "\n",
        ),
    ]
}

/// Writes those that are not there yet.
#[test]
#[ignore = "writes new golden files"]
fn freeze() {
    for (name, text) in documents() {
        if !path(name).exists() {
            std::fs::write(path(name), text).unwrap();
        }
    }
}

#[test]
fn documents_are_written_as_frozen() {
    for (name, text) in documents() {
        assert_eq!(text, frozen(name), "{name}");
    }
}

#[test]
fn frozen_documents_are_verified() {
    let ledger: VerifyingKey = frozen("ledger.key").trim_end().parse().unwrap();
    let keys = [ledger.clone()];
    let witness: CosignerKey = frozen("witness.key").trim_end().parse().unwrap();

    let evidence = Evidence::from_json(frozen("evidence.json").as_bytes()).unwrap();
    let verified = verify(&evidence, &keys).unwrap();
    assert_eq!(verified.entries().count(), 10);
    let note = Note::parse(&evidence.ledger_checkpoint).unwrap();
    let by = Cosigned {
        cosigner: "witness.example/w1".to_owned(),
        time_s: TIME_S,
    };
    assert_eq!(cosigned(&note, &[witness]), Ok(vec![by]));

    let inclusion = InclusionProof::from_json(frozen("inclusion.json").as_bytes()).unwrap();
    assert_eq!(inclusion.verify(&keys).unwrap().entry.sequence, 3);
    let proof = ConsistencyProof::from_json(frozen("consistency.json").as_bytes()).unwrap();
    let kept = frozen("ledger.former.checkpoint");
    assert_eq!(proof.verify(&kept, None, &keys).unwrap().later.size, 5);

    let key_of_erased: VerifyingKey = frozen("erased.key").trim_end().parse().unwrap();
    let certificate = frozen("erasure-certificate.json");
    let certificate = ErasureCertificate::from_json(certificate.as_bytes()).unwrap();
    let proved = certificate.verify(&[key_of_erased]).unwrap();
    assert_eq!((proved.subjects.len(), proved.generation), (3, 3));

    let head = LedgerCheckpoint::open(&frozen("ledger.checkpoint"), &keys).unwrap();
    let manifest = Manifest::parse(&frozen("manifest")).unwrap();
    assert_eq!(manifest.leaf(), head.manifest_leaf);
    for (name, line) in [
        ("house.checkpoint", 0),
        ("shard.checkpoint", 1),
        ("resumed.checkpoint", 2),
    ] {
        let note = frozen(name);
        let origin = note.lines().next().unwrap();
        let shard = ShardCheckpoint::open(&note, &verifying_keys(origin, &keys)).unwrap();
        assert_eq!(shard.checkpoint.root, manifest.shards[line].root);
    }
    let request = AddCheckpoint::parse(&frozen("add-checkpoint")).unwrap();
    assert_eq!(request.old_size, 3);
    assert!(LedgerCheckpoint::open(&request.note, &keys).is_ok());
    assert_eq!(key().verifying_key(), &ledger);
}
