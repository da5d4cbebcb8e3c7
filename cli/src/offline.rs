//! Answers from files, where no server runs: the same service, without a
//! network.

use custody_proto::v1::evidence_service_client::EvidenceServiceClient;
use custody_proto::v1::evidence_service_server::EvidenceServiceServer;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
use custody_proto::v1::lineage_service_server::LineageServiceServer;
use custody_proto::v1::oversight_service_client::OversightServiceClient;
use custody_proto::v1::oversight_service_server::OversightServiceServer;
use std::sync::Arc;

use custody_ingest::erase::{Registrar, RegistrarParts};
use custody_ingest::pipeline::system_clock;
use custody_proto::v1::rights_service_client::RightsServiceClient;
use custody_proto::v1::rights_service_server::RightsServiceServer;
use custody_query::{LineageApi, QueryState};

use crate::config::Config;
use crate::custodian::Steward;
use crate::data_dir::DataDir;
use crate::error::CommandError;
use crate::node::{erasing, pipeline_options};
use crate::output::{items, spinner};

/// A data directory opened to be changed by the operator's word.
pub(crate) struct Registry {
    data: DataDir,
    registrar: Arc<Registrar>,
}

impl Registry {
    /// Opens the stores and finishes what was begun. What is said is signed.
    pub(crate) fn open(config: &Config) -> Result<Self, CommandError> {
        let rules = crate::ruleset::in_force(config)?;
        let data = DataDir::open_existing_signing(config)?;
        let clock = system_clock();
        let bar = spinner("opening");
        let registrar = Registrar::open(RegistrarParts {
            ledger: data.ledger.clone(),
            vault: data.vault.clone(),
            state_dir: data.state_dir(),
            duplicates: data.duplicates(config.ingest.duplicates_window_days, clock())?,
            clock,
            options: pipeline_options(config, rules)?,
        })
        .map_err(CommandError::store("the stores", data.path()))?;
        bar.finish_and_clear();
        Ok(Self {
            data,
            registrar: Arc::new(registrar),
        })
    }

    pub(crate) fn data(&self) -> &DataDir {
        &self.data
    }

    pub(crate) fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    pub(crate) fn close(self) -> Result<(), CommandError> {
        let finished = self
            .registrar
            .finish()
            .map_err(CommandError::store("the stores", self.data.path()));
        drop(self.registrar);
        finished.and(self.data.close())
    }
}

/// A data directory opened to be asked.
pub(crate) struct Offline {
    data: DataDir,
    api: LineageApi,
    /// Where something is to be changed.
    registrar: Option<Arc<Registrar>>,
}

impl Offline {
    /// Opens the stores and brings the read model up to the ledger.
    pub(crate) fn open(config: &Config) -> Result<Self, CommandError> {
        Self::over(config, DataDir::open_existing(config)?, None)
    }

    /// The same, and what was begun is finished: for erasures, holds and links.
    /// What is said is signed.
    pub(crate) fn open_acting(config: &Config) -> Result<Self, CommandError> {
        let Registry { data, registrar } = Registry::open(config)?;
        Self::over(config, data, Some(registrar))
    }

    /// The same, with everything in the ledger signed: for proofs.
    pub(crate) fn open_signing(config: &Config) -> Result<Self, CommandError> {
        Self::over(config, DataDir::open_signed(config)?, None)
    }

    fn over(
        config: &Config,
        data: DataDir,
        registrar: Option<Arc<Registrar>>,
    ) -> Result<Self, CommandError> {
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
        let mut state = QueryState::new(data.ledger.clone(), data.vault.clone(), read_model)
            .with_rules(rules)
            .with_erasing(erasing(config));
        if let Some(registrar) = &registrar {
            let steward = Steward::new(Arc::clone(registrar));
            state = state.with_custodian(Arc::new(steward));
        }
        Ok(Self {
            data,
            api: LineageApi::new(state),
            registrar,
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

    /// The same for rights of persons.
    pub(crate) fn rights(&self) -> RightsServiceClient<RightsServiceServer<LineageApi>> {
        RightsServiceClient::new(RightsServiceServer::new(self.api.clone()))
    }

    pub(crate) fn close(self) -> Result<(), CommandError> {
        drop(self.api);
        let finished = match self.registrar {
            Some(registrar) => registrar
                .finish()
                .map_err(CommandError::store("the stores", self.data.path())),
            None => Ok(()),
        };
        finished.and(self.data.close())
    }
}
