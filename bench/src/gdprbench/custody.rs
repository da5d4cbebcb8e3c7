//! The operations as events and questions.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use custody_proto::Timestamp;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
use custody_proto::v1::{EntryFilter, EntryView, ListEventsRequest};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};

use super::Side;
use super::operation::Operation;
use super::record::{Record, Records};
use super::service::Ready;

/// Numbers what is said of a record after it was shared.
static NEXT_PART: AtomicU64 = AtomicU64::new(2);

/// One connection to ask over, and one to tell events.
pub(crate) struct Custody {
    lineage: LineageServiceClient<Channel>,
    events: BufReader<TcpStream>,
    records: Records,
}

impl Custody {
    pub(crate) async fn connect(ready: &Ready, records: Records) -> Result<Self> {
        let channel = Endpoint::from_shared(ready.address.clone())?
            .connect()
            .await?;
        let events = TcpStream::connect(&ready.events_address).await?;
        events.set_nodelay(true)?;
        Ok(Self {
            lineage: LineageServiceClient::new(channel),
            events: BufReader::new(events),
            records,
        })
    }

    /// Tells an event and waits until it is durable.
    async fn tell(&mut self, event: &[u8]) -> Result<()> {
        let mut line = event.to_vec();
        line.push(b'\n');
        self.events.write_all(&line).await?;
        let mut answer = String::new();
        self.events.read_line(&mut answer).await?;
        ensure!(answer == "durable\n", "the event was not taken: {answer}");
        Ok(())
    }

    /// Says something about a record now.
    async fn say(&mut self, record: &Record, kind: &str, act: Value) -> Result<u64> {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let part = NEXT_PART.fetch_add(1, Ordering::Relaxed);
        self.tell(&record.event(kind, act, now_ms, part)?).await?;
        Ok(1)
    }

    /// What was collected of a person: all of it, or at one moment.
    async fn read(&mut self, record: &Record, one: bool, view: EntryView) -> Result<u64> {
        let at = |ms: i64| Timestamp::from_unix_nanos(ms.saturating_mul(1_000_000));
        let request = ListEventsRequest {
            subject: record.user.clone(),
            filter: Some(EntryFilter {
                from: one.then(|| at(record.time_ms)),
                to: one.then(|| at(record.time_ms + 1)),
                kinds: vec!["collection".to_owned()],
                ..EntryFilter::default()
            }),
            page_size: 1_000,
            view: view.into(),
            ..ListEventsRequest::default()
        };
        let page = self.lineage.list_events(request).await?.into_inner();
        ensure!(page.next_page_token.is_empty(), "there are more pages");
        Ok(page.entries.len() as u64)
    }
}

impl Side for Custody {
    async fn run(&mut self, operation: Operation, record: u64) -> Result<u64> {
        let record = self.records.get(record);
        let objection = json!({ "kind": "objection", "by": "subject", "scope": [record.purpose] });
        match operation {
            Operation::CreateRecord => {
                for event in record.created()? {
                    self.tell(&event).await?;
                }
                Ok(1)
            }
            Operation::DeleteByUser => self.say(&record, "erasure", json!({ "scope": [] })).await,
            Operation::DeleteByKey => {
                let scope = json!({ "scope": [record.category] });
                self.say(&record, "erasure", scope).await
            }
            Operation::UpdateDataByKey => self.say(&record, "rectification", json!({})).await,
            Operation::UpdateMetadataByKey | Operation::UpdateMetadataByUser => {
                self.say(&record, "objection", objection).await
            }
            Operation::ReadDataByKey => self.read(&record, true, EntryView::Full).await,
            Operation::ReadDataByUser => self.read(&record, false, EntryView::Full).await,
            Operation::ReadMetadataByKey => self.read(&record, true, EntryView::Basic).await,
        }
    }
}
