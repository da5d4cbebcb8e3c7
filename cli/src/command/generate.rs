//! `custody generate`: invented traffic, into a file or to Kafka.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use custody_generate::{Generator, Profile};
use indicatif::ProgressBar;

use crate::args::Global;
use crate::config::Flag;
use crate::error::{CommandError, Exit};
use crate::kafka::{Pace, Producer};
use crate::output::{bytes, count, items};

/// Generates invented events under the five policies
///
/// The same flags give the same events on every machine. A share of messages
/// is malformed or sent twice, as real ones are.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody generate --events 1000 --output events.jsonl
  custody generate --events 1000000 --persons 50000 --brokers kafka:9092
  custody generate --events 500 --malformed 0 --output - | custody emit -")]
pub struct Args {
    /// How many messages
    #[arg(long, default_value_t = Profile::default().events)]
    events: u64,
    /// How many persons they are about
    #[arg(long, default_value_t = Profile::default().persons)]
    persons: u32,
    /// Where randomness starts
    #[arg(long, default_value_t = Profile::default().seed)]
    seed: u64,
    /// Zipf exponent of events a person: 0 gives everybody the same
    #[arg(long, default_value_t = Profile::default().skew)]
    skew: f64,
    /// When the first event may happen: a day or an RFC 3339 time, UTC
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// When the last event may happen
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// The share of malformed messages
    #[arg(long, default_value_t = Profile::default().malformed, value_name = "SHARE")]
    malformed: f64,
    /// The share of messages that were sent before
    #[arg(long, default_value_t = Profile::default().duplicates, value_name = "SHARE")]
    duplicates: f64,
    /// About which share of the judged events is wrong on purpose
    #[arg(long, default_value_t = Profile::default().failing, value_name = "SHARE")]
    failing: f64,
    /// Writes JSON Lines of structured CloudEvents; `-` is standard output
    #[arg(long, value_name = "FILE", required_unless_present = "brokers")]
    output: Option<PathBuf>,
    /// Sends to Kafka instead, in a mixture of encodings
    #[arg(long, value_name = "BROKERS", conflicts_with = "output")]
    brokers: Option<String>,
    /// The topic to send to
    #[arg(long, default_value = "custody.events", requires = "brokers")]
    topic: String,
    /// At most so many messages a second, to Kafka
    #[arg(long, value_name = "N", requires = "brokers", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let profile = self.profile()?;
        let generator =
            Generator::new(profile).map_err(|error| CommandError::Usage(error.to_string()))?;
        match &self.output {
            Some(path) => write_lines(generator, path, self.events),
            None => self.send(generator, global),
        }
    }

    fn profile(&self) -> Result<Profile, CommandError> {
        let moment = |flag: &str, text: &Option<String>, default| {
            text.as_deref().map_or(Ok(default), |text| {
                crate::output::Zone::utc()
                    .parse(text)
                    .map_err(|problem| CommandError::Usage(format!("{flag}: {problem}")))
            })
        };
        let default = Profile::default();
        Ok(Profile {
            seed: self.seed,
            events: self.events,
            persons: self.persons,
            skew: self.skew,
            start: moment("--start", &self.start, default.start)?,
            end: moment("--end", &self.end, default.end)?,
            malformed: self.malformed,
            duplicates: self.duplicates,
            failing: self.failing,
            ..default
        })
    }

    fn send(&self, generator: Generator, global: &Global) -> Result<Exit, CommandError> {
        let flag = Flag {
            flag: "--brokers",
            key: "kafka.brokers",
            value: self.brokers.clone(),
        };
        let kafka = global.load(&[flag])?.config.kafka;
        let producer = Producer::connect(&kafka.brokers, &self.topic, &kafka.properties.0)?;
        let bar = items(Some(self.events), "sending");
        let mut pace = Pace::new(self.rate);
        for message in generator {
            pace.wait();
            let key = (!message.key.is_empty()).then_some(message.key.as_slice());
            let payload = message.payload.as_deref();
            producer.send(key, &message.headers, payload, Some(message.time_ms));
            bar.inc(1);
        }
        let delivery = producer.finish()?;
        bar.finish_and_clear();
        let mut err = io::stderr().lock();
        let (delivered, size) = (count(delivery.delivered), bytes(delivery.bytes));
        writeln!(
            err,
            "{delivered} messages delivered to {} ({size})",
            self.topic
        )?;
        match delivery.first_error {
            None => Ok(Exit::Done),
            Some(reason) => {
                let failed = count(delivery.failed);
                writeln!(
                    err,
                    "{failed} messages were not delivered; the first: {reason}"
                )?;
                Ok(Exit::Bad)
            }
        }
    }
}

fn write_lines(generator: Generator, path: &Path, events: u64) -> Result<Exit, CommandError> {
    if path.as_os_str() == "-" {
        // No bar: the lines themselves are on the terminal, or their reader is.
        let mut out = BufWriter::new(io::stdout().lock());
        write_all(generator, &mut out, &ProgressBar::hidden())?;
        return Ok(Exit::Done);
    }
    let write_error = |source| CommandError::Write {
        path: path.to_owned(),
        source,
    };
    let bar = items(Some(events), "generating");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).map_err(write_error)?);
    write_all(generator, &mut out, &bar).map_err(write_error)?;
    bar.finish_and_clear();
    Ok(Exit::Done)
}

fn write_all(generator: Generator, out: &mut impl Write, bar: &ProgressBar) -> io::Result<()> {
    for message in generator {
        out.write_all(message.to_json_line().as_bytes())?;
        out.write_all(b"\n")?;
        bar.inc(1);
    }
    out.flush()
}
