//! The ledger held against what the brokers have.

use std::collections::BTreeSet;
use std::io::{self, Write};

use custody_ingest::import::IMPORT_CLUSTER;
use custody_ingest::kafka::{BrokerTopics, Watermarks, broker_topics};
use custody_ledger::{ShardDescriptor, VerifyReport};
use serde::Serialize;

use crate::config::Config;
use crate::error::CommandError;
use crate::node::kafka_options;
use crate::output::{Look, Sheet, count};

/// What a shard is, seen from the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Everything is in the ledger.
    Level,
    /// The brokers hold what the ledger does not have yet.
    Behind,
    /// Another shard of the ledger stands for this partition now.
    Superseded,
    /// The brokers do not have the topic or partition any more.
    Gone,
    /// The shard is of another cluster.
    OtherCluster,
    /// The topic of this name is another one. A fault.
    OtherTopic,
    /// The ledger has offsets beyond the end of the partition. A fault.
    Beyond,
    /// The ledger has no shard for it.
    Unknown,
}

impl State {
    const fn is_fault(self) -> bool {
        matches!(self, Self::OtherTopic | Self::Beyond)
    }
}

/// A partition, as the ledger and as the brokers have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Partition {
    topic: String,
    partition: i32,
    /// Absent where the ledger does not know the partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u32>,
    state: State,
    /// Every offset below this one is accounted for in the ledger.
    recorded_to: Option<i64>,
    /// The first offset that the brokers still hold.
    broker_low: Option<i64>,
    /// The offset that the next message will have.
    broker_high: Option<i64>,
    /// Offsets that never came into the ledger.
    never_ingested: u64,
    /// Those of them that retention has removed: they cannot come any more.
    removed_by_retention: u64,
    /// Offsets that only the ledger has: retention has removed them.
    only_in_ledger: u64,
}

/// All partitions held against each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Comparison {
    ok: bool,
    cluster: String,
    partitions: Vec<Partition>,
}

/// Asks the brokers of `config` and compares.
///
/// # Errors
/// [`CommandError::Kafka`] where they do not answer, or none of the ledger's
/// shards is of their cluster, so that nothing could be compared.
pub(super) fn compare_with_brokers(
    config: &Config,
    report: &VerifyReport,
) -> Result<Comparison, CommandError> {
    let recorded: Vec<Recorded> = of_kafka(report);
    let known = recorded.iter().map(|(shard, _)| shard.topic.clone());
    let brokers = broker_topics(&kafka_options(config), &known.collect::<BTreeSet<_>>())
        .map_err(|error| CommandError::Kafka(error.to_string()))?;
    let comparison = Comparison::of(&recorded, &brokers);
    let states = || comparison.partitions.iter().map(|found| found.state);
    if states().any(|state| state == State::OtherCluster)
        && states().all(|state| matches!(state, State::OtherCluster | State::Unknown))
    {
        return Err(CommandError::Kafka(format!(
            "{} is cluster {}, which no shard of this ledger was read from",
            config.kafka.brokers, brokers.cluster_id
        )));
    }
    Ok(comparison)
}

/// A shard, and the offset below which everything is accounted for.
type Recorded = (ShardDescriptor, i64);

/// The shards that were read from Kafka, and up to where.
fn of_kafka(report: &VerifyReport) -> Vec<Recorded> {
    report
        .shards
        .iter()
        .filter(|shard| {
            !shard.descriptor.is_house() && shard.descriptor.cluster_id != IMPORT_CLUSTER
        })
        .map(|shard| {
            let next = shard.head.next_offset.unwrap_or(0);
            (shard.descriptor.clone(), next)
        })
        .collect()
}

impl Comparison {
    fn of(recorded: &[Recorded], brokers: &BrokerTopics) -> Self {
        let mut partitions: Vec<Partition> = recorded
            .iter()
            .map(|(shard, next)| {
                let superseded = recorded
                    .iter()
                    .any(|(other, _)| takes_over(other, shard, brokers));
                Partition::of(shard, *next, superseded, brokers)
            })
            .collect();
        let known: BTreeSet<(&str, i32)> = recorded
            .iter()
            .filter(|(shard, _)| shard.cluster_id == brokers.cluster_id)
            .map(|(shard, _)| (shard.topic.as_str(), shard.partition))
            .collect();
        for (name, topic) in brokers.topics.iter().filter(|(_, topic)| topic.followed) {
            for (number, marks) in &topic.partitions {
                if !known.contains(&(name.as_str(), *number)) {
                    partitions.push(Partition::unknown(name, *number, *marks));
                }
            }
        }
        partitions.sort_by(|a, b| {
            (&a.topic, a.partition, a.epoch).cmp(&(&b.topic, b.partition, b.epoch))
        });
        Self {
            ok: !partitions.iter().any(|found| found.state.is_fault()),
            cluster: brokers.cluster_id.clone(),
            partitions,
        }
    }

    /// Whether the ledger has nothing that the brokers contradict.
    pub(super) fn ok(&self) -> bool {
        self.ok
    }

