//! The server on a real socket, asked by the generated client.

use std::time::Duration;

use custody_proto::v1;
use custody_proto::v1::evidence_service_client::EvidenceServiceClient;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
use custody_proto::v1::oversight_service_client::OversightServiceClient;
use custody_proto::v1::policy_service_client::PolicyServiceClient;
use custody_proto::v1::rights_service_client::RightsServiceClient;
use custody_query::{Follower, QueryServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use crate::world::{Draft, World, party};

pub(crate) struct Running {
    pub(crate) world: World,
    pub(crate) channel: Channel,
    address: std::net::SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    server: JoinHandle<()>,
    _follower: Option<Follower>,
}

pub(crate) async fn run(world: World, follow: bool) -> Running {
    let server = QueryServer::new(world.api().state().clone());
    run_server(world, follow, server).await
}

pub(crate) async fn run_server(world: World, follow: bool, server: QueryServer) -> Running {
    let follower = follow.then(|| world.model().follow(&world.ledger).unwrap());
    let server = server.drain_timeout(Duration::from_millis(200));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let shutdown = async {
            let _ = stopped.await;
        };
        server.serve(listener, shutdown).await.unwrap();
    });
    let channel = Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    Running {
        world,
        channel,
        address,
        stop,
        server,
        _follower: follower,
    }
}

impl Running {
    /// Stops the server and waits for it, and then the read model.
    pub(crate) async fn stop(self) -> World {
        self.stop.send(()).unwrap();
        let down = tokio::time::timeout(Duration::from_secs(10), self.server);
        down.await.unwrap().unwrap();
        self.world
    }
}

