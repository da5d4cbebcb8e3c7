//! Tests of what is not public.

mod corpus;
mod flips;
mod forge;
mod golden;
mod hostile;
mod house;
mod segment;
mod tamper;

use crate::block::{BlockBuilder, BuiltBlock, GapCause};
use crate::entry::{
    AbandonedHead, Act, Entry, EntryRef, Finding, HouseRecord, Judgement, Kind, PartyPart,
    SurvivingHead,
};
use crate::id::{Digest, EventTag, LedgerId, ShardId, SubjectReference};
use crate::shard::{Head, ShardDescriptor};

pub(crate) const LEDGER: LedgerId = LedgerId([0x1e; 16]);
pub(crate) const RULESET: Digest = Digest([0x5e; 32]);
pub(crate) const TIME: i64 = 1_700_000_000_000_000_000;

pub(crate) fn kafka_shard() -> ShardDescriptor {
    ShardDescriptor {
        cluster_id: "cluster-1".to_owned(),
        topic: "privacy-events".to_owned(),
        topic_id: "oRGGq3EkQ0mXRFXsCOTjfg".to_owned(),
        partition: 7,
        epoch: 2,
    }
}

pub(crate) fn disclosure(offset: i64) -> Entry {
    let mut entry = Entry::new(Kind::Disclosure, TIME);
    entry.offset = Some(offset);
    entry.kafka_time_ms = Some(1_700_000_000_123);
    entry.subject = Some(SubjectReference([0x0a; 16]));
    entry.event_tag = Some(EventTag([0x0b; 16]));
    entry.parent_tags = vec![EventTag([0x0c; 16])];
    entry.service = "alibaba.com".to_owned();
    entry.controller = "alibaba-com-singapore".to_owned();
    entry.acting_as = 1;
    entry.purposes = vec!["custody:purchase_delivery".to_owned()];
    entry.categories = vec!["custody:contact".to_owned(), "custody:account".to_owned()];
    entry.legal_basis = "eu-gdpr:A6-1-b".to_owned();
    entry.jurisdiction = "DE".to_owned();
    entry.role = 1;
    entry.location = "SG".to_owned();
    entry.act = Act::Disclosure {
        recipient: PartyPart {
            id: "dhl".to_owned(),
            category: "custody:logistics".to_owned(),
            country: "DE".to_owned(),
            person: false,
        },
        means: 1,
        sale: false,
        safeguard: String::new(),
    };
    entry.judgement = Judgement {
        outcome_code: 3,
        policy: "ALB-2025".to_owned(),
        clauses: vec!["c-1".to_owned()],
        findings: vec![Finding {
            code: "undeclared_recipient".to_owned(),
            clauses: vec!["c-2".to_owned()],
            arguments: vec!["dhl".to_owned()],
            suppressed: false,
            decided_by: Vec::new(),
            waiver: String::new(),
        }],
        late: false,
    };
    entry.sealed = (0..64).collect();
    entry
}

pub(crate) fn house_entry() -> Entry {
    let mut entry = Entry::new(Kind::OffsetsLost, TIME);
    entry.act = Act::House(HouseRecord::OffsetsLost {
        shard: ShardId([0x0d; 16]),
        first: 3,
        last: 8,
    });
    entry
}

/// An entry with everything that version 1 did not have.
pub(crate) fn judged_late(offset: i64) -> Entry {
    let mut entry = disclosure(offset);
    entry.judgement.late = true;
    entry.judgement.findings[0].suppressed = true;
    entry.judgement.findings[0].decided_by = vec![EntryRef {
        shard: ShardId([0x0d; 16]),
        sequence: 77,
    }];
    entry.judgement.findings[0].waiver = "w-1".to_owned();
    entry
}

