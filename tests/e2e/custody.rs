//! The binary under test.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use custody_proto::v1;
use custody_proto::v1::evidence_service_client::EvidenceServiceClient;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
use custody_proto::v1::rights_service_client::RightsServiceClient;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::transport::Channel;

/// How long anything that must happen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A data directory of a scenario's own.
pub(crate) fn data_dir() -> TempDir {
    tempfile::Builder::new()
        .prefix("custody-e2e-")
        .tempdir()
        .expect("a directory")
}

/// Runs `custody` to its end.
pub(crate) fn custody(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_custody"))
        .args(args)
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .output()
        .expect("custody runs")
}

/// Runs `custody` and takes its standard output; it must succeed.
pub(crate) fn custody_ok(args: &[&str]) -> String {
    let output = custody(args);
    assert!(
        output.status.success(),
        "custody {}: {}\n{}{}",
        args.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The whole-ledger verifier must find nothing wrong.
pub(crate) fn verify(data: &Path) {
    custody_ok(&["verify", "--data", text(data)]);
}

/// A path as the text of an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8 path")
}

/// A running `custody serve`.
pub(crate) struct Service {
    child: Child,
    pub(crate) listen: String,
    admin: String,
    public: String,

    log: PathBuf,
    _log_dir: TempDir,
    runtime: Runtime,
}

impl Service {
    /// Starts it, without waiting for anything.
    pub(crate) fn spawn(data: &Path, brokers: &str, topics: &str, extra: &[&str]) -> Self {
        let listen = free_address();
        let admin = free_address();
        let public = free_address();
        std::fs::create_dir_all(data).expect("a directory");
        // Not beside the data: that disk may be full.
        let log_dir = data_dir();
        let log = log_dir.path().join("custody.log");
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_custody"))
            .args(["serve", "--data", text(data)])
            .args(["--brokers", brokers, "--topics", topics])
            .args(["--listen", &listen, "--admin", &admin])
            .args(["--log-listen", &public])
            .args(extra)
            .env("CUSTODY_KAFKA__TOPIC_REFRESH_S", "1")
            // The embedded broker cannot tell topic ids.
            .env(
                "CUSTODY_KAFKA__TOPIC_IDS",
                if crate::kafka::is_real() {
                    "true"
                } else {
                    "false"
                },
            )
            // Scenarios count entries; one of them is about who looked.
            .env("CUSTODY_CONSULTATIONS__MODE", "off")
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a handle"))
            .stderr(file)
            .spawn()
            .expect("custody starts");
        Self {
            child,
            listen,
            admin,
            public,
            log,
            _log_dir: log_dir,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
        }
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start(data: &Path, brokers: &str, topics: &str) -> Self {
        let mut service = Self::spawn(data, brokers, topics, &[]);
        service.wait_for_answers();
        service
    }

    /// Waits until it answers over gRPC.
    pub(crate) fn wait_for_answers(&mut self) {
        let end = Instant::now() + PATIENCE;
        while self.checkpoint().is_none() {
            if let Some(status) = self.child.try_wait().expect("a status") {
                panic!("custody serve ended with {status}:\n{}", self.log_text());
            }
            assert!(Instant::now() < end, "no answer:\n{}", self.log_text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has logged so far.
    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What the log for outsiders shows at a path; `None` where it has nothing.
    pub(crate) fn public(&self, path: &str) -> Option<String> {
        http(&self.public, path).and_then(|(status, body)| (status == 200).then_some(body))
    }

    /// What `/readyz` says.
    pub(crate) fn readiness(&self) -> String {
        http(&self.admin, "/readyz").map_or(String::new(), |(_, body)| body)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as the machine's end would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Asks it to stop, and waits; it must end well.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "{status}:\n{}", self.log_text());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("signalled");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status;
            }
            assert!(Instant::now() < end, "does not end:\n{}", self.log_text());
            // Lets connections of questions that were answered end, too.
            self.runtime
                .block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        }
    }

    fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.listen))
            .expect("an address")
            .connect_lazy()
    }

    /// The ledger's heads; `None` while it does not answer.
    pub(crate) fn checkpoint(&self) -> Option<v1::GetCheckpointResponse> {
        self.runtime.block_on(async {
            let mut client = EvidenceServiceClient::new(self.channel());
            let answer = client.get_checkpoint(v1::GetCheckpointRequest::default());
            tokio::time::timeout(Duration::from_secs(5), answer)
                .await
                .ok()?
                .ok()
                .map(tonic::Response::into_inner)
        })
    }

    /// Calls the lineage service.
    pub(crate) fn lineage<T>(
        &self,
        call: impl AsyncFnOnce(
            LineageServiceClient<Channel>,
        ) -> Result<tonic::Response<T>, tonic::Status>,
    ) -> Result<T, tonic::Status> {
        self.runtime.block_on(async {
            call(LineageServiceClient::new(self.channel()))
                .await
                .map(tonic::Response::into_inner)
        })
    }

    /// Calls the rights service.
    pub(crate) fn rights<T>(
        &self,
        call: impl AsyncFnOnce(
            RightsServiceClient<Channel>,
        ) -> Result<tonic::Response<T>, tonic::Status>,
    ) -> Result<T, tonic::Status> {
        self.runtime.block_on(async {
            call(RightsServiceClient::new(self.channel()))
                .await
                .map(tonic::Response::into_inner)
        })
    }

    /// Waits until the read model has taken in so many offsets of the topic,
    /// over its partitions.
    pub(crate) fn wait_for_offsets(&mut self, topic: &str, offsets: i64) {
        let end = Instant::now() + PATIENCE;
        loop {
            let seen = self.offsets(topic);
            if seen >= offsets {
                return;
            }
            if let Some(status) = self.child.try_wait().expect("a status") {
                panic!("custody serve ended with {status}:\n{}", self.log_text());
            }
            assert!(
                Instant::now() < end,
                "{seen} of {offsets} offsets:\n{}",
                self.log_text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Offsets of the topic's partitions that are visible.
    pub(crate) fn offsets(&self, topic: &str) -> i64 {
        self.checkpoint()
            .and_then(|c| c.visible)
            .map_or(0, |visible| {
                visible
                    .shards
                    .iter()
                    .filter(|shard| shard.topic == topic)
                    .filter_map(|shard| shard.next_offset)
                    .sum()
            })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Ended already where the scenario went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks over HTTP: the status and the text.
fn http(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.get(9..12)?.parse().ok()?, body.to_owned()))
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .to_string()
}
