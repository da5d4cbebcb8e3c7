//! A second process, and a disk that is full: a clear error, nothing lost.

use std::path::Path;
use std::process::Command;

use custody_generate::{Generator, Profile};
use rustix::process::Signal;

use crate::custody::{Service, custody, data_dir, text, verify};
use crate::exactly_once::totals;
use crate::kafka::{Raw, produce, shared};

#[test]
fn a_second_process_on_the_same_directory_is_refused() {
    let broker = shared();
    broker.create_topic("second", 1, &[]).expect("a topic");
    let data = data_dir();
    let data = data.path().join("data");
    let first = Service::start(&data, &broker.brokers(), "second");

    for args in [
        vec![
            "serve",
            "--data",
            text(&data),
            "--brokers",
            "127.0.0.1:1",
            "--topics",
            "x",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ],
        vec!["verify", "--data", text(&data)],
        vec!["rebuild", "--data", text(&data)],
    ] {
        let output = custody(&args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(&first.pid().to_string()), "{args:?}: {said}");
    }
    assert!(first.checkpoint().is_some());
    first.stop();
    verify(&data);
}

/// A file system of a few megabytes, which goes with the value.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(path: &'a Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(path).expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "custody-test"])
            .arg(path)
            .status()
            .is_ok_and(|status| status.success());
        mounted.then_some(Self(path))
    }

    fn grow(&self, size: &str) {
        let grown = Command::new("mount")
            .args(["-o", &format!("remount,size={size}")])
            .arg(self.0)
            .status()
            .expect("mount runs");
        assert!(grown.success());
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_stops_with_a_clear_error_and_loses_nothing() {
    let dir = data_dir();
    let Some(disk) = SmallDisk::mount(dir.path(), "200m") else {
        // The ledger's own tests inject the same error without root.
        eprintln!("*** SKIPPED: mounting a small file system needs root ***");
        return;
    };
    let broker = shared();
    let topic = "full";
    broker.create_topic(topic, 1, &[]).expect("a topic");
    let data = dir.path().join("data");
    let messages: Vec<Raw> = Generator::new(Profile {
        seed: 3,
        events: 20_000,
        persons: 300,
        malformed: 0.0,
        duplicates: 0.0,
        ..Profile::default()
    })
    .expect("a profile")
    .map(|message| Raw::from(&message))
    .collect();
    let count = messages.len();
    let (first, second) = messages.split_at(1_000);

    let mut service = Service::start(&data, &broker.brokers(), topic);
    produce(&broker.brokers(), topic, first.iter().cloned());
    service.wait_for_offsets(topic, 1_000);
    // Leaves next to nothing.
    fill(&dir.path().join("ballast"));
    produce(&broker.brokers(), topic, second.iter().cloned());
    let status = service.wait();
    let log = service.log_text();
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains("No space left"), "{log}");
    drop(service);

    std::fs::remove_file(dir.path().join("ballast")).expect("removed");
    disk.grow("2g");
    let mut service = Service::start(&data, &broker.brokers(), topic);
    service.wait_for_offsets(topic, i64::try_from(count).expect("fits"));
    service.signal(Signal::TERM);
    assert!(service.wait().success());
    assert_eq!(totals(&data)["entries"], count as u64);
    verify(&data);
}

/// Fills the file system up to a megabyte.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).expect("a file");
    let chunk = vec![0x5a_u8; 256 << 10];
    while file.write_all(&chunk).is_ok() {}
    let length = file.metadata().expect("metadata").len();
    file.set_len(length.saturating_sub(1 << 20)).expect("cut");
    file.sync_all().expect("synced");
}
