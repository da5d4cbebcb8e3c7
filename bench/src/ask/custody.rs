//! The questions over gRPC.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Context as _, Result};
use custody_proto::Timestamp;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
use custody_proto::v1::oversight_service_client::OversightServiceClient;
use custody_proto::v1::trace_lineage_request::Direction;
use custody_proto::v1::{
    EntryFilter, EntryPosition, FindAffectedSubjectsRequest, GetProcessingRecordRequest,
    GetSubjectRequest, ListEventsRequest, ListRecipientsRequest, OversightListRequest,
    TraceLineageRequest,
};
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::question::{About, Question};
use super::{Answered, Side};

/// The most that a page may have.
const WHOLE: i32 = 1_000;

/// Much more than any answer here is.
const MAX_ANSWER: usize = 64 << 20;

/// A `ListEventsResponse` whose entries are received and not read, as the other
/// side's rows are.
#[derive(Clone, PartialEq, prost::Message)]
struct Received {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    entries: Vec<prost::bytes::Bytes>,
    #[prost(string, tag = "2")]
    next_page_token: String,
}

/// A `ListRecipientsResponse`, of which the numbers of events are read.
#[derive(Clone, PartialEq, prost::Message)]
struct ReceivedRecipients {
    #[prost(message, repeated, tag = "1")]
    recipients: Vec<Counted>,
    #[prost(string, tag = "2")]
    next_page_token: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Counted {
    #[prost(uint64, tag = "6")]
    count: u64,
}

/// A `FindAffectedSubjectsResponse`, of which the number of events is read.
#[derive(Clone, PartialEq, prost::Message)]
struct ReceivedPerson {
    #[prost(uint64, tag = "4")]
    count: u64,
}

/// A `TraceLineageResponse` whose entries and edges are received and not read.
#[derive(Clone, PartialEq, prost::Message)]
struct ReceivedGraph {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    nodes: Vec<prost::bytes::Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    edges: Vec<prost::bytes::Bytes>,
}

/// One connection.
pub(crate) struct Custody {
    lineage: LineageServiceClient<Channel>,
    /// The same, for what is received and not read.
    bare: Grpc<Channel>,
    oversight: OversightServiceClient<Channel>,
    /// Where the lineages of persons begin.
    roots: HashMap<String, EntryPosition>,
}

impl Custody {
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let channel = Endpoint::from_shared(address.to_owned())?.connect().await?;
        Ok(Self {
            lineage: LineageServiceClient::new(channel.clone())
                .max_decoding_message_size(MAX_ANSWER),
            bare: Grpc::new(channel.clone()).max_decoding_message_size(MAX_ANSWER),
            oversight: OversightServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER),
            roots: HashMap::new(),
        })
    }

    /// Asks `LineageService`; of the answer `A` is read and no more.
    async fn received<R, A>(&mut self, method: &str, request: R) -> Result<A>
    where
        R: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let path = PathAndQuery::try_from(format!("/custody.v1.LineageService/{method}"))?;
        let codec = ProstCodec::<R, A>::default();
        self.bare.ready().await?;
        let answer = self.bare.unary(Request::new(request), path, codec).await?;
        Ok(answer.into_inner())
    }

    async fn events(&mut self, subject: &str, page_size: i32, all: bool) -> Result<Answered> {
        let mut rows = 0;
        let mut page_token = String::new();
        loop {
            let request = ListEventsRequest {
                subject: subject.to_owned(),
                page_size,
                page_token,
                ..ListEventsRequest::default()
            };
            let page: Received = self.received("ListEvents", request).await?;
            rows += page.entries.len() as u64;
            page_token = page.next_page_token;
            if !all || page_token.is_empty() {
                return Ok(Answered {
                    rows,
                    ..Answered::default()
                });
            }
        }
    }

    async fn recipients(&mut self, subject: &str) -> Result<Answered> {
        let mut answered = Answered::default();
        let mut page_token = String::new();
        loop {
            let request = ListRecipientsRequest {
                subject: subject.to_owned(),
                page_size: WHOLE,
                page_token,
                ..ListRecipientsRequest::default()
            };
            let page: ReceivedRecipients = self.received("ListRecipients", request).await?;
            answered.rows += page.recipients.len() as u64;
            answered.events += page.recipients.iter().map(|row| row.count).sum::<u64>();
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(answered);
            }
        }
    }

    async fn summary(&mut self, subject: &str) -> Result<Answered> {
        let request = GetSubjectRequest {
            subject: subject.to_owned(),
            ..GetSubjectRequest::default()
        };
        let summary = self.lineage.get_subject(request).await?.into_inner();
        Ok(Answered {
            rows: 1,
            events: summary.entries,
            first_row: None,
        })
    }

    async fn affected(&mut self, about: &About) -> Result<Answered> {
        let request = FindAffectedSubjectsRequest {
            recipient: about.recipient.clone(),
            filter: Some(EntryFilter {
                from: Some(timestamp(about.from_ms)),
                to: Some(timestamp(about.to_ms)),
                ..EntryFilter::default()
            }),
            ..FindAffectedSubjectsRequest::default()
        };
        let path = "/custody.v1.OversightService/FindAffectedSubjects";
        let codec = ProstCodec::<FindAffectedSubjectsRequest, ReceivedPerson>::default();
        self.bare.ready().await?;
        let path = PathAndQuery::from_static(path);
        let asked = self
            .bare
            .server_streaming(Request::new(request), path, codec);
        let mut persons = asked.await?.into_inner();
        let mut answered = Answered::default();
        while let Some(person) = persons.message().await? {
            answered.first_row.get_or_insert_with(Instant::now);
            answered.rows += 1;
            answered.events += person.count;
        }
        Ok(answered)
    }

    async fn processing_record(&mut self) -> Result<Answered> {
        let request = GetProcessingRecordRequest::default();
        let record = self.oversight.get_processing_record(request).await?;
        let activities = record.into_inner().activities;
        Ok(Answered {
            rows: activities.len() as u64,
            events: activities.iter().map(|activity| activity.count).sum(),
            first_row: None,
        })
    }

    async fn all_recipients(&mut self) -> Result<Answered> {
        let mut answered = Answered::default();
        let mut page_token = String::new();
        loop {
            let request = OversightListRequest {
                page_size: WHOLE,
                page_token,
                ..OversightListRequest::default()
            };
            let page = self.oversight.list_recipients(request).await?.into_inner();
            answered.rows += page.recipients.len() as u64;
            answered.events += page.recipients.iter().map(|row| row.count).sum::<u64>();
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(answered);
            }
        }
    }

    async fn trace(&mut self, subject: &str) -> Result<Answered> {
        let start = match self.roots.get(subject) {
            Some(root) => root.clone(),
            None => {
                let root = self.root(subject).await?;
                self.roots.insert(subject.to_owned(), root.clone());
                root
            }
        };
        let request = TraceLineageRequest {
            subject: subject.to_owned(),
            start: Some(start),
            direction: Direction::Downstream.into(),
            ..TraceLineageRequest::default()
        };
        let graph: ReceivedGraph = self.received("TraceLineage", request).await?;
        Ok(Answered {
            rows: graph.nodes.len() as u64,
            events: graph.edges.len() as u64,
            first_row: None,
        })
    }

    async fn root(&mut self, subject: &str) -> Result<EntryPosition> {
        let request = ListEventsRequest {
            subject: subject.to_owned(),
            page_size: 1,
            ..ListEventsRequest::default()
        };
        let page = self.lineage.list_events(request).await?.into_inner();
        let first = page.entries.into_iter().next().context("no entry")?;
        first.position.context("no position")
    }
}

impl Side for Custody {
    async fn ask(&mut self, question: Question, about: &About) -> Result<Answered> {
        match question {
            Question::FirstPage => self.events(&about.subject, 0, false).await,
            Question::Recipients | Question::RecipientsOfHottest => {
                self.recipients(&about.subject).await
            }
            Question::Summary => self.summary(&about.subject).await,
            Question::Thousand => self.events(&about.subject, WHOLE, true).await,
            Question::BreachQuarter | Question::BreachAll => self.affected(about).await,
            Question::ProcessingRecord | Question::ProcessingRecordKept => {
                self.processing_record().await
            }
            Question::AllRecipients | Question::AllRecipientsKept => self.all_recipients().await,
            Question::Trace => self.trace(&about.subject).await,
        }
    }
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_unix_nanos(ms.saturating_mul(1_000_000))
}
