//! What an operator sets: one TOML file, the environment, flags.
//!
//! Later layers win: defaults, then the file, then `CUSTODY_*` variables, then
//! flags. Every key is known by name; one that is not is an error that says
//! where it stands.

mod erasure;
mod consultations;
mod layers;
mod ledger;
mod show;
mod validate;

pub use erasure::Erasure;
pub use consultations::{Consultations, Keeping, Watch};
pub use ledger::{Backup, Ledger, Signing, Witness, WitnessAt};

pub use layers::{ConfigError, Flag, Loaded, Origin};
pub use show::{EXAMPLE, to_json, to_toml};

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use custody_ingest::erase::register;
use custody_policy::{KeyError, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::ruleset::PackSources;

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the ledger, the vault and the derived stores live. Default `data`.
    pub data_dir: PathBuf,
    /// The vault's root key file. Empty: beside the data directory, under its
    /// name with `.root.key` behind it.
    pub root_key: PathBuf,
    /// How long a stop may take, in seconds. Default 30.
    pub shutdown_deadline_s: u64,
    /// What is read, and from where.
    pub kafka: Kafka,
    /// How persons are told apart.
    pub identity: Identity,
    /// How persons are erased.
    pub erasure: Erasure,
    /// How events are taken in.
    pub ingest: Ingest,
    /// What events are judged by.
    pub policy: Policy,
    /// How the ledger is kept.
    pub ledger: Ledger,
    /// What checkpoints are signed with.
    pub signing: Signing,
    /// Who cosigns checkpoints.
    pub witness: Witness,
    /// Where backups of a running node go.
    pub backup: Backup,
    /// What is written down of who looked.
    pub consultations: Consultations,
    /// Who may watch.
    pub watch: Watch,
    /// Where Custody listens.
    pub listen: Listen,
    /// What is logged, and how.
    pub log: Log,
}

/// What is read from Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// Bootstrap brokers, `host:port` with commas. Default `localhost:9092`.
    pub brokers: String,
    /// A regular expression that a topic's whole name matches.
    /// Default `custody\.events(\..*)?`.
    pub topics: String,
    /// The consumer group that progress is reported under. Custody itself
    /// goes on from the ledger, never from here. Default `custody`.
    pub group: String,
    /// A topic's dead letters go to the topic of its name and this suffix.
    /// Default `.dlq`.
    pub dead_letter_suffix: String,
    /// The largest message that is taken in, in bytes; a larger one is a dead
    /// letter. Default 1 MiB.
    pub max_message_bytes: usize,
    /// How often new topics and partitions are looked for, in seconds.
    /// Default 10.
    pub topic_refresh_s: u64,
    /// Whether the brokers tell topic ids, by which a topic that was made again
    /// is noticed (Kafka 2.8 and later). Default true.
    pub topic_ids: bool,
    /// The epoch of a topic, where an operator opened a new one. Others: 0.
    pub epochs: BTreeMap<String, u32>,
    /// Further librdkafka properties, such as those for TLS and SASL.
    pub properties: KafkaProperties,
}

/// librdkafka properties. Some are secrets: `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KafkaProperties(pub BTreeMap<String, String>);

impl KafkaProperties {
    /// Whether a property's value must not be shown.
    pub fn is_secret(name: &str) -> bool {
        [
            "password",
            "secret",
            "pem",
            "key",
            "token",
            "jaas",
            "oauthbearer.config",
        ]
        .iter()
        .any(|word| name.contains(word))
            && !name.ends_with(".location")
    }
}

impl fmt::Debug for KafkaProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// How persons are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// Identifier schemes that name one person only, so that two events with
    /// the same one are about the same person. Default `account`, `member`.
    pub unique_schemes: Vec<String>,
}

/// How events are taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ingest {
    /// How long a block that is not full waits for more events, in
    /// milliseconds. Default 20.
    pub linger_ms: u64,
    /// What may be queued before fetching pauses, in bytes. Default 64 MiB.
    pub queue_bytes: usize,
    /// Blocks of one shard that are on their way to the disk at most.
    /// Default 64.
    pub blocks_in_flight: usize,
    /// How long the same `source` and `id` count as the same event, in days.
    /// Default 7.
    pub duplicates_window_days: u32,
    /// Who may say what: a CloudEvents `source` and the topics that it may
    /// use, as patterns of whole names. Empty, the default: anybody anything.
    pub sources: BTreeMap<String, Vec<String>>,
}

