//! `FindAffectedSubjects` as a stream: persons are sent while the rest is still
//! being read, and reading waits for the network.

use std::time::Instant;

use custody_proto::v1::{FindAffectedSubjectsRequest, FindAffectedSubjectsResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::BoxStream;
use tonic::{Code, Request, Response, Status};

use super::api::{LineageApi, count, handled};
use super::deadline::Deadline;
use crate::answer::{Ask, find_affected};
use crate::consultation::Consult;

/// So many persons wait for the network at most.
const PERSONS_IN_FLIGHT: usize = 256;

impl LineageApi {
    pub(super) async fn stream_affected(
        &self,
        request: Request<FindAffectedSubjectsRequest>,
    ) -> Result<Response<BoxStream<FindAffectedSubjectsResponse>>, Status> {
        const METHOD: &str = FindAffectedSubjectsRequest::METHOD;
        let start = Instant::now();
        let deadline = Deadline::of(request.metadata());
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
            // Before the first person leaves; how many there are is not known
            // then.
            if let (Some(kept), Some(asked)) = (kept, asked) {
                kept.answered(asked, 0, None, deadline.0).await?;
            }
            Ok(begun)
        };
        let (visible, turn) = begin.await.map_err(refused)?;
        let (sender, receiver) = mpsc::channel(PERSONS_IN_FLIGHT);
        // A stream takes as long as its reader does: who goes away ends it.
        let state = self.state().clone();
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut send = |person| Ok(sender.blocking_send(Ok(person)).is_ok());
            let found = find_affected(&request, &state, &visible, &mut send);
            let code = match found {
                Ok(()) => Code::Ok,
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
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
