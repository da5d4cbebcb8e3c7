//! The vault: what a person, an event and an erasure cost, beside the bare
//! cryptography of the same bytes in the same run.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use clap::Args;
use custody_vault::{EntryContext, Vault, VaultOptions};

/// Content of an event: so short that it is stored as it is, and compression,
/// which is measured elsewhere, has no part in it.
const CONTENT_BYTES: usize = 60;
/// What is sealed of it: padded.
const SEALED_BYTES: usize = 64;
/// Events between two barriers, as a block has them.
const BLOCK: usize = 1000;
/// Exponent of the law by which events fall on persons.
const SKEW: f64 = 0.99;

/// What to measure.
#[derive(Args)]
pub(crate) struct VaultArgs {
    /// Persons, each with an account and an address.
    #[arg(long, default_value_t = 1_000_000)]
    persons: u64,
    /// Events, by Zipf's law with exponent 0.99.
    #[arg(long, default_value_t = 2_000_000)]
    events: usize,
    /// Erasures one by one.
    #[arg(long, default_value_t = 50)]
    erasures: u64,
    /// Persons erased at once.
    #[arg(long, default_value_t = 1000)]
    at_once: u64,
    /// Persons kept in memory.
    #[arg(long, default_value_t = 200_000)]
    cache: usize,
    /// Where the vault is made; a directory for temporary files if not given.
    #[arg(long)]
    dir: Option<std::path::PathBuf>,
}

/// A sequence of numbers that is the same each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// By Zipf's law, from the inverse of the continuous distribution.
    fn zipf(&mut self, count: u64) -> u64 {
        let uniform = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let left = 1.0 - SKEW;
        let most = (count as f64).powf(left) - 1.0;
        let rank = (most * uniform + 1.0).powf(1.0 / left);
        (rank as u64 - 1).min(count - 1)
    }
}

/// Identifiers of a person. Ranks are spread, so that the persons of many
/// events were not made one after the other.
fn identifiers(person: u64) -> [String; 2] {
    [
        format!("account:{person}"),
        format!("email:{person}@example.com"),
    ]
}

/// Makes a vault and prints what it costs.
pub(crate) fn run(args: &VaultArgs) -> Result<()> {
    ensure!(
        args.persons > args.erasures + args.at_once,
        "more persons are needed than are erased"
    );
    let temporary;
    let dir = match &args.dir {
        Some(dir) => dir.as_path(),
        None => {
            temporary = tempfile::tempdir()?;
            temporary.path()
        }
    };
    let options = VaultOptions {
        cache_persons: args.cache,
        ..VaultOptions::default()
    };
    let vault = Vault::open(&dir.join("vault"), &dir.join("root.key"), options)?;
    let bare = bare_us(args.events.min(500_000))?;

    let new = new_persons(&vault, args.persons)?;
    row("a new person", us(new, args.persons), "us", bare);
    let [directory, sealing] = events(&vault, args)?;
    let count = args.events as u64;
    row("an event: directory", us(directory, count), "us", bare);
    row("an event: seal", us(sealing, count), "us", bare);
    row("an event: both", us(directory + sealing, count), "us", bare);
    println!(
        "{:<34} {:>10.3} us {:>9.2}",
        "AES-256-GCM and BLAKE3 alone", bare, 1.0
    );

    let mut alone = Vec::new();
    for person in 0..args.erasures {
        alone.push(erase(&vault, person..person + 1)?);
    }
    alone.sort_unstable();
    if let (Some(median), Some(most)) = (alone.get(alone.len() / 2), alone.last()) {
        row("an erasure, median", median.as_secs_f64() * 1e6, "us", bare);
        row("an erasure, longest", most.as_secs_f64() * 1e6, "us", bare);
    }
    let before = vault.root().generation;
    let many = erase(&vault, args.erasures..args.erasures + args.at_once)?;
    row("erased at once, each", us(many, args.at_once), "us", bare);
    println!(
        "{} erased at once in {:.0} ms, {} change of root keys",
        args.at_once,
        many.as_secs_f64() * 1e3,
        vault.root().generation - before
    );
    vault.flush()?;
    println!(
        "{} persons, {} MiB of files, {} MiB of memory at most",
        args.persons,
        size(&dir.join("vault"))? >> 20,
        peak_kib()? >> 10
    );
    Ok(())
}

