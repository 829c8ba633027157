//! The file, the environment, the flags.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where what it relies on fails"
)]

mod postrider;

use std::fs;

use postrider::{Postrider, Ran, fed};

/// Makes a log where the settings say, with `file` as the configuration file.
fn apply(bare: &Postrider, file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Ran {
    fs::write(bare.folder.path().join("postrider.toml"), file).unwrap();
    let arguments = [
        &["log", "plan", "--apply", "--config", "postrider.toml"],
        flags,
    ]
    .concat();
    let mut command = bare.command(&arguments);
    command.envs(variables.iter().copied());
    fed(command, b"")
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let file = "data = \"of-file\"\npartitions = 2\njson = true\n";
    let variable = [
        ("POSTRIDER_DATA", "of-variable"),
        ("POSTRIDER_PARTITIONS", "3"),
    ];
    for (variables, flags, folder, partitions) in [
        (&[][..], &[][..], "of-file", "\"partitions\":2"),
        (&variable, &[], "of-variable", "\"partitions\":3"),
        (
            &variable,
            &["--data=of-flag", "--partitions=4"],
            "of-flag",
            "\"partitions\":4",
        ),
    ] {
        let bare = Postrider::bare();
        let ran = apply(&bare, file, variables, flags);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(bare.folder.path().join(folder).is_dir(), "{folder}");
        assert!(ran.out.contains(partitions), "{ran:?}");
        let made = fs::read_dir(bare.folder.path()).unwrap().count();
        assert_eq!(made, 2, "the log and the configuration file");
    }
}

#[test]
fn a_switch_can_be_turned_off_again() {
    let bare = Postrider::bare();
    let ran = apply(&bare, "json = true", &[("POSTRIDER_JSON", "false")], &[]);
    assert!(
        ran.code == Some(0) && ran.out.starts_with("TOPIC"),
        "{ran:?}"
    );
    let ran = apply(&bare, "json = true", &[], &["--json=false"]);
    assert!(
        ran.code == Some(0) && ran.out.starts_with("TOPIC"),
        "{ran:?}"
    );
}

#[test]
fn a_wrong_file_is_refused_with_the_line() {
    for (file, said) in [
        (
            "# ours\n\ndatta = \"x\"\n",
            "line 3: unknown key \"datta\"; did you mean \"data\"?",
        ),
        ("colour = 1\n", "line 1: unknown key \"colour\""),
        (
            "json = true\npartitions = \"many\"\n",
            "line 2: invalid value 'many' for '--partitions <N>'",
        ),
        (
            "log = \"redis://a:1\"\n",
            "line 1: invalid value 'redis://a:1' for '--log <LOG>'",
        ),
        ("data = [\"a\"]\n", "line 1: data takes one value"),
        ("[log]\ndata = \"a\"\n", "line 1: log must be a value"),
        ("data = \n", "postrider.toml: TOML parse error at line 1"),
    ] {
        let bare = Postrider::bare();
        let ran = apply(&bare, file, &[], &[]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(
            ran.err.contains("postrider.toml") && ran.err.contains(said),
            "{said}: {ran:?}"
        );
        assert_eq!(
            fs::read_dir(bare.folder.path()).unwrap().count(),
            1,
            "nothing was made"
        );
    }
    let ran = Postrider::bare().run(&["log", "topics", "--config=none.toml"]);
    assert!(
        ran.code == Some(2) && ran.err.contains("none.toml"),
        "{ran:?}"
    );
}

#[test]
fn a_list_in_the_file_repeats_the_option() {
    let bare = Postrider::bare();
    let file = "data = \"data\"\nlog_append_header = [\"a=1\", \"b=2\"]\n";
    fs::write(bare.folder.path().join("p.toml"), file).unwrap();
    bare.ok(&["log", "append", "t", "x", "--create", "--config=p.toml"]);
    let record = &bare.json(&["log", "dump", "--data=data"])[0];
    assert_eq!(
        record["headers"].to_string(),
        r#"[{"name":"a","value":"1"},{"name":"b","value":"2"}]"#
    );
}

#[test]
fn wrong_use_is_told_from_failure() {
    let bare = Postrider::bare();
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["log", "tail", "--help"], 0),
        (&[], 2),
        (&["log"], 2),
        (&["log", "tail"], 2),
        (&["log", "topics", "--colour"], 2),
        (&["log", "topics", "--log=redis://a:1"], 2),
        (&["log", "tail", "events", "--from=noon"], 2),
        (&["log", "topics", "--log-level==="], 2),
        (&["log", "topics"], 1),
    ] {
        let ran = bare.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
    }
    let ran = bare.run(&["log", "topics", "--log=redis://a:1"]);
    assert!(
        ran.err.contains("`embedded`, or `kafka://host:port"),
        "{ran:?}"
    );
}

#[test]
fn help_names_the_variable_of_every_option() {
    let help = Postrider::bare().ok(&["log", "append", "--help"]);
    for variable in [
        "POSTRIDER_LOG]",
        "POSTRIDER_DATA]",
        "POSTRIDER_LOG_APPEND_LINES]",
    ] {
        assert!(help.contains(variable), "{variable}: {help}");
    }
}

#[test]
fn log_lines_are_json_for_machines() {
    let ran = Postrider::bare().run(&["log", "topics", "--log-format=json"]);
    assert_eq!(ran.code, Some(1));
    let line: serde_json::Value = serde_json::from_str(ran.err.trim()).unwrap();
    assert_eq!(
        (&line["level"], &line["message"]),
        (&"ERROR".into(), &"failed".into())
    );
    assert!(
        line["error"]
            .as_str()
            .unwrap()
            .contains("there is no log in"),
        "{line}"
    );
}

#[test]
fn settings_of_the_kafka_client() {
    let bare = Postrider::bare();
    let topics = [
        "log",
        "topics",
        "--log=kafka://127.0.0.1:9",
        "--kafka-settings=k.properties",
    ];
    for (file, said) in [
        (
            "security.protocol=PLAINTEXT\n# no\n\nacks = 1\n",
            "\"acks\" is not passed through",
        ),
        (
            "ssl.key.password\n",
            "k.properties, line 1: must be name=value",
        ),
    ] {
        fs::write(bare.folder.path().join("k.properties"), file).unwrap();
        let ran = bare.run(&topics);
        assert!(ran.code == Some(2) && ran.err.contains(said), "{ran:?}");
    }
}
