use super::*;
use crate::config::{EXAMPLE, to_json, to_toml};

fn variables(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("custody.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn flag(flag: &'static str, key: &'static str, value: &str) -> Flag {
    Flag {
        flag,
        key,
        value: Some(value.to_owned()),
    }
}

#[test]
fn the_example_is_the_default_and_names_every_key() {
    assert_eq!(
        toml::from_str::<Config>(EXAMPLE).unwrap(),
        Config::default()
    );
    let example: Table = toml::from_str(EXAMPLE).unwrap();
    let all: Table = toml::from_str(&toml::to_string(&Config::default()).unwrap()).unwrap();
    fn missing(all: &Table, example: &Table, found: &mut Vec<String>) {
        for (key, value) in all {
            match (value, example.get(key)) {
                (Value::Table(all), Some(Value::Table(example))) => missing(all, example, found),
                (_, Some(_)) => {}
                (_, None) => found.push(key.clone()),
            }
        }
    }
    let mut found = Vec::new();
    missing(&all, &example, &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn flags_win_over_variables_over_the_file() {
    let (_dir, path) = file(
        "data_dir = 'from-file'\n[kafka]\nbrokers = 'file:1'\ngroup = 'file'\n\
         topics = 'file'\n[kafka.properties]\n'client.id' = 'a'\n'sasl.username' = 'u'\n",
    );
    let loaded = Loaded::read(
        Some(&path),
        variables(&[
            ("CUSTODY_KAFKA__BROKERS", "variable:1,variable:2"),
            ("CUSTODY_KAFKA__TOPICS", "variable"),
            ("CUSTODY_KAFKA__PROPERTIES__SASL_USERNAME", "v"),
            ("CUSTODY_INGEST__LINGER_MS", "3"),
            ("CUSTODY_IDENTITY__UNIQUE_SCHEMES", "account, passport"),
        ]),
        &[flag("--topics", "kafka.topics", "flag")],
    )
    .unwrap();
    let config = loaded.config;
    assert_eq!(config.data_dir, Path::new("from-file"));
    assert_eq!(config.kafka.group, "file");
    assert_eq!(config.kafka.brokers, "variable:1,variable:2");
    assert_eq!(config.kafka.topics, "flag");
    assert_eq!(config.ingest.linger_ms, 3);
    assert_eq!(config.identity.unique_schemes, ["account", "passport"]);
    assert_eq!(config.kafka.properties.0["client.id"], "a");
    assert_eq!(config.kafka.properties.0["sasl.username"], "v");
    assert_eq!(config.listen, crate::config::Listen::default());
}

#[test]
fn the_type_of_the_key_decides_how_a_variable_is_read() {
    let loaded = Loaded::read(
        Some(Path::new("/dev/null")),
        variables(&[
            ("CUSTODY_DATA_DIR", "1234"),
            ("CUSTODY_KAFKA__EPOCHS", "{'a.b' = 2}"),
            ("CUSTODY_INGEST__SOURCES", "{'//a.example' = ['x', 'y']}"),
        ]),
        &[],
    )
    .unwrap();
    assert_eq!(loaded.config.data_dir, Path::new("1234"));
    assert_eq!(loaded.config.kafka.epochs["a.b"], 2);
    assert_eq!(loaded.config.ingest.sources["//a.example"], ["x", "y"]);
}

#[test]
fn an_unknown_key_in_the_file_is_named_with_its_line() {
    let (_dir, path) = file("data_dir = 'd'\n\n[kafka]\nbroker = 'a:1'\n");
    let error = Loaded::read(Some(&path), [], &[]).unwrap_err().to_string();
    assert!(error.contains("custody.toml:4: "), "{error}");
    assert!(error.contains("unknown field `broker`"), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn an_unknown_key_in_a_variable_is_named() {
    for (name, key) in [
        ("CUSTODY_KAFKA__BROKER", "broker"),
        ("CUSTODY_KAFKE__BROKERS", "kafke"),
    ] {
        let error = Loaded::read(Some(Path::new("/dev/null")), variables(&[(name, "x")]), &[])
            .unwrap_err()
            .to_string();
        let expected = format!("environment variable {name}: unknown field `{key}`");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn a_value_of_another_type_is_named() {
    let set = variables(&[("CUSTODY_INGEST__LINGER_MS", "many")]);
    let error = Loaded::read(Some(Path::new("/dev/null")), set, &[]).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("CUSTODY_INGEST__LINGER_MS"), "{error}");
    assert!(error.contains("expected u64"), "{error}");
}

#[test]
fn variables_of_tests_and_other_programs_are_left_alone() {
    let set = variables(&[("CUSTODY_REQUIRE_KAFKA", "1"), ("PATH", "/bin")]);
    let loaded = Loaded::read(Some(Path::new("/dev/null")), set, &[]).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.ignored, ["CUSTODY_REQUIRE_KAFKA"]);
}

#[test]
fn what_makes_no_sense_is_named_with_its_origin() {
    let (_dir, path) = file("[kafka]\ntopics = '('\n");
    let error = Loaded::read(Some(&path), [], &[]).unwrap_err().to_string();
    assert!(error.starts_with("kafka.topics (from /"), "{error}");
    assert!(!error.contains('\n'), "{error}");

    let cases = [
        ("CUSTODY_KAFKA__BROKERS", "a:1,,b:1"),
        ("CUSTODY_KAFKA__DEAD_LETTER_SUFFIX", ""),
        ("CUSTODY_KAFKA__PROPERTIES__GROUP_ID", "x"),
        ("CUSTODY_KAFKA__MAX_MESSAGE_BYTES", "12"),
        ("CUSTODY_INGEST__QUEUE_BYTES", "0"),
        ("CUSTODY_INGEST__SOURCES", "{'//a' = ['(']}"),
        ("CUSTODY_LEDGER__SEGMENT_BYTES", "100000"),
        ("CUSTODY_LISTEN__ADMIN", "127.0.0.1:7461"),
        ("CUSTODY_IDENTITY__UNIQUE_SCHEMES", "a:b"),
        ("CUSTODY_LOG__LEVEL", "loud=very"),
        ("CUSTODY_SHUTDOWN_DEADLINE_S", "0"),
        ("CUSTODY_LISTEN__LOG", "127.0.0.1:7462"),
        ("CUSTODY_LEDGER__ROTATE_BYTES", "1000"),
        ("CUSTODY_LEDGER__ROTATE_AGE_S", "1"),
        ("CUSTODY_LEDGER__CHECKPOINT_INTERVAL_MS", "1"),
        ("CUSTODY_SIGNING__ORIGIN", "two words"),
        ("CUSTODY_WITNESS__TIMEOUT_S", "0"),
        (
            "CUSTODY_WITNESS__LIST",
            "[{url = 'witness.example', key = 'w+00000000+x'}]",
        ),
    ];
    for (name, value) in cases {
        let error = Loaded::read(
            Some(Path::new("/dev/null")),
            variables(&[(name, value)]),
            &[],
        );
        let error = error.expect_err(name).to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn a_missing_file_is_an_error_only_where_it_was_named() {
    let error = Loaded::read(Some(Path::new("/no/such.toml")), [], &[]).unwrap_err();
    assert!(error.to_string().contains("/no/such.toml"), "{error}");
}

#[test]
fn secrets_are_not_shown() {
    let set = variables(&[
        ("CUSTODY_KAFKA__PROPERTIES__SASL_PASSWORD", "hunter2"),
        ("CUSTODY_KAFKA__PROPERTIES__SSL_KEY_PEM", "hunter2"),
        (
            "CUSTODY_KAFKA__PROPERTIES__SSL_KEY_LOCATION",
            "/etc/key.pem",
        ),
    ]);
    let config = Loaded::read(Some(Path::new("/dev/null")), set, &[])
        .unwrap()
        .config;
    let texts = [
        to_toml(&config).unwrap(),
        to_json(&config).unwrap(),
        format!("{config:?}"),
    ];
    for text in &texts {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(texts[0].contains("/etc/key.pem"));
    assert!(
        texts[0].contains("root_key = \"data.root.key\""),
        "{}",
        texts[0]
    );
}
