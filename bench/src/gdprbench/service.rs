//! Custody in a process of its own: the pipeline that stands behind Kafka, fed
//! over a socket on 127.0.0.1 in Kafka's place, the read model, and gRPC.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Args;
use custody_ingest::RawMessage;
use custody_ingest::duplicates::DuplicateIndex;
use custody_ingest::pipeline::{
    DeadLetter, DeadLetters, Pipeline, PipelineOptions, PipelineParts, ShardFeed, StopSignal,
    Undelivered, system_clock,
};
use custody_query::{QueryServer, QueryState, ReadModel, ReadModelOptions};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::GdprbenchArgs;
use super::record::Records;
use crate::answers::children::{Child, Running};
use crate::answers::make::{descriptor, open_ledger, open_vault};

/// Records are handed to the pipeline by so many.
const BATCH: u64 = 1_000;

/// How often it is looked whether an event is durable.
const LOOK: Duration = Duration::from_micros(100);

const LIMIT: Duration = Duration::from_secs(600);

#[derive(Args)]
pub(crate) struct ServiceArgs {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    records: u64,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    linger_ms: u64,
}

/// The service can be asked and told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// gRPC, such as `http://127.0.0.1:4711`.
    pub(crate) address: String,
    /// Takes an event a line; answers each with a line.
    pub(crate) events_address: String,
    pub(crate) events: u64,
    pub(crate) seconds: f64,
}

/// The process, as whoever started it holds it.
pub(crate) struct Service {
    pub(crate) ready: Ready,
    running: Running,
}

impl Service {
    pub(crate) fn start(data: &Path, args: &GdprbenchArgs) -> Result<Self> {
        let mut child = Child::new("gdprbench-serve");
        child
            .path("--data", data)
            .value("--records", args.records)
            .value("--seed", args.seed)
            .value("--linger-ms", args.linger_ms);
        let (running, ready) = child.serving(LIMIT)?;
        Ok(Self { ready, running })
    }

    pub(crate) fn stop(mut self) -> Result<()> {
        self.running.end()
    }
}

/// Counts what was rejected: nothing should be.
#[derive(Default)]
struct Rejected(AtomicU64);

impl DeadLetters for Rejected {
    fn deliver(&self, letters: &[DeadLetter], _: &StopSignal) -> Result<(), Undelivered> {
        for letter in letters {
            eprintln!("rejected: {}", letter.rejection);
        }
        self.0.fetch_add(letters.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// The shard's feed and the next offset.
struct Feed {
    feed: ShardFeed,
    next: i64,
}

impl Feed {
    /// Hands events over; returns the offset after them.
    fn send(&mut self, events: Vec<Vec<u8>>) -> Result<i64> {
        let topic: Arc<str> = Arc::from("events");
        let mut messages = Vec::with_capacity(events.len());
        for event in events {
            messages.push(RawMessage {
                topic: Arc::clone(&topic),
                partition: 0,
                offset: self.next,
                timestamp_ms: None,
                key: None,
                headers: Vec::new(),
                payload: Some(event),
            });
            self.next += 1;
        }
        self.feed.send(messages)?;
        Ok(self.next)
    }
}

/// Loads the records, serves until the input ends.
pub(crate) fn run(args: &ServiceArgs) -> Result<()> {
    let vault = open_vault(&args.data)?;
    let ledger = open_ledger(&args.data, &vault)?;
    let clock = system_clock();
    let rejected = Arc::new(Rejected::default());
    let pipeline = Pipeline::start(PipelineParts {
        duplicates: DuplicateIndex::open(&args.data.join("duplicates"), vault.clone(), 7, clock())?,
        dead_letters: Arc::clone(&rejected) as Arc<dyn DeadLetters>,
        state_dir: args.data.join("state"),
        options: PipelineOptions {
            linger: Duration::from_millis(args.linger_ms),
            ..PipelineOptions::default()
        },
        ledger: ledger.clone(),
        vault: vault.clone(),
        clock,
    })?;
    let feed = pipeline.open_shard(&descriptor(0))?;
    let feed = Arc::new(Mutex::new(Feed {
        next: feed.next_offset,
        feed,
    }));

    let records = Records::new(args.records, args.seed);
    let begun = Instant::now();
    let mut events = 0;
    let mut after = 0;
    for first in (0..records.len()).step_by(usize::try_from(BATCH)?) {
        let mut batch = Vec::new();
        for number in first..records.len().min(first + BATCH) {
            batch.extend(records.get(number).created()?);
        }
        events += batch.len() as u64;
        let mut feed = feed.lock().map_err(|_| anyhow!("a thread panicked"))?;
        after = feed.send(batch)?;
        while feed.feed.queued_bytes() > pipeline.queue_limit() {
            thread::sleep(LOOK);
        }
    }
    durable(&feed, after)?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(
        rejected.0.load(Ordering::Relaxed) == 0,
        "records were rejected"
    );

    let directory = args.data.join("read_model");
    let model = ReadModel::open(&directory, &ledger, &ReadModelOptions::default())?;
    model.catch_up(&ledger, &mut |_| {})?;
    let follower = model.follow(&ledger)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let grpc = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let told = TcpListener::bind("127.0.0.1:0")?;
    let ready = Ready {
        address: format!("http://{}", grpc.local_addr()?),
        events_address: told.local_addr()?.to_string(),
        events,
        seconds,
    };
    let server = QueryServer::new(QueryState::new(ledger.clone(), vault.clone(), model));
    let (stop, stopped) = oneshot::channel::<()>();
    let served = runtime.spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        server.serve(grpc, stopped).await
    });
    // Ends with the process.
    thread::spawn(move || {
        for client in told.incoming().flatten() {
            let (feed, rejected) = (Arc::clone(&feed), Arc::clone(&rejected));
            thread::spawn(move || {
                if let Err(error) = take(&client, &feed, &rejected) {
                    eprintln!("events: {error:#}");
                }
            });
        }
    });
    println!("{}", serde_json::to_string(&ready)?);

    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(stop);
    runtime.block_on(served).context("the server")??;
    follower.stop();
    pipeline.stop(Duration::from_secs(10))?;
    ledger.close()?;
    vault.close()?;
    Ok(())
}

/// Takes events from one client, a line each, until it hangs up.
fn take(client: &TcpStream, feed: &Mutex<Feed>, rejected: &Rejected) -> Result<()> {
    client.set_nodelay(true)?;
    let mut answers = client;
    for line in BufReader::new(client).split(b'\n') {
        let before = rejected.0.load(Ordering::Relaxed);
        let after = {
            let mut feed = feed.lock().map_err(|_| anyhow!("a thread panicked"))?;
            feed.send(vec![line?])?
        };
        durable(feed, after)?;
        let answer: &[u8] = if rejected.0.load(Ordering::Relaxed) == before {
            b"durable\n"
        } else {
            b"rejected\n"
        };
        answers.write_all(answer)?;
    }
    Ok(())
}

/// Waits until everything before an offset is durable.
fn durable(feed: &Mutex<Feed>, after: i64) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let reached = {
            let feed = feed.lock().map_err(|_| anyhow!("a thread panicked"))?;
            feed.feed.durable_offset()
        };
        if reached >= after {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "nothing became durable");
        thread::sleep(LOOK);
    }
}
