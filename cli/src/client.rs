//! Asks the lineage service, over the network or in this process, and puts
//! the pages of an answer together.

use std::sync::Arc;

use custody_ledger::Kind;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
use custody_proto::v1::oversight_service_client::OversightServiceClient;
use custody_proto::v1::policy_service_client::PolicyServiceClient;
use custody_proto::v1::trace_lineage_request::Direction;
use custody_proto::v1::{
    AsOf, EntryFilter, EntryPosition, EntryView, FindingFilter, GetFindingSummaryResponse,
    GetSubjectRequest, GetSubjectResponse, JudgeRequest, JudgeResponse, ListEventsRequest,
    ListEventsResponse, ListFindingsRequest, ListFindingsResponse, ListRecipientsRequest,
    ListRecipientsResponse, ListTransfersRequest, ListTransfersResponse,
    OversightFindingSummaryRequest, OversightListRequest, TraceLineageRequest,
    TraceLineageResponse,
};
use tonic::Status;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Bytes, StdError};

use crate::config::Config;
use crate::error::CommandError;
use crate::offline::Offline;
use crate::output::Consultations;
use crate::reach::{ask_offline, block_on, connect, refused};

/// Where a server listens by default.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:7461";

/// The largest page that is asked for.
const PAGE_SIZE: i32 = 1_000;

/// The most nodes and steps of a trace that a server gives.
const MAX_NODES: i32 = 10_000;

/// The largest page in bytes: 1,000 entries in full view.
const MAX_PAGE_BYTES: usize = 256 << 20;

/// What to show of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum View {
    /// Everything in short.
    Summary,
    /// Who received what, for which purpose, in which country.
    Recipients,
    /// Every entry in order of time.
    Timeline,
    /// What went to another country.
    Transfers,
    /// What the judge found, with the clauses that it rests on.
    Findings,
    /// Who looked at it, when, and why.
    Consultations,
    /// What came from what.
    Trace,
}

/// A question about a person.
#[derive(Clone)]
pub struct Question {
    /// `scheme:value`.
    pub subject: String,
    /// Narrows the answer.
    pub filter: EntryFilter,
    /// Looks at the ledger as it was.
    pub as_of: Option<AsOf>,
    /// How much of an entry is shown.
    pub view: EntryView,
    /// The order of a timeline.
    pub newest_first: bool,
    /// Narrows findings.
    pub findings: FindingFilter,
    /// Which part of a trace is shown.
    pub trace: Tracing,
}

/// Where a trace begins and how far it goes.
#[derive(Clone, Default)]
pub struct Tracing {
    /// Where it begins; with every entry of the person where not said.
    pub start: Option<EntryPosition>,
    /// Which way it goes.
    pub direction: Direction,
    /// At most so many steps; where not said, as many as the service takes.
    pub max_depth: Option<i32>,
    /// At most so many entries; where not said, as many as the service shows.
    pub max_nodes: Option<i32>,
}

impl Question {
    /// Everything about a person, as it is now.
    pub fn about(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            filter: EntryFilter::default(),
            as_of: None,
            view: EntryView::Basic,
            newest_first: false,
            findings: FindingFilter::default(),
            trace: Tracing::default(),
        }
    }
}

/// One of the answers; of a list, all pages.
pub enum AnyAnswer {
    /// To [`View::Summary`].
    Summary(Box<GetSubjectResponse>),
    /// To [`View::Recipients`].
    Recipients(ListRecipientsResponse),
    /// To [`View::Timeline`].
    Timeline(ListEventsResponse),
    /// To [`View::Transfers`].
    Transfers(ListTransfersResponse),
    /// To [`View::Findings`].
    Findings(ListFindingsResponse),
    /// To [`View::Consultations`].
    Consultations(Consultations),
    /// To [`View::Trace`].
    Trace(TraceLineageResponse),
}

/// Asks a server. `127.0.0.1:7461` is taken as `http://127.0.0.1:7461`.
///
/// # Errors
/// [`CommandError::Connect`] and [`CommandError::Refused`].
pub fn ask_server(server: &str, view: View, question: Question) -> Result<AnyAnswer, CommandError> {
    block_on(async {
        let channel = connect(server).await?;
        ask(LineageServiceClient::new(channel), view, question)
            .await
            .map_err(|status| refused(server, &status))
    })
}

