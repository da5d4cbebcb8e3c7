//! What the types cannot say.

use custody_ingest::pipeline::MAX_MESSAGE_BYTES;
use regex::Regex;

use super::Config;

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
        if self.data_dir.as_os_str().is_empty() {
            return Err(("data_dir", "is empty; name a directory".to_owned()));
        }
        let segment = self.ledger.segment_bytes;
        if !segment.is_power_of_two() || !(64 << 10..=16 << 20).contains(&segment) {
            let problem = format!("{segment} is no power of two from 65536 to 16777216");
            return Err(("ledger.segment_bytes", problem));
        }
        if self.listen.grpc == self.listen.admin && self.listen.grpc.port() != 0 {
            let problem = format!(
                "{} is listen.grpc too; give it another port",
                self.listen.admin
            );
            return Err(("listen.admin", problem));
        }
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
