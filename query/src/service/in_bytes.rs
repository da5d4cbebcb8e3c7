//! Methods of `LineageService` whose answers are in bytes already when they come
//! here. They are served before the generated service, which would have them as
//! messages first. Nobody who asks sees a difference.

use std::convert::Infallible;
use std::task::{Context, Poll};

use custody_proto::v1;
use custody_proto::v1::lineage_service_server::LineageServiceServer;
use prost::Message;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::api::LineageApi;
use crate::answer::{Ask, EventsInBytes, InBytes, RecipientsInBytes, TraceInBytes};
use crate::consultation::Consult;

/// The whole of `LineageService`.
#[derive(Clone)]
pub(super) struct Lineage {
    api: LineageApi,
    others: LineageServiceServer<LineageApi>,
}

impl Lineage {
    pub(super) fn new(api: LineageApi) -> Self {
        let others = LineageServiceServer::new(api.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip);
        Self { api, others }
    }
}

impl NamedService for Lineage {
    const NAME: &'static str = <LineageServiceServer<LineageApi> as NamedService>::NAME;
}

impl Service<http::Request<Body>> for Lineage {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.others, context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let api = self.api.clone();
        match request.uri().path() {
            "/custody.v1.LineageService/ListEvents" => {
                serve::<v1::ListEventsRequest, _, _>(api, EventsInBytes, request, true)
            }
            "/custody.v1.LineageService/ListRecipients" => {
                serve::<v1::ListRecipientsRequest, _, _>(api, RecipientsInBytes, request, true)
            }
            "/custody.v1.LineageService/TraceLineage" => {
                serve::<v1::TraceLineageRequest, _, _>(api, TraceInBytes, request, true)
            }
            _ => self.others.call(request),
        }
    }
}

/// Serves a method; with `gzip`, to who takes it.
pub(super) fn serve<R, Q, M>(
    api: LineageApi,
    question: fn(R) -> Q,
    request: http::Request<Body>,
    gzip: bool,
) -> BoxFuture<http::Response<Body>, Infallible>
where
    R: Message + Default + 'static,
    Q: Consult + Ask<Answer = InBytes<M>> + Sync,
    M: Message + Default + 'static,
{
    Box::pin(async move {
        let codec = ProstCodec::<InBytes<M>, R>::default();
        let mut grpc = Grpc::new(codec);
        if gzip {
            grpc = grpc
                .accept_compressed(CompressionEncoding::Gzip)
                .send_compressed(CompressionEncoding::Gzip);
        }
        Ok(grpc.unary(Method { api, question }, request).await)
    })
}

struct Method<R, Q> {
    api: LineageApi,
    question: fn(R) -> Q,
}

impl<R, Q, M> UnaryService<R> for Method<R, Q>
where
    R: Message + Default + 'static,
    Q: Consult + Ask<Answer = InBytes<M>> + Sync,
    M: Message + Default + 'static,
{
    type Response = InBytes<M>;
    type Future = BoxFuture<Response<Self::Response>, Status>;

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let (api, question) = (self.api.clone(), self.question);
        Box::pin(async move { api.respond(request.map(question)).await })
    }
}
