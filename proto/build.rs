//! Compiles `custody/**/*.proto` without `protoc`: protox parses, prost and
//! tonic make types and services, pbjson makes their JSON form.

use std::error::Error;
use std::path::PathBuf;

use prost::Message;

const FILES: [&str; 9] = [
    "custody/event/v1/event.proto",
    "custody/event/v1/sealed.proto",
    "custody/v1/entry.proto",
    "custody/v1/lineage.proto",
    "custody/v1/oversight.proto",
    "custody/v1/evidence.proto",
    "custody/v1/rights.proto",
    "custody/v1/policy.proto",
    "custody/v1/operation.proto",
];

/// Messages that hold identifiers, free text or what else was sealed:
/// `src/redacted.rs` gives them a `Debug` that shows nothing of it.
const REDACTED: [&str; 33] = [
    ".custody.event.v1",
    ".custody.v1.SealedPart",
    ".custody.v1.GetSubjectRequest",
    ".custody.v1.GetSubjectResponse",
    ".custody.v1.ListEventsRequest",
    ".custody.v1.ListRecipientsRequest",
    ".custody.v1.ListTransfersRequest",
    ".custody.v1.TraceLineageRequest",
    ".custody.v1.ListFindingsRequest",
    ".custody.v1.GetFindingSummaryRequest",
    ".custody.v1.GetConsentStateRequest",
    ".custody.v1.WatchSubjectRequest",
    ".custody.v1.GetConsentStateResponse",
    ".custody.v1.ScopeState",
    ".custody.v1.ConsentInForce",
    ".custody.v1.FindAffectedSubjectsResponse",
    ".custody.v1.ProveCompletenessRequest",
    ".custody.v1.ExportEvidenceRequest",
    ".custody.v1.ListRequestsRequest",
    ".custody.v1.EraseSubjectRequest",
    ".custody.v1.ExportSubjectRequest",
    ".custody.v1.ListRequestsResponse",
    ".custody.v1.RightsRequestRow",
    ".custody.v1.EraseSubjectResponse",
    ".custody.v1.ErasurePreview",
    ".custody.v1.PlaceHoldRequest",
    ".custody.v1.LiftHoldRequest",
    ".custody.v1.ListHoldsRequest",
    ".custody.v1.LinkSubjectsRequest",
    ".custody.v1.UnlinkSubjectsRequest",
    ".custody.v1.ReleaseIdentifierRequest",
    ".custody.v1.JudgeRequest",
    ".custody.v1.JudgedEvent",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=custody");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["."])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(FILES)?;
    let descriptors = compiler.encode_file_descriptor_set();
    std::fs::write(out.join("descriptors.bin"), &descriptors)?;

    let mut config = prost_build::Config::new();
    config
        .extern_path(".google.protobuf.Timestamp", "crate::Timestamp")
        .skip_debug(REDACTED);
    let set = prost_types::FileDescriptorSet::decode(descriptors.as_slice())?;
    tonic_prost_build::configure().compile_fds_with_config(set, config)?;

    pbjson_build::Builder::new()
        .register_descriptors(&descriptors)?
        .preserve_proto_field_names()
        .extern_path(".google.protobuf.Timestamp", "crate::Timestamp")
        .build(&[".custody"])?;
    Ok(())
}
