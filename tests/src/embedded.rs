//! librdkafka's embedded broker, on a thread of its own.

use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// librdkafka's embedded broker: speaks Kafka over TCP on 127.0.0.1.
///
/// Its handle must stay on one thread, so it is asked through a channel.
pub struct Embedded {
    brokers: String,
    topics: Option<Sender<NewTopic>>,
    thread: Option<JoinHandle<()>>,
}

struct NewTopic {
    name: String,
    partitions: i32,
    made: Sender<Result<()>>,
}

impl Embedded {
    /// Starts it with one node.
    ///
    /// # Errors
    /// Where librdkafka refuses.
    pub fn start() -> Result<Self> {
        let (topics, requests) = channel::<NewTopic>();
        let (ready, started) = channel();
        let thread = std::thread::Builder::new()
            .name("embedded-broker".to_owned())
            .spawn(move || {
                let cluster: MockCluster<'static, DefaultProducerContext> =
                    match MockCluster::new(1) {
                        Ok(cluster) => cluster,
                        Err(error) => {
                            let _ = ready.send(Err(error));
                            return;
                        }
                    };
                let _ = ready.send(Ok(cluster.bootstrap_servers()));
                for request in requests {
                    let made = cluster.create_topic(&request.name, request.partitions, 1);
                    let _ = request.made.send(made.map_err(Into::into));
                }
            })?;
        Ok(Self {
            brokers: started.recv().context("the broker's thread ended")??,
            topics: Some(topics),
            thread: Some(thread),
        })
    }

    pub(crate) fn brokers(&self) -> String {
        self.brokers.clone()
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        let (made, result) = channel();
        self.topics
            .as_ref()
            .context("the broker has ended")?
            .send(NewTopic {
                name: name.to_owned(),
                partitions,
                made,
            })?;
        result.recv()?
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.topics.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
