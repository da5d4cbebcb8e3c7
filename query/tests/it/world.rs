//! A ledger, a vault and a read model, and hand-made blocks in them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use custody_ledger::{
    Act, BlockBuilder, Digest, Entry, EntryRef, EventTag, Finding, HouseRecord, Judgement, Kind,
    Ledger, LedgerOptions, NotaryOptions, Outcome, PartyPart, ShardDescriptor, ShardId,
    SubjectReference,
};
use custody_proof::note::SigningKey;
use custody_proto::event::{SealedHeader, SealedMessage};
use custody_query::{Ask, Deadline, LineageApi, QueryState, ReadModel, ReadModelOptions};
use custody_vault::{EntryContext, Vault, VaultOptions};
use tempfile::TempDir;
use tonic::Status;

pub(crate) const SECOND: i64 = 1_000_000_000;

/// 2025-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_735_689_600 * SECOND;

pub(crate) const SOURCE: &str = "//shop.example";

/// What a test says that happened.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) ids: Vec<String>,
    pub(crate) event_id: String,
    /// Seconds after [`START`].
    pub(crate) at: i64,
    pub(crate) kind: Kind,
    pub(crate) act: Act,
    pub(crate) purposes: Vec<&'static str>,
    pub(crate) categories: Vec<&'static str>,
    pub(crate) controller: &'static str,
    pub(crate) basis: &'static str,
    pub(crate) location: &'static str,
    pub(crate) policy: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) findings: Vec<Finding>,
    /// The policy version judged by.
    pub(crate) judged_policy: &'static str,
    pub(crate) jurisdiction: &'static str,
    pub(crate) late: bool,
    /// The event's data as JSON, instead of the usual.
    pub(crate) data: Option<String>,
    /// The `id` of the event taken back.
    pub(crate) retracts: Option<String>,
    /// The `id`s of the events that it came from.
    pub(crate) parents: Vec<String>,
}

impl Draft {
    pub(crate) fn new(id: &str, event_id: &str, at: i64, kind: Kind, act: Act) -> Self {
        Self {
            ids: vec![id.to_owned()],
            event_id: event_id.to_owned(),
            at,
            kind,
            act,
            purposes: vec!["custody:purchase_delivery"],
            categories: vec!["pd:EmailAddress"],
            controller: "shop",
            basis: "eu-gdpr:A6-1-b",
            location: "DE",
            policy: "",
            outcome: Outcome::NotJudged,
            findings: Vec::new(),
            judged_policy: "",
            jurisdiction: "",
            late: false,
            data: None,
            retracts: None,
            parents: Vec::new(),
        }
    }

    pub(crate) fn disclosure(id: &str, event_id: &str, at: i64, recipient: PartyPart) -> Self {
        let act = Act::Disclosure {
            recipient,
            means: 1,
            sale: false,
            safeguard: String::new(),
        };
        Self::new(id, event_id, at, Kind::Disclosure, act)
    }

    pub(crate) fn collection(id: &str, event_id: &str, at: i64) -> Self {
        let act = Act::Collection {
            origin: 1,
            from: None,
        };
        Self::new(id, event_id, at, Kind::Collection, act)
    }

    pub(crate) fn retraction(id: &str, event_id: &str, at: i64, of: &str) -> Self {
        let mut draft = Self::new(id, event_id, at, Kind::Retraction, Act::None);
        draft.retracts = Some(of.to_owned());
        draft
    }
}

pub(crate) fn party(id: &str, country: &str) -> PartyPart {
    PartyPart {
        id: id.to_owned(),
        category: String::new(),
        country: country.to_owned(),
        person: false,
    }
}

/// An entry as a test knows it.
#[derive(Clone)]
pub(crate) struct Fact {
    pub(crate) shard: ShardId,
    pub(crate) sequence: u64,
    pub(crate) recorded_ns: i64,
    pub(crate) entry: Entry,
    /// The `id`; empty of what is no event.
    pub(crate) event_id: String,
    /// The `id`s of the events that it came from.
    pub(crate) parents: Vec<String>,
}

/// A registration as a test knows it.
#[derive(Clone)]
pub(crate) struct Registration {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) recorded_ns: i64,
}

/// The key that a [`World::signed`] signs with.
pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_seed("ledger.example", &[7; 32]).unwrap()
}

