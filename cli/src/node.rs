//! A running node: stores, read model, pipeline and Kafka, started and stopped
//! in order.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use custody_ingest::DecodeLimits;
use custody_ingest::erase::EraseOptions;
use custody_ingest::kafka::{KafkaDeadLetters, KafkaOptions, KafkaSource};
use custody_ingest::pipeline::{
    DeadLetters, Pipeline, PipelineOptions, PipelineParts, SourceRules, system_clock,
};
use custody_ledger::{Digest, Ledger};
use custody_policy::Ruleset;
use custody_query::{
    ConsultationWriter, Consultations, ErasingOptions, Follower, Following, QueryState, ReadModel,
};

use crate::admin::{Check, Readiness};
use crate::config::Config;
use crate::custodian::Steward;
use crate::data_dir::DataDir;
use crate::error::CommandError;
use crate::overdue::Overdue;
use crate::ruleset;
use crate::witness::{Post, Standing, Witnesses};

/// A read model that is behind by more entries than this is not ready.
const READY_WITHIN_ENTRIES: u64 = 10_000;

/// How long after the start a node without partitions is not ready. After
/// that it answers from what it has: Kafka may be down for long.
const KAFKA_WITHIN: Duration = Duration::from_secs(30);

/// Stores, read model, pipeline and Kafka.
pub struct Node {
    data: DataDir,
    read_model: ReadModel,
    follower: Follower,
    pipeline: Arc<Pipeline>,
    kafka: Arc<KafkaSource>,
    overdue: Overdue,
    witnesses: Option<Witnesses>,
    consultations: Option<(Consultations, ConsultationWriter)>,
    rules: &'static Ruleset,
    erasing: ErasingOptions,
}

impl Node {
    /// Opens the data directory, follows the ledger, and reads from Kafka.
    /// Brokers that do not answer are tried for as long as it takes.
    ///
    /// # Errors
    /// [`CommandError`] where a policy pack is wrong, a store cannot be opened
    /// or the settings for Kafka are wrong.
    pub fn start(config: &Config) -> Result<Self, CommandError> {
        let kafka_error = |error: &dyn std::error::Error| CommandError::Kafka(error.to_string());
        let rules = ruleset::in_force(config)?;
        let post = Post::default();
        let data = DataDir::open_signing(config, Some(post.on_signed()))?;
        let read_model = data.read_model()?;
        let follower = read_model
            .follow(&data.ledger)
            .map_err(CommandError::store("the read model", data.path()))?;
        let options = kafka_options(config);
        let dead_letters = KafkaDeadLetters::new(&options).map_err(|error| kafka_error(&error))?;
        let pipeline = Arc::new(pipeline(config, &data, rules, Arc::new(dead_letters))?);
        let kafka = KafkaSource::start(options, Arc::clone(&pipeline))
            .map_err(|error| kafka_error(&error))?;
        let overdue = Overdue::start(&config.kafka, &pipeline, data.ledger.clone())?;
        let witnesses = Witnesses::start(&config.witness, data.path(), post, data.ledger.clone())?;
        let consultations = config.consultations.options(Digest(rules.digest()));
        let consultations = consultations
            .map(|options| {
                ConsultationWriter::start(data.ledger.clone(), data.vault.clone(), options)
            })
            .transpose()?;
        Ok(Self {
            data,
            read_model,
            follower,
            pipeline,
            kafka: Arc::new(kafka),
            overdue,
            witnesses,
            consultations,
            rules,
            erasing: erasing(config),
        })
    }

    /// What answers are made from.
    pub fn query_state(&self) -> QueryState {
        let state = QueryState::new(
            self.data.ledger.clone(),
            self.data.vault.clone(),
            self.read_model.clone(),
        )
        .with_rules(self.rules)
        .with_erasing(self.erasing)
        .with_custodian(Arc::new(Steward::new(Arc::clone(
            self.pipeline.registrar(),
        ))));
        match &self.consultations {
            Some((kept, _)) => state.with_consultations(kept.clone()),
            None => state,
        }
    }