fn with_events() -> World {
    let mut world = World::new();
    world.commit(
        0,
        &[
            Draft::collection("account:1001", "e-1", 1),
            Draft::disclosure("account:1001", "e-2", 2, party("dhl", "US")),
        ],
    );
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_over_the_wire() {
    let running = run(with_events(), true).await;
    let mut client = LineageServiceClient::new(running.channel.clone());
    let subject = || "account:1001".to_owned();
    let summary = client.get_subject(v1::GetSubjectRequest {
        subject: subject(),
        ..Default::default()
    });
    assert_eq!(summary.await.unwrap().into_inner().entries, 2);
    let events = client.list_events(v1::ListEventsRequest {
        subject: subject(),
        ..Default::default()
    });
    assert_eq!(events.await.unwrap().into_inner().entries.len(), 2);
    let recipients = client.list_recipients(v1::ListRecipientsRequest {
        subject: subject(),
        ..Default::default()
    });
    assert_eq!(
        recipients.await.unwrap().into_inner().recipients[0].country,
        "US"
    );
    let transfers = client.list_transfers(v1::ListTransfersRequest {
        subject: subject(),
        ..Default::default()
    });
    assert_eq!(transfers.await.unwrap().into_inner().transfers.len(), 1);
    let mut evidence = EvidenceServiceClient::new(running.channel.clone());
    let checkpoint = evidence
        .get_checkpoint(v1::GetCheckpointRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(checkpoint.ledger, running.world.ledger.id().to_string());

    let findings = client.list_findings(v1::ListFindingsRequest {
        subject: subject(),
        ..Default::default()
    });
    assert!(findings.await.unwrap().into_inner().findings.is_empty());
    let consent = client.get_consent_state(v1::GetConsentStateRequest {
        subject: subject(),
        ..Default::default()
    });
    assert!(!consent.await.unwrap().into_inner().restricted);
    let mut oversight = OversightServiceClient::new(running.channel.clone());
    let findings = oversight.list_findings(v1::OversightListRequest::default());
    assert!(findings.await.unwrap().into_inner().findings.is_empty());
    let mut policy = PolicyServiceClient::new(running.channel.clone());
    let policies = policy.list_policies(v1::ListPoliciesRequest::default());
    assert_eq!(policies.await.unwrap().into_inner().policies.len(), 5);

    let nobody = client.get_subject(v1::GetSubjectRequest {
        subject: "account:9".to_owned(),
        ..Default::default()
    });
    let status = nobody.await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(
        status.get_details_error_info().unwrap().reason,
        "SUBJECT_NOT_FOUND"
    );

    running.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), running.server)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_deadline_is_kept_and_the_answer_says_what_is_missing() {
    let running = run(with_events(), true).await;
    let mut client = LineageServiceClient::new(running.channel.clone());
    let shard = running.world.shards[0].id().to_string();
    let wanted = v1::ShardHead {
        shard: shard.clone(),
        size: 99,
        ..Default::default()
    };
    let mut request = Request::new(v1::GetSubjectRequest {
        subject: "account:1001".to_owned(),
        at_least: Some(v1::AtLeast {
            shards: vec![wanted],
        }),
        ..Default::default()
    });
    request.set_timeout(Duration::from_millis(600));
    let status = client.get_subject(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata[&format!("shard-{shard}")], "size 2 of 99");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_follows_the_read_model() {
    let running = run(with_events(), false).await;
    let mut health = HealthClient::new(running.channel.clone());
    let mut check = async |service: &str| {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        health.check(request).await.unwrap().into_inner().status
    };
    assert_eq!(check("").await, 2, "NOT_SERVING while catching up");
    let (model, ledger) = (running.world.model(), running.world.ledger.clone());
    tokio::task::spawn_blocking(move || model.catch_up(&ledger, &mut |_| {}).unwrap())
        .await
        .unwrap();
    for service in [
        "",
        "custody.v1.LineageService",
        "custody.v1.EvidenceService",
        "custody.v1.OversightService",
        "custody.v1.PolicyService",
        "custody.v1.OperationService",
    ] {
        let mut status = 0;
        for _ in 0..100 {
            status = check(service).await;
            if status == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(status, 1, "SERVING: {service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_every_service() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};

    let running = run(with_events(), true).await;
    let mut client = ServerReflectionClient::new(running.channel.clone());
    let ask = |request| {
        tokio_stream::once(ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        })
    };
    let answer = client
        .server_reflection_info(ask(MessageRequest::ListServices(String::new())))
        .await
        .unwrap();
    let answer = answer
        .into_inner()
        .message()
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap();
    let MessageResponse::ListServicesResponse(listed) = answer else {
        panic!("no list of services");
    };
    let names: Vec<String> = listed
        .service
        .into_iter()
        .map(|ServiceResponse { name }| name)
        .collect();
    for service in [
        "Lineage",
        "Oversight",
        "Evidence",
        "Rights",
        "Policy",
        "Operation",
    ] {
        let name = format!("custody.v1.{service}Service");
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert!(names.contains(&"grpc.health.v1.Health".to_owned()));

    let symbol = MessageRequest::FileContainingSymbol("custody.v1.ListEventsRequest".to_owned());
    let answer = client.server_reflection_info(ask(symbol)).await.unwrap();
    let answer = answer
        .into_inner()
        .message()
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap();
    assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)));

    let mut old =
        tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient::new(
            running.channel.clone(),
        );
    let request = tonic_reflection::pb::v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest::ListServices(
                String::new(),
            ),
        ),
    };
    assert!(
        old.server_reflection_info(tokio_stream::once(request))
            .await
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_to_come_says_so() {
    let running = run(with_events(), true).await;
    let channel = || running.channel.clone();
    fn said<T>(answer: Result<T, Status>) -> String {
        let status = answer.err().expect("is implemented");
        assert_eq!(status.code(), Code::Unimplemented);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("METHOD_UNIMPLEMENTED", "custody")
        );
        info.metadata["method"].clone()
    }
    let mut lineage = LineageServiceClient::new(channel());
    let mut oversight = OversightServiceClient::new(channel());
    let mut rights = RightsServiceClient::new(channel());
    let methods = [
        said(
            lineage
                .trace_lineage(v1::TraceLineageRequest::default())
                .await,
        ),
        said(
            oversight
                .find_affected_subjects(v1::FindAffectedSubjectsRequest::default())
                .await,
        ),
        said(
            oversight
                .get_processing_record(v1::GetProcessingRecordRequest::default())
                .await,
        ),
        said(
            oversight
                .list_recipients(v1::OversightListRequest::default())
                .await,
        ),
        said(
            oversight
                .list_transfers(v1::OversightListRequest::default())
                .await,
        ),
        said(
            oversight
                .get_statistics(v1::GetStatisticsRequest::default())
                .await,
        ),
        said(
            rights
                .export_subject(v1::ExportSubjectRequest::default())
                .await,
        ),
    ];
    let distinct: std::collections::HashSet<_> = methods.iter().collect();
    assert_eq!(distinct.len(), methods.len());
    assert!(methods.contains(&"custody.v1.RightsService/ExportSubject".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_asked_for_over_the_network() {
    let running = run(with_events(), true).await;
    let mut rights = RightsServiceClient::new(running.channel.clone());
    let requests = rights
        .list_requests(v1::ListRequestsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(requests.requests.is_empty() && requests.head.is_some());
    let preview = v1::EraseSubjectRequest {
        subject: "account:1001".to_owned(),
        preview: true,
        ..Default::default()
    };
    let status = rights.erase_subject(preview).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "NO_PIPELINE");
}

/// A browser's request: HTTP/1.1, gRPC-Web framing.
#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_answered() {
    use prost::Message;

    let running = run(with_events(), true).await;
    let message = v1::GetSubjectRequest {
        subject: "account:1001".to_owned(),
        ..Default::default()
    }
    .encode_to_vec();
    let mut body = vec![0];
    body.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend_from_slice(&message);
    let head = format!(
        "POST /custody.v1.LineageService/GetSubject HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains("application/grpc-web"), "{text}");
    assert!(text.contains("grpc-status:0"), "{text}");
}
