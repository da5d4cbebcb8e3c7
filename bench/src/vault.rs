//! The vault: finding and sealing, new persons, erasing, memory, opening and
//! checking, each beside something bare in the same run.

mod base;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use custody_vault::{EntryContext, Vault, VaultOptions};

use self::base::{Codec, Spent, Synced};
use crate::append::{bytes_below, reset_peak, status_mib};
use crate::workload::{Events, SplitMix, Zipf};

/// Persons made durable together, as the ledger's writer does.
const FLUSHED_AT_ONCE: u64 = 1_000;

/// Events that are prepared and measured together.
const CHUNK: usize = 1_024;

/// Different messages.
const MESSAGES: usize = 4_096;

/// Of a sealed entry, beside the ciphertext: suite, codec, salt, commitment
/// and tag.
const SEALED_OVERHEAD: usize = 2 + 16 + 32 + 16;

/// Persons that the bare store is filled with, and that the vault is compared
/// over.
const COMPARED: u64 = 200_000;

/// Erased one by one, and at once.
const SINGLES: usize = 50;
const AT_ONCE: usize = 1_000;

/// What to measure.
#[derive(Args)]
pub(crate) struct VaultArgs {
    /// Persons in the vault.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    persons: u32,
    /// Identifiers of each person and event: an account, then an address too.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    identifiers: u8,
    /// Events measured, drawn by Zipf's law; as many go before to warm up.
    #[arg(long, default_value_t = 1_000_000)]
    events: u32,
    /// Persons that the vault keeps in memory.
    #[arg(long, default_value_t = VaultOptions::default().cache_persons)]
    cache_persons: usize,
    /// Where the vault is made; by default the system's directory for temporary
    /// files. What is made there is removed.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Identifiers of one person.
struct List {
    account: String,
    email: String,
    count: usize,
}

impl List {
    fn of(args: &VaultArgs, person: u32) -> Self {
        Self {
            account: format!("account:{}", 10_000_000 + u64::from(person)),
            email: format!("email:{person}@example.com"),
            count: usize::from(args.identifiers),
        }
    }

