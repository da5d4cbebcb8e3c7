//! Root keys behind a passphrase, a command, and a service over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use custody_vault::{
    CommandRootStore, FileRootStore, HttpRootStore, Passphrase, RootKey, RootStore, Vault,
    VaultError,
};

use super::{Home, small};

#[path = "../../examples/key_service/keys.rs"]
mod keys;

/// What every root store does for a vault.
fn serves_a_vault(home: &Home, roots: impl Fn() -> Box<dyn RootStore>) {
    let open = || Vault::open_with(&home.vault(), roots(), small()).unwrap();
    let vault = open();
    assert_eq!(vault.root().generation, 1);
    let one = vault.admit(&["account:1"]).unwrap().person.reference();
    let two = vault.admit(&["account:2"]).unwrap().person.reference();
    let old = roots().get().unwrap();
    assert_eq!(old.len(), 1);
    let erased = vault.begin_erasing(&[one]).unwrap().erase(None).unwrap();
    assert_eq!((erased.generation, erased.persons), (2, 1));
    let kept = roots().get().unwrap();
    assert_eq!(kept.len(), 1, "the old one is destroyed");
    assert_eq!(kept[0].generation(), 2);
    assert_ne!(kept[0].expose(), old[0].expose());
    drop(vault);
    let vault = open();
    assert!(vault.lookup("account:1").unwrap().is_none());
    assert_eq!(vault.admit(&["account:2"]).unwrap().person.reference(), two);
    assert!(vault.check(&mut |_| {}).unwrap().ok());
}

/// Built beside this test.
fn key_service() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(Path::parent).unwrap();
    target.join("examples").join("key_service")
}

fn command(home: &Home) -> CommandRootStore {
    CommandRootStore::new(key_service(), [home.dir.path().join("keys.json")])
}

#[test]
fn a_command_keeps_root_keys() {
    let home = Home::new();
    serves_a_vault(&home, || Box::new(command(&home)));
    let store = command(&home);
    assert_eq!(store.kind(), "command");
    // Twice is as once; the only one stays.
    let key = store.get().unwrap().remove(0);
    store.put(&key).unwrap();
    store.destroy(7).unwrap();
    let error = store.destroy(key.generation()).unwrap_err();
    assert!(matches!(error, VaultError::RootService { .. }), "{error}");
    assert_eq!(store.get().unwrap().len(), 1);
    let other = RootKey::new(key.generation(), [9; 32]);
    store.put(&other).unwrap_err();
}

#[test]
fn a_command_that_fails_is_told_of_without_what_it_said() {
    let home = Home::new();
    let shell = |script: &str| {
        CommandRootStore::new("/bin/sh", ["-c", script]).with_timeout(Duration::from_millis(200))
    };
    let secret = "00112233445566778899";
    for script in [
        format!("echo {secret}; exit 3"),
        format!("echo '{{\"keys\":[{{\"generation\":1,\"key\":\"{secret}\"}}]}}'"),
        format!("echo {secret}"),
        "exec sleep 60".to_owned(),
        "head -c 100000 /dev/zero".to_owned(),
    ] {
        let error = shell(&script).get().unwrap_err();
        assert!(matches!(error, VaultError::RootService { .. }), "{script}");
        let said = format!("{error} {error:?}");
        assert!(!said.contains(secret), "{said}");
    }
    let nowhere = CommandRootStore::new("/nowhere/at/all", [""; 0]);
    let error = Vault::open_with(&home.vault(), Box::new(nowhere), small()).unwrap_err();
    assert!(matches!(error, VaultError::RootService { .. }), "{error}");
    assert!(!home.vault().exists(), "nothing was made");
}

/// Answers until the test ends. The first `busy` questions are turned away.
fn listen(file: PathBuf, busy: u32) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/keys?token=t", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let busy = count.fetch_add(1, Ordering::SeqCst) < busy;
            // One that gave up does not end the others.
            let _ = serve(stream.unwrap(), &file, busy);
        }
    });
    (address, asked)
}

fn serve(mut stream: TcpStream, file: &Path, busy: bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut size, mut allowed) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(length) = line.strip_prefix("content-length:") {
            size = length.trim().parse().unwrap();
        }
        allowed |= line == "authorization: bearer abc";
    }
    let mut body = vec![0; size];
    reader.read_exact(&mut body)?;
    let (status, answer) = match keys::answer(file, &String::from_utf8(body).unwrap()) {
        _ if busy => ("503 Busy", String::new()),
        _ if !allowed => ("401 Who", String::new()),
        Ok(answer) => ("200 OK", answer),
        Err(error) => ("409 No", error.to_string()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    )
}

fn http(address: &str, authorization: Option<&str>) -> HttpRootStore {
    let authorization = authorization.map(|text| text.to_owned().into());
    HttpRootStore::new(address, authorization, Duration::from_secs(5))
}

#[test]
fn a_service_over_http_keeps_root_keys() {
    let home = Home::new();
    let (address, asked) = listen(home.dir.path().join("keys.json"), 2);
    serves_a_vault(&home, || Box::new(http(&address, Some("Bearer abc"))));
    assert!(asked.load(Ordering::SeqCst) > 5);
    let store = http(&address, None);
    assert!(matches!(store.get(), Err(VaultError::RootService { .. })));
    assert!(!store.place().contains("token") && store.place().contains("127.0.0.1"));
    assert!(!format!("{store:?}").contains("token"));
}

#[test]
fn a_passphrase_seals_the_file() {
    let home = Home::new();
    let sealed = |text: &str| FileRootStore::with_passphrase(home.root(), Passphrase::new(text));
    serves_a_vault(&home, || Box::new(sealed("correct horse")));
    let key = sealed("correct horse").get().unwrap().remove(0);
    let bytes = std::fs::read(home.root()).unwrap();
    assert!(!bytes.windows(32).any(|part| part == key.expose()));
    let wrong = sealed("battery").get();
    assert!(matches!(wrong, Err(VaultError::PassphraseWrong)));
    assert!(matches!(
        home.try_open(),
        Err(VaultError::PassphraseMissing)
    ));

    // To another one, and to none.
    let mut store = sealed("correct horse");
    store
        .change_passphrase(Some(Passphrase::new("other")))
        .unwrap();
    assert_eq!(sealed("other").get().unwrap()[0].expose(), key.expose());
    assert!(matches!(
        sealed("correct horse").get(),
        Err(VaultError::PassphraseWrong)
    ));
    // Cut off between the slots: either opens it.
    let now = std::fs::read(home.root()).unwrap();
    std::fs::write(home.root(), [&now[..4096], &bytes[4096..]].concat()).unwrap();
    for text in ["other", "correct horse"] {
        assert_eq!(sealed(text).get().unwrap()[0].expose(), key.expose());
    }
    let mut store = sealed("other");
    store.change_passphrase(None).unwrap();
    drop(store);
    assert!(home.open().lookup("account:2").unwrap().is_some());
    // Every byte of one slot: the other is used.
    let mut store = FileRootStore::new(home.root());
    store.change_passphrase(Some(Passphrase::new("p"))).unwrap();
    let good = std::fs::read(home.root()).unwrap();
    for at in [0, 9, 10, 16, 24, 36, 60, 80, 4095] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(home.root(), &bad).unwrap();
        assert_eq!(sealed("p").get().unwrap()[0].expose(), key.expose(), "{at}");
    }
}
