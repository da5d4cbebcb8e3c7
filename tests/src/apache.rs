//! Apache Kafka as a child process.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

/// How long a broker may take to answer.
const START: Duration = Duration::from_secs(60);

/// How long a broker may take to stop.
const STOP: Duration = Duration::from_secs(30);

/// Runs a command that ends with whoever started it, even where that one is
/// killed: the end of the input kills it, the line `stop` asks it to stop.
const GUARD: &str = r#"
    "$@" </dev/null &
    pid=$!
    ( while kill -0 $pid 2>/dev/null; do sleep 0.2; done; kill $$ 2>/dev/null ) &
    watch=$!
    read line
    if [ "$line" = stop ]; then kill $pid; else kill -9 $pid; fi
    wait $pid
    kill $watch 2>/dev/null
    exit 0
"#;

/// One KRaft node of Apache Kafka on 127.0.0.1, with its own data directory,
/// which goes with it.
pub struct ApacheKafka {
    dir: TempDir,
    jars: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl ApacheKafka {
    /// Whether Java and Maven are there.
    pub fn is_available() -> bool {
        ["java", "mvn"].iter().all(|tool| {
            Command::new(tool)
                .arg("-version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
    }

    /// Fetches the jars where they are not there yet, formats a data directory
    /// and starts the broker. `extra` lines are added to `server.properties`.
    ///
    /// # Errors
    /// Where Maven, the formatting or the start fails.
    pub fn start(extra: &[&str]) -> Result<Self> {
        let jars = jars()?;
        let dir = tempfile::Builder::new()
            .prefix("custody-kafka-")
            .tempdir()?;
        let port = free_port()?;
        let controller = free_port()?;
        let logs = dir.path().join("logs");
        let properties = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
             log.dirs={}\n\
             num.partitions=1\n\
             offsets.topic.replication.factor=1\n\
             offsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=1\n\
             group.initial.rebalance.delay.ms=0\n\
             message.max.bytes=20971520\n\
             replica.fetch.max.bytes=20971520\n\
             auto.create.topics.enable=true\n\
             log.retention.check.interval.ms=1000\n\
             log.initial.task.delay.ms=500\n\
             {}\n",
            logs.display(),
            extra.join("\n"),
        );
        fs::write(dir.path().join("server.properties"), properties)?;
        let mut kafka = Self {
            dir,
            jars,
            port,
            child: None,
        };
        let formatted = kafka
            .java(Command::new("java"), "kafka.tools.StorageTool")
            .args(["format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"])
            .arg(kafka.dir.path().join("server.properties"))
            .status()?;
        ensure!(formatted.success(), "kafka.tools.StorageTool format failed");
        kafka.restart()?;
        Ok(kafka)
    }

    /// `host:port`.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts the broker again after [`stop`](Self::stop), and waits until it
    /// answers.
    ///
    /// # Errors
    /// Where it does not answer in time.
    pub fn restart(&mut self) -> Result<()> {
        let properties = self.dir.path().join("server.properties");
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard", "java"]);
        self.child = Some(
            self.java(guard, "kafka.Kafka")
                .arg(properties)
                .stdin(Stdio::piped())
                .spawn()?,
        );
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.brokers())
            .set("log_level", "0")
            .create()?;
        let end = Instant::now() + START;
        while client.fetch_metadata(None, Duration::from_secs(1)).is_err() {
            if Instant::now() >= end {
                bail!(
                    "Kafka does not answer; see {}",
                    self.dir.path().join("output.log").display()
                );
            }
        }
        Ok(())
    }

    /// Ends the broker as an operator would, and waits for it.
    ///
    /// # Errors
    /// Where it cannot be told, or does not end in time.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let mut stdin = child.stdin.take().context("the guard's input")?;
        stdin.write_all(b"stop\n")?;
        let end = Instant::now() + STOP;
        while child.try_wait()?.is_none() {
            if Instant::now() >= end {
                drop(stdin);
                bail!("Kafka does not stop");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Adds what a class of Kafka's needs to a command that runs Java.
    fn java(&self, mut command: Command, class: &str) -> Command {
        command
            .args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4"])
            .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])
            .arg("-cp")
            .arg(format!("{}/*", self.jars.display()))
            .arg(class)
            .stdin(Stdio::null());
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("output.log"));
        if let Ok((out, err)) = output.and_then(|file| Ok((file.try_clone()?, file))) {
            command.stdout(out).stderr(err);
        }
        command
    }
}

impl Drop for ApacheKafka {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Its data goes with it, so there is nothing to save: the end of
            // its input kills it.
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// The folder with the broker's jars; fetched once for a target directory.
fn jars() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let dir = target.join("kafka");
    fs::create_dir_all(&dir)?;
    // Test processes run side by side; one of them fetches.
    let lock = File::create(dir.join("lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let jars = dir.join("jars");
    let done = dir.join("done");
    if !done.exists() {
        eprintln!("fetching Apache Kafka with Maven into {}", jars.display());
        let status = Command::new("mvn")
            .args(["-q", "-B", "-f"])
            .arg(root.join("deploy/kafka/pom.xml"))
            .arg("package")
            .arg(format!("-Djars.dir={}", jars.display()))
            .stdout(Stdio::null())
            .status()
            .context("mvn")?;
        ensure!(status.success(), "mvn could not fetch Apache Kafka");
        File::create(done)?;
    }
    Ok(jars)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
