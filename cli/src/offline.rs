//! x
use crate::config::Config;
use crate::error::CommandError;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
pub(crate) struct Offline;
impl Offline {
    pub(crate) fn open(_: &Config) -> Result<Self, CommandError> { Err(CommandError::Usage("x".into())) }
    pub(crate) fn client(&self) -> LineageServiceClient<tonic::transport::Channel> { LineageServiceClient::new(tonic::transport::Endpoint::from_static("http://x").connect_lazy()) }
    pub(crate) fn close(self) -> Result<(), CommandError> { Ok(()) }
}
