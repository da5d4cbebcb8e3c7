//! Answers from files, where no server runs: the same service, without a
//! network.

use custody_proto::v1::evidence_service_client::EvidenceServiceClient;
use custody_proto::v1::evidence_service_server::EvidenceServiceServer;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
use custody_proto::v1::lineage_service_server::LineageServiceServer;
use custody_proto::v1::oversight_service_client::OversightServiceClient;
use custody_proto::v1::oversight_service_server::OversightServiceServer;
use custody_query::{LineageApi, QueryState};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::error::CommandError;
use crate::output::items;

/// A data directory opened to be asked.
pub(crate) struct Offline {
    data: DataDir,
    api: LineageApi,
}

impl Offline {
    /// Opens the stores and brings the read model up to the ledger.
    pub(crate) fn open(config: &Config) -> Result<Self, CommandError> {
        Self::over(config, DataDir::open_existing(config)?)
    }

    /// The same, with everything in the ledger signed: for proofs.
    pub(crate) fn open_signing(config: &Config) -> Result<Self, CommandError> {
        Self::over(config, DataDir::open_signed(config)?)
    }

    fn over(config: &Config, data: DataDir) -> Result<Self, CommandError> {
        let rules = crate::ruleset::in_force(config)?;
        let read_model = data.read_model()?;
        let bar = items(Some(0), "reading the ledger");
        read_model
            .catch_up(&data.ledger, &mut |reached| {
                bar.set_length(reached.in_ledger);
                bar.set_position(reached.taken_in);
            })
            .map_err(CommandError::store("the read model", data.path()))?;
        bar.finish_and_clear();
        let state =
            QueryState::new(data.ledger.clone(), data.vault.clone(), read_model).with_rules(rules);
        Ok(Self {
            data,
            api: LineageApi::new(state),
        })
    }

    /// A client whose calls end in this process.
    pub(crate) fn client(&self) -> LineageServiceClient<LineageServiceServer<LineageApi>> {
        LineageServiceClient::new(LineageServiceServer::new(self.api.clone()))
    }

    /// The same for questions over everybody.
    pub(crate) fn oversight(&self) -> OversightServiceClient<OversightServiceServer<LineageApi>> {
        OversightServiceClient::new(OversightServiceServer::new(self.api.clone()))
    }

    /// The same for evidence.
    pub(crate) fn evidence(&self) -> EvidenceServiceClient<EvidenceServiceServer<LineageApi>> {
        EvidenceServiceClient::new(EvidenceServiceServer::new(self.api.clone()))
    }

    pub(crate) fn close(self) -> Result<(), CommandError> {
        drop(self.api);
        self.data.close()
    }
}