/// What events are judged by, beside the five packs that are built in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Further packs: files, and directories of which each `*.toml` is taken.
    /// One with the id of another takes its place.
    pub packs: Vec<PathBuf>,
    /// How many days after an account is closed its data may be used. Absent,
    /// the default: no period is set, and none is exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days_after_account_closed: Option<u32>,
    /// Who may sign waivers: verifying keys, `name+hash+base64`. Empty, the
    /// default: nobody.
    pub waiver_keys: Vec<String>,
}

impl Policy {
    /// Where the packs come from.
    pub fn sources(&self) -> PackSources {
        PackSources {
            files: self.packs.clone(),
            no_builtin: false,
        }
    }

    /// The keys that verify waivers.
    ///
    /// # Errors
    /// What is wrong with which of them, from 1.
    pub fn verifying_keys(&self) -> Result<Vec<VerifyingKey>, (usize, KeyError)> {
        let keys = self.waiver_keys.iter().enumerate();
        keys.map(|(index, key)| key.trim().parse().map_err(|error| (index + 1, error)))
            .collect()
    }
}

/// Where Custody listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// gRPC. Default 127.0.0.1:7461.
    pub grpc: SocketAddr,
    /// Health, readiness and metrics over HTTP. Default 127.0.0.1:7462.
    pub admin: SocketAddr,
    /// The public log over HTTP: checkpoints and tiles, digests only.
    /// Default 127.0.0.1:7463.
    pub log: SocketAddr,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives as in
    /// `RUST_LOG`. Default `info`.
    pub level: String,
    /// Default `auto`.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `pretty` on a terminal, `json` elsewhere.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The name used in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }
}

impl Config {
    /// The vault's root key file. Not in the data directory: whoever keeps
    /// copies of that directory must not keep the keys with them that an
    /// erasure destroys. One that lies there from before goes on being used.
    pub fn root_key_path(&self) -> PathBuf {
        if !self.root_key.as_os_str().is_empty() {
            return self.root_key.clone();
        }
        let inside = self.data_dir.join("root.key");
        match self.data_dir.file_name() {
            Some(name) if !inside.exists() => {
                let mut name = name.to_owned();
                name.push(".root.key");
                self.data_dir.with_file_name(name)
            }
            _ => inside,
        }
    }

    /// The register of erasures.
    pub fn register_path(&self) -> PathBuf {
        if self.erasure.register.as_os_str().is_empty() {
            register::path_beside(&self.root_key_path())
        } else {
            self.erasure.register.clone()
        }
    }

    /// The file of the keys that sign checkpoints.
    pub fn signing_key_path(&self) -> PathBuf {
        if self.signing.key.as_os_str().is_empty() {
            self.data_dir.join("signing.key")
        } else {
            self.signing.key.clone()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            root_key: PathBuf::new(),
            shutdown_deadline_s: 30,
            kafka: Kafka::default(),
            identity: Identity::default(),
            erasure: Erasure::default(),
            ingest: Ingest::default(),
            policy: Policy::default(),
            ledger: Ledger::default(),
            signing: Signing::default(),
            witness: Witness::default(),
            backup: Backup::default(),
            consultations: Consultations::default(),
            watch: Watch::default(),
            listen: Listen::default(),
            log: Log::default(),
        }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".to_owned(),
            topics: r"custody\.events(\..*)?".to_owned(),
            group: "custody".to_owned(),
            dead_letter_suffix: ".dlq".to_owned(),
            max_message_bytes: 1 << 20,
            topic_refresh_s: 10,
            topic_ids: true,
            epochs: BTreeMap::new(),
            properties: KafkaProperties::default(),
        }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            unique_schemes: vec!["account".to_owned(), "member".to_owned()],
        }
    }
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            linger_ms: 20,
            queue_bytes: 64 << 20,
            blocks_in_flight: 64,
            duplicates_window_days: 7,
            sources: BTreeMap::new(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            grpc: SocketAddr::from((Ipv4Addr::LOCALHOST, 7461)),
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 7462)),
            log: SocketAddr::from((Ipv4Addr::LOCALHOST, 7463)),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Auto,
        }
    }
}