    /// Writes it for people.
    pub(super) fn write(&self, out: &mut dyn Write, look: Look) -> io::Result<()> {
        writeln!(out, "\nHeld against Kafka, cluster {}:\n", self.cluster)?;
        self.sheet().write_table(out, look)?;
        writeln!(out)?;
        for found in &self.partitions {
            if let Some(problem) = found.problem() {
                writeln!(out, "FAULT {}/{}: {problem}", found.topic, found.partition)?;
            }
        }
        let total = |field: fn(&Partition) -> u64| self.partitions.iter().map(field).sum::<u64>();
        let never = total(|found| found.never_ingested);
        let removed = total(|found| found.removed_by_retention);
        match (self.ok, never) {
            (true, 0) => writeln!(out, "The ledger has everything that Kafka has."),
            (true, _) => writeln!(
                out,
                "The ledger is behind by {}{}.",
                count(never),
                lost(removed)
            ),
            (false, _) => {
                let faults = self.partitions.iter().filter(|f| f.state.is_fault());
                writeln!(
                    out,
                    "Kafka contradicts the ledger in {} of {} partitions.",
                    faults.count(),
                    self.partitions.len()
                )
            }
        }
    }

    pub(super) fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "Partition",
            "Epoch",
            "Recorded to",
            "Kafka from",
            "Kafka to",
            "Behind",
            "Removed unread",
            "State",
        ]);
        for column in 1..=6 {
            sheet = sheet.number(column);
        }
        for found in &self.partitions {
            let offset = |offset: Option<i64>| offset.map(|n| n.to_string()).unwrap_or_default();
            sheet.push([
                format!("{}/{}", found.topic, found.partition),
                found.epoch.map(|n| n.to_string()).unwrap_or_default(),
                offset(found.recorded_to),
                offset(found.broker_low),
                offset(found.broker_high),
                count(found.never_ingested),
                count(found.removed_by_retention),
                found.state.words().to_owned(),
            ]);
        }
        sheet
    }
}

fn lost(removed: u64) -> String {
    match removed {
        0 => String::new(),
        _ => format!(
            ", of which {} cannot come any more: retention has removed them",
            count(removed)
        ),
    }
}

impl State {
    const fn words(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Behind => "behind",
            Self::Superseded => "superseded by a later shard",
            Self::Gone => "no longer at the brokers",
            Self::OtherCluster => "of another cluster",
            Self::OtherTopic => "ANOTHER TOPIC of this name",
            Self::Beyond => "BEYOND the end of the partition",
            Self::Unknown => "not in the ledger",
        }
    }
}

/// Whether `other` is the shard that stands for the partition of `shard` now:
/// of the topic id that the brokers tell, or of a later epoch.
fn takes_over(other: &ShardDescriptor, shard: &ShardDescriptor, brokers: &BrokerTopics) -> bool {
    let same_place = (&other.cluster_id, &other.topic, other.partition)
        == (&shard.cluster_id, &shard.topic, shard.partition);
    let id = brokers
        .topics
        .get(&shard.topic)
        .and_then(|topic| topic.id.as_deref());
    let is_present = |one: &ShardDescriptor| id.is_none_or(|id| id == one.topic_id);
    same_place && is_present(other) && (!is_present(shard) || other.epoch > shard.epoch)
}

impl Partition {
    fn of(shard: &ShardDescriptor, next: i64, superseded: bool, brokers: &BrokerTopics) -> Self {
        let topic = brokers.topics.get(&shard.topic);
        let marks = topic.and_then(|topic| topic.partitions.get(&shard.partition));
        let id = topic.and_then(|topic| topic.id.as_deref());
        let state = match marks {
            _ if shard.cluster_id != brokers.cluster_id => State::OtherCluster,
            _ if superseded => State::Superseded,
            None => State::Gone,
            // A ledger written without topic ids cannot tell.
            _ if !shard.topic_id.is_empty() && id.is_some_and(|id| id != shard.topic_id) => {
                State::OtherTopic
            }
            Some(marks) if next > marks.high => State::Beyond,
            Some(marks) if next < marks.high => State::Behind,
            Some(_) => State::Level,
        };
        let compared = matches!(state, State::Level | State::Behind | State::Beyond);
        let marks = marks.filter(|_| compared);
        let between = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or(0);
        Self {
            topic: shard.topic.clone(),
            partition: shard.partition,
            epoch: Some(shard.epoch),
            state,
            recorded_to: Some(next),
            broker_low: marks.map(|marks| marks.low),
            broker_high: marks.map(|marks| marks.high),
            never_ingested: marks.map_or(0, |marks| between(next, marks.high)),
            removed_by_retention: marks.map_or(0, |marks| between(next, marks.low)),
            only_in_ledger: marks.map_or(0, |marks| between(0, next.min(marks.low))),
        }
    }

    fn unknown(topic: &str, partition: i32, marks: Watermarks) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
            epoch: None,
            state: State::Unknown,
            recorded_to: None,
            broker_low: Some(marks.low),
            broker_high: Some(marks.high),
            never_ingested: u64::try_from(marks.high).unwrap_or(0),
            removed_by_retention: u64::try_from(marks.low).unwrap_or(0),
            only_in_ledger: 0,
        }
    }

    /// What is wrong, where something is.
    fn problem(&self) -> Option<String> {
        match self.state {
            State::Beyond => Some(format!(
                "the ledger is recorded to offset {}, and Kafka's log ends at {}: it was truncated \
                 or made again",
                self.recorded_to.unwrap_or_default(),
                self.broker_high.unwrap_or_default()
            )),
            State::OtherTopic => Some(
                "the topic of this name has another id: it was deleted and made again, and the \
                 ledger knows only the old one"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
