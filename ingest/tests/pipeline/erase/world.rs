//! Orders, what the house shard says of them, and what is left of a person.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use custody_ingest::erase::{
    EraseOptions, EraseOrder, ErasureState, ErasureStatus, FaultPoints, Step, register,
};
use custody_ingest::pipeline::{PipelineOptions, rebuild_states};
use custody_ledger::{Act, Entry, HouseRecord, Ledger, LedgerOptions, ShardDescriptor};
use custody_policy::SubjectState;
use custody_vault::{Vault, VaultOptions};
use fjall::{Database, KeyspaceCreateOptions};

use crate::house::{House, START_NS, said, totals};

pub(crate) type Reference = [u8; 16];

pub(crate) const DISCLOSURE: &str =
    r#","purposes":["orders"],"disclosure":{"recipient":{"id":"dhl","name":"DHL","country":"DE"}}"#;

/// With a register, and without long waits.
pub(crate) fn options(data: &Path, faults: FaultPoints) -> PipelineOptions {
    PipelineOptions {
        erase: EraseOptions {
            register: Some(register::path_beside(&data.join("root.key"))),
            fence_timeout: Duration::from_secs(20),
            retry: Duration::from_millis(20),
            faults,
        },
        ..PipelineOptions::default()
    }
}

pub(crate) fn open(data: &Path) -> House {
    House::with(data, START_NS, options(data, FaultPoints::default()))
}

/// Fails after one step, each time that it is taken.
pub(crate) fn fails_after(step: Step) -> FaultPoints {
    FaultPoints::new(move |done| {
        if done == step {
            return Err(std::io::Error::other("a test"));
        }
        Ok(())
    })
}

pub(crate) fn order(subjects: &[Reference]) -> EraseOrder {
    EraseOrder {
        subjects: subjects.to_vec(),
        reason: "eu-gdpr.a17".to_owned(),
        ..EraseOrder::default()
    }
}

/// What happens to persons before they ask to be erased: everything of which
/// something is kept outside the ledger.
pub(crate) fn history(who: &str, ids: &[&str]) -> Vec<String> {
    let id = |name: &str| format!("{who}-{name}");
    let request = format!(r#","rights_request":{{"right":"eu-gdpr:A15","request_id":"{who}"}}"#);
    let consent = r#","consent":{"scope":["custody:marketing"]}"#;
    [
        ("use", "2024-05-01T12:00:00Z", USE),
        ("disclosure", "2024-05-01T12:01:00Z", DISCLOSURE),
        ("consent_given", "2024-05-01T12:02:00Z", consent),
        ("rights_request", "2024-01-01T00:00:00Z", &request),
        ("account_closed", "2024-05-02T12:00:00Z", ""),
        // Late, so that what came before is judged again.
        ("erasure", "2024-05-01T11:00:00Z", ERASURE),
    ]
    .map(|(kind, time, more)| said(&id(kind), kind, time, ids, more))
    .to_vec()
}

pub(crate) use crate::house::{ERASURE, USE};

pub(crate) fn person(house: &House, id: &str) -> Reference {
    let identity = house.vault.lookup(id).unwrap().unwrap();
    identity.persons[0].reference()
}

/// The names and records of the house shard that are about erasing.
pub(crate) fn records(house: &House) -> Vec<(&'static str, HouseRecord)> {
    let entries = house.entries(&ShardDescriptor::house()).into_iter();
    let records = entries.filter_map(|(_, entry): (_, Entry)| {
        let kind = entry.kind().unwrap().name();
        match entry.act {
            Act::House(record) => Some((kind, record)),
            _ => None,
        }
    });
    records
        .filter(|(kind, _)| {
            ["erasure_", "hold_", "suppression_", "identi"]
                .iter()
                .any(|start| kind.starts_with(start))
        })
        .collect()
}

pub(crate) fn kinds(house: &House) -> Vec<&'static str> {
    records(house).into_iter().map(|(kind, _)| kind).collect()
}

