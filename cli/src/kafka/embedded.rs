//! librdkafka's own broker, in this process, on 127.0.0.1.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::error::CommandError;

/// A broker in this process. It speaks Kafka's protocol over TCP, keeps
/// messages in memory, and drops the oldest beyond 5 MiB a partition.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts a broker with these topics: name and number of partitions.
    ///
    /// # Errors
    /// [`CommandError::Kafka`] where it cannot listen.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, CommandError> {
        let failed = |error: rdkafka::error::KafkaError| {
            CommandError::Kafka(format!("the embedded broker: {error}"))
        };
        let cluster = MockCluster::new(1).map_err(failed)?;
        for (topic, partitions) in topics {
            cluster
                .create_topic(topic, *partitions, 1)
                .map_err(failed)?;
        }
        Ok(Self { cluster })
    }

    /// `host:port`.
    pub fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}