    fn with<T>(&self, work: impl FnOnce(&[&str]) -> T) -> T {
        work(&[self.account.as_str(), self.email.as_str()][..self.count])
    }
}

/// Something bare that a figure stands beside.
struct Beside {
    name: String,
    spent: Spent,
}

/// Measures and prints.
pub(crate) fn run(args: &VaultArgs) -> Result<()> {
    let root = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let probe = probe(args, root.path())?;
    let free = free_bytes(root.path())?;
    // Twice: compacting writes tables anew before it deletes the old ones.
    let needed = u64::from(args.persons) * probe.bytes * 2 + (1 << 30);
    ensure!(free > needed, "{needed} bytes are needed, {free} are free");
    println!(
        "{} persons, {} identifiers each ({} rows of {} bytes a person); {} in memory; load {}",
        args.persons,
        args.identifiers,
        probe.rows,
        probe.bytes / probe.rows,
        args.cache_persons,
        load()
    );
    println!(
        "{:<40} {:>10} {:>10} {:>12} {:>8} {:>8}  beside",
        "", "wall", "CPU", "goal", "wall", "CPU"
    );

    let draws = draw(args);
    let (warming, measured) = draws.split_at(draws.len() / 2);
    let messages = messages()?;
    let value_bytes = (probe.bytes / probe.rows) as usize - base::NAME_BYTES;
    let compared = COMPARED.min(args.persons.into());
    let bare_dir = root.path().join("bare");
    let ((), bare) = Spent::of(|| base::fill_barely(&bare_dir, compared, probe.rows, value_bytes))?;
    std::fs::remove_dir_all(&bare_dir)?;
    let before = status_mib("VmRSS")?;
    reset_peak();

    let dir = root.path().join("vault");
    let key = root.path().join("root.key");
    let vault = Vault::open(&dir, &key, options(args))?;
    let (first, all) = fill(&vault, args, compared)?;
    let beside = Beside {
        name: format!("the same rows in bare fjall, {compared} persons"),
        spent: bare.a(compared),
    };
    line("a new person, of the first", first.a(compared), "", &beside);
    line(
        "a new person, of all",
        all.a(args.persons.into()),
        "20 µs",
        &beside,
    );
    let filled_mib = status_mib("VmHWM")?;

    events(&vault, args, warming, measured, &messages)?;
    let warm_mib = status_mib("VmHWM")?;

    let erased = erase(&vault, args, root.path())?;
    let erased_mib = status_mib("VmHWM")?;
    vault.close()?;
    drop(vault);

    let (vault, opened) = Spent::of(|| Ok(Vault::open(&dir, &key, options(args))?))?;
    let beside = Beside {
        name: format!("opening a vault of {FLUSHED_AT_ONCE} persons"),
        spent: probe.opened,
    };
    line("opening again", opened, "", &beside);
    let (report, checked) = Spent::of(|| Ok(vault.check(&mut |_| {})?))?;
    ensure!(report.ok(), "faults were found");
    ensure!(
        report.persons == u64::from(args.persons) - erased,
        "others are gone"
    );
    let content = vec![7; value_bytes];
    let ((), bare) = Spent::of(|| (0..100_000).try_for_each(|_| base::seal_barely(&content)))?;
    let beside = Beside {
        name: format!("AES-256-GCM and BLAKE3 of {value_bytes} bytes"),
        spent: bare.a(100_000),
    };
    line("checking, a row", checked.a(report.rows), "", &beside);
    let checked_mib = status_mib("VmHWM")?;
    drop(vault);

    for (name, mib, goal) in [
        ("peak memory, filled", filled_mib, ""),
        ("peak memory, filled and warm", warm_mib, ""),
        ("peak memory, and erased", erased_mib, "300 MiB"),
        ("peak memory, opened again and checked", checked_mib, ""),
    ] {
        println!(
            "{name:<40} {mib:>6.0} MiB {:>10} {:>12} {:>7.1}×           the process before, {before:.0} MiB",
            "",
            at_most(goal),
            mib / before
        );
    }
    println!(
        "{} rows, {} nodes and {} buckets checked, {:.0} rows/s; {:.0} MiB on disk; load {}",
        report.rows,
        report.nodes,
        report.buckets,
        report.rows as f64 / checked.wall,
        bytes_below(&dir)? as f64 / f64::from(1 << 20),
        load()
    );
    root.close()?;
    Ok(())
}

fn options(args: &VaultArgs) -> VaultOptions {
    VaultOptions {
        cache_persons: args.cache_persons,
        ..VaultOptions::default()
    }
}

/// What a person takes, found with a few of them.
struct Probe {
    rows: u64,
    /// Names and sealed values, of all rows of a person.
    bytes: u64,
    opened: Spent,
}

fn probe(args: &VaultArgs, root: &Path) -> Result<Probe> {
    let (dir, copy, key) = (
        root.join("probe"),
        root.join("copy"),
        root.join("probe.key"),
    );
    let vault = Vault::open(&dir, &key, options(args))?;
    let empty_rows = vault.check(&mut |_| {})?.rows;
    for person in 0..FLUSHED_AT_ONCE as u32 {
        List::of(args, person).with(|ids| vault.admit(ids))?;
    }
    let rows = vault.check(&mut |_| {})?.rows - empty_rows;
    let bytes = vault.backup(&copy, &mut |_| {})?;
    vault.close()?;
    drop(vault);
    let (vault, opened) = Spent::of(|| Ok(Vault::open(&dir, &key, options(args))?))?;
    drop(vault);
    for dir in [&dir, &copy] {
        std::fs::remove_dir_all(dir)?;
    }
    Ok(Probe {
        rows: rows / FLUSHED_AT_ONCE,
        bytes: bytes / FLUSHED_AT_ONCE,
        opened,
    })
}

/// Persons of the events, drawn before anything is measured: the table that
/// they are drawn from is larger than what the vault may use.
fn draw(args: &VaultArgs) -> Vec<u32> {
    let zipf = Zipf::new(args.persons as usize);
    let mut dice = SplitMix(1);
    (0..2 * u64::from(args.events))
        .map(|_| zipf.draw_person(&mut dice) as u32)
        .collect()
}

fn messages() -> Result<Vec<Vec<u8>>> {
    Events::new(MESSAGES as u64, 100_000, 1)
        .map(|event| Ok(serde_json::to_vec(&event?)?))
        .collect()
}

/// The first so many persons, and all.
fn fill(vault: &Vault, args: &VaultArgs, compared: u64) -> Result<(Spent, Spent)> {
    let mut first = Spent::default();
    let mut all = Spent::default();
    let mut next = 0;
    while next < args.persons {
        let end = args.persons.min(next + FLUSHED_AT_ONCE as u32);
        let lists: Vec<List> = (next..end).map(|person| List::of(args, person)).collect();
        let ((), spent) = Spent::of(|| {
            for list in &lists {
                let admission = list.with(|ids| vault.admit(ids))?;
                ensure!(admission.is_new, "somebody was there before");
            }
            Ok(vault.flush()?)
        })?;
        all.add(spent);
        if u64::from(end) <= compared {
            first.add(spent);
        }
        next = end;
    }
    Ok((first, all))
}

/// Events of known persons: found, sealed; and beside it, event by event, the
/// compressor and the bare cipher.
fn events(
    vault: &Vault,
    args: &VaultArgs,
    warming: &[u32],
    measured: &[u32],
    messages: &[Vec<u8>],
) -> Result<()> {
    for person in warming {
        List::of(args, *person).with(|ids| vault.admit(ids))?;
    }
    let place = EntryContext {
        ledger: [1; 16],
        shard: [2; 16],
        sequence: 0,
    };
    // What is encrypted of each message: packed and padded.
    let house = vault.house();
    let sizes: Vec<usize> = messages
        .iter()
        .map(|message| Ok(house.seal(&place, message)?.len() - SEALED_OVERHEAD))
        .collect::<Result<_>>()?;
    let content = [7; 4096];
    let mut codec = Codec::new()?;

    let [mut admit, mut seal, mut pack, mut bare] = [Spent::default(); 4];
    let mut persons = Vec::with_capacity(CHUNK);
    let mut singly: Vec<f64> = Vec::with_capacity(measured.len());
    for (number, chunk) in measured.chunks(CHUNK).enumerate() {
        let lists: Vec<List> = chunk.iter().map(|person| List::of(args, *person)).collect();
        let numbers = || (number * CHUNK..).take(chunk.len());
        let pool = || numbers().map(|number| &messages[number % MESSAGES]);
        persons.clear();
        // A clock round each costs too much for the mean.
        if number % 4 == 3 {
            for list in &lists {
                let begun = Instant::now();
                persons.push(list.with(|ids| vault.admit(ids))?.person);
                singly.push(begun.elapsed().as_secs_f64());
            }
            continue;
        }
        admit.add(timed(|| {
            for list in &lists {
                persons.push(list.with(|ids| vault.admit(ids))?.person);
            }
            Ok(())
        })?);
        seal.add(timed(|| {
            for ((person, message), number) in persons.iter().zip(pool()).zip(numbers()) {
                let sequence = number as u64;
                black_box(person.seal(&EntryContext { sequence, ..place }, message)?);
            }
            Ok(())
        })?);
        pack.add(timed(|| {
            for message in pool() {
                black_box(codec.compress(message)?);
            }
            Ok(())
        })?);
        bare.add(timed(|| {
            numbers().try_for_each(|number| base::seal_barely(&content[..sizes[number % MESSAGES]]))
        })?);
    }

    let counted = (measured.len() - singly.len()) as u64;
    let [admit, seal, pack, bare] = [admit, seal, pack, bare].map(|spent| spent.a(counted));
    let mean = |sizes: &mut dyn Iterator<Item = usize>| {
        sizes.sum::<usize>() as f64 / messages.len() as f64
    };
    let beside = Beside {
        name: format!(
            "AES-256-GCM, new key each, and BLAKE3 of the {:.0} bytes that are left of {:.0}",
            mean(&mut sizes.iter().copied()),
            mean(&mut messages.iter().map(Vec::len)),
        ),
        spent: bare,
    };
    let sealed = seal.less(pack);
    let mut whole = admit;
    whole.add(sealed);
    line(
        "an event: found and sealed, codec apart",
        whole,
        "1.2 µs",
        &beside,
    );
    line("  found (admit)", admit, "", &beside);
    line("  sealed (seal), codec apart", sealed, "", &beside);
    line("  codec (zstd by dictionary)", pack, "", &beside);
    singly.sort_by(f64::total_cmp);
    let at = |share: f64| singly[((singly.len() - 1) as f64 * share) as usize] * 1e6;
    println!(
        "  found, one by one: median {:.2} µs, 80th percentile {:.2}, 90th {:.2}, 99th {:.2}",
        at(0.5),
        at(0.8),
        at(0.9),
        at(0.99)
    );
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Spent> {
    Ok(Spent::of(work)?.1)
}

/// One by one, then many at once. How many.
fn erase(vault: &Vault, args: &VaultArgs, root: &Path) -> Result<u64> {
    let mut dice = SplitMix(2);
    let mut chosen = BTreeSet::new();
    let mut references = Vec::with_capacity(SINGLES + AT_ONCE);
    while references.len() < SINGLES + AT_ONCE {
        let person = dice.below(args.persons.into()) as u32;
        if chosen.insert(person) {
            let found = vault.lookup(&List::of(args, person).account)?;
            let found = found.context("nobody")?;
            references.push(found.persons[0].reference());
        }
    }
    let (singles, many) = references.split_at(SINGLES);

    let mut synced = Synced::new(&root.join("synced"))?;
    let mut each = Vec::with_capacity(SINGLES);
    let mut syncs = Vec::with_capacity(SINGLES);
    for (byte, reference) in (0..).zip(singles) {
        syncs.push(timed(|| synced.write(byte))?);
        let (done, spent) = Spent::of(|| Ok(vault.begin_erasing(&[*reference])?.erase(None)?))?;
        ensure!(done.persons == 1, "nobody was erased");
        each.push(spent);
    }
    let generation = vault.root().generation;
    let (done, spent) = Spent::of(|| Ok(vault.begin_erasing(many)?.erase(None)?))?;
    ensure!(done.persons == AT_ONCE as u64, "not everybody was erased");
    ensure!(
        done.generation == generation + 1,
        "more than one root change"
    );

    let single = Spent::median(&each);
    let beside = Beside {
        name: "4 KiB overwritten and synced".to_owned(),
        spent: Spent::median(&syncs),
    };
    line("erasing one person, median", single, "5 ms", &beside);
    let beside = Beside {
        name: "erasing one person".to_owned(),
        spent: single,
    };
    line("erasing 1,000 persons, one root change", spent, "", &beside);
    line("  each of them", spent.a(AT_ONCE as u64), "", &beside);
    Ok((SINGLES + AT_ONCE) as u64)
}

fn line(name: &str, spent: Spent, goal: &str, beside: &Beside) {
    println!(
        "{name:<40} {:>10} {:>10} {:>12} {:>7.2}× {:>7.2}×  {}, {}",
        duration(spent.wall),
        duration(spent.cpu),
        at_most(goal),
        spent.wall / beside.spent.wall,
        spent.cpu / beside.spent.cpu,
        beside.name,
        duration(beside.spent.wall),
    );
}

fn at_most(goal: &str) -> String {
    if goal.is_empty() {
        String::new()
    } else {
        format!("≤ {goal}")
    }
}

fn duration(seconds: f64) -> String {
    if seconds < 1e-3 {
        format!("{:.2} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.2} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn free_bytes(dir: &Path) -> Result<u64> {
    let found = rustix::fs::statvfs(dir)?;
    Ok(found.f_bavail * found.f_frsize)
}