    /// Looks at once for duties whose deadline has passed at `now_ns`,
    /// nanoseconds since 1970 UTC, instead of within the minute. Returns how many
    /// are new. What Kafka holds must have been read: it may be the answer.
    ///
    /// # Errors
    /// [`CommandError::Stopped`] where the pipeline has failed.
    pub fn check_overdue(&self, now_ns: i64) -> Result<usize, CommandError> {
        self.pipeline
            .check_overdue(now_ns)
            .map_err(|error| CommandError::Stopped {
                what: "looking for overdue duties",
                reason: error.to_string(),
            })
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.data.ledger
    }

    /// What looks whether the node is well.
    pub fn health(&self) -> Health {
        Health {
            pipeline: Arc::clone(&self.pipeline),
            ledger: self.data.ledger.clone(),
            read_model: self.read_model.clone(),
            kafka: Arc::downgrade(&self.kafka),
            witnesses: self.witnesses.as_ref().map(Witnesses::standing),
            started: Instant::now(),
        }
    }

    /// Stops fetching, works off what was fetched, makes it durable and sets
    /// the group's offsets. The ledger stays open for those who ask.
    ///
    /// The second of the pair is [`CommandError::Stopped`] where the pipeline
    /// had failed.
    pub fn drain(self, deadline: Duration) -> (Drained, Result<(), CommandError>) {
        self.kafka.stop();
        self.overdue.stop();
        let stopped = self
            .pipeline
            .stop(deadline)
            .map_err(|error| CommandError::Stopped {
                what: "ingest",
                reason: error.to_string(),
            });
        // Health holds it weakly, and for a moment at a time.
        if let Some(kafka) = Arc::into_inner(self.kafka) {
            kafka.finish(&self.data.ledger);
        }
        let drained = Drained {
            data: self.data,
            follower: self.follower,
            witnesses: self.witnesses,
            consultations: self.consultations.map(|(_, writer)| writer),
        };
        (drained, stopped)
    }
}

/// A node that takes nothing in any more.
pub struct Drained {
    data: DataDir,
    follower: Follower,
    witnesses: Option<Witnesses>,
    consultations: Option<ConsultationWriter>,
}

impl Drained {
    /// Closes the stores. Whoever asks must have been told to stop.
    ///
    /// # Errors
    /// [`CommandError::Store`].
    pub fn close(self) -> Result<(), CommandError> {
        // Questions were answered until now; what they leave is the last that
        // the ledger takes.
        if let Some(writer) = self.consultations {
            writer.stop();
        }
        self.follower.stop();
        if let Some(witnesses) = self.witnesses {
            witnesses.stop();
        }
        self.data.close()
    }
}

/// Looks whether a node is well.
#[derive(Clone)]
pub struct Health {
    pipeline: Arc<Pipeline>,
    ledger: Ledger,
    read_model: ReadModel,
    kafka: Weak<KafkaSource>,
    witnesses: Option<Standing>,
    started: Instant,
}

impl Health {
    /// Why the node cannot go on, where it cannot.
    pub fn failure(&self) -> Option<String> {
        self.pipeline.failure().or_else(|| self.ledger.poisoned())
    }

    /// Whether it can be sent work.
    pub fn readiness(&self) -> Readiness {
        let mut checks = vec![self.kafka(), self.ledger(), self.read_model()];
        checks.extend(self.witnesses());
        Readiness::of(checks)
    }

    /// A node without its witnesses is degraded: it takes entries in and
    /// answers.
    fn witnesses(&self) -> Option<Check> {
        let (ok, detail) = self.witnesses.as_ref()?.check(Instant::now());
        Some(Check {
            name: "witnesses",
            ok,
            required: false,
            detail,
        })
    }

    fn kafka(&self) -> Check {
        let (partitions, stopped) = self
            .kafka
            .upgrade()
            .map(|kafka| (kafka.partitions(), kafka.stopped()))
            .unwrap_or_default();
        let mut detail = match partitions {
            0 => "no partition is read: no broker has answered, or no topic matches".to_owned(),
            number => format!("{number} partitions are read"),
        };
        for (place, reason) in stopped {
            detail.push_str(&format!("; {place} stopped: {reason}"));
        }
        Check {
            name: "kafka",
            ok: partitions > 0,
            required: self.started.elapsed() < KAFKA_WITHIN,
            detail,
        }
    }

