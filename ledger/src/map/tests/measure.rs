//! What it costs.

use super::*;

/// Nanoseconds that this thread ran on a processor: others share the machine.
fn on_cpu() -> u128 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_ascii_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
#[ignore = "a measurement: run with --release --nocapture"]
fn microseconds_a_person() {
    const PERSONS: usize = 1_000_000;
    const BATCH: usize = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let people: Vec<SubjectReference> = (0..PERSONS as u64).map(person).collect();
    let mut map = ShardMap::create(dir.path(), SHARD, GENESIS).unwrap();
    let mut sequence = 0;
    let mut touch = |map: &mut ShardMap, reference: SubjectReference| {
        map.touch(reference, sequence, Digest([6; 32])).unwrap();
        sequence += 1;
        sequence
    };

    // All once: what a rebuild costs.
    let policy = MergePolicy::default();
    let started = on_cpu();
    let mut merges = 0;
    for chunk in people.chunks(BATCH) {
        let size = chunk
            .iter()
            .map(|one| touch(&mut map, *one))
            .last()
            .unwrap();
        map.roots(size, GENESIS).unwrap();
        if map.merge_due(&policy) {
            map.merge().unwrap();
            merges += 1;
        }
    }
    println!(
        "rebuilt: {} ns a new person, {merges} merges among them",
        (on_cpu() - started) / PERSONS as u128
    );
    let started = on_cpu();
    map.merge().unwrap();
    println!(
        "a merge of {:?} persons: {} us",
        map.persons(),
        (on_cpu() - started) / 1000
    );
    map.roots(PERSONS as u64, GENESIS).unwrap();
    println!(
        "base: {:.2} bytes a person in memory",
        map.allocated_bytes() as f64 / PERSONS as f64
    );

    // Zipf with exponent 0.99 over all of them.
    let mut sums = Vec::with_capacity(PERSONS);
    let mut sum = 0.0;
    for n in 1..=PERSONS {
        sum += (n as f64).powf(-0.99);
        sums.push(sum);
    }
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let at = (state >> 11) as f64 / (1_u64 << 53) as f64 * sum;
        people[sums.partition_point(|sum| *sum < at).min(PERSONS - 1)]
    };
    for batch in [1_000, 10_000, 50_000] {
        let (mut touching, mut sealing, mut worst) = (0, 0, 0);
        let rounds = 1_000_000 / batch;
        for _ in 0..rounds {
            let chosen: Vec<SubjectReference> = (0..batch).map(|_| next()).collect();
            let started = on_cpu();
            let size = chosen
                .iter()
                .map(|one| touch(&mut map, *one))
                .last()
                .unwrap();
            touching += on_cpu() - started;
            let started = on_cpu();
            map.roots(size, GENESIS).unwrap();
            sealing += on_cpu() - started;
            worst = worst.max((on_cpu() - started) / 1000);
        }
        let touches = (batch * rounds) as u128;
        println!(
            "{batch} touches a checkpoint: {} ns a touch, {} ns a touch to seal, {} us a checkpoint, {worst} at worst; recent {} persons, {:.1} bytes each",
            touching / touches,
            sealing / touches,
            sealing / rounds as u128 / 1000,
            map.persons().0,
            map.reader().0.read().recent.allocated_bytes() as f64 / map.persons().0 as f64,
        );
    }
    let started = on_cpu();
    map.save_recent().unwrap();
    println!("saved in {} us", (on_cpu() - started) / 1000);
    let started = on_cpu();
    let opened = ShardMap::open(dir.path(), SHARD, GENESIS).unwrap();
    println!("opened in {} us", (on_cpu() - started) / 1000);
    assert_eq!(opened.sealed(), map.sealed());
    let started = on_cpu();
    let mut bytes = 0;
    for one in people.iter().step_by(1000) {
        let (_, _, proved) = map.reader().prove(&[*one]).unwrap();
        bytes += proved[0].proof.encode().len();
    }
    println!(
        "{} us a proof of {} bytes",
        ((on_cpu() - started) / 1000) / 1000,
        bytes / 1000
    );
    let started = on_cpu();
    map.merge().unwrap();
    println!(
        "a merge of {:?} persons: {} us",
        map.persons(),
        (on_cpu() - started) / 1000
    );
}
