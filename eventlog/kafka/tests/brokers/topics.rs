//! Topics that somebody else made, and configurations that would break a promise.

use std::collections::BTreeMap;
use std::time::Duration;

use eventlog_kafka::{Config, ConnectError, KafkaLog};
use eventlog_port::{Action, EventLog, TopicError, TopicSpec};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

fn spec(name: &str) -> TopicSpec {
    TopicSpec {
        name: name.to_owned(),
        partitions: 3,
        retention: Some(Duration::from_secs(3_600)),
        retention_bytes: None,
        max_record_bytes: 2 << 20,
    }
}

async fn made_by_others(full_name: &str, partitions: i32, settings: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", crate::broker::address())
        .create()
        .unwrap();
    let topic = NewTopic::new(full_name, partitions, TopicReplication::Fixed(1));
    let topic = settings
        .iter()
        .fold(topic, |topic, (key, value)| topic.set(key, value));
    let made = admin
        .create_topics(&[topic], &AdminOptions::new())
        .await
        .unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

#[tokio::test]
async fn what_does_not_fit_is_named_with_the_command_that_mends_it() {
    let config = Config {
        replication: 1,
        ..crate::broker::config(&crate::broker::address())
    };
    let log = KafkaLog::connect(config.clone()).await.unwrap();
    let full_name = format!("{}others", config.topic_prefix);
    let settings = [
        ("cleanup.policy", "compact,delete"),
        ("message.timestamp.type", "CreateTime"),
        ("retention.ms", "60000"),
        ("retention.bytes", "1000000"),
        ("max.message.bytes", "1000"),
        ("min.insync.replicas", "1"),
        ("unclean.leader.election.enable", "true"),
    ];
    made_by_others(&full_name, 1, &settings).await;
    let error = log
        .ensure(&[spec("beside"), spec("others")])
        .await
        .unwrap_err();
    let TopicError::Mismatch { topic, mismatches } = &error else {
        panic!("{error}")
    };
    assert_eq!(topic, "others");
    let at = format!("--bootstrap-server {}", crate::broker::address());
    let configure = |wanted: &str| {
        format!(
            "kafka-configs.sh {at} --alter --entity-type topics --entity-name {full_name} \
             --add-config {wanted}"
        )
    };
    let found: BTreeMap<&str, (&str, &str)> = mismatches
        .iter()
        .map(|m| (m.setting.as_str(), (m.found.as_str(), m.remedy.as_str())))
        .collect();
    let partitions = format!("kafka-topics.sh {at} --alter --topic {full_name} --partitions 3");
    let wanted = [
        ("partitions", "1", partitions),
        (
            "cleanup.policy",
            "compact,delete",
            configure("cleanup.policy=delete"),
        ),
        (
            "message.timestamp.type",
            "CreateTime",
            configure("message.timestamp.type=LogAppendTime"),
        ),
        ("retention.ms", "60000", configure("retention.ms=3600000")),
        (
            "retention.bytes",
            "1000000",
            configure("retention.bytes=-1"),
        ),
        (
            "max.message.bytes",
            "1000",
            configure("max.message.bytes=2101248"),
        ),
        (
            "unclean.leader.election.enable",
            "true",
            configure("unclean.leader.election.enable=false"),
        ),
    ];
    assert_eq!(found.len(), wanted.len(), "{error}");
    for (setting, is, remedy) in &wanted {
        assert_eq!(found[setting], (*is, remedy.as_str()));
    }
    assert!(!error.is_retryable());
    let plan = log.plan(&[spec("beside")]).await.unwrap();
    assert_eq!(
        plan[0].action,
        Action::Create,
        "nothing is made beside a topic that doesn't fit"
    );
}

#[tokio::test]
async fn more_partitions_and_longer_retention_fit() {
    let config = Config {
        replication: 1,
        ..crate::broker::config(&crate::broker::address())
    };
    let log = KafkaLog::connect(config.clone()).await.unwrap();
    let full_name = format!("{}generous", config.topic_prefix);
    let settings = [
        ("message.timestamp.type", "LogAppendTime"),
        ("retention.ms", "-1"),
        ("max.message.bytes", "10000000"),
        ("min.insync.replicas", "1"),
    ];
    made_by_others(&full_name, 7, &settings).await;
    let plan = log.plan(&[spec("generous")]).await.unwrap();
    assert_eq!(plan[0].action, Action::Fits);
    let topics = log.topics().await.unwrap();
    assert_eq!(topics.len(), 1, "only those with the prefix");
    assert_eq!(
        (topics[0].spec.name.as_str(), topics[0].spec.partitions),
        ("generous", 7)
    );
}

/// Without a prefix the whole cluster's topics are ours to list; those of others come and go.
#[tokio::test]
async fn a_topic_of_others_that_is_deleted_is_not_waited_for() {
    let config = crate::broker::config(&crate::broker::address());
    let log = KafkaLog::connect(config.clone()).await.unwrap();
    let full_name = format!("{}others", config.topic_prefix);
    made_by_others(&full_name, 1, &[]).await;
    while log.topics().await.unwrap().is_empty() {}
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", crate::broker::address())
        .create()
        .unwrap();
    let deleted = admin
        .delete_topics(&[&full_name], &AdminOptions::new())
        .await;
    assert!(deleted.unwrap().iter().all(Result::is_ok));
    while !log.topics().await.expect("answers as before").is_empty() {}
}

#[tokio::test]
async fn settings_that_would_break_a_promise_are_refused() {
    for (key, value) in [
        ("acks", "1"),
        ("enable.idempotence", "false"),
        ("auto.offset.reset", "latest"),
    ] {
        let settings = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let config = Config {
            settings,
            ..crate::broker::config(&crate::broker::address())
        };
        let refused = KafkaLog::connect(config).await.unwrap_err();
        assert!(
            matches!(&refused, ConnectError::Refused(named) if named == key),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn no_secret_is_shown() {
    const SECRET: &str = "hunter2-is-not-a-password";
    let settings = BTreeMap::from([
        ("sasl.password".to_owned(), SECRET.to_owned()),
        ("security.protocol".to_owned(), SECRET.to_owned()),
    ]);
    let config = Config {
        settings,
        ..crate::broker::config(&crate::broker::address())
    };
    assert!(!format!("{config:?} {config:#?}").contains(SECRET));
    let error = KafkaLog::connect(config).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Value(key) if key == "security.protocol"),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains(SECRET));
}

#[tokio::test]
async fn where_no_broker_is_it_says_so() {
    // The discard port; nobody listens there.
    let config = Config {
        request_timeout: Duration::from_secs(1),
        ..Config::new("127.0.0.1:9")
    };
    let error = KafkaLog::connect(config).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Unreachable { bootstrap, .. } if bootstrap == "127.0.0.1:9"),
        "{error}"
    );
    assert!(error.to_string().contains("refused"), "the reason: {error}");
}