/// Waits until an erasure stands so.
pub(crate) fn comes_to(house: &House, state: ErasureState) -> ErasureStatus {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let status = house.pipeline.registrar().erasures().pop().unwrap();
        if status.state == state {
            return status;
        }
        assert!(Instant::now() < end, "it is {:?}", status);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Every row of the states' store.
pub(crate) type Rows = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// The store's rows; nobody may have it open.
pub(crate) fn state_rows(data: &Path) -> Rows {
    let database = Database::builder(data.join("state")).open().unwrap();
    let mut rows = Rows::new();
    for name in database.list_keyspace_names() {
        let keyspace = database
            .keyspace(&name, KeyspaceCreateOptions::default)
            .unwrap();
        for row in keyspace.iter() {
            let (key, value) = row.into_inner().unwrap();
            rows.insert((name.to_string(), key.to_vec()), value.to_vec());
        }
    }
    rows
}

/// Whether the reference is anywhere in the states' store.
pub(crate) fn is_in(rows: &Rows, reference: &Reference) -> bool {
    let has = |bytes: &[u8]| bytes.windows(16).any(|window| window == reference);
    rows.iter().any(|((_, key), value)| has(key) || has(value))
}

/// States in clear: sealing them gives other bytes each time.
fn opened(data: &Path, rows: Rows) -> (Rows, BTreeMap<Reference, SubjectState>) {
    let (vault, ledger) = stores(data);
    let (states, rest): (Rows, Rows) = rows
        .into_iter()
        .partition(|((keyspace, _), _)| keyspace == "states");
    let open = |((_, key), sealed): ((String, Vec<u8>), Vec<u8>)| {
        let reference = key.try_into().unwrap();
        let person = vault.person(&reference).unwrap().unwrap();
        let plain = person.open_state(ledger.id().0, &sealed).unwrap();
        (reference, SubjectState::decode(&plain).unwrap())
    };
    (rest, states.into_iter().map(open).collect())
}

pub(crate) fn stores(data: &Path) -> (Vault, Ledger) {
    let vault = Vault::open(
        &data.join("vault"),
        &data.join("root.key"),
        VaultOptions::default(),
    )
    .unwrap();
    let barrier = vault.clone();
    let ledger = Ledger::open(
        &data.join("ledger"),
        LedgerOptions {
            segment_bytes: 1 << 20,
            before_commit: Some(std::sync::Arc::new(move || barrier.flush())),
            ..LedgerOptions::default()
        },
    )
    .unwrap();
    (vault, ledger)
}

/// Closes the house and checks everything: ledger, vault, and that the states
/// made from nothing are those that were there. The store's rows.
pub(crate) fn settled(house: House, data: &Path) -> Rows {
    house.reviewed();
    house.close();
    totals(data);
    let live = state_rows(data);
    let expected = opened(data, live.clone());
    {
        let (vault, ledger) = stores(data);
        let report = vault.check(&mut |_| {}).unwrap();
        assert!(report.ok(), "{report:?}");
        let options = options(data, FaultPoints::default());
        rebuild_states(&data.join("state"), &ledger, &vault, &options).unwrap();
        ledger.close().unwrap();
    }
    let rebuilt = opened(data, state_rows(data));
    assert_eq!(rebuilt.1, expected.1);
    let differ = |one: &Rows, other: &Rows| -> Vec<_> {
        let other_has = |row: &(&(String, Vec<u8>), &Vec<u8>)| other.get(row.0) != Some(row.1);
        let rows = one.iter().filter(other_has);
        rows.map(|((keyspace, key), _)| (keyspace.clone(), key.clone()))
            .collect()
    };
    // What waits to be taken in from the house shard when the house closes, reviews
    // that are begun again, and what was looked at in time.
    let house = ShardDescriptor::house().id().0;
    let may_differ = |(keyspace, key): &(String, Vec<u8>)| {
        keyspace == "reviews" || keyspace == "due" || (keyspace == "positions" && *key == house)
    };
    let mut more = differ(&rebuilt.0, &expected.0);
    more.retain(|row| !may_differ(row));
    assert!(more.is_empty(), "only from nothing: {more:?}");
    let mut fewer = differ(&expected.0, &rebuilt.0);
    fewer.retain(|row| row.0 == "due" || !may_differ(row));
    assert!(fewer.is_empty(), "not from nothing: {fewer:?}");
    live
}