    fn ledger(&self) -> Check {
        let failure = self.failure();
        Check {
            name: "ledger",
            ok: failure.is_none(),
            required: true,
            detail: failure.unwrap_or_else(|| "takes entries".to_owned()),
        }
    }

    fn read_model(&self) -> Check {
        let visible = self.read_model.visible();
        let shards = self.ledger.shards();
        let in_ledger: u64 = shards.iter().map(|(_, head)| head.size).sum();
        let behind = in_ledger.saturating_sub(visible.entries());
        let (ok, detail) = match &visible.following {
            Following::Failed(reason) => (false, format!("stopped: {reason}")),
            Following::CatchingUp => (false, format!("catching up, {behind} entries behind")),
            Following::Live => (
                behind <= READY_WITHIN_ENTRIES,
                format!("{behind} entries behind"),
            ),
        };
        Check {
            name: "read_model",
            ok,
            required: true,
            detail,
        }
    }
}

/// A pipeline into an open data directory.
///
/// # Errors
/// [`CommandError::Store`].
pub fn pipeline(
    config: &Config,
    data: &DataDir,
    rules: &Ruleset,
    dead_letters: Arc<dyn DeadLetters>,
) -> Result<Pipeline, CommandError> {
    let clock = system_clock();
    let duplicates = data.duplicates(config.ingest.duplicates_window_days, clock())?;
    let options = pipeline_options(config, rules)?;
    Pipeline::start(PipelineParts {
        ledger: data.ledger.clone(),
        vault: data.vault.clone(),
        state_dir: data.state_dir(),
        duplicates,
        dead_letters,
        clock,
        options,
    })
    .map_err(CommandError::store("the stores", data.path()))
}

/// How the operator wants persons erased.
pub(crate) fn erasing(config: &Config) -> ErasingOptions {
    ErasingOptions {
        mark: config.erasure.mark,
        escrow_max_age_days: config.erasure.escrow_max_age_days,
    }
}

/// How events are taken in and persons erased.
pub(crate) fn pipeline_options(
    config: &Config,
    rules: &Ruleset,
) -> Result<PipelineOptions, CommandError> {
    // Several patterns of one source are one pattern with alternatives.
    let patterns = config.ingest.sources.iter().map(|(source, topics)| {
        let any: Vec<String> = topics.iter().map(|topic| format!("(?:{topic})")).collect();
        (source.clone(), any.join("|"))
    });
    let sources = SourceRules::new(patterns).map_err(|(source, error)| {
        CommandError::Usage(format!("ingest.sources: `{source}`: {error}"))
    })?;
    let waiver_keys = config.policy.verifying_keys().map_err(|(number, error)| {
        CommandError::Usage(format!("policy.waiver_keys: key {number}: {error}"))
    })?;
    Ok(PipelineOptions {
        limits: DecodeLimits {
            max_message_bytes: config.kafka.max_message_bytes,
            ..DecodeLimits::default()
        },
        linger: Duration::from_millis(config.ingest.linger_ms),
        max_queued_bytes: config.ingest.queue_bytes,
        max_blocks_in_flight: config.ingest.blocks_in_flight,
        sources,
        ruleset: Arc::new(rules.clone()),
        retention_days_after_account_closed: config.policy.retention_days_after_account_closed,
        waiver_keys,
        erase: EraseOptions {
            register: Some(config.register_path()),
            fence_timeout: Duration::from_secs(config.erasure.fence_timeout_s),
            ..EraseOptions::default()
        },
        ..PipelineOptions::default()
    })
}

/// How Kafka is reached.
pub(crate) fn kafka_options(config: &Config) -> KafkaOptions {
    let kafka = &config.kafka;
    let options = KafkaOptions::new(kafka.brokers.clone(), kafka.topics.clone());
    KafkaOptions {
        group: kafka.group.clone(),
        dead_letter_suffix: kafka.dead_letter_suffix.clone(),
        properties: kafka.properties.0.clone(),
        epochs: kafka.epochs.clone(),
        topic_ids: kafka.topic_ids,
        refresh: Duration::from_secs(kafka.topic_refresh_s),
        fetch_max_bytes: options.fetch_max_bytes.max(2 * kafka.max_message_bytes),
        ..options
    }
}