fn us(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

fn row(what: &str, figure: f64, unit: &str, bare: f64) {
    println!("{what:<34} {figure:>10.3} {unit} {:>9.2}", figure / bare);
}

fn new_persons(vault: &Vault, count: u64) -> Result<Duration> {
    println!("{:<34} {:>13} {:>9}", "", "", "of bare");
    let start = Instant::now();
    for person in 0..count {
        let [account, email] = identifiers(person);
        vault.admit(&[&account, &email])?;
        if person.is_multiple_of(BLOCK as u64) {
            vault.flush()?;
        }
    }
    vault.flush()?;
    Ok(start.elapsed())
}

/// Time in the directory, and time sealing.
fn events(vault: &Vault, args: &VaultArgs) -> Result<[Duration; 2]> {
    let mut numbers = Numbers(7);
    let content = [b'x'; CONTENT_BYTES];
    let mut context = EntryContext {
        ledger: [1; 16],
        shard: [2; 16],
        sequence: 0,
    };
    let mut times = [Duration::ZERO; 2];
    for start in (0..args.events).step_by(BLOCK) {
        let count = BLOCK.min(args.events - start);
        let ids: Vec<[String; 2]> = (0..count)
            // Those that are erased later are among the common ones.
            .map(|_| identifiers(numbers.zipf(args.persons)))
            .collect();
        let begin = Instant::now();
        let mut persons = Vec::with_capacity(count);
        for [account, email] in &ids {
            persons.push(vault.admit(&[account, email])?.person);
        }
        times[0] += begin.elapsed();
        let begin = Instant::now();
        for person in &persons {
            black_box(person.seal(&context, &content)?);
            context.sequence += 1;
        }
        times[1] += begin.elapsed();
    }
    Ok(times)
}

fn erase(vault: &Vault, persons: std::ops::Range<u64>) -> Result<Duration> {
    let mut references = Vec::new();
    for person in persons {
        let [account, email] = identifiers(person);
        references.push(vault.admit(&[&account, &email])?.person.reference());
    }
    vault.flush()?;
    let start = Instant::now();
    let erased = vault.begin_erasing(&references)?.erase(None)?;
    let time = start.elapsed();
    ensure!(erased.persons == references.len() as u64, "somebody stayed");
    Ok(time)
}

/// A key of its own for each event by keyed BLAKE3, its commitment, and
/// AES-256-GCM of as many bytes.
fn bare_us(events: usize) -> Result<f64> {
    let root = [5; 32];
    let mut input = [0; 56];
    let start = Instant::now();
    for event in 0..events {
        input[32..40].copy_from_slice(&(event as u64).to_le_bytes());
        let key = blake3::keyed_hash(&root, &input);
        black_box(blake3::hash(key.as_bytes()));
        let cipher = UnboundKey::new(&AES_256_GCM, key.as_bytes()).map(LessSafeKey::new);
        let mut content = [b'x'; SEALED_BYTES];
        let tag = cipher.ok().and_then(|cipher| {
            let nonce = Nonce::assume_unique_for_key([0; 12]);
            let aad = Aad::from(&input[..]);
            cipher
                .seal_in_place_separate_tag(nonce, aad, &mut content)
                .ok()
        });
        black_box((content, tag.context("the cipher failed")?.as_ref()));
    }
    Ok(us(start.elapsed(), events as u64))
}

fn size(dir: &std::path::Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() {
            size(&entry.path())?
        } else {
            about.blocks() * 512
        };
    }
    Ok(bytes)
}

fn peak_kib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let size = line.and_then(|line| line.split_whitespace().next());
    Ok(size.context("no VmHWM")?.parse()?)
}
