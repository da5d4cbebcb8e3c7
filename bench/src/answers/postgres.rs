//! The same events in PostgreSQL, with the indexes that the questions need.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Instant;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use clap::Args;
use futures_util::SinkExt as _;
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, Config, NoTls};

use super::plan::Plan;
use super::population::Told;
use super::process;
use crate::workload::CATEGORIES;

/// What an entry's public part says. `category_bits` says the categories once
/// more, so that those of many events are one `bit_or`. Parents stand in the
/// event and, by parent, in a table of their own.
const SCHEMA: &str = "
DROP TABLE IF EXISTS event CASCADE;
DROP TABLE IF EXISTS event_parent;
CREATE TABLE event (
    seq bigint NOT NULL,
    id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    kind text NOT NULL,
    service text NOT NULL,
    controller text NOT NULL,
    subject text NOT NULL,
    jurisdiction text NOT NULL,
    purpose text NOT NULL,
    legal_basis text NOT NULL,
    categories text[] NOT NULL,
    category_bits bigint NOT NULL,
    recipient text,
    country text,
    system text,
    judgement text NOT NULL,
    policy text NOT NULL,
    clauses text[] NOT NULL,
    parents uuid[] NOT NULL
);
CREATE TABLE event_parent (parent uuid NOT NULL, child uuid NOT NULL);
";

/// One by one after the rows are in, which is faster. Two cover the questions
/// about recipients, so that the table is not read; the register is kept as a
/// materialised view besides, which is as old as its last refresh.
const INDEXES: &str = "
ALTER TABLE event ADD PRIMARY KEY (seq);
CREATE UNIQUE INDEX ON event (id);
CREATE INDEX ON event (subject, occurred_at, seq);
CREATE INDEX ON event (subject, recipient, purpose, legal_basis, country)
    INCLUDE (occurred_at, category_bits) WHERE recipient IS NOT NULL;
CREATE INDEX ON event (recipient, occurred_at)
    INCLUDE (subject, category_bits) WHERE recipient IS NOT NULL;
CREATE INDEX ON event_parent (parent, child);
CREATE INDEX ON event_parent (child, parent);
";

const REGISTER: &str = "
CREATE MATERIALIZED VIEW register AS
    SELECT controller, purpose, legal_basis, recipient, country,
           bit_or(category_bits) AS category_bits, count(*) AS events,
           min(occurred_at) AS first, max(occurred_at) AS last
    FROM event GROUP BY controller, purpose, legal_basis, recipient, country;
";

/// Rows are handed to COPY in pieces of about so many bytes.
const PIECE: usize = 1 << 18;

#[derive(Args)]
pub(crate) struct LoadArgs {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    postgres: String,
}

/// What loading took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Loaded {
    version: String,
    events: u64,
    copy_seconds: f64,
    index_seconds: f64,
    /// Making the materialised view, which is what a refresh takes.
    register_seconds: f64,
    table_bytes: i64,
    index_bytes: i64,
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.events as f64;
        write!(
            f,
            "PostgreSQL {}: COPY in {:.1} s, indexes and vacuum in {:.1} s, together {:.0} \
             events/s; {:.0} bytes an event and {:.0} of indexes; its register refreshes in {:.1} s",
            self.version,
            self.copy_seconds,
            self.index_seconds,
            events / (self.copy_seconds + self.index_seconds),
            self.table_bytes as f64 / events,
            self.index_bytes as f64 / events,
            self.register_seconds,
        )
    }
}

/// Connects; the connection ends with the client.
pub(crate) async fn connect(address: &str) -> Result<Client> {
    let config: Config = address.parse()?;
    let (client, connection) = config.connect(NoTls).await.context("PostgreSQL")?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("PostgreSQL: {error}");
        }
    });
    Ok(client)
}

/// Loads the events of a data directory and prints a line of JSON.
pub(crate) fn run(args: &LoadArgs) -> Result<()> {
    process::end_with_parent();
    let plan = Plan::read(&args.data)?.context("no ledger was made here")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let loaded = runtime.block_on(load(&args.postgres, &plan))?;
    println!("{}", serde_json::to_string(&loaded)?);
    Ok(())
}

