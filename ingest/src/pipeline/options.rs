//! How the pipeline is set up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use custody_ledger::EntryRef;
use custody_policy::{Ruleset, Settings, Tag, VerifyingKey, Waivers};
use regex::Regex;

use super::waivers::SharedWaivers;
use crate::DecodeLimits;
use crate::erase::EraseOptions;
use crate::overdue::{Deadlines, Statutory};
use crate::state::to_policy;

/// Nanoseconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The machine's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// The most that [`DecodeLimits::max_message_bytes`] may be, in bytes: 1.5
/// MiB. What is sealed of a message and its public part must fit an entry of
/// the ledger.
pub const MAX_MESSAGE_BYTES: usize = 3 << 19;

/// How the pipeline is set up.
#[derive(Clone)]
pub struct PipelineOptions {
    /// Limits of one message. `max_message_bytes` beyond
    /// [`MAX_MESSAGE_BYTES`] is taken as that.
    pub limits: DecodeLimits,
    /// How long a block that is not full waits for more. Default 20 ms.
    pub linger: Duration,
    /// How much may be queued before whoever feeds is to hold back, in bytes
    /// over all shards. Default 64 MiB.
    pub max_queued_bytes: usize,
    /// Blocks of a shard that are on their way to the disk. Default 64.
    pub max_blocks_in_flight: usize,
    /// Who may say what. Empty: everybody everything.
    pub sources: SourceRules,
    /// States of persons that are kept in memory beside those of persons with
    /// events on their way. Default 100,000.
    pub cache_states: usize,
    /// What events are judged by. By default the policies that are built in.
    pub ruleset: Arc<Ruleset>,
    /// How many days after an account is closed data may be kept. By default
    /// the operator has not said.
    pub retention_days_after_account_closed: Option<u32>,
    /// The waivers in force. Those of the ledger are added on start and when
    /// they are written.
    pub waivers: SharedWaivers,
    /// The operator's keys, of which a waiver needs a signature. By default
    /// none, so that no waiver counts.
    pub waiver_keys: Vec<VerifyingKey>,
    /// Statutory deadlines. By default those of the policy room.
    pub deadlines: Arc<dyn Deadlines>,
    /// How persons are erased.
    pub erase: EraseOptions,
}

impl PipelineOptions {
    /// What the judge is told beside rules, event and state. `at` is where the
    /// event's entry stands, `parents` are tags of the events that its data came
    /// from.
    pub(crate) fn settings<'a>(
        &self,
        waivers: &'a Waivers,
        recorded_ns: i64,
        at: EntryRef,
        parents: &'a [Tag],
    ) -> Settings<'a> {
        Settings {
            retention_days_after_account_closed: self.retention_days_after_account_closed,
            waivers: (!waivers.is_empty()).then_some(waivers),
            recorded_ns,
            parents,
            entry: Some(to_policy(at)),
        }
    }
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            limits: DecodeLimits::default(),
            linger: Duration::from_millis(20),
            max_queued_bytes: 64 << 20,
            max_blocks_in_flight: 64,
            sources: SourceRules::default(),
            cache_states: 100_000,
            ruleset: Arc::new(Ruleset::builtin().clone()),
            retention_days_after_account_closed: None,
            waivers: SharedWaivers::default(),
            waiver_keys: Vec::new(),
            deadlines: Arc::new(Statutory::default()),
            erase: EraseOptions::default(),
        }
    }
}

/// Which CloudEvents `source` may use which topics.
#[derive(Clone, Default)]
pub struct SourceRules(BTreeMap<String, Regex>);

impl SourceRules {
    /// Rules from a table of `source` to a pattern that must match the whole
    /// name of the topic. A source that is not in a table with any rows may
    /// use none.
    ///
    /// # Errors
    /// The source whose pattern is no regular expression, and why.
    pub fn new(
        rules: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, (String, regex::Error)> {
        rules
            .into_iter()
            .map(
                |(source, pattern)| match Regex::new(&format!("^(?:{pattern})$")) {
                    Ok(regex) => Ok((source, regex)),
                    Err(error) => Err((source, error)),
                },
            )
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether `source` may use `topic`.
    pub fn allow(&self, source: &str, topic: &str) -> bool {
        self.0.is_empty() || self.0.get(source).is_some_and(|p| p.is_match(topic))
    }
}
