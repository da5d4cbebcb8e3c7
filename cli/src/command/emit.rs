//! `custody emit`: events of a file, sent to Kafka.

use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

use indicatif::ProgressBar;

use crate::args::Global;
use crate::config::Flag;
use crate::error::{CommandError, Exit};
use crate::event_line::{Encoding, EventLine, Lines};
use crate::kafka::{Pace, Producer};
use crate::output::{bytes, count, items, sized};

/// Sends events from a file to Kafka
///
/// The file has one CloudEvent a line, in structured JSON form. The message key
/// is the first of `data.subject.ids`, so that a person's events stay in order.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody emit events.jsonl --brokers kafka:9092 --topic custody.events
  custody generate --events 1000 --output - | custody emit - --rate 100
  custody emit events.jsonl --encoding binary-protobuf --keep-going

Exit status 1 where a line is no event or was not delivered.")]
pub struct Args {
    /// JSON Lines; `-` reads standard input
    file: PathBuf,
    /// Kafka's bootstrap brokers, `host:port` with commas
    #[arg(long, value_name = "BROKERS")]
    brokers: Option<String>,
    /// The topic to send to
    #[arg(long, default_value = "custody.events")]
    topic: String,
    /// How an event is laid into a Kafka message
    #[arg(long, value_enum, default_value = "structured")]
    encoding: Encoding,
    /// At most so many events a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Reports lines that are no events, and goes on
    #[arg(long)]
    keep_going: bool,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let config = global
            .load(&[Flag {
                flag: "--brokers",
                key: "kafka.brokers",
                value: self.brokers.clone(),
            }])?
            .config;
        let (reader, bar) = open(&self.file, "sending")?;
        let producer = Producer::connect(
            &config.kafka.brokers,
            &self.topic,
            &config.kafka.properties.0,
        )?;
        let mut pace = Pace::new(self.rate);
        let mut lines = Lines::new(reader);
        let mut bad_lines = 0_u64;
        let read_error = |source| CommandError::Read {
            path: self.file.clone(),
            source,
        };
        let mut position = 0;
        while let Some((line, text)) = lines.read().map_err(read_error)? {
            let outgoing = EventLine::parse(text).and_then(|event| event.message(self.encoding));
            match outgoing {
                Ok(message) => {
                    pace.wait();
                    let (key, payload) = (message.key.as_deref(), Some(message.payload.as_slice()));
                    producer.send(key, &message.headers, payload, None);
                }
                Err(reason) if self.keep_going => {
                    bad_lines += 1;
                    bar.suspend(|| writeln!(io::stderr(), "line {line}: {reason}"))?;
                }
                Err(reason) => {
                    bar.abandon();
                    // What was sent before the bad line is sent.
                    let sent = producer.finish()?.delivered;
                    writeln!(io::stderr(), "{} events were delivered before", count(sent))?;
                    bad_line(line, &reason)?;
                    return Ok(Exit::Bad);
                }
            }
            bar.inc(lines.bytes - position);
            position = lines.bytes;
        }
        let delivery = producer.finish()?;
        bar.finish_and_clear();
        let mut err = io::stderr().lock();
        writeln!(
            err,
            "{} events delivered to {} ({})",
            count(delivery.delivered),
            self.topic,
            bytes(delivery.bytes),
        )?;
        if let Some(reason) = &delivery.first_error {
            let failed = count(delivery.failed);
            writeln!(
                err,
                "{failed} events were not delivered; the first: {reason}"
            )?;
        }
        if bad_lines > 0 {
            writeln!(
                err,
                "{} lines were no events and were left out",
                count(bad_lines)
            )?;
        }
        Ok(if delivery.failed == 0 && bad_lines == 0 {
            Exit::Done
        } else {
            Exit::Bad
        })
    }
}

fn bad_line(line: u64, reason: &str) -> io::Result<()> {
    let mut err = io::stderr().lock();
    writeln!(err, "error: line {line}: {reason}")?;
    writeln!(
        err,
        "hint: --keep-going reports such lines and goes on with the next"
    )
}

/// Opens a file or standard input, with a bar over its bytes.
fn open(
    file: &PathBuf,
    what: &'static str,
) -> Result<(Box<dyn BufRead>, ProgressBar), CommandError> {
    if file.as_os_str() == "-" {
        return Ok((Box::new(BufReader::new(io::stdin())), items(None, what)));
    }
    let read_error = |source| CommandError::Read {
        path: file.clone(),
        source,
    };
    let opened = std::fs::File::open(file).map_err(read_error)?;
    let length = opened.metadata().map_err(read_error)?.len();
    let reader = BufReader::with_capacity(1 << 20, opened);
    Ok((Box::new(reader), sized(length, what)))
}
