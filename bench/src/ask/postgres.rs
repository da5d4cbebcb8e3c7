//! The same questions in SQL, each a prepared statement. Rows are received;
//! but for the counts that are compared they are not decoded, while Custody's
//! are.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use futures_util::TryStreamExt as _;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::question::{About, Question};
use super::{Answered, Side};
use crate::answers::postgres::connect;

/// Columns of an entry, as a timeline shows them.
const ENTRY: &str = "seq, id, occurred_at, recorded_at, kind, service, controller, jurisdiction, \
    purpose, legal_basis, categories, recipient, country, system, judgement, policy, clauses, \
    parents";

/// One connection and its statements.
pub(crate) struct Postgres {
    client: Client,
    first_page: Statement,
    recipients: Statement,
    summary: Statement,
    thousand: Statement,
    breach: Statement,
    processing_record: Statement,
    processing_record_kept: Statement,
    all_recipients: Statement,
    all_recipients_kept: Statement,
    trace: Statement,
}

impl Postgres {
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let client = connect(address).await?;
        client
            .batch_execute("SET statement_timeout = '120s'")
            .await?;
        let first_page = format!(
            "SELECT {ENTRY} FROM event WHERE subject = $1 ORDER BY occurred_at, seq LIMIT 100"
        );
        let thousand =
            format!("SELECT {ENTRY} FROM event WHERE subject = $1 ORDER BY occurred_at, seq");
        // Custody's rows say the controllers, too; PostgreSQL is spared that.
        let recipients = "SELECT recipient, purpose, legal_basis, country, \
            bit_or(category_bits), count(*), min(occurred_at), max(occurred_at) \
            FROM event WHERE subject = $1 AND recipient IS NOT NULL \
            GROUP BY recipient, purpose, legal_basis, country \
            ORDER BY recipient, purpose, legal_basis, country";
        let summary = "SELECT count(*), min(occurred_at), max(occurred_at), \
            bit_or(category_bits), count(DISTINCT recipient), array_agg(DISTINCT kind), \
            array_agg(DISTINCT country), array_agg(DISTINCT controller), \
            array_agg(DISTINCT service), array_agg(DISTINCT purpose) \
            FROM event WHERE subject = $1";
        let breach = "SELECT subject, bit_or(category_bits), count(*), \
            min(occurred_at), max(occurred_at) FROM event \
            WHERE recipient = $1 AND occurred_at >= $2 AND occurred_at < $3 GROUP BY subject";
        // In two steps, which sorts the groups and not the events.
        let processing_record = "SELECT controller, purpose, bit_or(bits), sum(n)::bigint, \
            min(first), max(last), array_agg(DISTINCT recipient), array_agg(DISTINCT country) \
            FROM (SELECT controller, purpose, recipient, country, bit_or(category_bits) AS bits, \
                count(*) AS n, min(occurred_at) AS first, max(occurred_at) AS last \
                FROM event GROUP BY controller, purpose, recipient, country) AS activity \
            GROUP BY controller, purpose ORDER BY controller, purpose";
        let all_recipients = "SELECT recipient, purpose, legal_basis, country, \
            bit_or(category_bits), count(*), min(occurred_at), max(occurred_at) \
            FROM event WHERE recipient IS NOT NULL \
            GROUP BY recipient, purpose, legal_basis, country \
            ORDER BY recipient, purpose, legal_basis, country";
        let processing_record_kept = "SELECT controller, purpose, bit_or(category_bits), \
            sum(events)::bigint, min(first), max(last), array_agg(DISTINCT recipient), \
            array_agg(DISTINCT country) \
            FROM register GROUP BY controller, purpose ORDER BY controller, purpose";
        let all_recipients_kept = "SELECT recipient, purpose, legal_basis, country, \
            bit_or(category_bits), sum(events)::bigint, min(first), max(last) \
            FROM register WHERE recipient IS NOT NULL \
            GROUP BY recipient, purpose, legal_basis, country \
            ORDER BY recipient, purpose, legal_basis, country";
        let trace = format!(
            "WITH RECURSIVE reached (id) AS ( \
                (SELECT id FROM event WHERE subject = $1 ORDER BY occurred_at, seq LIMIT 1) \
                UNION SELECT child FROM reached JOIN event_parent ON parent = reached.id) \
            SELECT {ENTRY}, cardinality(parents)::bigint AS edges FROM reached JOIN event USING (id)"
        );
        Ok(Self {
            first_page: client.prepare(&first_page).await?,
            recipients: client.prepare(recipients).await?,
            summary: client.prepare(summary).await?,
            thousand: client.prepare(&thousand).await?,
            breach: client.prepare(breach).await?,
            processing_record: client.prepare(processing_record).await?,
            processing_record_kept: client.prepare(processing_record_kept).await?,
            all_recipients: client.prepare(all_recipients).await?,
            all_recipients_kept: client.prepare(all_recipients_kept).await?,
            trace: client.prepare(&trace).await?,
            client,
        })
    }

    async fn breach(&self, about: &About) -> Result<Answered> {
        let (from, to) = (time(about.from_ms), time(about.to_ms));
        let values: [&(dyn ToSql + Sync); 3] = [&about.recipient, &from, &to];
        let rows = self.client.query_raw(&self.breach, values).await?;
        let mut rows = std::pin::pin!(rows);
        let mut answered = Answered::default();
        while let Some(row) = rows.try_next().await? {
            answered.first_row.get_or_insert_with(Instant::now);
            answered.rows += 1;
            answered.events += count(&row, 2)?;
        }
        Ok(answered)
    }
}

impl Side for Postgres {
    async fn ask(&mut self, question: Question, about: &About) -> Result<Answered> {
        let client = &self.client;
        let subject: &(dyn ToSql + Sync) = &about.subject;
        match question {
            Question::FirstPage => {
                answered(client.query(&self.first_page, &[subject]).await?, None)
            }
            Question::Recipients | Question::RecipientsOfHottest => {
                answered(client.query(&self.recipients, &[subject]).await?, Some(5))
            }
            Question::Summary => answered(client.query(&self.summary, &[subject]).await?, Some(0)),
            Question::Thousand => answered(client.query(&self.thousand, &[subject]).await?, None),
            Question::BreachQuarter | Question::BreachAll => self.breach(about).await,
            Question::ProcessingRecord => {
                answered(client.query(&self.processing_record, &[]).await?, Some(3))
            }
            Question::ProcessingRecordKept => {
                let rows = client.query(&self.processing_record_kept, &[]).await?;
                answered(rows, Some(3))
            }
            Question::AllRecipients => {
                answered(client.query(&self.all_recipients, &[]).await?, Some(5))
            }
            Question::AllRecipientsKept => {
                let rows = client.query(&self.all_recipients_kept, &[]).await?;
                answered(rows, Some(5))
            }
            Question::Trace => answered(client.query(&self.trace, &[subject]).await?, Some(18)),
        }
    }
}

/// Counts rows, and the events that a column of them counts.
fn answered(rows: Vec<Row>, counted: Option<usize>) -> Result<Answered> {
    let mut answered = Answered {
        rows: rows.len() as u64,
        ..Answered::default()
    };
    if let Some(column) = counted {
        for row in &rows {
            answered.events += count(row, column)?;
        }
    }
    Ok(answered)
}

fn count(row: &Row, column: usize) -> Result<u64> {
    Ok(u64::try_from(row.try_get::<_, i64>(column)?)?)
}

fn time(ms: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
