//! The operations on a table of records, as GDPRbench has them: metadata in
//! columns, with an index for each that is asked by.

use std::fmt::Write as _;
use std::pin::pin;

use anyhow::Result;
use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::Side;
use super::operation::Operation;
use super::record::{Record, Records};
use crate::answers::postgres::connect;

const SCHEMA: &str = "
DROP TABLE IF EXISTS record;
CREATE TABLE record (
    key text NOT NULL,
    data text NOT NULL,
    pur text NOT NULL,
    ttl timestamptz NOT NULL,
    usr text NOT NULL,
    obj text NOT NULL,
    dec boolean NOT NULL,
    acl text NOT NULL,
    shr text NOT NULL,
    src text NOT NULL,
    cat text NOT NULL,
    created_at timestamptz NOT NULL
);";

const INDEXES: &str = "
ALTER TABLE record ADD PRIMARY KEY (key);
CREATE INDEX ON record (usr);
CREATE INDEX ON record (pur);
CREATE INDEX ON record (ttl);
CREATE INDEX ON record (shr);";

const COLUMNS: &str = "key, data, pur, ttl, usr, obj, dec, acl, shr, src, cat, created_at";

/// Makes the table.
pub(crate) async fn load(address: &str, records: &Records) -> Result<()> {
    let client = connect(address).await?;
    client.batch_execute(SCHEMA).await?;
    let rows = client.copy_in::<_, Bytes>("COPY record FROM STDIN").await?;
    let mut rows = pin!(rows);
    let mut text = String::new();
    for number in 0..records.len() {
        let record = records.get(number);
        writeln!(
            text,
            "{}\t{}\t{}\t{}\t{}\t\t{}\t{}\t{}\t{}\t{}\t{}",
            key(&record),
            record.data,
            record.purpose,
            moment(record.time_ms + 365 * 86_400_000)?,
            record.user,
            record.decided,
            record.access,
            record.shared_with,
            record.source,
            record.category,
            moment(record.time_ms)?,
        )?;
        if text.len() > 1 << 18 {
            rows.send(Bytes::from(std::mem::take(&mut text))).await?;
        }
    }
    rows.send(Bytes::from(text)).await?;
    rows.finish().await?;
    client.batch_execute(INDEXES).await?;
    client.batch_execute("VACUUM (ANALYZE) record").await?;
    client.batch_execute("CHECKPOINT").await?;
    Ok(())
}

/// One connection and its statements.
pub(crate) struct Postgres {
    client: Client,
    records: Records,
    create: Statement,
    delete_by_user: Statement,
    delete_by_key: Statement,
    update_data: Statement,
    object_by_key: Statement,
    object_by_user: Statement,
    read_data: Statement,
    read_by_user: Statement,
    read_metadata: Statement,
}

impl Postgres {
    pub(crate) async fn connect(address: &str, records: Records) -> Result<Self> {
        let client = connect(address).await?;
        let create = format!(
            "INSERT INTO record ({COLUMNS}) VALUES ($1, $2, $3, $4::text::timestamptz, $5, '', \
             $6, $7, $8, $9, $10, $11::text::timestamptz)"
        );
        let by_user = format!("SELECT {COLUMNS} FROM record WHERE usr = $1");
        let metadata = "SELECT pur, ttl, usr, obj, dec, acl, shr, src, cat FROM record \
            WHERE key = $1";
        Ok(Self {
            create: client.prepare(&create).await?,
            delete_by_user: client.prepare("DELETE FROM record WHERE usr = $1").await?,
            delete_by_key: client.prepare("DELETE FROM record WHERE key = $1").await?,
            update_data: client
                .prepare("UPDATE record SET data = $2 WHERE key = $1")
                .await?,
            object_by_key: client
                .prepare("UPDATE record SET obj = $2 WHERE key = $1")
                .await?,
            object_by_user: client
                .prepare("UPDATE record SET obj = $2 WHERE usr = $1")
                .await?,
            read_data: client
                .prepare(&format!("SELECT {COLUMNS} FROM record WHERE key = $1"))
                .await?,
            read_by_user: client.prepare(&by_user).await?,
            read_metadata: client.prepare(metadata).await?,
            client,
            records,
        })
    }

    async fn create(&self, record: &Record) -> Result<u64> {
        let (ttl, created) = (
            moment(record.time_ms + 365 * 86_400_000)?,
            moment(record.time_ms)?,
        );
        let values: [&(dyn ToSql + Sync); 11] = [
            &key(record),
            &record.data,
            &record.purpose,
            &ttl,
            &record.user,
            &record.decided,
            &record.access,
            &record.shared_with,
            &record.source,
            &record.category,
            &created,
        ];
        Ok(self.client.execute(&self.create, &values).await?)
    }
}

impl Side for Postgres {
    async fn run(&mut self, operation: Operation, record: u64) -> Result<u64> {
        let record = self.records.get(record);
        let (key, user) = (key(&record), &record.user);
        let client = &self.client;
        Ok(match operation {
            Operation::CreateRecord => self.create(&record).await?,
            Operation::DeleteByUser => client.execute(&self.delete_by_user, &[user]).await?,
            Operation::DeleteByKey => client.execute(&self.delete_by_key, &[&key]).await?,
            Operation::UpdateDataByKey => {
                let values: [&(dyn ToSql + Sync); 2] = [&key, &"0123456789"];
                client.execute(&self.update_data, &values).await?
            }
            Operation::UpdateMetadataByKey => {
                client
                    .execute(&self.object_by_key, &[&key, &record.purpose])
                    .await?
            }
            Operation::UpdateMetadataByUser => {
                client
                    .execute(&self.object_by_user, &[user, &record.purpose])
                    .await?
            }
            Operation::ReadDataByKey => client.query(&self.read_data, &[&key]).await?.len() as u64,
            Operation::ReadDataByUser => {
                client.query(&self.read_by_user, &[user]).await?.len() as u64
            }
            Operation::ReadMetadataByKey => {
                client.query(&self.read_metadata, &[&key]).await?.len() as u64
            }
        })
    }
}

fn key(record: &Record) -> String {
    format!("r-{}", record.number)
}

fn moment(ms: i64) -> Result<String> {
    let time = jiff::Timestamp::from_millisecond(ms)?;
    Ok(format!("{time:.3}"))
}
