//! A certificate of erasure proves what it says, and nothing that is put into
//! its place does.

use custody_proof::entry::{Act, Entry, EntryRef, HouseRecord, Kind};
use custody_proof::evidence::{EntryEvidence, ErasureCertificate, EvidenceError};
use custody_proof::id::{Digest, ShardId, SubjectReference};
use custody_proof::note::VerifyingKey;

use crate::world::{LEDGER, SEQUENCE, Shard, World, key_of, path, reference};

/// Another key than that of the ledger that the other documents are about: what
/// it signs is not true there.
const SEED: u8 = 8;
const HOUSE: ShardId = ShardId([0x10; 16]);

pub(crate) fn trusted() -> Vec<VerifyingKey> {
    vec![key_of(SEED).verifying_key().clone()]
}

fn house(kind: Kind, time_ns: i64, record: HouseRecord) -> Entry {
    let mut entry = Entry::new(kind, time_ns);
    entry.act = Act::House(record);
    entry
}

fn requested(id: u8, subjects: &[u8]) -> Entry {
    let record = HouseRecord::ErasureRequested {
        id: [id; 16],
        subjects: subjects.iter().map(|number| reference(*number)).collect(),
        recipients: vec!["dhl".to_owned(), "stripe".to_owned()],
        entries: 9,
        reason: "request".to_owned(),
        ticket: "dsr-12".to_owned(),
        mark: true,
    };
    house(Kind::ErasureRequested, 1_000, record)
}

fn started(id: u8) -> Entry {
    let record = HouseRecord::ErasureStarted { id: [id; 16] };
    house(Kind::ErasureStarted, 2_000, record)
}

fn done(id: u8, shard: ShardId, sequence: u64) -> Entry {
    let record = HouseRecord::ErasureDone {
        id: [id; 16],
        generation: 3,
        commitment: Digest([0xdd; 32]),
        persons: 2,
        started: EntryRef { shard, sequence },
    };
    house(Kind::ErasureDone, 3_000, record)
}

/// Two erasures that overlap, and what does not belong together.
fn entries() -> Vec<Entry> {
    vec![
        requested(1, &[1, 2]),
        requested(2, &[3]),
        // Somebody was linked with the first before it began.
        requested(1, &[5]),
        started(1),
        started(2),
        done(1, HOUSE, 3),
        done(2, HOUSE, 4),
        // An end of the first that names the beginning of the second; one of
        // another shard; a request about nobody.
        done(1, HOUSE, 4),
        done(1, ShardId([0x20; 16]), 3),
        requested(4, &[]),
        started(4),
        done(4, HOUSE, 10),
    ]
}

fn world(entries: &[Entry]) -> World {
    World {
        shards: vec![Shard::house(SEED, entries)],
    }
}

fn evidence(shard: &Shard, sequence: usize) -> EntryEvidence {
    EntryEvidence {
        sequence: sequence as u64,
        previous: shard.chain()[sequence],
        entry: shard.entries[sequence].clone(),
        path: Some(path(sequence, &shard.leaves())),
    }
}

/// The certificate that these entries would make.
fn certificate_of(
    world: &World,
    requested: &[usize],
    started: usize,
    done: usize,
) -> ErasureCertificate {
    let shard = &world.shards[0];
    ErasureCertificate {
        format: Default::default(),
        ledger_checkpoint: world.note(),
        manifest: world.manifest().to_text(),
        manifest_path: path(SEQUENCE, &world.log()),
        checkpoint: shard.note(),
        shard: shard.id,
        requested: requested.iter().map(|at| evidence(shard, *at)).collect(),
        started: evidence(shard, started),
        done: evidence(shard, done),
    }
}

pub(crate) fn certificate() -> ErasureCertificate {
    certificate_of(&world(&entries()), &[0, 2], 3, 5)
}

/// Through JSON, as it comes.
fn check(certificate: &ErasureCertificate) -> Result<(), EvidenceError> {
    let again = ErasureCertificate::from_json(certificate.to_json().as_bytes())?;
    assert_eq!(again, *certificate);
    again.verify(&trusted()).map(|_| ())
}

#[test]
fn an_erasure_is_proved_from_its_request_to_its_end() {
    let proved = certificate().verify(&trusted()).unwrap();
    assert_eq!(proved.ledger, LEDGER);
    assert_eq!(proved.id, [1; 16]);
    let subjects: Vec<SubjectReference> = proved.subjects.iter().copied().collect();
    let mut expected = vec![reference(1), reference(2), reference(5)];
    expected.sort();
    assert_eq!(subjects, expected);
    let recipients: Vec<&str> = proved.recipients.iter().map(String::as_str).collect();
    assert_eq!(recipients, ["dhl", "stripe"]);
    assert_eq!((proved.entries, proved.persons), (9, 2));
    assert_eq!(
        (proved.reason.as_str(), proved.ticket.as_str()),
        ("request", "dsr-12")
    );
    assert_eq!(
        (proved.generation, proved.commitment),
        (3, Digest([0xdd; 32]))
    );
    assert!(proved.mark);
    assert_eq!(proved.done.sequence, 5);
    assert_eq!(check(&certificate()), Ok(()));
}

