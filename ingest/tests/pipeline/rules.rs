//! What events are judged by: packs, waivers, and what the house says of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use custody_ingest::pipeline::{PipelineError, PipelineOptions};
use custody_ledger::{Act, Entry, HouseRecord, Kind, Outcome, ShardDescriptor};
use custody_policy::{Revocation, Ruleset, SigningKey, VerifyingKey, Waiver, generate_key};

use crate::house::{House, START_NS, USE, codes, said, shard, totals};

const NOON: &str = "2024-05-01T12:00:00Z";

fn rulesets(house: &House) -> Vec<HouseRecord> {
    let entries = house.entries(&ShardDescriptor::house()).into_iter();
    entries
        .filter(|(_, entry)| entry.kind() == Some(Kind::RulesetAdopted))
        .map(|(_, entry)| match entry.act {
            Act::House(record) => record,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn open(data: &Path, ruleset: Ruleset, keys: Vec<VerifyingKey>) -> House {
    let options = PipelineOptions {
        ruleset: Arc::new(ruleset),
        waiver_keys: keys,
        ..PipelineOptions::default()
    };
    House::with(data, START_NS, options)
}

#[test]
fn rules_are_adopted_when_they_change() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let packs: Vec<_> = Ruleset::builtin()
        .policies()
        .map(|policy| policy.pack().clone())
        .collect();
    let fewer = Ruleset::compile(packs[..1].to_vec()).unwrap();
    for (ruleset, adopted) in [
        (Ruleset::builtin(), 1),
        (Ruleset::builtin(), 1),
        (&fewer, 2),
        (&fewer, 2),
        (Ruleset::builtin(), 3),
    ] {
        let house = open(data, ruleset.clone(), Vec::new());
        let records = rulesets(&house);
        assert_eq!(records.len(), adopted);
        match records.last().unwrap() {
            HouseRecord::RulesetAdopted { digest, packs, .. } => {
                assert_eq!(digest.0, ruleset.digest());
                assert_eq!(packs.len(), ruleset.policies().count());
            }
            other => panic!("{other:?}"),
        }
        house.close();
    }
    assert_eq!(totals(data), (0, 0, 0, 0));
}

fn waiver(id: &str, key: &SigningKey) -> String {
    let text = format!(
        "custody.waiver/v1\nid {id}\ncodes no_policy\nfrom 2024-01-01T00:00:00Z\n\
         until 2025-01-01T00:00:00Z\nreason A service of the past\n"
    );
    Waiver::draft(&text).unwrap().sign(key).unwrap()
}

fn revocation(id: &str, key: &SigningKey) -> String {
    let revocation = Revocation {
        id: id.to_owned(),
        reason: "No longer".to_owned(),
        signer: String::new(),
    };
    revocation.sign(key).unwrap()
}

fn judged(house: &House) -> Vec<(Outcome, Option<String>)> {
    let entries = house.entries(&shard(0)).into_iter();
    entries
        .map(|(_, entry)| {
            let judgement = entry.judgement;
            assert_eq!(codes(&judgement), ["no_policy"]);
            let finding = &judgement.findings[0];
            assert_eq!(finding.suppressed, !finding.waiver.is_empty());
            let waiver = finding.suppressed.then(|| finding.waiver.clone());
            (Outcome::from_code(judgement.outcome_code).unwrap(), waiver)
        })
        .collect()
}

#[test]
fn a_waiver_lets_findings_pass_until_it_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let key = generate_key("operator.example").unwrap();
    let other = generate_key("somebody.example").unwrap();
    let keys = vec![key.verifying_key().clone()];
    let open = || open(data, Ruleset::builtin().clone(), keys.clone());
    let event = |n: u32| [said(&format!("u-{n}"), "use", NOON, &["account:1"], USE)];

    let house = open();
    house.send(0, &event(0));
    assert!(matches!(
        house.pipeline.give_waiver(&waiver("w-1", &other)),
        Err(PipelineError::Waiver(_))
    ));
    let duty = waiver("w-0", &key);
    let (duty, _) = duty.rsplit_once("\n\n").unwrap();
    let duty = duty.replace("no_policy", "no_policy,response_overdue") + "\n";
    let duty = Waiver::draft(&duty).unwrap().sign(&key).unwrap();
    assert!(matches!(
        house.pipeline.give_waiver(&duty),
        Err(PipelineError::WaiverOfDuty { .. })
    ));
    house.send(0, &event(1));
    assert_eq!(
        house.pipeline.give_waiver(&waiver("w-1", &key)).unwrap(),
        "w-1"
    );
    assert!(matches!(
        house.pipeline.give_waiver(&waiver("w-1", &key)),
        Err(PipelineError::WaiverKnown { .. })
    ));
    house.send(0, &event(2));
    house.close();

    // It is known again after a start.
    let house = open();
    house.send(0, &event(3));
    for note in ["no longer", &revocation("w-1", &other)] {
        assert!(matches!(
            house.pipeline.revoke_waiver("w-1", note),
            Err(PipelineError::Waiver(_))
        ));
    }
    let note = revocation("w-1", &key);
    assert!(matches!(
        house.pipeline.revoke_waiver("w-2", &note),
        Err(PipelineError::OtherWaiver { .. })
    ));
    house.pipeline.revoke_waiver("w-1", &note).unwrap();
    house.send(0, &event(4));
    house.close();
    let house = open();
    house.send(0, &event(5));

    // One that somebody else wrote into the house shard is seen too.
    let mut given = Entry::new(Kind::WaiverGiven, START_NS);
    given.act = Act::House(HouseRecord::WaiverGiven {
        id: "w-2".to_owned(),
        note: waiver("w-2", &key),
    });
    let ruleset = custody_ledger::Digest(Ruleset::builtin().digest());
    house
        .ledger
        .append_house(vec![given], START_NS, ruleset)
        .unwrap();
    std::thread::sleep(Duration::from_millis(800));
    house.send(0, &event(6));
    // The key is needed to open a waiver again.
    house.close();
    let house = House::open(data, START_NS);
    house.send(0, &event(7));

    let gap = (Outcome::Gap, None);
    let suppressed = |id: &str| (Outcome::Suppressed, Some(id.to_owned()));
    assert_eq!(
        judged(&house),
        [
            gap.clone(),
            gap.clone(),
            suppressed("w-1"),
            suppressed("w-1"),
            gap.clone(),
            gap.clone(),
            suppressed("w-2"),
            gap,
        ]
    );
    house.close();
    assert_eq!(totals(data).0, 8);
}
