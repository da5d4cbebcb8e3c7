//! Backups of a node at work, asked for over the wire.

use custody_ledger::{Ledger, LedgerOptions, VerifyOptions};
use custody_proto::v1;
use custody_proto::v1::operation_service_client::OperationServiceClient;
use custody_query::{LineageApi, QueryServer, QueryState, ReadModel, ReadModelOptions};
use custody_vault::{Vault, VaultOptions};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::server::{Running, run, run_server};
use crate::world::{Draft, World, party};

fn world() -> World {
    let mut world = World::new();
    world.commit(
        0,
        &[
            Draft::collection("account:1001", "e-1", 1),
            Draft::disclosure("account:1001", "e-2", 2, party("dhl", "US")),
        ],
    );
    world.consult("account:1001", 3);
    world
}

async fn running() -> Running {
    let world = world();
    let server = QueryServer::new(world.api().state().clone());
    let server = server.backups(world.directory().join("backups"));
    run_server(world, true, server).await
}

async fn back_up(channel: &Channel, name: &str) -> Result<v1::BackupResponse, Status> {
    let mut client = OperationServiceClient::new(channel.clone());
    let request = v1::BackupRequest {
        name: name.to_owned(),
    };
    let mut told = client.backup(request).await?.into_inner();
    let mut last = None;
    while let Some(next) = told.message().await? {
        last = Some(next);
    }
    Ok(last.unwrap())
}

fn reason(status: &Status) -> (Code, String) {
    let info = status.get_details_error_info().unwrap();
    (status.code(), info.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_ledger_and_the_vault_that_opens_it() {
    let running = running().await;
    let made = back_up(&running.channel, "first").await.unwrap();
    let directory = running.world.directory().join("backups/first");
    assert_eq!(made.directory, directory.display().to_string());
    assert_eq!(made.entries, 3);
    assert!(made.bytes > 0 && made.bytes == made.total_bytes);
    assert!(directory.join("backup").is_file());
    let beside: Vec<_> = std::fs::read_dir(running.world.directory().join("backups"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(beside, ["first"], "nothing partial is left");

    // Put in place, with the root key from elsewhere.
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    custody_ledger::restore(&directory.join("ledger"), &at("ledger")).unwrap();
    let report = custody_ledger::verify(&at("ledger"), &VerifyOptions::default()).unwrap();
    assert!(report.ok() && report.entries() == 3, "{:?}", report.faults);
    let ledger = Ledger::open(&at("ledger"), LedgerOptions::default()).unwrap();
    let key = running.world.directory().join("root.key");
    let vault = Vault::open(&directory.join("vault"), &key, VaultOptions::default()).unwrap();
    let model = ReadModel::open(&at("read_model"), &ledger, &ReadModelOptions::default()).unwrap();
    model.catch_up(&ledger, &mut |_| {}).unwrap();
    let api = LineageApi::new(QueryState::new(ledger, vault, model));
    let request = v1::ListEventsRequest {
        subject: "account:1001".to_owned(),
        view: v1::EntryView::Full.into(),
        ..Default::default()
    };
    let events = api
        .ask(request, custody_query::Deadline::default())
        .unwrap();
    assert_eq!(events.entries.len(), 3);
    assert!(events.entries.iter().all(|entry| entry.sealed.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_stay_in_the_directory_and_none_is_taken_twice() {
    let running = running().await;
    back_up(&running.channel, "a").await.unwrap();
    for (name, code, said) in [
        ("a", Code::AlreadyExists, "BACKUP_EXISTS"),
        ("..", Code::InvalidArgument, "FIELD_INVALID"),
        ("../b", Code::InvalidArgument, "FIELD_INVALID"),
        ("/tmp/b", Code::InvalidArgument, "FIELD_INVALID"),
        (".b", Code::InvalidArgument, "FIELD_INVALID"),
    ] {
        let status = back_up(&running.channel, name).await.unwrap_err();
        assert_eq!(reason(&status), (code, said.to_owned()), "{name}");
    }
    let named = back_up(&running.channel, "").await.unwrap();
    let name = named.directory.rsplit('/').next().unwrap().to_owned();
    assert!(name.len() == 16 && name.ends_with('Z'), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_directory_there_are_none() {
    let running = run(world(), true).await;
    let status = back_up(&running.channel, "a").await.unwrap_err();
    assert_eq!(
        reason(&status),
        (Code::FailedPrecondition, "BACKUPS_OFF".to_owned())
    );
}
