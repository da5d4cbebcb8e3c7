//! What sealing and admitting cost an event, on one core:
//! `cargo run --release -p custody-vault --example cost`.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use custody_vault::{EntryContext, Vault, VaultOptions};

fn report<T>(what: &str, count: usize, work: impl FnOnce() -> Result<T, Box<dyn Error>>) {
    let start = Instant::now();
    match work() {
        Ok(_) => {
            let took = start.elapsed();
            let each = took.as_nanos() as f64 / 1000.0 / count as f64;
            println!(
                "{what:<48} {each:>8.3} µs each, {:>8.1} ms",
                took.as_secs_f64() * 1000.0
            );
        }
        Err(error) => println!("{what:<48} failed: {error}"),
    }
}

fn event(number: usize) -> String {
    format!(
        r#"{{"subject":{{"ids":["account:{number}","email:{number}@example.com"],"jurisdiction":"DE"}},"service":"alibaba.com","controller":"alibaba-com-singapore","purposes":["custody:purchase_delivery"],"legal_basis":"eu-gdpr:A6-1-b","disclosure":{{"recipient":{{"id":"dhl","country":"DE"}}}}}}"#
    )
}

fn main() -> Result<(), Box<dyn Error>> {
    const PERSONS: usize = 100_000;
    const EVENTS: usize = 500_000;
    let dir = tempfile::tempdir()?;
    let vault_dir = dir.path().join("vault");
    let root = dir.path().join("root.key");
    let vault = Vault::open(&vault_dir, &root, VaultOptions::default())?;
    let ids: Vec<[String; 2]> = (0..PERSONS)
        .map(|n| [format!("account:{n}"), format!("email:{n}@example.com")])
        .collect();
    let admit = |vault: &Vault, n: usize| vault.admit(&[&ids[n][0], &ids[n][1]]);

    report("admit, new person, two identifiers", PERSONS, || {
        for n in 0..PERSONS {
            admit(&vault, n)?;
        }
        Ok(())
    });
    report("flush after that", 1, || Ok(vault.flush()?));
    report("admit, known and cached", EVENTS, || {
        for n in 0..EVENTS {
            black_box(admit(&vault, n * 7919 % PERSONS)?);
        }
        Ok(())
    });
    report("flush with nothing pending", EVENTS, || {
        for _ in 0..EVENTS {
            vault.flush()?;
        }
        Ok(())
    });

    let person = admit(&vault, 1)?.person;
    let place = |sequence| EntryContext {
        ledger: [1; 16],
        shard: [2; 16],
        sequence,
    };
    for (what, plain) in [
        ("seal, 50 B (stored)", vec![7; 50]),
        (
            "seal, 300 B of JSON (zstd, dictionary)",
            event(1).into_bytes(),
        ),
    ] {
        report(what, EVENTS, || {
            for n in 0..EVENTS as u64 {
                black_box(person.seal(&place(n), &plain)?);
            }
            Ok(())
        });
        let sealed = person.seal(&place(0), &plain)?;
        println!("  {} B sealed are {} B", plain.len(), sealed.len());
        report("  open", EVENTS, || {
            for _ in 0..EVENTS {
                black_box(person.open(&place(0), &sealed)?);
            }
            Ok(())
        });
    }
    report("tag", EVENTS, || {
        for _ in 0..EVENTS {
            black_box(person.tag("//orders.example", "o-1234567"));
        }
        Ok(())
    });

    for threads in [1, 2, 4] {
        report(
            &format!("admit, cached, {threads} threads at once"),
            EVENTS,
            || {
                std::thread::scope(|scope| {
                    for thread in 0..threads {
                        let admit = &admit;
                        let vault = &vault;
                        scope.spawn(move || {
                            for n in 0..EVENTS / threads {
                                let _ = black_box(admit(vault, (n * 7919 + thread) % PERSONS));
                            }
                        });
                    }
                });
                Ok(())
            },
        );
        report(
            &format!("admit, new, {threads} threads at once"),
            PERSONS,
            || {
                std::thread::scope(|scope| {
                    for thread in 0..threads {
                        let vault = &vault;
                        scope.spawn(move || {
                            for n in 0..PERSONS / threads {
                                let _ = vault.admit(&[&format!("member:{threads}-{thread}-{n}")]);
                            }
                        });
                    }
                });
                Ok(())
            },
        );
    }

    drop(vault);
    report("open", 1, || {
        let vault = Vault::open(&vault_dir, &root, VaultOptions::default())?;
        let start = Instant::now();
        for n in 0..PERSONS {
            admit(&vault, n)?;
        }
        println!(
            "  admit, known and not cached: {:.3} µs each",
            start.elapsed().as_nanos() as f64 / 1000.0 / PERSONS as f64
        );
        Ok(())
    });
    Ok(())
}