#[test]
fn entries_of_two_erasures_prove_neither() {
    let world = world(&entries());
    // Signed once: it is the entries that are mixed.
    let template = certificate_of(&world, &[0, 2], 3, 5);
    let all: Vec<EntryEvidence> = (0..12).map(|at| evidence(&world.shards[0], at)).collect();
    let mixed = |requested: &[usize], started: usize, done: usize| {
        let certificate = ErasureCertificate {
            requested: requested.iter().map(|at| all[*at].clone()).collect(),
            started: all[started].clone(),
            done: all[done].clone(),
            ..template.clone()
        };
        certificate.verify(&trusted()).map(|_| ())
    };
    let good = [(0, 3, 5), (1, 4, 6), (2, 3, 5)];
    for first in 0..12 {
        for second in 0..12 {
            for third in 0..12 {
                let verified = mixed(&[first], second, third);
                if good.contains(&(first, second, third)) {
                    assert_eq!(verified, Ok(()));
                    continue;
                }
                let error = verified.unwrap_err();
                let fits = matches!(
                    error,
                    EvidenceError::OtherErasure { .. } | EvidenceError::NoSubject
                );
                assert!(fits, "{first} {second} {third}: {error}");
            }
        }
    }
    for requested in [&[][..], &[0, 1], &[2, 0], &[0, 0], &[0, 3], &[0, 2, 5]] {
        let error = mixed(requested, 3, 5).unwrap_err();
        assert!(
            matches!(error, EvidenceError::OtherErasure { .. }),
            "{error}"
        );
    }
}

#[test]
fn what_a_service_says_proves_nothing() {
    // The same words in a shard that is fed by Kafka.
    let mut world = world(&entries());
    world.shards[0].house = false;
    let error = check(&certificate_of(&world, &[0, 2], 3, 5)).unwrap_err();
    assert_eq!(error, EvidenceError::NotHouse { shard: HOUSE });
}

#[test]
fn what_was_changed_or_left_out_is_noticed() {
    type Change = fn(&mut ErasureCertificate);
    let changes: [(&str, Change); 12] = [
        ("checkpoint", |c| {
            c.ledger_checkpoint = c.ledger_checkpoint.replace('5', "6")
        }),
        ("manifest", |c| c.manifest.push('\n')),
        ("manifest path", |c| c.manifest_path.clear()),
        ("shard checkpoint", |c| {
            c.checkpoint = c.ledger_checkpoint.clone()
        }),
        ("shard", |c| c.shard = ShardId([0x20; 16])),
        ("request", |c| {
            *c.requested[0].entry.last_mut().unwrap() ^= 1
        }),
        ("end", |c| c.done.entry[30] ^= 1),
        ("chain", |c| c.started.previous.0[0] ^= 1),
        ("sequence", |c| c.done.sequence += 1),
        ("no path", |c| c.requested[1].path = None),
        ("short path", |c| c.done.path.as_mut().unwrap().truncate(1)),
        ("another's path", |c| c.done.path = c.started.path.clone()),
    ];
    for (what, change) in changes {
        let mut certificate = certificate();
        change(&mut certificate);
        assert!(check(&certificate).is_err(), "{what}");
    }
    // Each byte of what was said counts.
    let good = certificate();
    for part in 0..3 {
        let length = [&good.requested[1], &good.started, &good.done][part]
            .entry
            .len();
        for at in 0..length {
            let mut changed = good.clone();
            let parts = [
                &mut changed.requested[1],
                &mut changed.started,
                &mut changed.done,
            ];
            let [a, b, c] = parts;
            [a, b, c][part].entry[at] ^= 0x10;
            assert!(check(&changed).is_err(), "part {part}, byte {at}");
        }
    }
    let other = key_of(9).verifying_key().clone();
    assert!(matches!(
        certificate().verify(&[other]),
        Err(EvidenceError::Ledger(_))
    ));
}

#[test]
fn another_document_is_no_certificate() {
    let error = ErasureCertificate::from_json(World::small().inclusion(1, 3).to_json().as_bytes());
    let format = EvidenceError::Format {
        expected: "custody.erasure-certificate/v1",
    };
    assert_eq!(error.unwrap_err(), format);
    let mut json = certificate().to_json();
    json.insert_str(1, r#""more":1,"#);
    let error = ErasureCertificate::from_json(json.as_bytes()).unwrap_err();
    assert!(matches!(error, EvidenceError::Json { .. }));
}
