//! How long an event is durable before it is visible, while events come in at
//! a steady rate.

use std::fmt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use custody_ledger::Ledger;
use custody_query::ReadModel;
use custody_vault::Vault;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::make::{Writer, descriptor};
use super::plan::Plan;
use super::population::Population;

/// How often a block is cut that is not full.
const TICK: Duration = Duration::from_millis(5);

/// The longest that is waited for one block.
const PATIENCE: Duration = Duration::from_secs(30);

/// From durable to visible.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lag {
    rate: u64,
    /// What came in, in fact.
    reached: f64,
    seconds: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    blocks: u64,
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "lag, durable to visible, at {:.0} events/s (of {} wanted) for {:.0} s: \
             p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms over {} blocks",
            self.reached,
            self.rate,
            self.seconds,
            self.p50_ms,
            self.p99_ms,
            self.max_ms,
            self.blocks
        )
    }
}

/// Takes events in at a rate, sealed on the way, and watches when they become
/// visible.
pub(crate) fn measure(
    data: &Path,
    ledger: &Ledger,
    vault: &Vault,
    model: &ReadModel,
    rate: u64,
    seconds: u64,
) -> Result<Lag> {
    let plan = Plan::read(data)?.context("no plan")?;
    let total = rate * seconds;
    // Other events of the same persons.
    let more = Population {
        events: total.max(1),
        seed: plan.population.seed.wrapping_add(1_000),
        ..plan.population
    };
    let shard = descriptor(0);
    let id = shard.id();
    let (durable, seen) = mpsc::channel::<(u64, Instant)>();
    let watched = model.clone();
    let watcher = thread::spawn(move || -> Result<Histogram<u64>> {
        let mut lags = Histogram::new(3)?;
        for (size, since) in seen {
            let deadline = Instant::now() + PATIENCE;
            let (_, visible) = watched.wait_until(deadline, |visible| visible.size(&id) >= size);
            ensure!(visible, "a block was not visible after {PATIENCE:?}");
            let lag = since.elapsed();
            lags.record(u64::try_from(lag.as_micros()).unwrap_or(u64::MAX))?;
        }
        Ok(lags)
    });

    let mut writer = Writer::new(ledger, vault, &shard)?;
    let events = more.events().take(usize::try_from(total)?);
    let begun = Instant::now();
    let (mut written, mut cut) = (0, Duration::ZERO);
    for told in events {
        writer.push(&told?)?;
        written += 1;
        let due = Duration::from_secs_f64(written as f64 / rate as f64);
        let is_due = due.saturating_sub(cut) >= TICK;
        if is_due || writer.is_full() || written == total {
            let durable = durable.clone();
            writer.cut(move |size| {
                let _ = durable.send((size, Instant::now()));
            })?;
        }
        if is_due {
            cut = due;
            thread::sleep(due.saturating_sub(begun.elapsed()));
        }
    }
    writer.wait()?;
    let took = begun.elapsed().as_secs_f64();
    drop(durable);
    let lags = watcher
        .join()
        .map_err(|_| anyhow::anyhow!("the watcher panicked"))??;
    let ms = |micros: u64| micros as f64 / 1e3;
    Ok(Lag {
        rate,
        reached: written as f64 / took,
        seconds: took,
        p50_ms: ms(lags.value_at_quantile(0.5)),
        p99_ms: ms(lags.value_at_quantile(0.99)),
        max_ms: ms(lags.max()),
        blocks: lags.len(),
    })
}
