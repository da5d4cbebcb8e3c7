//! Every method that a running node says that it has, called as a client calls
//! it that knows the contract by reflection only: once with nothing in the
//! request and once with something sensible.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use custody_proto::v1;
use custody_proto::{Timestamp, event};
use prost::Message;
use prost_types::FileDescriptorProto;
use tokio::runtime::Runtime;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::tokio_stream;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};
use tonic_types::StatusExt;

use crate::custody::{PATIENCE, Service, data_dir, text, verify};
use crate::kafka::{Raw, produce, shared};

const TOPIC: &str = "reflected";

/// Messages as bytes, whatever they are.
#[derive(Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put_slice(to, &message);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let size = prost::bytes::Buf::remaining(from);
        let bytes = prost::bytes::Buf::copy_to_bytes(from, size);
        Ok(Some(bytes.to_vec()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

/// A client that was generated from nothing.
struct Client {
    channel: Channel,
    runtime: Runtime,
}

impl Client {
    fn new(address: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let channel = runtime.block_on(async {
            Channel::from_shared(format!("http://{address}"))
                .expect("an address")
                .connect_lazy()
        });
        Self { channel, runtime }
    }

    fn ask(&self, asked: MessageRequest) -> MessageResponse {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(asked),
        };
        self.runtime.block_on(async {
            let mut client = ServerReflectionClient::new(self.channel.clone());
            let answers = client.server_reflection_info(tokio_stream::once(request));
            let mut answers = answers.await.expect("reflection").into_inner();
            let answer = answers.message().await.expect("an answer");
            answer.and_then(|it| it.message_response).expect("said")
        })
    }

    /// Every method of the contract, as `custody.v1.LineageService/GetSubject`.
    fn methods(&self) -> Vec<String> {
        let MessageResponse::ListServicesResponse(services) =
            self.ask(MessageRequest::ListServices(String::new()))
        else {
            panic!("no list of services");
        };
        let names = services
            .service
            .into_iter()
            .map(|ServiceResponse { name }| name);
        let ours = names.filter(|name| name.starts_with("custody."));
        ours.flat_map(|name| self.methods_of(&name)).collect()
    }

    /// The files that a symbol stands in.
    fn files(&self, symbol: &str) -> Vec<FileDescriptorProto> {
        let asked = MessageRequest::FileContainingSymbol(symbol.to_owned());
        let MessageResponse::FileDescriptorResponse(files) = self.ask(asked) else {
            panic!("no file with {symbol}");
        };
        let files = files.file_descriptor_proto.iter();
        let files = files.map(|file| FileDescriptorProto::decode(file.as_slice()));
        files.map(|file| file.expect("a file")).collect()
    }

    fn methods_of(&self, name: &str) -> Vec<String> {
        let files = self.files(name).into_iter();
        let services = files.flat_map(|file| file.service);
        let ours = services.filter(|it| name.ends_with(&format!(".{}", it.name())));
        let methods: Vec<_> = ours.flat_map(|service| service.method).collect();
        assert!(!methods.is_empty(), "{name} has no methods");
        let methods = methods.into_iter().map(|method| {
            for message in [method.input_type(), method.output_type()] {
                let (_, short) = message.rsplit_once('.').expect("a full name");
                let files = self.files(message.trim_start_matches('.'));
                let mut messages = files.iter().flat_map(|file| &file.message_type);
                assert!(messages.any(|it| it.name() == short), "{message}");
            }
            format!("{name}/{}", method.name())
        });
        methods.collect()
    }

    /// The first message of the answer; on the wire a call with one answer is a
    /// stream of one. What has an end is read to it.
    fn call(&self, method: &str, request: Vec<u8>) -> Result<Vec<u8>, Status> {
        let watches = method.contains("/Watch");
        self.runtime.block_on(async {
            let mut client = tonic::client::Grpc::new(self.channel.clone());
            client.ready().await.expect("connected");
            let path = format!("/{method}").parse().expect("a path");
            let answer = client.server_streaming(Request::new(request), path, Bytes);
            let read = async {
                let mut answer = answer.await?.into_inner();
                let first = answer.message().await?;
                while !watches && answer.message().await?.is_some() {}
                Ok(first.unwrap_or_default())
            };
            let read = tokio::time::timeout(PATIENCE, read);
            read.await.expect("an answer in time")
        })
    }
}

fn person(number: u32) -> String {
    format!("account:{number}")
}

fn disclosure(number: u32) -> Raw {
    let person = person(number);
    Raw::json(
        &person,
        &format!(
            r#"{{"specversion":"1.0","id":"d-{number}","source":"//shop.example","type":"custody.disclosure.v1","time":"2025-03-01T09:00:00Z","datacontenttype":"application/json","data":{{"subject":{{"ids":["{person}"],"jurisdiction":"DE"}},"service":"alibaba.com","controller":"alibaba-com-singapore","purposes":["account"],"categories":[{{"term":"contact"}}],"legal_basis":"eu-gdpr:A6-1-b","location":"DE","disclosure":{{"recipient":{{"id":"dhl","name":"DHL","country":"US"}}}}}}}}"#
        ),
    )
}

/// What a request about a ledger needs to know of it.
struct Known {
    /// A shard that has an entry.
    shard: v1::ShardHead,
    /// The id of an erasure that is done.
    erasure: String,
}

/// Something sensible to ask a method for, and what it answers.
#[allow(clippy::too_many_lines)]
fn sensible(method: &str, known: &Known) -> (Vec<u8>, Code) {
    let ok = |request: Vec<u8>| (request, Code::Ok);
    let subject = person(1001);
    let entry = v1::EntryPosition {
        shard: known.shard.shard.clone(),
        ..Default::default()
    };
    macro_rules! about {
        ($request:ident) => {
            ok(v1::$request {
                subject,
                ..Default::default()
            }
            .encode_to_vec())
        };
    }
    let event = event::Event {
        subject: Some(event::Subject {
            ids: vec![person(1001)],
            jurisdiction: "DE".to_owned(),
            ..Default::default()
        }),
        service: "alibaba.com".to_owned(),
        act: Some(event::event::Act::Use(event::Use {
            operation: "dpv:Store".to_owned(),
            system: "crm".to_owned(),
        })),
        ..Default::default()
    };
    let list = || ok(v1::OversightListRequest::default().encode_to_vec());
    match method.trim_start_matches("custody.v1.") {
        "LineageService/GetSubject" => about!(GetSubjectRequest),
        "LineageService/ListEvents" => about!(ListEventsRequest),
        "LineageService/ListRecipients" => about!(ListRecipientsRequest),
        "LineageService/ListTransfers" => about!(ListTransfersRequest),
        "LineageService/TraceLineage" => about!(TraceLineageRequest),
        "LineageService/ListFindings" => about!(ListFindingsRequest),
        "LineageService/GetFindingSummary" => about!(GetFindingSummaryRequest),
        "LineageService/GetConsentState" => about!(GetConsentStateRequest),
        "LineageService/WatchSubject" => about!(WatchSubjectRequest),
        "OversightService/FindAffectedSubjects" => ok(v1::FindAffectedSubjectsRequest {
            recipient: "dhl".to_owned(),
            ..Default::default()
        }
        .encode_to_vec()),
        "OversightService/GetProcessingRecord" => {
            ok(v1::GetProcessingRecordRequest::default().encode_to_vec())
        }
        "OversightService/ListRecipients"
        | "OversightService/ListTransfers"
        | "OversightService/ListFindings" => list(),
        "OversightService/GetFindingSummary" => {
            ok(v1::OversightFindingSummaryRequest::default().encode_to_vec())
        }
        "OversightService/GetStatistics" => ok(v1::GetStatisticsRequest::default().encode_to_vec()),
        "OversightService/Watch" => ok(v1::WatchRequest::default().encode_to_vec()),
        "EvidenceService/GetCheckpoint" => ok(v1::GetCheckpointRequest::default().encode_to_vec()),
        "EvidenceService/ProveInclusion" => ok(v1::ProveInclusionRequest {
            entry: Some(entry),
            ..Default::default()
        }
        .encode_to_vec()),
        "EvidenceService/ProveConsistency" => ok(v1::ProveConsistencyRequest {
            shard: known.shard.shard.clone(),
            from_size: 1,
            ..Default::default()
        }
        .encode_to_vec()),
        "EvidenceService/ProveCompleteness" => about!(ProveCompletenessRequest),
        "EvidenceService/ExportEvidence" => about!(ExportEvidenceRequest),
        "PolicyService/ListPolicies" => ok(v1::ListPoliciesRequest::default().encode_to_vec()),
        "PolicyService/GetPolicy" => ok(v1::GetPolicyRequest {
            id: "ALB-2025".to_owned(),
        }
        .encode_to_vec()),
        "PolicyService/Judge" => ok(v1::JudgeRequest {
            r#type: "custody.use.v1".to_owned(),
            time: Some(Timestamp::from_unix_nanos(1_740_819_600_000_000_000)),
            event: Some(event),
            ..Default::default()
        }
        .encode_to_vec()),
        "OperationService/Backup" => ok(v1::BackupRequest {
            name: "first".to_owned(),
        }
        .encode_to_vec()),
        "RightsService/ListRequests" => ok(v1::ListRequestsRequest::default().encode_to_vec()),
        "RightsService/ListErasures" => ok(v1::ListErasuresRequest::default().encode_to_vec()),
        "RightsService/EraseSubject" => ok(v1::EraseSubjectRequest {
            subject,
            preview: true,
            ..Default::default()
        }
        .encode_to_vec()),
        "RightsService/GetErasure" => ok(v1::GetErasureRequest {
            id: known.erasure.clone(),
        }
        .encode_to_vec()),
        // It is done.
        "RightsService/WithdrawErasure" => {
            let request = v1::WithdrawErasureRequest {
                id: known.erasure.clone(),
            };
            (request.encode_to_vec(), Code::FailedPrecondition)
        }
        "RightsService/PlaceHold" => ok(v1::PlaceHoldRequest {
            matter: "case-1".to_owned(),
            ..Default::default()
        }
        .encode_to_vec()),
        "RightsService/LiftHold" => ok(v1::LiftHoldRequest {
            matter: "case-1".to_owned(),
            ..Default::default()
        }
        .encode_to_vec()),
        "RightsService/ListHolds" => ok(v1::ListHoldsRequest::default().encode_to_vec()),
        "RightsService/LinkSubjects" => ok(v1::LinkSubjectsRequest {
            a: person(1001),
            b: person(1002),
            cause: "support-case".to_owned(),
        }
        .encode_to_vec()),
        "RightsService/UnlinkSubjects" => ok(v1::UnlinkSubjectsRequest {
            a: person(1001),
            b: person(1002),
            cause: "mistaken-merge".to_owned(),
        }
        .encode_to_vec()),
        "RightsService/ReleaseIdentifier" => ok(v1::ReleaseIdentifierRequest {
            identifier: person(1002),
            cause: "closed".to_owned(),
            ..Default::default()
        }
        .encode_to_vec()),
        "RightsService/ExportSubject" => {
            let request = v1::ExportSubjectRequest { subject };
            (request.encode_to_vec(), Code::Unimplemented)
        }
        other => panic!("nobody has thought about {other}"),
    }
}

/// Erases somebody as a client does who has seen the preview.
fn erase_somebody(client: &Client) -> String {
    let method = "custody.v1.RightsService/EraseSubject";
    let mut request = v1::EraseSubjectRequest {
        subject: person(1003),
        preview: true,
        ..Default::default()
    };
    let call = |request: &v1::EraseSubjectRequest| {
        let answer = client.call(method, request.encode_to_vec());
        let answer = answer.expect("answered");
        v1::EraseSubjectResponse::decode(answer.as_slice()).expect("what the contract says")
    };
    request.confirm = call(&request).erasure_preview.expect("a preview").confirm;
    request.preview = false;
    call(&request).erasure.expect("an erasure").id
}

#[test]
fn every_method_that_is_reflected_answers_or_says_why_not() {
    let broker = shared();
    broker.create_topic(TOPIC, 1, &[]).expect("a topic");
    let directory = data_dir();
    let data = directory.path().join("data");
    let backups = directory.path().join("backups");
    let config = directory.path().join("custody.toml");
    let said = format!("[backup]\ndir = {:?}\n", text(&backups));
    std::fs::write(&config, said).expect("written");
    let extra = ["--config", text(&config)];
    let mut service = Service::spawn(&data, &broker.brokers(), TOPIC, &extra);
    service.wait_for_answers();
    produce(&broker.brokers(), TOPIC, [1001, 1002, 1003].map(disclosure));
    service.wait_for_offsets(TOPIC, 3);

    let client = Client::new(&service.listen);
    let methods = client.methods();
    let contract = include_str!("../../proto/contract.txt").lines();
    let contract = contract.filter_map(|line| {
        let (name, _) = line.strip_prefix("rpc ")?.split_once('(')?;
        let (service, method) = name.rsplit_once('.')?;
        Some(format!("{service}/{method}"))
    });
    let (reflected, contract): (BTreeSet<_>, BTreeSet<_>) =
        (methods.iter().cloned().collect(), contract.collect());
    assert_eq!(reflected, contract);
    // And what an error carries.
    let details = client.files("google.rpc.ErrorInfo");
    assert!(details.iter().any(|file| file.package() == "google.rpc"));

    let erasure = erase_somebody(&client);
    let known = Known {
        shard: signed(&service),
        erasure,
    };
    for method in &methods {
        let refused = |status: &Status, request: &str| {
            let info = status.get_details_error_info();
            let info = info.unwrap_or_else(|| panic!("{method}, {request}: {status}"));
            assert_eq!(info.domain, "custody", "{method}, {request}");
            assert!(!info.reason.is_empty(), "{method}, {request}");
            let allowed = method.ends_with("/ExportSubject");
            assert_eq!(
                status.code() == Code::Unimplemented,
                allowed,
                "{method}, {request}"
            );
        };
        if let Err(status) = client.call(method, Vec::new()) {
            refused(&status, "nothing");
        }
        let (request, code) = sensible(method, &known);
        let answer = client.call(method, request);
        let status = answer.err().unwrap_or_else(|| Status::new(Code::Ok, ""));
        assert_eq!(status.code(), code, "{method}: {status}");
        if code != Code::Ok {
            refused(&status, "something sensible");
        }
    }
    let log = service.log_text();
    assert!(!log.contains("panicked"), "{log}");
    service.stop();
    verify(&data);
}

/// A shard with an entry that a checkpoint covers.
fn signed(service: &Service) -> v1::ShardHead {
    let end = Instant::now() + PATIENCE;
    loop {
        let checkpoint = service.checkpoint().expect("an answer");
        let visible = checkpoint.visible.unwrap_or_default();
        let of_topic = visible.shards.into_iter().find(|it| it.topic == TOPIC);
        let shard = of_topic.expect("a shard");
        let is_covered = checkpoint.shards.iter().any(|it| it.shard == shard.shard);
        if is_covered && shard.size == 3 {
            return shard;
        }
        assert!(Instant::now() < end, "nothing was signed");
        std::thread::sleep(Duration::from_millis(50));
    }
}
