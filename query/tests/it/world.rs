//! A ledger, a vault and a read model, and hand-made blocks in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use custody_ledger::{
    Act, BlockBuilder, Digest, Entry, EntryRef, EventTag, Finding, HouseRecord, Judgement, Kind,
    Ledger, LedgerOptions, NotaryOptions, Outcome, PartyPart, ShardDescriptor, ShardId,
    SubjectReference,
};
use custody_proof::note::SigningKey;
use custody_query::{Ask, Deadline, LineageApi, QueryState, ReadModel, ReadModelOptions};
use custody_vault::{EntryContext, Vault, VaultOptions};
use parking_lot::Mutex;
use tempfile::TempDir;
use tonic::Status;

use crate::later::Later;
use crate::payload::{Said, message};

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
    /// The clauses that declare what was done.
    pub(crate) clauses: Vec<&'static str>,
    /// The policy version judged by.
    pub(crate) judged_policy: &'static str,
    pub(crate) jurisdiction: &'static str,
    pub(crate) late: bool,
    /// The event's data as JSON, instead of the usual.
    pub(crate) data: Option<String>,
    /// What belongs to the kind and is in the event's data only.
    pub(crate) said: Option<Said>,
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
            clauses: Vec::new(),
            judged_policy: "",
            jurisdiction: "",
            late: false,
            data: None,
            said: None,
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
    /// What it was made of, of an event and of a consultation.
    pub(crate) draft: Option<Arc<Draft>>,
}

/// A registration as a test knows it.
#[derive(Clone)]
pub(crate) struct Registration {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) category: String,
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
    /// What is said later of the facts, of so many of them.
    later: Mutex<(usize, Arc<Later>)>,
    directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Self::small())
    }

    fn small() -> LedgerOptions {
        LedgerOptions {
            segment_bytes: 64 << 10,
            ..LedgerOptions::default()
        }
    }

    /// One for a long history: the ledger cuts and keeps as it does by default.
    pub(crate) fn spacious() -> Self {
        Self::with(LedgerOptions::default())
    }

    /// One whose ledger signs.
    pub(crate) fn signed() -> Self {
        Self::with(LedgerOptions {
            notary: Some(NotaryOptions {
                interval: Duration::from_millis(5),
                ..NotaryOptions::new(signing_key())
            }),
            ..Self::small()
        })
    }

    fn with(options: LedgerOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
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
            later: Mutex::default(),
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

    pub(crate) fn later(&self) -> Arc<Later> {
        let mut later = self.later.lock();
        if later.0 != self.facts.len() {
            *later = (self.facts.len(), Arc::new(Later::of(&self.facts)));
        }
        Arc::clone(&later.1)
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
            draft: draft.cloned().map(Arc::new),
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
            clauses: draft.clauses.iter().map(|id| (*id).to_owned()).collect(),
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
        self.rejudge_all(vec![(of, judgement)]);
    }

    /// The same of several, in one block.
    pub(crate) fn rejudge_all(&mut self, judgements: Vec<(&Fact, Judgement)>) {
        let entries = judgements.into_iter().map(|(of, judgement)| {
            let record = HouseRecord::Rejudged {
                shard: of.shard,
                sequence: of.sequence,
                cause: EntryRef {
                    shard: of.shard,
                    sequence: 0,
                },
                judgement,
            };
            let mut entry = Entry::new(Kind::Rejudged, of.entry.event_time_ns);
            entry.subject = of.entry.subject;
            entry.act = Act::House(record);
            entry
        });
        let entries = entries.collect();
        self.house(entries);
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
        let mut entry = Entry::new(Kind::OverdueFound, due_ns);
        entry.subject = subject;
        entry.act = Act::House(record);
        self.house(vec![entry]);
    }

    fn house(&mut self, entries: Vec<Entry>) {
        let now = self.tick();
        let house = ShardDescriptor::house().id();
        let first = self.ledger.head(house).unwrap().size;
        for (sequence, entry) in (first..).zip(&entries) {
            self.remember(house, sequence, now, entry.clone(), None);
        }
        self.ledger
            .append_house(entries, now, Digest([7; 32]))
            .unwrap();
    }

    /// Remembers what others wrote into the house shard, from a height on.
    pub(crate) fn remember_house(&mut self, from_height: u64) {
        let house = ShardDescriptor::house().id();
        let heights = from_height..self.ledger.head(house).unwrap().blocks;
        for height in heights {
            let block = self.ledger.read_block(house, height).unwrap().unwrap();
            let recorded_ns = block.header.recorded_time_ns;
            for entry in block.entries() {
                let (sequence, entry) = entry.unwrap();
                self.remember(house, sequence, recorded_ns, entry, None);
            }
        }
    }

    pub(crate) fn register(&mut self, id: &str, name: &str, country: &str) {
        self.register_as(id, name, "", country);
    }

    pub(crate) fn register_as(&mut self, id: &str, name: &str, category: &str, country: &str) {
        let now = self.tick();
        let mut entry = Entry::new(Kind::PartyRegistered, now);
        entry.act = Act::House(HouseRecord::PartyRegistered {
            id: id.to_owned(),
            name: name.to_owned(),
            category: category.to_owned(),
            country: country.to_owned(),
        });
        self.ledger
            .append_house(vec![entry], now, Digest([7; 32]))
            .unwrap();
        self.registrations.push(Registration {
            id: id.to_owned(),
            name: name.to_owned(),
            category: category.to_owned(),
            country: country.to_owned(),
            recorded_ns: now,
        });
    }
}