pub(crate) struct World {
    /// Dropped first, as the process would.
    pub(crate) api: Option<LineageApi>,
    pub(crate) ledger: Ledger,
    pub(crate) vault: Vault,
    pub(crate) shards: Vec<ShardDescriptor>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) registrations: Vec<Registration>,
    pub(crate) now_ns: i64,
    /// How the read model is opened.
    pub(crate) options: ReadModelOptions,
    directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    /// One whose ledger signs.
    pub(crate) fn signed() -> Self {
        Self::with(Some(NotaryOptions {
            interval: Duration::from_millis(5),
            ..NotaryOptions::new(signing_key())
        }))
    }

    fn with(notary: Option<NotaryOptions>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = LedgerOptions {
            segment_bytes: 64 << 10,
            notary,
            ..LedgerOptions::default()
        };
        let ledger = Ledger::open(&directory.path().join("ledger"), options).unwrap();
        let vault = Vault::open(
            &directory.path().join("vault"),
            &directory.path().join("root.key"),
            VaultOptions::default(),
        )
        .unwrap();
        let shards: Vec<_> = (0..2)
            .map(|partition| ShardDescriptor {
                cluster_id: "c".to_owned(),
                topic: "events".to_owned(),
                topic_id: String::new(),
                partition,
                epoch: 0,
            })
            .collect();
        for shard in &shards {
            ledger.open_shard(shard).unwrap();
        }
        let mut world = Self {
            api: None,
            ledger,
            vault,
            shards,
            facts: Vec::new(),
            registrations: Vec::new(),
            now_ns: START,
            options: ReadModelOptions::default(),
            directory,
        };
        world.open();
        world
    }

    /// Where tests may put files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn read_model_directory(&self) -> PathBuf {
        self.directory.path().join("read_model")
    }

    /// Opens the read model without filling it.
    pub(crate) fn open(&mut self) {
        let directory = self.read_model_directory();
        let model = ReadModel::open(&directory, &self.ledger, &self.options).unwrap();
        self.answer_from(model);
    }

    pub(crate) fn answer_from(&mut self, model: ReadModel) {
        let state = QueryState::new(self.ledger.clone(), self.vault.clone(), model);
        self.api = Some(LineageApi::new(state));
    }

    pub(crate) fn api(&self) -> &LineageApi {
        self.api.as_ref().unwrap()
    }

    pub(crate) fn model(&self) -> ReadModel {
        self.api().state().read_model().clone()
    }

    pub(crate) fn catch_up(&self) {
        self.model().catch_up(&self.ledger, &mut |_| {}).unwrap();
    }

    /// Drops the read model as a crash would: nothing is flushed by hand.
    pub(crate) fn drop_model(&mut self) {
        self.api = None;
    }

    pub(crate) fn ask<Q: Ask>(&self, question: Q) -> Result<Q::Answer, Status> {
        self.api().ask(question, Deadline::default())
    }

    fn tick(&mut self) -> i64 {
        self.now_ns += SECOND;
        self.now_ns
    }

    /// Commits one block. The entries are sealed as ingest seals them.
    pub(crate) fn commit(&mut self, shard: usize, drafts: &[Draft]) {
        let now = self.tick();
        let descriptor = self.shards[shard].clone();
        let head = self.ledger.head(descriptor.id()).unwrap();
        let mut block = BlockBuilder::new(self.ledger.id(), &head);
        let mut offset = head.next_offset.unwrap();
        // A duplicate now and then, so that offsets are not sequences.
        if head.blocks % 2 == 1 {
            block.duplicate(offset).unwrap();
            offset += 1;
        }
        for draft in drafts {
            let sequence = block.next_sequence();
            let entry = self.entry(draft, Some(offset), descriptor.id(), sequence);
            assert_eq!(block.push(&entry).unwrap(), sequence);
            offset += 1;
            self.remember(descriptor.id(), sequence, now, entry, Some(draft));
        }
        self.vault.flush().unwrap();
        let built = block.finish(now, Digest([7; 32])).unwrap();
        self.ledger.commit(built).unwrap();
    }

    fn remember(
        &mut self,
        shard: ShardId,
        sequence: u64,
        recorded_ns: i64,
        mut entry: Entry,
        draft: Option<&Draft>,
    ) {
        entry.sealed.clear();
        self.facts.push(Fact {
            shard,
            sequence,
            recorded_ns,
            entry,
            event_id: draft.map(|it| it.event_id.clone()).unwrap_or_default(),
            parents: draft.map(|it| it.parents.clone()).unwrap_or_default(),
        });
    }

    fn entry(&self, draft: &Draft, offset: Option<i64>, shard: ShardId, sequence: u64) -> Entry {
        let ids: Vec<&str> = draft.ids.iter().map(String::as_str).collect();
        let person = self.vault.admit(&ids).unwrap().person;
        let mut entry = Entry::new(draft.kind, START + draft.at * SECOND);
        entry.offset = offset;
        entry.kafka_time_ms = offset.map(|offset| START / 1_000_000 + offset);
        entry.subject = Some(SubjectReference(person.reference()));
        entry.event_tag = Some(EventTag(person.tag(SOURCE, &draft.event_id)));
        entry.parent_tags = draft
            .parents
            .iter()
            .map(|id| EventTag(person.tag(SOURCE, id)))
            .collect();
        entry.purposes = draft
            .purposes
            .iter()
            .map(|term| (*term).to_owned())
            .collect();
        entry.categories = draft
            .categories
            .iter()
            .map(|term| (*term).to_owned())
            .collect();
        entry.controller = draft.controller.to_owned();
        entry.service = "shop.example".to_owned();
        entry.legal_basis = draft.basis.to_owned();
        entry.location = draft.location.to_owned();
        entry.policy = draft.policy.to_owned();
        entry.jurisdiction = draft.jurisdiction.to_owned();
        entry.judgement = Judgement {
            outcome_code: draft.outcome as u8,
            policy: draft.judged_policy.to_owned(),
            clauses: Vec::new(),
            findings: draft.findings.clone(),
            late: draft.late,
        };
        entry.act = match &draft.retracts {
            Some(of) => Act::Retraction {
                of: EventTag(person.tag(SOURCE, of)),
            },
            None => draft.act.clone(),
        };
        let context = EntryContext {
            ledger: self.ledger.id().0,
            shard: shard.0,
            sequence,
        };
        entry.sealed = person.seal(&context, &message(draft)).unwrap();
        entry
    }

    /// Writes a consultation of this person into the house shard.
    pub(crate) fn consult(&mut self, id: &str, at: i64) {
        let now = self.tick();
        let house = ShardDescriptor::house().id();
        let sequence = self.ledger.head(house).unwrap().size;
        let draft = Draft::new(
            id,
            &format!("consultation-{sequence}"),
            at,
            Kind::Consultation,
            Act::None,
        );
        let entry = self.entry(&draft, None, house, sequence);
        self.remember(house, sequence, now, entry.clone(), Some(&draft));
        self.ledger
            .append_house(vec![entry], now, Digest([7; 32]))
            .unwrap();
    }

    /// Writes into the house shard that an entry was judged again.
    pub(crate) fn rejudge(&mut self, of: &Fact, judgement: Judgement) {
        let record = HouseRecord::Rejudged {
            shard: of.shard,
            sequence: of.sequence,
            cause: EntryRef {
                shard: of.shard,
                sequence: 0,
            },
            judgement,
        };
        let time = of.entry.event_time_ns;
        self.house(Kind::Rejudged, time, of.entry.subject, record);
    }

    /// Writes into the house shard that something was due and not done.
    pub(crate) fn overdue(&mut self, of: &Fact, subject: Option<SubjectReference>, due: i64) {
        let due_ns = START + due * SECOND;
        let record = HouseRecord::OverdueFound {
            code: "response_overdue".to_owned(),
            of: EntryRef {
                shard: of.shard,
                sequence: of.sequence,
            },
            clauses: vec!["ALB-2025.101".to_owned()],
            due_ns,
            source: "eu-gdpr:A12-3".to_owned(),
        };
        self.house(Kind::OverdueFound, due_ns, subject, record);
    }

    fn house(
        &mut self,
        kind: Kind,
        time_ns: i64,
        subject: Option<SubjectReference>,
        record: HouseRecord,
    ) {
        let now = self.tick();
        let house = ShardDescriptor::house().id();
        let sequence = self.ledger.head(house).unwrap().size;
        let mut entry = Entry::new(kind, time_ns);
        entry.subject = subject;
        entry.act = Act::House(record);
        self.remember(house, sequence, now, entry.clone(), None);
        self.ledger
            .append_house(vec![entry], now, Digest([7; 32]))
            .unwrap();
    }

    pub(crate) fn register(&mut self, id: &str, name: &str, country: &str) {
        let now = self.tick();
        let mut entry = Entry::new(Kind::PartyRegistered, now);
        entry.act = Act::House(HouseRecord::PartyRegistered {
            id: id.to_owned(),
            name: name.to_owned(),
            category: String::new(),
            country: country.to_owned(),
        });
        self.ledger
            .append_house(vec![entry], now, Digest([7; 32]))
            .unwrap();
        self.registrations.push(Registration {
            id: id.to_owned(),
            name: name.to_owned(),
            country: country.to_owned(),
            recorded_ns: now,
        });
    }
}

/// The message as Kafka would have given it.
fn message(draft: &Draft) -> Vec<u8> {
    let header = |name: &str, value: &str| SealedHeader {
        name: name.to_owned(),
        value: Some(value.as_bytes().to_vec()),
    };
    let message = SealedMessage {
        key: Some(draft.ids[0].clone().into_bytes()),
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", &draft.event_id),
            header("ce_source", SOURCE),
            header("ce_type", &format!("custody.{}.v1", draft.kind.name())),
            header("ce_time", "2025-01-01T00:00:00Z"),
            header("content-type", "application/json"),
        ],
        payload: draft
            .data
            .clone()
            .unwrap_or_else(|| {
                let parents = draft.parents.iter();
                let parents: Vec<String> = parents
                    .map(|id| format!(r#"{{"source": "{SOURCE}", "id": "{id}"}}"#))
                    .collect();
                format!(
                    r#"{{"subject": {{"ids": ["{}"]}}, "derived_from": [{}], "note": "said by phone"}}"#,
                    draft.ids[0],
                    parents.join(", ")
                )
            })
            .into_bytes(),
    };
    message.to_bytes()
}
