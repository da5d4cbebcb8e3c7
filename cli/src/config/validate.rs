//! What the types cannot say.

use std::net::SocketAddr;

use custody_ingest::pipeline::MAX_MESSAGE_BYTES;
use custody_proof::cosignature::CosignerKey;
use custody_query::consultation::MAX_ROLE_BYTES;
use regex::Regex;

use super::{Config, Ledger, Listen, Witness};

/// The key, and what is wrong with it and what to do.
type Problem = (&'static str, String);

impl Config {
    /// Checks values that are of the right type but may make no sense.
    ///
    /// # Errors
    /// The key, and what is wrong with it and what to do.
    pub fn validate(&self) -> Result<(), (&'static str, String)> {
        self.validate_kafka()?;
        self.validate_ingest()?;
        if let Err((number, error)) = self.policy.verifying_keys() {
            return Err(("policy.waiver_keys", format!("key {number}: {error}")));
        }
        positive("shutdown_deadline_s", self.shutdown_deadline_s)?;
        positive("erasure.fence_timeout_s", self.erasure.fence_timeout_s)?;
        if self.data_dir.as_os_str().is_empty() {
            return Err(("data_dir", "is empty; name a directory".to_owned()));
        }
        self.validate_ledger()?;
        self.validate_consultations()?;
        self.validate_listen()?;
        if self.identity.unique_schemes.iter().any(|s| !is_scheme(s)) {
            let problem = "a scheme is what stands before the colon of an identifier, such as \
                           `account`: letters, digits, `-`, `_` and `.`";
            return Err(("identity.unique_schemes", problem.to_owned()));
        }
        if let Err(error) = self
            .log
            .level
            .parse::<tracing_subscriber::filter::Targets>()
        {
            let problem = format!("{error}; use error, warn, info, debug or trace");
            return Err(("log.level", problem));
        }
        Ok(())
    }

    fn validate_ledger(&self) -> Result<(), Problem> {
        let Ledger {
            segment_bytes,
            rotate_bytes,
            rotate_age_s,
            checkpoint_interval_ms,
            ..
        } = self.ledger;
        if !segment_bytes.is_power_of_two() || !(64 << 10..=16 << 20).contains(&segment_bytes) {
            let problem = format!("{segment_bytes} is no power of two from 65536 to 16777216");
            return Err(("ledger.segment_bytes", problem));
        }
        if rotate_bytes < LEAST_ROTATE_BYTES {
            let problem = format!("must be at least {LEAST_ROTATE_BYTES}");
            return Err(("ledger.rotate_bytes", problem));
        }
        if rotate_age_s < 60 {
            let problem = "must be at least 60: each sealing reads everything again";
            return Err(("ledger.rotate_age_s", problem.to_owned()));
        }
        if !(10..=3_600_000).contains(&checkpoint_interval_ms) {
            let problem = "must be between 10 and 3600000";
            return Err(("ledger.checkpoint_interval_ms", problem.to_owned()));
        }
        if !self.signing.origin.is_empty() && !is_origin(&self.signing.origin) {
            let problem = "is written on a line of every checkpoint: up to 200 characters, \
                           without spaces, control characters and `+`";
            return Err(("signing.origin", problem.to_owned()));
        }
        self.validate_witness()
    }

    fn validate_consultations(&self) -> Result<(), Problem> {
        if !(1..=1_000_000).contains(&self.consultations.queue) {
            let problem = "must be between 1 and 1000000";
            return Err(("consultations.queue", problem.to_owned()));
        }
        if self.consultations.default_role.len() > MAX_ROLE_BYTES {
            let problem = format!("must not be longer than {MAX_ROLE_BYTES} bytes");
            return Err(("consultations.default_role", problem));
        }
        if !(1..=100_000).contains(&self.watch.limit) {
            let problem = "must be between 1 and 100000";
            return Err(("watch.limit", problem.to_owned()));
        }
        Ok(())
    }

    fn validate_witness(&self) -> Result<(), Problem> {
        let Witness {
            quorum,
            timeout_s,
            list,
        } = &self.witness;
        positive("witness.timeout_s", *timeout_s)?;
        let mut keys: Vec<CosignerKey> = Vec::new();
        for (number, at) in (1..).zip(list) {
            let key = at.key.trim().parse::<CosignerKey>();
            let key = key.map_err(|error| {
                let problem = format!("witness {number}: its key: {error}");
                ("witness.list", problem)
            })?;
            if keys.contains(&key) {
                let problem = format!("witness {number}: its key stands there already");
                return Err(("witness.list", problem));
            }
            keys.push(key);
            let host = ["https://", "http://"]
                .iter()
                .find_map(|scheme| at.url.strip_prefix(scheme));
            let sound = |host: &str| {
                !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "?#@".contains(c))
            };
            if !host.is_some_and(sound) {
                let problem = format!(
                    "witness {number}: the url is `https://host/path` without user, query or fragment"
                );
                return Err(("witness.list", problem));
            }
        }
        if !list.is_empty() && !(1..=list.len()).contains(quorum) {
            let problem = format!(
                "must be between 1 and {}, the number of witnesses",
                list.len()
            );
            return Err(("witness.quorum", problem));
        }
        Ok(())
    }

    fn validate_listen(&self) -> Result<(), Problem> {
        let Listen { grpc, admin, log } = self.listen;
        let taken = |key, address: SocketAddr, by| {
            Err((key, format!("{address} is {by} too; give it another port")))
        };
        let same = |a: SocketAddr, b: SocketAddr| a == b && a.port() != 0;
        match () {
            () if same(admin, grpc) => taken("listen.admin", admin, "listen.grpc"),
            () if same(log, grpc) => taken("listen.log", log, "listen.grpc"),
            () if same(log, admin) => taken("listen.log", log, "listen.admin"),
            () => Ok(()),
        }
    }

    fn validate_kafka(&self) -> Result<(), Problem> {
        let kafka = &self.kafka;
        if kafka
            .brokers
            .split(',')
            .any(|broker| broker.trim().is_empty())
        {
            let problem = "lists an empty broker; write `host:port`, with commas between several";
            return Err(("kafka.brokers", problem.to_owned()));
        }
        if kafka.topics.is_empty() {
            let problem = r"is empty; name the topics to read, such as `custody\.events`";
            return Err(("kafka.topics", problem.to_owned()));
        }
        if let Err(error) = Regex::new(&kafka.topics) {
            let last = error.to_string();
            let last = last.lines().last().unwrap_or_default().to_owned();
            return Err(("kafka.topics", format!("is no regular expression: {last}")));
        }
        if kafka.dead_letter_suffix.is_empty() {
            let problem = "is empty; dead letters would come back as events";
            return Err(("kafka.dead_letter_suffix", problem.to_owned()));
        }
        if kafka.group.is_empty() {
            let problem = "is empty; lag is reported under this group";
            return Err(("kafka.group", problem.to_owned()));
        }
        if !(1_000..=MAX_MESSAGE_BYTES).contains(&kafka.max_message_bytes) {
            let problem =
                format!("must be between 1000 and {MAX_MESSAGE_BYTES}: it must fit an entry");
            return Err(("kafka.max_message_bytes", problem));
        }
        positive("kafka.topic_refresh_s", kafka.topic_refresh_s)?;
        // What Custody decides itself: another value would break its promises.
        for name in RESERVED_PROPERTIES {
            if kafka.properties.0.contains_key(*name) {
                let problem = format!("`{name}` is set by Custody itself; remove it");
                return Err(("kafka.properties", problem));
            }
        }
        Ok(())
    }

    fn validate_ingest(&self) -> Result<(), Problem> {
        let ingest = &self.ingest;
        positive("ingest.queue_bytes", ingest.queue_bytes as u64)?;
        positive("ingest.blocks_in_flight", ingest.blocks_in_flight as u64)?;
        positive(
            "ingest.duplicates_window_days",
            ingest.duplicates_window_days.into(),
        )?;
        for (source, topics) in &ingest.sources {
            for topic in topics {
                if Regex::new(topic).is_err() {
                    let problem = format!("`{topic}` of `{source}` is no regular expression");
                    return Err(("ingest.sources", problem));
                }
            }
        }
        Ok(())
    }
}

const RESERVED_PROPERTIES: &[&str] = &[
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "enable.partition.eof",
];

/// Smaller segments would be sealed all the time.
const LEAST_ROTATE_BYTES: u64 = 1 << 20;

/// What a checkpoint's first line and a signer's name can be.
fn is_origin(text: &str) -> bool {
    text.chars().count() <= 200
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn positive(key: &'static str, value: u64) -> Result<(), Problem> {
    if value == 0 {
        return Err((key, "must be at least 1".to_owned()));
    }
    Ok(())
}
