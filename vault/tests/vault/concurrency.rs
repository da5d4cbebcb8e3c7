use std::collections::BTreeSet;
use std::sync::Barrier;

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
