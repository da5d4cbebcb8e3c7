//! The service under test, in a process of its own: gRPC on 127.0.0.1 over the
//! ledger that [`super::make`] made.
//!
//! It is told what to do over its standard input, a [`Command`] a line, and
//! answers over its standard output, a line of JSON each. It ends with its
//! input.

use std::fmt;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;
use custody_query::{
    ConsultationOptions, ConsultationWriter, QueryServer, QueryState, ReadModel, ReadModelOptions,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::live;
use super::make::{RULESET, open_ledger, open_vault};
use super::process;

#[derive(Args)]
pub(crate) struct ServeArgs {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    consultations: bool,
}

/// What the process is told to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Say how much memory is used, as [`Memory`].
    Memory,
    /// Take in so many events a second for so many seconds, as [`live::Lag`].
    Live {
        /// Events a second.
        rate: u64,
        /// Seconds.
        seconds: u64,
    },
}

/// The service can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Its address, such as `http://127.0.0.1:4711`.
    pub(crate) address: String,
    entries: u64,
    rebuild_seconds: f64,
    /// Opening it once more, caught up.
    reopen_ms: f64,
    read_model_bytes: u64,
    /// Peak of resident memory while it was filled.
    rebuild_peak_mib: f64,
    /// Resident before: vault and ledger, opened.
    before_mib: f64,
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "read model: rebuilt in {:.2} s, {:.0} events/s; {:.0} bytes an event; \
             peak {:.0} MiB ({:.0} before); opened again in {:.0} ms",
            self.rebuild_seconds,
            self.entries as f64 / self.rebuild_seconds,
            self.read_model_bytes as f64 / self.entries as f64,
            self.rebuild_peak_mib,
            self.before_mib,
            self.reopen_ms,
        )
    }
}

/// Resident memory since the service could be asked, or since it was last
/// told to say.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    peak_mib: f64,
    now_mib: f64,
    /// Of `now_mib`, what is not pages of files.
    anonymous_mib: f64,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "memory of the service: peak {:.0} MiB, now {:.0}, of that {:.0} anonymous",
            self.peak_mib, self.now_mib, self.anonymous_mib
        )
    }
}

/// Rebuilds, serves, and does what it is told.
pub(crate) fn run(args: &ServeArgs) -> Result<()> {
    let vault = open_vault(&args.data)?;
    let ledger = open_ledger(&args.data, &vault)?;
    let directory = args.data.join("read_model");
    let options = ReadModelOptions::default();
    let before_mib = process::status_mib("VmRSS")?;
    process::reset_peak();
    let begun = Instant::now();
    let model = ReadModel::rebuild(&directory, &ledger, &options, &mut |_| {})?;
    let rebuild_seconds = begun.elapsed().as_secs_f64();
    let rebuild_peak_mib = process::status_mib("VmHWM")?;
    drop(model);
    let begun = Instant::now();
    let model = ReadModel::open(&directory, &ledger, &options)?;
    model.catch_up(&ledger, &mut |_| {})?;
    let reopen_ms = begun.elapsed().as_secs_f64() * 1e3;
    let follower = model.follow(&ledger)?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let ready = Ready {
        address: format!("http://{}", listener.local_addr()?),
        entries: model.visible().entries(),
        rebuild_seconds,
        reopen_ms,
        read_model_bytes: process::disk_bytes(&directory)?,
        rebuild_peak_mib,
        before_mib,
    };
    let mut state = QueryState::new(ledger.clone(), vault.clone(), model.clone());
    let mut writer = None;
    if args.consultations {
        let options = ConsultationOptions::new(RULESET);
        let (kept, thread) = ConsultationWriter::start(ledger.clone(), vault.clone(), options)?;
        state = state.with_consultations(kept);
        writer = Some(thread);
    }
    let server = QueryServer::new(state);
    let (stop, stopped) = oneshot::channel::<()>();
    let served = runtime.spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        server.serve(listener, stopped).await
    });
    process::reset_peak();
    println!("{}", serde_json::to_string(&ready)?);

    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Command::Memory => serde_json::to_string(&memory()?)?,
            Command::Live { rate, seconds } => {
                let lag = live::measure(&args.data, &ledger, &vault, &model, rate, seconds)?;
                serde_json::to_string(&lag)?
            }
        };
        println!("{answer}");
    }
    drop(stop);
    runtime.block_on(served).context("the server")??;
    if let Some(writer) = writer {
        writer.stop();
    }
    follower.stop();
    drop(model);
    ledger.close()?;
    vault.close()?;
    Ok(())
}

fn memory() -> Result<Memory> {
    let memory = Memory {
        peak_mib: process::status_mib("VmHWM")?,
        now_mib: process::status_mib("VmRSS")?,
        anonymous_mib: process::status_mib("RssAnon")?,
    };
    process::reset_peak();
    Ok(memory)
}
