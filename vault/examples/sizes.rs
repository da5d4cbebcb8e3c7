//! How long sealed messages are, and what making them short costs, without the
//! dictionary and with it: `cargo run --release -p custody-vault --example sizes`.
//!
//! Every seed is one that the dictionary was not trained with, so that names,
//! persons and sources are new to it.

#![allow(clippy::print_stdout)]

mod corpus;

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use corpus::Form;
use custody_vault::{EntryContext, PADDING_BYTES, Person, Vault, VaultOptions};

/// Suite, codec, salt, commitment, tag.
const AROUND: usize = 2 + 16 + 32 + 16;
const LENGTH_BYTES: usize = 4;

const PLACE: EntryContext = EntryContext {
    ledger: [1; 16],
    shard: [2; 16],
    sequence: 3,
};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let vault = Vault::open(
        &dir.path().join("vault"),
        &dir.path().join("root.key"),
        VaultOptions::default(),
    )?;
    let person = vault.admit(&["account:1001"])?.person;

    let operators = |from: u64, form| {
        (from..from + 500)
            .flat_map(move |seed| corpus::short(seed, 200, form))
            .collect::<Vec<_>>()
    };
    let generated = corpus::generated(77, 100_000, 5_000)?.collect();
    measure("generated", &person, generated)?;
    measure("short, mixed", &person, operators(1_000, None))?;
    let forms = [
        ("short, structured JSON", Form::Structured),
        ("short, JSON", Form::BinaryJson),
        ("short, protobuf", Form::BinaryProtobuf),
    ];
    for (what, form) in forms {
        measure(what, &person, operators(2_000, Some(form)))?;
    }
    let lean = (5_000..5_500).flat_map(|seed| corpus::lean(seed, 200));
    measure("short and lean", &person, lean.collect())?;
    Ok(())
}

fn measure(what: &str, person: &Person, messages: Vec<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    let count = messages.len();
    let bytes: usize = messages.iter().map(Vec::len).sum();
    println!("{what}: {count} messages of {} bytes", bytes / count.max(1));

    // What was done before there was a dictionary.
    let mut plain = zstd::bulk::Compressor::new(1)?;
    let mut frames = Vec::with_capacity(count);
    let start = Instant::now();
    for message in &messages {
        frames.push(plain.compress(message)?.len().min(message.len()) + LENGTH_BYTES);
    }
    let took = start.elapsed().as_nanos() / count as u128;
    print_sizes("codec 1", &frames);
    println!("    {took} ns a message to compress");

    let mut sealed = Vec::with_capacity(count);
    let start = Instant::now();
    for message in &messages {
        sealed.push(person.seal(&PLACE, message)?);
    }
    let seal = start.elapsed().as_nanos() / count as u128;
    let start = Instant::now();
    for message in &sealed {
        black_box(person.open(&PLACE, message)?);
    }
    let open = start.elapsed().as_nanos() / count as u128;
    let contents: Vec<usize> = sealed.iter().map(|bytes| bytes.len() - AROUND).collect();
    print_sizes("as sealed", &contents);
    let dictionary = sealed.iter().filter(|bytes| bytes[1] == 2).count();
    println!(
        "    {:.1} % by codec 2; {seal} ns to seal, {open} ns to open",
        100.0 * dictionary as f64 / count as f64
    );
    Ok(())
}

fn print_sizes(what: &str, contents: &[usize]) {
    let mut steps = [0_usize; 16];
    let mut sealed = 0;
    for content in contents {
        let step = content.div_ceil(PADDING_BYTES);
        sealed += AROUND + step * PADDING_BYTES;
        steps[step.min(steps.len() - 1)] += 1;
    }
    let share = |n: usize| 100.0 * n as f64 / contents.len() as f64;
    print!(
        "  {what:<10} mean {:>6.1} bytes;",
        sealed as f64 / contents.len() as f64
    );
    for (step, n) in steps.iter().enumerate().filter(|(_, n)| **n > 0) {
        print!(" {}: {:.1} %", AROUND + step * PADDING_BYTES, share(*n));
    }
    println!();
}
