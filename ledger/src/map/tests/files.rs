//! The files: what is left of them after merges and damage.

use super::*;

#[test]
fn a_merge_after_the_last_save_makes_the_save_worthless() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(300, 100);
    let mut map = built(dir.path(), &log[..200].to_vec());
    map.save_recent().unwrap();
    touch_all(&mut map, &log, 200, 300);
    map.roots(300, chain_head(300)).unwrap();
    map.merge().unwrap();
    drop(map);
    let map = ShardMap::open(dir.path(), SHARD, GENESIS).unwrap();
    assert_eq!(map.sealed().0.size, 300);
    check(&map, &log, &[person(0), person(100)]);
    drop(map);
    // The other way round the save rests on a base that is gone.
    let saved = dir.path().join(RECENT_FILE);
    fs::remove_file(dir.path().join(BASE_FILE)).unwrap();
    let map = ShardMap::open(dir.path(), SHARD, GENESIS).unwrap();
    assert_eq!(
        map.sealed().0.size,
        200,
        "what rested on no base still does"
    );
    drop(map);
    let mut map = built(dir.path(), &log[..100].to_vec());
    map.merge().unwrap();
    map.roots(100, chain_head(100)).unwrap();
    touch_all(&mut map, &log, 100, 200);
    map.roots(200, chain_head(200)).unwrap();
    map.save_recent().unwrap();
    fs::remove_file(dir.path().join(BASE_FILE)).unwrap();
    let error = ShardMap::open(dir.path(), SHARD, GENESIS).unwrap_err();
    assert!(
        matches!(&error, MapError::OtherBase { path } if *path == saved),
        "{error}"
    );
}

#[test]
fn damage_has_a_type() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(3000, 1000);
    let mut map = built(dir.path(), &log[..2900].to_vec());
    map.merge().unwrap();
    map.roots(2900, chain_head(2900)).unwrap();
    touch_all(&mut map, &log, 2900, 3000);
    map.roots(3000, chain_head(3000)).unwrap();
    map.save_recent().unwrap();
    drop(map);
    let open = || ShardMap::open(dir.path(), SHARD, GENESIS);
    for name in [BASE_FILE, RECENT_FILE] {
        let path = dir.path().join(name);
        let good = fs::read(&path).unwrap();
        let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            fs::write(&path, bytes).unwrap();
            let error = open().unwrap_err();
            assert!(error.needs_rebuild(), "{error}");
            error.to_string()
        };
        assert!(damaged(&|bytes| bytes[0] ^= 1).contains("magic"));
        assert!(damaged(&|bytes| bytes[4] = 2).contains("too new"));
        assert!(damaged(&|bytes| bytes[4] = 0).contains("too old"));
        damaged(&|bytes| bytes.truncate(20));
        damaged(&|bytes| bytes.truncate(0));
        damaged(&|bytes| bytes.push(0));
        damaged(&|bytes| bytes.truncate(bytes.len() - 1));
        for at in 8..170 {
            damaged(&|bytes| bytes[at] ^= 1);
        }
        fs::write(&path, &good).unwrap();
        let error = ShardMap::open(dir.path(), ShardId([5; 16]), GENESIS).unwrap_err();
        assert!(matches!(error, MapError::OtherShard { .. }));
        open().unwrap();
    }

    // In the records, and in the hashes: found where they are read.
    let path = dir.path().join(BASE_FILE);
    let good = fs::read(&path).unwrap();
    let all: Vec<SubjectReference> = (0..1000).map(person).collect();
    for at in [
        176 + 3,
        176 + 56 * 999 + 20,
        good.len() - 1,
        good.len() - 700,
    ] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let mut map = open().unwrap();
        let error = map.reader().prove(&all).unwrap_err();
        assert!(error.needs_rebuild(), "{error}");
        if at < 176 + 56 * 1000 {
            assert!(matches!(error, MapError::Bucket { .. }));
            // A damaged record goes into no root.
            for (n, reference) in all.iter().enumerate() {
                map.touch(*reference, 3000 + n as u64, entry(0)).unwrap();
            }
            assert!(matches!(
                map.roots(4000, entry(3999)),
                Err(MapError::Bucket { .. })
            ));
            assert!(matches!(map.merge(), Err(MapError::Bucket { .. })));
            assert_eq!(map.sealed().0.size, 3000);
        } else {
            assert!(matches!(error, MapError::SelfCheck(_)));
        }
    }
}

/// FORMAT: these bytes do not change.
#[test]
fn golden() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(400, 130);
    let mut map = built(dir.path(), &log[..390].to_vec());
    map.merge().unwrap();
    map.roots(390, chain_head(390)).unwrap();
    touch_all(&mut map, &log, 390, 400);
    map.roots(400, chain_head(400)).unwrap();
    map.save_recent().unwrap();
    let file = |name: &str| fs::read(dir.path().join(name)).unwrap();
    let (base, recent) = (file(BASE_FILE), file(RECENT_FILE));
    // 130 persons in 8 buckets.
    assert_eq!(base.len(), 176 + 130 * 56 + 8 * 16 + 15 * 32);
    assert_eq!(recent.len(), 112 + 10 * 56 + 32);
    assert_eq!(
        blake3::hash(&base).to_string(),
        "1fbeee6aa4c04666c9da298184d97fb1894832a079be629311468e4b425e8247"
    );
    assert_eq!(
        blake3::hash(&recent).to_string(),
        "e9fb15433e56fc8239d9f1030e323f95eca853544687069c47a290d61a878707"
    );
}