/// Reads the data directory in this process.
///
/// # Errors
/// [`CommandError::NoLedger`], [`CommandError::Store`] where another process
/// has the directory open, and [`CommandError::Refused`].
pub fn ask_files(
    config: &Config,
    view: View,
    question: Question,
) -> Result<AnyAnswer, CommandError> {
    let offline = Offline::open(config)?;
    let dir = config.data_dir.display().to_string();
    let answer = block_on(async {
        ask(offline.client(), view, question)
            .await
            .map_err(|status| refused(&dir, &status))
    });
    offline.close()?;
    answer
}

/// A question about findings over everybody.
#[derive(Clone, Debug, Default)]
pub struct FindingQuestion {
    /// Narrows the entries.
    pub filter: EntryFilter,
    /// Narrows the findings.
    pub findings: FindingFilter,
}

/// Whom to ask.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// A server.
    Server(&'a str),
    /// The data directory of these settings.
    Files(&'a Config),
}

impl<'a> Place<'a> {
    /// The data directory of these settings where there are any, else a
    /// server.
    pub fn of(config: Option<&'a Config>, server: &'a str) -> Self {
        config.map_or(Self::Server(server), Self::Files)
    }
}

/// Lists findings over everybody.
///
/// # Errors
/// As [`ask_server`] and [`ask_files`].
pub fn findings(
    place: Place<'_>,
    question: FindingQuestion,
) -> Result<ListFindingsResponse, CommandError> {
    let request = OversightListRequest {
        filter: Some(question.filter),
        page_size: PAGE_SIZE,
        findings: Some(question.findings),
        with_clauses: true,
        ..OversightListRequest::default()
    };
    match place {
        Place::Server(server) => block_on(async {
            let client = OversightServiceClient::new(connect(server).await?);
            let pages = finding_pages(client, request).await;
            pages.map_err(|status| refused(server, &status))
        }),
        Place::Files(config) => offline(config, |offline| async move {
            finding_pages(offline.oversight(), request).await
        }),
    }
}

/// Counts findings over everybody, by code and policy.
///
/// # Errors
/// As [`ask_server`] and [`ask_files`].
pub fn finding_summary(
    place: Place<'_>,
    question: FindingQuestion,
) -> Result<GetFindingSummaryResponse, CommandError> {
    let request = OversightFindingSummaryRequest {
        filter: Some(question.filter),
        findings: Some(question.findings),
        ..OversightFindingSummaryRequest::default()
    };
    match place {
        Place::Server(server) => block_on(async {
            let mut client = OversightServiceClient::new(connect(server).await?);
            let answer = client.get_finding_summary(request).await;
            answer
                .map(tonic::Response::into_inner)
                .map_err(|status| refused(server, &status))
        }),
        Place::Files(config) => offline(config, |offline| async move {
            let answer = offline.oversight().get_finding_summary(request).await;
            answer.map(tonic::Response::into_inner)
        }),
    }
}

/// Asks in this process.
fn offline<T, F>(config: &Config, ask: impl FnOnce(Arc<Offline>) -> F) -> Result<T, CommandError>
where
    F: Future<Output = Result<T, Status>>,
{
    ask_offline(config, Offline::open(config)?, ask)
}

async fn finding_pages<T>(
    client: OversightServiceClient<T>,
    request: OversightListRequest,
) -> Result<ListFindingsResponse, Status>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: tonic::codegen::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as tonic::codegen::Body>::Error: Into<StdError> + Send,
{
    let mut client = client.max_decoding_message_size(MAX_PAGE_BYTES);
    all_pages(
        request,
        |request| &mut request.page_token,
        |page: &mut ListFindingsResponse| (&mut page.findings, &mut page.next_page_token),
        async |request| client.list_findings(request).await,
    )
    .await
}

/// Asks for page after page: the last one, with the rows of all. `token` is
/// where a request names its page, `parts` are a page's rows and the token of
/// the page after it.
pub(crate) async fn all_pages<Q: Clone, P, R>(
    mut request: Q,
    token: impl Fn(&mut Q) -> &mut String,
    parts: impl Fn(&mut P) -> (&mut Vec<R>, &mut String),
    mut call: impl AsyncFnMut(Q) -> Result<tonic::Response<P>, Status>,
) -> Result<P, Status> {
    let mut rows = Vec::new();
    loop {
        let mut page = call(request.clone()).await?.into_inner();
        let (found, next) = parts(&mut page);
        rows.append(found);
        let next = std::mem::take(next);
        if next.is_empty() {
            *parts(&mut page).0 = rows;
            return Ok(page);
        }
        *token(&mut request) = next;
    }
}

/// Asks a server what the judge would say of an event.
///
/// # Errors
/// [`CommandError::Connect`] and [`CommandError::Refused`].
pub fn judge(server: &str, request: JudgeRequest) -> Result<JudgeResponse, CommandError> {
    block_on(async {
        let mut client = PolicyServiceClient::new(connect(server).await?);
        let answer = client.judge(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| refused(server, &status))
    })
}

/// Who looked, as the entries say that tell it.
fn consultations(filter: EntryFilter) -> EntryFilter {
    EntryFilter {
        kinds: vec![Kind::Consultation.name().to_owned()],
        ..filter
    }
}

/// Asks through a client, whatever carries its calls.
///
/// # Errors
/// What the service answers.
pub async fn ask<T>(
    client: LineageServiceClient<T>,
    view: View,
    question: Question,
) -> Result<AnyAnswer, Status>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: tonic::codegen::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as tonic::codegen::Body>::Error: Into<StdError> + Send,
{
    let mut client = client.max_decoding_message_size(MAX_PAGE_BYTES);
    match view {
        View::Summary => {
            let request = GetSubjectRequest {
                subject: question.subject,
                as_of: question.as_of,
                ..GetSubjectRequest::default()
            };
            let answer = client.get_subject(request).await?.into_inner();
            Ok(AnyAnswer::Summary(Box::new(answer)))
        }
        View::Recipients => {
            let request = ListRecipientsRequest {
                subject: question.subject,
                filter: Some(question.filter),
                page_size: PAGE_SIZE,
                as_of: question.as_of,
                ..ListRecipientsRequest::default()
            };
            let page = all_pages(
                request,
                |request| &mut request.page_token,
                |page: &mut ListRecipientsResponse| {
                    (&mut page.recipients, &mut page.next_page_token)
                },
                async |request| client.list_recipients(request).await,
            );
            Ok(AnyAnswer::Recipients(page.await?))
        }
        View::Timeline | View::Consultations => {
            let (filter, of_full) = match view {
                View::Consultations => (consultations(question.filter), EntryView::Full),
                _ => (question.filter, question.view),
            };
            let request = ListEventsRequest {
                subject: question.subject,
                filter: Some(filter),
                page_size: PAGE_SIZE,
                page_token: String::new(),
                view: of_full.into(),
                descending: question.newest_first,
                as_of: question.as_of,
                with_clauses: true,
                ..ListEventsRequest::default()
            };
            let page = all_pages(
                request,
                |request| &mut request.page_token,
                |page: &mut ListEventsResponse| (&mut page.entries, &mut page.next_page_token),
                async |request| client.list_events(request).await,
            );
            let page = page.await?;
            Ok(match view {
                View::Consultations => AnyAnswer::Consultations(Consultations(page)),
                _ => AnyAnswer::Timeline(page),
            })
        }
        View::Transfers => {
            let request = ListTransfersRequest {
                subject: question.subject,
                filter: Some(question.filter),
                page_size: PAGE_SIZE,
                page_token: String::new(),
                at_least: None,
                as_of: question.as_of,
            };
            let page = all_pages(
                request,
                |request| &mut request.page_token,
                |page: &mut ListTransfersResponse| (&mut page.transfers, &mut page.next_page_token),
                async |request| client.list_transfers(request).await,
            );
            Ok(AnyAnswer::Transfers(page.await?))
        }
        View::Trace => {
            let request = TraceLineageRequest {
                subject: question.subject,
                as_of: question.as_of,
                start: question.trace.start,
                direction: question.trace.direction.into(),
                max_nodes: question.trace.max_nodes.unwrap_or(MAX_NODES),
                max_depth: question.trace.max_depth.unwrap_or(MAX_NODES),
                ..TraceLineageRequest::default()
            };
            let answer = client.trace_lineage(request).await?.into_inner();
            Ok(AnyAnswer::Trace(answer))
        }
        View::Findings => {
            let request = ListFindingsRequest {
                subject: question.subject,
                filter: Some(question.filter),
                page_size: PAGE_SIZE,
                page_token: String::new(),
                at_least: None,
                as_of: question.as_of,
                findings: Some(question.findings),
                with_clauses: true,
            };
            let page = all_pages(
                request,
                |request| &mut request.page_token,
                |page: &mut ListFindingsResponse| (&mut page.findings, &mut page.next_page_token),
                async |request| client.list_findings(request).await,
            );
            Ok(AnyAnswer::Findings(page.await?))
        }
    }
}
