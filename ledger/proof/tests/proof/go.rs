//! The Go implementations that witnesses and monitors use read what is written
//! here, and the other way round. Skipped, loudly, where Go or its modules are
//! not there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use custody_proof::checkpoint::LedgerCheckpoint;
use custody_proof::cosignature::cosigned;
use custody_proof::note::{Note, SigningKey, open, sign};

use crate::frozen::{documents, witness};
use crate::world::{SEQUENCE, World, consistency, key, trusted};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/go");
const TEXT: &str = "custody.waiver/v1\nid w-1\n\nreason \u{e9}t\u{e9} \u{2014} \u{65e5}\n";

fn go(arguments: &[&str]) -> bool {
    let go = Command::new("go")
        .args(arguments)
        .current_dir(SOURCES)
        .stdout(Stdio::null())
        .status();
    go.is_ok_and(|status| status.success())
}

/// The Go program; `None` where it cannot be made here.
fn program() -> Option<PathBuf> {
    let skipped = |why| {
        // The macros are captured where the test passes; this is not.
        let mut err = std::io::stderr();
        let what = "Notes and checkpoints were NOT checked against Go";
        writeln!(err, "SKIPPED: {why}. {what}.").unwrap();
        None
    };
    if !go(&["version"]) {
        return skipped("Go is not installed");
    }
    if !go(&["mod", "download"]) {
        return skipped("the Go modules cannot be reached");
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("custody-proof-interop");
    let output = path.to_str().unwrap();
    assert!(go(&["build", "-o", output, "."]), "tests/go does not build");
    Some(path)
}

/// What the program writes; `None` where it refuses.
fn run(program: &Path, arguments: &[&str], input: &str) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then_some(text)
}

#[test]
fn go_reads_what_is_written_here_and_the_other_way_round() {
    let Some(program) = program() else { return };
    let run = |arguments: &[&str], input: &str| run(&program, arguments, input);

    // Notes, by two signers.
    let one = key();
    let other = SigningKey::from_seed("operator.example", &[3; 32]).unwrap();
    let keys = [one.verifying_key(), other.verifying_key()].map(ToString::to_string);
    let secrets = [one.to_secret_string(), other.to_secret_string()];
    let note = sign(TEXT, &[&one, &other]).unwrap();
    let signed = run(&["sign", &secrets[0], &secrets[1]], TEXT).unwrap();
    assert_eq!(signed, note);
    let opened = run(&["open", &keys[0], &keys[1]], &note).unwrap();
    let names = format!("{}\noperator.example\n", one.verifying_key().name());
    assert_eq!(opened, format!("{TEXT}{names}"));
    assert!(run(&["open", &keys[0]], &note.replace("w-1", "w-2")).is_none());
    assert_eq!(open(&signed, &trusted()).unwrap().text, TEXT);

    // A checkpoint with a cosignature, by us and by them.
    let world = World::small();
    let cosigner = witness().cosigner_key().clone();
    let documents = documents();
    let ours = documents
        .iter()
        .find(|(name, _)| *name == "ledger.checkpoint");
    let (_, ours) = ours.unwrap();
    let origin = one.verifying_key().name();
    let say = |note: &str| {
        run(
            &["checkpoint", origin, &keys[0], &cosigner.to_string()],
            note,
        )
    };
    let head = world.checkpoint();
    let said = |time| {
        let (size, root) = (head.checkpoint.size, head.checkpoint.root);
        let leaf = head.manifest_leaf;
        Some(format!("{origin} {size} {root} {time}\nmanifest {leaf}\n"))
    };
    assert_eq!(say(ours), said(1_790_000_000));
    // The seed of the witness, as the key of a note: Go takes it for both.
    let secret = SigningKey::from_seed(cosigner.name(), &[9; 32]).unwrap();
    let secret = secret.to_secret_string();
    let theirs = run(&["cosign", &secret, &keys[0]], &world.note()).unwrap();
    let found = cosigned(
        &Note::parse(&theirs).unwrap(),
        std::slice::from_ref(&cosigner),
    )
    .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(say(&theirs), said(found[0].time_s));
    assert_eq!(
        LedgerCheckpoint::open(&theirs, &trusted()),
        Ok(head.clone())
    );

    // That the log has grown.
    let log = world.log();
    let to = SEQUENCE + 1;
    for from in 1..to {
        let roots = [&log[..from], &log].map(|log| crate::world::root(log).to_string());
        let path = consistency(from, &log);
        let numbers = [from.to_string(), to.to_string()];
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        let arguments = ["consistency".to_owned()].into_iter();
        let arguments: Vec<String> = arguments.chain(numbers).chain(roots).chain(path).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(run(&arguments, "").as_deref(), Some("consistent\n"));
    }
}
