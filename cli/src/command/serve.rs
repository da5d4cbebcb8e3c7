//! `custody serve`: ingest and query in one process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use custody_ledger::Ledger;
use custody_query::QueryServer;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::admin;
use crate::args::Global;
use crate::config::{Config, Flag};
use crate::error::{CommandError, Exit};
use crate::heads;
use crate::node::{Health, Node};
use crate::public_log::{self, PublicLog};
use crate::telemetry;
use crate::witness;

/// How often it is looked whether the node can go on.
const LOOK: Duration = Duration::from_millis(500);

/// A second signal this soon is the first one again.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// How often metrics are kept.
const UPKEEP: Duration = Duration::from_secs(5);

/// What is left of the deadline for requests under way once ingest is done, at
/// least.
const LEAST_FOR_REQUESTS: Duration = Duration::from_secs(1);

/// Reads events from Kafka into the ledger, and answers questions
///
/// SIGINT and SIGTERM stop it in order: no more fetching, what was fetched
/// becomes durable, questions under way are answered, the ledger is closed. A
/// second signal ends it at once, which loses nothing that was acknowledged.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody serve --brokers kafka:9092 --data /var/lib/custody
  custody serve --config /etc/custody.toml --listen 0.0.0.0:7461
  CUSTODY_KAFKA__TOPICS='orders|signups' custody serve

Answers are for whoever reaches the gRPC address: keep it on a private network.
What --log-listen shows is for everybody: digests and signatures only.")]
pub struct Args {
    /// Kafka's bootstrap brokers, `host:port` with commas
    #[arg(long, value_name = "BROKERS")]
    brokers: Option<String>,
    /// The topics to read: a regular expression of whole names
    #[arg(long, value_name = "PATTERN")]
    topics: Option<String>,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Policy packs beside the five that are built in: files or directories,
    /// with commas
    #[arg(long, value_name = "FILES")]
    packs: Option<String>,
    /// How many days after an account is closed its data may be used
    #[arg(long, value_name = "DAYS")]
    retention_days: Option<u32>,
    /// Whether it is written down who looked: off, best_effort, durable
    #[arg(long, value_name = "MODE")]
    consultations: Option<String>,
    /// Where questions are answered, over gRPC
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where health, readiness and metrics are shown, over HTTP
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// Where outsiders read checkpoints and tiles of digests, over HTTP
    #[arg(long, value_name = "ADDR")]
    log_listen: Option<String>,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let flag = |flag, key, value| Flag { flag, key, value };
        let loaded = global.load(&[
            flag("--brokers", "kafka.brokers", self.brokers),
            flag("--topics", "kafka.topics", self.topics),
            flag(
                "--data",
                "data_dir",
                self.data.map(|dir| dir.display().to_string()),
            ),
            flag("--packs", "policy.packs", self.packs),
            flag(
                "--retention-days",
                "policy.retention_days_after_account_closed",
                self.retention_days.map(|days| days.to_string()),
            ),
            flag("--consultations", "consultations.mode", self.consultations),
            flag("--listen", "listen.grpc", self.listen),
            flag("--admin", "listen.admin", self.admin),
            flag("--log-listen", "listen.log", self.log_listen),
        ])?;
        let config = loaded.config;
        global.start_logs(&config)?;
        for name in &loaded.ignored {
            warn!(variable = name, "no setting has this name");
        }
        serve(&config, |_| Ok(()))?;
        Ok(Exit::Done)
    }
}

/// Runs a node until a signal comes or the node fails. `started` is called once
/// everything listens.
///
/// # Errors
/// [`CommandError`] where the node cannot start, or why it could not go on.
pub(super) fn serve(
    config: &Config,
    started: impl FnOnce(&Node) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let metrics = telemetry::start_metrics()?;
    custody_ingest::metric::describe();
    custody_query::service::metric::describe();
    heads::describe();
    witness::metric::describe();
    public_log::metric::describe();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    // A signal while the stores are opened is not lost.
    let mut signals = runtime.block_on(async { Signals::new() })?;
    let grpc = runtime.block_on(admin::listen(config.listen.grpc))?;
    let http = runtime.block_on(admin::listen(config.listen.admin))?;
    let log = runtime.block_on(admin::listen(config.listen.log))?;
    let node = Node::start(config)?;
    let health = node.health();

    let (stop, stopped) = watch::channel(false);
    let probe: admin::Probe = {
        let health = health.clone();
        Arc::new(move || health.readiness())
    };
    runtime.spawn(keep_metrics(
        metrics.clone(),
        node.ledger().clone(),
        stopped.clone(),
    ));
    let admin = runtime.spawn(
        axum::serve(http, admin::router(metrics, probe))
            .with_graceful_shutdown(told(stopped.clone()))
            .into_future(),
    );
    let log = runtime.spawn(public_log::serve(
        log,
        PublicLog::new(node.ledger().clone()),
        stopped.clone(),
    ));
    let mut server = QueryServer::new(node.query_state())
        .watchers_at_most(config.watch.limit)
        .drain_timeout(Duration::from_secs(config.shutdown_deadline_s));
    if !config.backup.dir.as_os_str().is_empty() {
        server = server.backups(&config.backup.dir);
    }
    let query = runtime.spawn(async move { server.serve(grpc, told(stopped)).await });
    info!(grpc = %config.listen.grpc, admin = %config.listen.admin, log = %config.listen.log,
        data = %config.data_dir.display(), brokers = config.kafka.brokers,
        topics = config.kafka.topics, "serving");
    started(&node)?;

    let failure = runtime.block_on(async {
        tokio::select! {
            name = signals.next() => {
                info!(signal = name, "stopping");
                None
            }
            reason = failed(&health) => Some(reason),
        }
    });
    runtime.spawn(async move {
        // Supervisors send the same signal to the process and to its group.
        tokio::time::sleep(SAME_SIGNAL).await;
        if let Ok(mut signals) = Signals::new() {
            let signal = signals.next().await;
            error!(signal, "stopping at once");
            std::process::exit(130);
        }
    });

    let deadline = Instant::now() + Duration::from_secs(config.shutdown_deadline_s);
    drop(health);
    let (drained, ingest) = node.drain(deadline.saturating_duration_since(Instant::now()));
    info!("ingest has stopped");
    let _ = stop.send(true);
    let left = deadline.saturating_duration_since(Instant::now());
    runtime.block_on(async {
        let all = async { (query.await, admin.await, log.await) };
        if tokio::time::timeout(left.max(LEAST_FOR_REQUESTS), all)
            .await
            .is_err()
        {
            warn!("requests under way were cut off at the deadline");
        }
    });
    // Tasks that still hold the stores end with it.
    runtime.shutdown_timeout(LEAST_FOR_REQUESTS);
    let closed = drained.close();
    info!("closed");
    match failure {
        Some(reason) => Err(CommandError::Stopped {
            what: "the node",
            reason,
        }),
        None => ingest.and(closed),
    }
}

/// Reads the heads, and lets histograms fold their samples, which they keep
/// one by one until then, whether or not anybody scrapes.
async fn keep_metrics(
    metrics: PrometheusHandle,
    ledger: Ledger,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        heads::measure(&ledger);
        metrics.run_upkeep();
        if tokio::time::timeout(UPKEEP, stopped.wait_for(|stop| *stop))
            .await
            .is_ok()
        {
            return;
        }
    }
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn failed(health: &Health) -> String {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Some(reason) = health.failure() {
            return reason;
        }
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
