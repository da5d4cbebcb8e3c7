use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Home;

/// The same new identifiers, from four threads at once: one person each, and
/// one thread each that is told it is new.
#[test]
fn one_identifier_is_one_person() {
    let home = Home::new();
    let vault = home.open();
    let start = Barrier::new(4);
    let results: Vec<Vec<([u8; 16], bool)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (vault, start) = (&vault, &start);
                scope.spawn(move || {
                    start.wait();
                    (0..500)
                        .map(|n| {
                            let (account, email) = (format!("account:{n}"), format!("email:{n}"));
                            // Half of the threads say more, so that not all
                            // meet in the same cached list.
                            let found = if thread % 2 == 0 {
                                vault.admit(&[&account])
                            } else {
                                vault.admit(&[&account, &email])
                            }
                            .unwrap();
                            (found.person.reference(), found.is_new)
                        })
                        .collect()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for n in 0..500 {
        let references: BTreeSet<_> = results.iter().map(|result| result[n].0).collect();
        assert_eq!(references.len(), 1, "identifier {n}");
        let new = results.iter().filter(|result| result[n].1).count();
        assert_eq!(new, 1, "identifier {n}");
        let identity = vault.lookup(&format!("email:{n}")).unwrap().unwrap();
        assert!(references.contains(&identity.persons[0].reference()));
    }
}

/// Look-ups while persons are made never see half of one.
#[test]
fn a_look_up_sees_whole_persons() {
    let home = Home::new();
    let vault = home.open();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..2000 {
                vault
                    .admit(&[&format!("account:{n}"), "ip:192.0.2.1"])
                    .unwrap();
            }
        });
        while !writer.is_finished() {
            for n in (0..2000).step_by(97) {
                if let Some(identity) = vault.lookup(&format!("account:{n}")).unwrap() {
                    assert_eq!(
                        identity.identifiers,
                        [format!("account:{n}"), "ip:192.0.2.1".into()]
                    );
                }
            }
        }
    });
}

/// Buckets are split and persons erased while others look: who stays is always
/// found, whole and the same; who was erased is never found again.
#[test]
fn looking_while_the_tree_changes() {
    let home = Home::new();
    let vault = home.open();
    let admit = |n: usize| {
        let ids = [format!("account:{n}"), format!("email:{n}")];
        vault.admit(&[&ids[0], &ids[1]]).unwrap().person.reference()
    };
    let stay: Vec<[u8; 16]> = (0..60).map(admit).collect();
    let go: Vec<[u8; 16]> = (60..120).map(admit).collect();
    let erased = AtomicUsize::new(0);
    let writers = AtomicUsize::new(2);
    std::thread::scope(|scope| {
        let (vault, erased, writers) = (&vault, &erased, &writers);
        scope.spawn(move || {
            for n in 1000..2500 {
                vault
                    .admit(&[&format!("account:{n}"), "ip:192.0.2.1"])
                    .unwrap();
            }
            writers.fetch_sub(1, Ordering::AcqRel);
        });
        let go_now = &go;
        scope.spawn(move || {
            for (n, some) in go_now.chunks(2).enumerate() {
                let done = vault.begin_erasing(some).unwrap().erase(None).unwrap();
                assert_eq!(done.persons, 2);
                erased.store(2 * (n + 1), Ordering::Release);
            }
            writers.fetch_sub(1, Ordering::AcqRel);
        });
        for reader in 0..2 {
            let (stay, go) = (&stay, &go);
            scope.spawn(move || {
                while writers.load(Ordering::Acquire) > 0 {
                    for n in (reader..stay.len()).step_by(7) {
                        let found = vault.lookup(&format!("email:{n}")).unwrap().unwrap();
                        assert_eq!(found.persons[0].reference(), stay[n]);
                        assert_eq!(found.identifiers.len(), 2);
                        let again = vault.admit(&[&format!("account:{n}")]).unwrap();
                        assert_eq!(again.person.reference(), stay[n]);
                    }
                    for (n, reference) in go[..erased.load(Ordering::Acquire)].iter().enumerate() {
                        assert!(vault.person(reference).unwrap().is_none());
                        let id = format!("account:{}", 60 + n);
                        assert!(vault.lookup(&id).unwrap().is_none());
                    }
                    let report = vault.check(&mut |_| {}).unwrap();
                    assert!(report.ok(), "{:?}", report.faults);
                }
            });
        }
    });
    assert_eq!(erased.into_inner(), 60);
    drop(vault);
    let report = home.open().check(&mut |_| {}).unwrap();
    assert!(report.ok());
    assert_eq!((report.persons, report.orphans), (60 + 1500, 0));
}
