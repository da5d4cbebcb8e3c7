//! The processes that a measurement is made of. Each is started from this
//! program, has a time limit, and is ended by its id.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{self, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::de::DeserializeOwned;

use super::live::Lag;
use super::process as process_info;
use super::serve::{Command as Order, Memory, Ready};

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How long the server has for ending by itself.
const GRACE: Duration = Duration::from_secs(30);

/// A process to be.
pub(crate) struct Child(Command, &'static str);

impl Child {
    /// One of this program's subcommands.
    pub(crate) fn new(name: &'static str) -> Self {
        let program = std::env::current_exe().unwrap_or_else(|_| "custody-bench".into());
        let mut command = Command::new(program);
        command
            .arg(name)
            .stdin(Stdio::piped())
            .env(process_info::OWNED, "1");
        Self(command, name)
    }

    pub(crate) fn value(&mut self, name: &str, value: impl ToString) -> &mut Self {
        self.0.arg(name).arg(value.to_string());
        self
    }

    pub(crate) fn path(&mut self, name: &str, path: impl AsRef<OsStr>) -> &mut Self {
        self.0.arg(name).arg(path);
        self
    }

    pub(crate) fn flag(&mut self, name: &str) -> &mut Self {
        self.0.arg(name);
        self
    }

    /// Runs it and reads the line of JSON that it prints.
    pub(crate) fn json<T: DeserializeOwned>(&mut self, limit: Duration) -> Result<T> {
        let mut running = Running::start(self.0.stdout(Stdio::piped()), self.1)?;
        let mut output = running.0.stdout.take().context("its output")?;
        let reader = thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).map(|_| text)
        });
        running.wait(limit)?;
        let text = reader.join().map_err(|_| anyhow!("a thread panicked"))??;
        serde_json::from_str(&text).with_context(|| format!("the figures of {}", self.1))
    }

    /// Starts it and reads the line of JSON with which it says that it can be
    /// asked.
    pub(crate) fn serving<T: DeserializeOwned>(&mut self, limit: Duration) -> Result<(Running, T)> {
        let (running, answers) = self.lines()?;
        let ready = next(&answers, limit).with_context(|| format!("starting {}", self.1))?;
        Ok((running, ready))
    }

    /// Starts it and takes its output a line at a time.
    fn lines(&mut self) -> Result<(Running, Receiver<std::io::Result<String>>)> {
        let mut running = Running::start(self.0.stdout(Stdio::piped()), self.1)?;
        let output = running.0.stdout.take().context("its output")?;
        let (lines, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Ok((running, answers))
    }

    /// Runs it; it prints for itself.
    pub(crate) fn shown(&mut self, limit: Duration) -> Result<()> {
        Running::start(&mut self.0, self.1)?.wait(limit)
    }
}

/// A process that is ended when this is dropped.
pub(crate) struct Running(process::Child, &'static str);

impl Running {
    fn start(command: &mut Command, name: &'static str) -> Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self(child, name))
    }

    /// Tells it to end, by the end of its input, and waits for that.
    pub(crate) fn end(&mut self) -> Result<()> {
        drop(self.0.stdin.take());
        self.wait(GRACE)
    }

    /// Waits for its end. It keeps its input open meanwhile: that is how it
    /// knows that it is waited for.
    fn wait(&mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.0.try_wait()? {
                ensure!(status.success(), "{} failed: {status}", self.1);
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} took longer than {limit:?}", self.1);
            }
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// The service in a process of its own.
pub(crate) struct Server {
    pub(crate) ready: Ready,
    running: Running,
    orders: Option<ChildStdin>,
    answers: Receiver<std::io::Result<String>>,
    limit: Duration,
}

impl Server {
    /// Starts it and waits until it can be asked.
    pub(crate) fn start(data: &Path, consultations: bool, limit: Duration) -> Result<Self> {
        let mut child = Child::new("answers-serve");
        child.path("--data", data);
        if consultations {
            child.flag("--consultations");
        }
        let (mut running, answers) = child.lines()?;
        let ready = next(&answers, limit).context("starting the service")?;
        Ok(Self {
            ready,
            orders: running.0.stdin.take(),
            running,
            answers,
            limit,
        })
    }

    /// How much memory it uses.
    pub(crate) fn memory(&mut self) -> Result<Memory> {
        self.order(&Order::Memory)
    }

    /// How far the read model lags at a rate.
    pub(crate) fn live(&mut self, rate: u64, seconds: u64) -> Result<Lag> {
        self.order(&Order::Live { rate, seconds })
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.orders = None;
        self.running.wait(GRACE)
    }

    fn order<T: DeserializeOwned>(&mut self, order: &Order) -> Result<T> {
        let orders = self.orders.as_mut().context("it was told to end")?;
        writeln!(orders, "{}", serde_json::to_string(order)?)?;
        orders.flush()?;
        next(&self.answers, self.limit)
    }
}

fn next<T: DeserializeOwned>(
    answers: &Receiver<std::io::Result<String>>,
    limit: Duration,
) -> Result<T> {
    let line = answers
        .recv_timeout(limit)
        .map_err(|_| anyhow!("the service ended or said nothing for {limit:?}"))??;
    Ok(serde_json::from_str(&line)?)
}
