//! `FindAffectedSubjects` as a stream: persons are sent while the rest is still
//! being read, and reading waits for the network. They are in bytes already
//! when they come here, so this method is served before the generated service,
//! which would have them as messages first. Nobody sees a difference.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use custody_proto::v1::oversight_service_server::OversightServiceServer;
use custody_proto::v1::{
    FindAffectedSubjectsRequest, FindAffectedSubjectsResponse, OversightListRequest,
};
use prost::bytes::{BufMut, Bytes};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

use super::api::{LineageApi, count, handled};
use super::deadline::Deadline;
use super::in_bytes::serve;
use crate::answer::{Ask, OversightRecipientsInBytes, Persons, Waiting, find_affected};
use crate::consultation::Consult;

/// The path of the method.
const PATH: &str = "/custody.v1.OversightService/FindAffectedSubjects";

/// So many times some persons wait for the network at most.
const BATCHES_IN_FLIGHT: usize = 4;

impl LineageApi {
    pub(super) async fn stream_affected(
        &self,
        request: Request<FindAffectedSubjectsRequest>,
    ) -> Result<Response<AffectedStream>, Status> {
        const METHOD: &str = FindAffectedSubjectsRequest::METHOD;
        let start = Instant::now();
        let deadline = Deadline::of(request.metadata());
        // A stream takes as long as its reader does, unless the reader says.
        let until = Deadline::said(request.metadata()).map(|it| it.0);
        let (metadata, _, request) = request.into_parts();
        let refused = |error| {
            let status = handled(METHOD, &error);
            count(METHOD, status.code(), start);
            status
        };
        let begin = async {
            let kept = self.state().consultations.as_ref();
            let asked = kept
                .map(|kept| kept.asked(&metadata, METHOD, request.whose(), request.said()))
                .transpose()?;
            let begun = self.visible_for(&request, deadline).await?;
            // Written at the end, with the number of persons; or, where no
            // answer leaves without it, before the first.
            let counting = match (kept, asked) {
                (Some(kept), Some(asked)) => Some(kept.counting(asked, deadline.0).await?),
                _ => None,
            };
            Ok((begun, counting))
        };
        let ((visible, turn), mut counting) = begin.await.map_err(refused)?;
        let (sender, receiver) = mpsc::channel(BATCHES_IN_FLIGHT);
        // Dropped with the stream: who goes away ends the work.
        let (state, waiting) = self.state().until(until);
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut send = |persons: Persons| {
                let many = persons.len() as u64;
                let is_sent = sender.blocking_send(Ok(persons)).is_ok();
                if let (Some(counting), true) = (&mut counting, is_sent) {
                    counting.add(many);
                }
                is_sent
            };
            let found = find_affected(&request, &state, &visible, &mut send);
            let code = match found {
                Ok(()) => Code::Ok,
                Err(_) if sender.is_closed() => Code::Cancelled,
                Err(error) => {
                    let status = handled(METHOD, &error);
                    let code = status.code();
                    // Only a client that went away makes this fail.
                    let _ = sender.blocking_send(Err(status));
                    code
                }
            };
            count(METHOD, code, start);
        });
        Ok(Response::new(AffectedStream {
            receiver,
            bytes: Bytes::new(),
            begin: 0,
            ends: Vec::new().into_iter(),
            _waiting: waiting,
        }))
    }
}

/// Persons, one by one.
pub(super) struct AffectedStream {
    receiver: mpsc::Receiver<Result<Persons, Status>>,
    /// Those that came last, and where each ends.
    bytes: Bytes,
    begin: usize,
    ends: std::vec::IntoIter<usize>,
    _waiting: Waiting,
}

impl Stream for AffectedStream {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(end) = self.ends.next() {
                let message = self.bytes.slice(self.begin..end);
                self.begin = end;
                return Poll::Ready(Some(Ok(message)));
            }
            match ready!(self.receiver.poll_recv(context)) {
                Some(Ok(persons)) => {
                    self.bytes = persons.bytes.into();
                    self.begin = 0;
                    self.ends = persons.ends.into_iter();
                }
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// The whole of `OversightService`.
#[derive(Clone)]
pub(super) struct Oversight {
    api: LineageApi,
    others: OversightServiceServer<LineageApi>,
}

impl Oversight {
    pub(super) fn new(api: LineageApi) -> Self {
        let others = OversightServiceServer::new(api.clone());
        Self { api, others }
    }
}

impl NamedService for Oversight {
    const NAME: &'static str = <OversightServiceServer<LineageApi> as NamedService>::NAME;
}

impl Service<http::Request<Body>> for Oversight {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.others, context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let api = self.api.clone();
        match request.uri().path() {
            PATH => {}
            "/custody.v1.OversightService/ListRecipients" => {
                let question: fn(OversightListRequest) -> _ = OversightRecipientsInBytes::from;
                return serve(api, question, request, false);
            }
            _ => return self.others.call(request),
        }
        let method = FindAffected(api);
        Box::pin(async move {
            let mut grpc = Grpc::new(AffectedCodec);
            Ok(grpc.server_streaming(method, request).await)
        })
    }
}

struct FindAffected(LineageApi);

impl ServerStreamingService<FindAffectedSubjectsRequest> for FindAffected {
    type Response = Bytes;
    type ResponseStream = AffectedStream;
    type Future = BoxFuture<Response<AffectedStream>, Status>;

    fn call(&mut self, request: Request<FindAffectedSubjectsRequest>) -> Self::Future {
        let api = self.0.clone();
        Box::pin(async move { api.stream_affected(request).await })
    }
}

/// A request is a message; what is answered is one in bytes.
struct AffectedCodec;

impl Codec for AffectedCodec {
    type Encode = Bytes;
    type Decode = FindAffectedSubjectsRequest;
    type Encoder = Written;
    type Decoder = <ProstCodec<FindAffectedSubjectsResponse, Self::Decode> as Codec>::Decoder;

    fn encoder(&mut self) -> Written {
        Written
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<FindAffectedSubjectsResponse, _>::default().decoder()
    }
}

/// Writes a message that is written already.
struct Written;

impl Encoder for Written {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}
