//! A ledger that signs, asked over TCP as anybody would.

use custody_ledger::{
    BlockBuilder, Digest, Entry, Kind, LedgerOptions, NotaryOptions, ShardDescriptor, ShardId,
};
use custody_proof::checkpoint::{Checkpoint, shard_origin, verifying_keys};
use custody_proof::manifest::Manifest;
use custody_proof::note::SigningKey;
use custody_proof::tree::{Frontier, leaf_hash};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const ORIGIN: &str = "custody/test";
const ENTRIES: u64 = 300;

struct Served {
    ledger: Ledger,
    shard: ShardId,
    key: SigningKey,
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    server: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

struct Got {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Served {
    async fn start(entries: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = SigningKey::from_seed(ORIGIN, &[7; 32]).unwrap();
        let mut notary = NotaryOptions::new(SigningKey::from_seed(ORIGIN, &[7; 32]).unwrap());
        notary.interval = Duration::from_millis(10);
        let options = LedgerOptions {
            segment_bytes: 64 << 10,
            notary: Some(notary),
            ..LedgerOptions::default()
        };
        let ledger = Ledger::open(dir.path(), options).unwrap();
        let descriptor = ShardDescriptor {
            cluster_id: "cluster".to_owned(),
            topic: "events".to_owned(),
            topic_id: String::new(),
            partition: 0,
            epoch: 0,
        };
        let head = ledger.open_shard(&descriptor).unwrap();
        if entries > 0 {
            let mut block = BlockBuilder::new(ledger.id(), &head);
            for offset in 0..entries {
                let mut entry = Entry::new(Kind::Collection, 1);
                entry.offset = i64::try_from(offset).ok();
                block.push(&entry).unwrap();
            }
            let built = block.finish(1, Digest([0; 32])).unwrap();
            ledger.commit(built).unwrap();
        }
        let covered = ledger.wait_published(&[(head.shard, entries)], Duration::from_secs(60));
        assert!(covered.is_some(), "not signed");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let log = PublicLog::new(ledger.clone());
        Self {
            shard: head.shard,
            key,
            address,
            stop,
            server: tokio::spawn(serve(listener, log, stopped)),
            ledger,
            _dir: dir,
        }
    }

    async fn ask(&self, method: &str, path: &str) -> Got {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        Got {
            status: head[9..12].parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: answer[end + 4..].to_vec(),
        }
    }

    async fn get(&self, path: &str) -> Got {
        self.ask("GET", path).await
    }

    async fn text(&self, path: &str) -> String {
        let got = self.get(path).await;
        assert_eq!(got.status, 200, "{path}");
        assert!(
            got.head.contains("content-type: text/plain"),
            "{}",
            got.head
        );
        String::from_utf8(got.body).unwrap()
    }

    async fn end(self) {
        self.stop.send(true).unwrap();
        self.server.await.unwrap();
        self.ledger.close().unwrap();
    }
}

/// What an outsider does who has only the verifier key.
#[tokio::test]
async fn an_outsider_verifies_the_tree_from_what_is_shown() {
    let served = Served::start(ENTRIES).await;
    let trusted = [served.key.verifying_key().clone()];
    let note = served.text("/checkpoint").await;
    let ledger = Checkpoint::open(&note, &trusted).unwrap();
    assert_eq!(ledger.origin, ORIGIN);
    let manifest = Manifest::parse(&served.text("/manifest").await).unwrap();
    assert_eq!(manifest.sequence + 1, ledger.size);

    let shard = served.shard;
    let origin = shard_origin(ORIGIN, &shard, 0);
    let note = served.text(&format!("/{shard}/checkpoint")).await;
    let checkpoint = Checkpoint::open(&note, &verifying_keys(&origin, &trusted)).unwrap();
    assert_eq!((checkpoint.origin, checkpoint.size), (origin, ENTRIES));
    assert_eq!(manifest.shard(&shard).unwrap().root, checkpoint.root);

    // The bundles' leaves make the tree, and the tiles are its hashes.
    let mut frontier = Frontier::default();
    let mut hashes = Vec::new();
    for path in ["000", "001.p/44"] {
        let bundle = served.get(&format!("/{shard}/tile/entries/{path}")).await;
        assert_eq!(bundle.status, 200, "{path}");
        for entry in bundle.body.chunks(34) {
            assert_eq!(entry[..2], [0, 32]);
            let hash = leaf_hash(&entry[2..]);
            frontier.push(hash);
            hashes.extend_from_slice(hash.as_bytes());
        }
    }
    assert_eq!(frontier.root(), checkpoint.root);
    let full = served.get(&format!("/{shard}/tile/0/000")).await;
    let partial = served.get(&format!("/{shard}/tile/0/001.p/44")).await;
    assert_eq!([full.body, partial.body].concat(), hashes);
    assert!(
        full.head.contains("application/octet-stream"),
        "{}",
        full.head
    );
    assert!(full.head.contains("immutable"), "{}", full.head);
    assert!(!partial.head.contains("immutable"), "{}", partial.head);
    let above = served.get(&format!("/{shard}/tile/1/000.p/1")).await;
    assert_eq!((above.status, above.body.len()), (200, 32));
    served.end().await;
}

#[tokio::test]
async fn what_is_not_there_or_not_asked_for_well_is_refused() {
    let served = Served::start(ENTRIES).await;
    let shard = served.shard;
    let unknown = ShardId([0xee; 16]);
    for path in [
        "/".to_owned(),
        "/identity".to_owned(),
        "/%2e%2e/identity".to_owned(),
        format!("/{shard}"),
        format!("/{unknown}/checkpoint"),
        format!("/{unknown}/tile/0/000"),
        // Not covered by the checkpoint yet.
        format!("/{shard}/tile/0/001"),
        format!("/{shard}/tile/0/001.p/45"),
        format!("/{shard}/tile/entries/001"),
        format!("/{shard}/tile/2/000.p/1"),
        format!("/{shard}/tile/63/000.p/1"),
        format!("/{shard}/tile/0/x999/x999/x999/999"),
    ] {
        let got = served.get(&path).await;
        assert_eq!(got.status, 404, "{path}");
        assert!(got.head.contains("no-store"), "{}", got.head);
    }
    let head = served.ask("HEAD", "/checkpoint").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(served.ask("POST", "/checkpoint").await.status, 405);
    served.end().await;
}

/// Whoever says nothing holds a place for a while, and the server ends all the
/// same.
#[tokio::test]
async fn silent_connections_do_not_keep_it_from_ending() {
    let served = Served::start(0).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    assert_eq!(served.get("/checkpoint").await.status, 200);
    let start = std::time::Instant::now();
    served.end().await;
    assert!(start.elapsed() < LAST_ANSWER, "{:?}", start.elapsed());
}