async fn load(address: &str, plan: &Plan) -> Result<Loaded> {
    let client = connect(address).await?;
    client.batch_execute(SCHEMA).await?;
    let begun = Instant::now();
    let mut parents: Vec<(String, String)> = Vec::new();
    {
        let rows = client.copy_in::<_, Bytes>("COPY event FROM STDIN").await?;
        let mut rows = pin!(rows);
        let mut piece = String::with_capacity(PIECE + 1024);
        for (seq, told) in plan.population.events().enumerate() {
            let told = told?;
            let child = &told.event.id;
            parents.extend(told.parents.iter().map(|id| (id.clone(), child.clone())));
            line(&mut piece, seq, &told)?;
            if piece.len() >= PIECE {
                let full = std::mem::replace(&mut piece, String::with_capacity(PIECE + 1024));
                rows.send(Bytes::from(full)).await?;
            }
        }
        rows.send(Bytes::from(piece)).await?;
        rows.finish().await?;
    }
    {
        let edges = client
            .copy_in::<_, Bytes>("COPY event_parent FROM STDIN")
            .await?;
        let mut edges = pin!(edges);
        let text: String = parents
            .iter()
            .map(|(parent, child)| format!("{parent}\t{child}\n"))
            .collect();
        edges.send(Bytes::from(text)).await?;
        edges.finish().await?;
    }
    let copy_seconds = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    client.batch_execute(INDEXES).await?;
    // Without it no index alone can answer.
    client.batch_execute("VACUUM (ANALYZE) event").await?;
    client
        .batch_execute("VACUUM (ANALYZE) event_parent")
        .await?;
    let index_seconds = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    client.batch_execute(REGISTER).await?;
    client.batch_execute("ANALYZE register").await?;
    let register_seconds = begun.elapsed().as_secs_f64();
    // What is still to be written is not the questions' load.
    client.batch_execute("CHECKPOINT").await?;
    let row = client
        .query_one(
            "SELECT current_setting('server_version'), pg_table_size('event'), \
             pg_indexes_size('event')",
            &[],
        )
        .await?;
    Ok(Loaded {
        version: row.try_get(0)?,
        events: plan.population.len(),
        copy_seconds,
        index_seconds,
        register_seconds,
        table_bytes: row.try_get(1)?,
        index_bytes: row.try_get(2)?,
    })
}

/// A row in COPY's text format. Nothing in it needs to be escaped.
fn line(out: &mut String, seq: usize, told: &Told) -> Result<()> {
    let event = &told.event;
    let kind = serde_json::to_value(event.kind)?;
    let kind = kind.as_str().unwrap_or_default();
    let recipient = told.recipient().unwrap_or("\\N");
    let country = told.recipient().map_or("\\N", |_| &event.country);
    let system = match kind {
        "use" => event.recipient.as_str(),
        _ => "\\N",
    };
    writeln!(
        out,
        "{seq}\t{id}\t{time}\t{time}\t{kind}\t{service}\t{controller}\t{subject}\tDE\t{purpose}\t\
         {basis}\t{{{categories}}}\t{bits}\t{recipient}\t{country}\t{system}\tconforms\tALB-2025\t\
         {{ALB-2025.012,ALB-2025.034}}\t{{{parents}}}",
        id = event.id,
        time = event.time,
        service = event.service,
        controller = told.controller,
        subject = event.subject,
        purpose = event.purpose,
        basis = told.legal_basis,
        categories = event.categories.join(","),
        bits = category_bits(&event.categories),
        parents = told.parents.join(","),
    )?;
    Ok(())
}

/// A bit for each category, in the order of [`CATEGORIES`].
fn category_bits(categories: &[String]) -> i64 {
    let names = categories
        .iter()
        .map(|term| term.trim_start_matches("custody:"));
    names
        .filter_map(|name| CATEGORIES.iter().position(|known| *known == name))
        .fold(0, |bits, at| bits | 1 << at)
}
