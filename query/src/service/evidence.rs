//! `EvidenceService`.

use std::io::{self, Write};

use custody_proto::v1::evidence_service_server::EvidenceService;
use custody_proto::v1::*;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::api::LineageApi;

/// The longest part of an export, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// Parts that wait for the network.
const CHUNKS_AHEAD: usize = 4;

#[async_trait]
impl EvidenceService for LineageApi {
    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        self.respond(request).await
    }

    async fn prove_inclusion(
        &self,
        request: Request<ProveInclusionRequest>,
    ) -> Result<Response<ProveInclusionResponse>, Status> {
        self.respond(request).await
    }

    async fn prove_consistency(
        &self,
        request: Request<ProveConsistencyRequest>,
    ) -> Result<Response<ProveConsistencyResponse>, Status> {
        self.respond(request).await
    }

    async fn prove_completeness(
        &self,
        request: Request<ProveCompletenessRequest>,
    ) -> Result<Response<ProveCompletenessResponse>, Status> {
        self.respond(request).await
    }

    type ExportEvidenceStream = BoxStream<ExportEvidenceResponse>;

    async fn export_evidence(
        &self,
        request: Request<ExportEvidenceRequest>,
    ) -> Result<Response<Self::ExportEvidenceStream>, Status> {
        // Held until the last part is on its way: an export is in memory whole.
        let turn = self.export_turn().await?;
        let evidence = self.respond(request).await?.into_inner();
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut chunks = Chunks::new(sender);
            // Only a client that went away makes this fail.
            let _ = serde_json::to_writer(&mut chunks, &evidence)
                .map_err(io::Error::from)
                .and_then(|()| chunks.flush());
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// Cuts a document into parts and waits for the network between them.
struct Chunks {
    sender: mpsc::Sender<Result<ExportEvidenceResponse, Status>>,
    next: Vec<u8>,
}

impl Chunks {
    fn new(sender: mpsc::Sender<Result<ExportEvidenceResponse, Status>>) -> Self {
        Self {
            sender,
            next: Vec::with_capacity(CHUNK_BYTES),
        }
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES - self.next.len());
        self.next.extend_from_slice(&bytes[..taken]);
        if self.next.len() == CHUNK_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.next.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.next, Vec::with_capacity(CHUNK_BYTES));
        self.sender
            .blocking_send(Ok(ExportEvidenceResponse { chunk }))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_short_and_together_the_document() {
        let document: Vec<u8> = (0..3 * CHUNK_BYTES + 5).map(|i| i as u8).collect();
        let (sender, mut receiver) = mpsc::channel(8);
        let mut chunks = Chunks::new(sender);
        chunks.write_all(&document).unwrap();
        chunks.flush().unwrap();
        drop(chunks);
        let (mut together, mut lengths) = (Vec::new(), Vec::new());
        while let Some(part) = receiver.blocking_recv() {
            let part = part.unwrap().chunk;
            lengths.push(part.len());
            together.extend(part);
        }
        assert_eq!(lengths, [CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES, 5]);
        assert!(together == document);
    }

    #[test]
    fn a_client_that_went_away_ends_the_work() {
        let (sender, receiver) = mpsc::channel(1);
        drop(receiver);
        let mut chunks = Chunks::new(sender);
        let error = chunks.write_all(&[0; CHUNK_BYTES]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