/// One of each house record that came with version 2.
pub(crate) fn new_house_entries() -> [Entry; 6] {
    let of = EntryRef {
        shard: ShardId([0x0d; 16]),
        sequence: 5,
    };
    let records = [
        (
            Kind::Rejudged,
            HouseRecord::Rejudged {
                shard: of.shard,
                sequence: of.sequence,
                cause: EntryRef { sequence: 9, ..of },
                judgement: judged_late(0).judgement,
            },
        ),
        (
            Kind::WaiverGiven,
            HouseRecord::WaiverGiven {
                id: "w-1".to_owned(),
                note: "custody waiver v1\n".to_owned(),
            },
        ),
        (
            Kind::WaiverRevoked,
            HouseRecord::WaiverRevoked {
                id: "w-1".to_owned(),
                note: "custody waiver revoked v1\n".to_owned(),
            },
        ),
        (
            Kind::OverdueFound,
            HouseRecord::OverdueFound {
                code: "response_overdue".to_owned(),
                of,
                clauses: vec!["ALB-2025.081".to_owned()],
                due_ns: TIME + 1,
                source: "eu-gdpr:A12-3".to_owned(),
            },
        ),
        (
            Kind::RulesetAdopted,
            HouseRecord::RulesetAdopted {
                digest: RULESET,
                judge_version: 2,
                packs: vec![("ALB-2025".to_owned(), Digest([0x77; 32]))],
                vocabulary: Digest([0x88; 32]),
            },
        ),
        (
            Kind::ShardResumed,
            HouseRecord::ShardResumed {
                shard: of.shard,
                epoch: 3,
                abandoned: AbandonedHead {
                    size: 12,
                    root: Digest([0x91; 32]),
                    blocks: 4,
                    chain_head: Digest([0x92; 32]),
                    block_digest: Digest([0x93; 32]),
                },
                surviving: SurvivingHead { size: 7, blocks: 2 },
            },
        ),
    ];
    records.map(|(kind, record)| {
        let mut entry = Entry::new(kind, TIME);
        if matches!(kind, Kind::Rejudged | Kind::OverdueFound) {
            entry.subject = Some(SubjectReference([0x0a; 16]));
        }
        entry.act = Act::House(record);
        entry
    })
}

pub(crate) fn origin() -> Head {
    kafka_shard().origin(LEDGER)
}

/// Three blocks: entries and everything else, no entry at all, one entry.
pub(crate) fn blocks() -> Vec<BuiltBlock> {
    let mut blocks = Vec::new();
    let mut builder = BlockBuilder::new(LEDGER, &origin());
    builder.gap(0, 9, GapCause::LostToRetention).unwrap();
    builder.push(&disclosure(10)).unwrap();
    builder.duplicate(11).unwrap();
    builder.gap(12, 12, GapCause::ControlOrCompacted).unwrap();
    builder.rejected(13).unwrap();
    builder.push(&disclosure(14)).unwrap();
    blocks.push(builder.finish(TIME, RULESET).unwrap());

    let mut builder = BlockBuilder::new(LEDGER, &blocks[0].head_after);
    builder.rejected(15).unwrap();
    builder.gap(16, 19, GapCause::Unknown).unwrap();
    // The clock went back.
    blocks.push(builder.finish(TIME - 1, RULESET).unwrap());

    let mut builder = BlockBuilder::new(LEDGER, &blocks[1].head_after);
    builder.push(&disclosure(20)).unwrap();
    blocks.push(builder.finish(TIME + 1, RULESET).unwrap());
    blocks
}

pub(crate) fn house_block() -> BuiltBlock {
    let head = ShardDescriptor::house().origin(LEDGER);
    let mut builder = BlockBuilder::new(LEDGER, &head);
    builder.push(&house_entry()).unwrap();
    builder.finish(TIME, RULESET).unwrap()
}

/// The blocks of [`blocks`] in a segment.
pub(crate) fn segment_header() -> crate::segment::Header {
    crate::segment::Header {
        ledger: LEDGER,
        descriptor: kafka_shard(),
        before: origin(),
        after: blocks()[2].head_after,
    }
}

/// The bytes of a segment file.
pub(crate) fn segment(compression: crate::Compression) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segment");
    let mut writer = crate::segment::Writer::create(&path, &segment_header(), compression).unwrap();
    for block in blocks() {
        writer.push(&block.bytes).unwrap();
    }
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

pub(crate) fn manifest() -> crate::segment::Manifest {
    let header = segment_header();
    let house = ShardDescriptor::house();
    let segments = vec![crate::segment::SegmentInfo {
        first_height: 0,
        blocks: 3,
        first_sequence: 0,
        entries: 3,
        length: 4711,
        digest: Digest([0x3c; 32]),
    }];
    let sealed = crate::segment::SealedShard {
        descriptor: header.descriptor,
        head: header.after,
        segments,
    };
    let nothing_sealed = crate::segment::SealedShard {
        head: house.origin(LEDGER),
        descriptor: house,
        segments: Vec::new(),
    };
    crate::segment::Manifest {
        generation: 9,
        ledger: LEDGER,
        next_database: 5,
        databases: vec![
            crate::segment::DatabaseInfo {
                generation: 3,
                first: [(header.after.shard, 3)].into(),
            },
            crate::segment::DatabaseInfo {
                generation: 4,
                first: [(header.after.shard, 7), (nothing_sealed.head.shard, 0)].into(),
            },
        ],
        shards: [sealed, nothing_sealed]
            .map(|sealed| (sealed.head.shard, sealed))
            .into(),
    }
}