#[tokio::test]
async fn transport_security_and_passwords_are_passed_through() {
    if crate::broker::left_out_on_containers("Kafka behind TLS, with a password") {
        return;
    }
    let setting = |key: &str, value: String| (key.to_owned(), value);
    let settings = BTreeMap::from([
        setting("security.protocol", "SASL_SSL".to_owned()),
        setting(
            "ssl.ca.location",
            crate::broker::variable("POSTRIDER_TEST_KAFKA_CA"),
        ),
        setting("sasl.mechanism", "PLAIN".to_owned()),
        setting(
            "sasl.username",
            crate::broker::variable("POSTRIDER_TEST_KAFKA_USER"),
        ),
        setting(
            "sasl.password",
            crate::broker::variable("POSTRIDER_TEST_KAFKA_PASSWORD"),
        ),
    ]);
    let secure = crate::broker::variable("POSTRIDER_TEST_KAFKA_SECURE");
    let config = Config {
        settings,
        ..crate::broker::hasty(&secure)
    };
    let log = KafkaLog::connect(config.clone())
        .await
        .expect("behind TLS, with the password");
    log.ensure(&[spec("secure")]).await.unwrap();
    let mut wrong = config;
    wrong
        .settings
        .insert("sasl.password".to_owned(), "wrong".to_owned());
    let error = KafkaLog::connect(wrong).await.unwrap_err();
    assert!(
        error.to_string().contains("Invalid username or password"),
        "with another password nobody answers, and it says why: {error}"
    );
}
