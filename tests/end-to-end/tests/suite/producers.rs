//! Events from Kafka producers: Kafka's own console producer, and aiokafka, write to `inbox`.

use std::process::Stdio;
use std::time::Duration;

use end_to_end::program::{name_of, other_log};
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::until::until;
use end_to_end::verifiers::aiokafka;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::world::{SOON, World, say};

/// What an outbox connector writes: each line is headers, the record's key, the value. One partition, since a
/// duplicate is one within it.
const STREAM: &str = "\
ce_specversion:1.0,ce_id:b-1,ce_type:order.paid,ce_source:/shop,content-type:application/json\torder-7\t{\"form\":\"binary\",\"total\":99.90}
content-type:application/cloudevents+json\torder-7\t{\"specversion\":\"1.0\",\"id\":\"s-1\",\"type\":\"order.paid\",\"source\":\"/shop\",\"data\":{\"form\": \"structured\", \"n\": 9007199254740993}}
event-type:order.paid\torder-7\t{\"form\":\"plain\"}
nothing:known\torder-7\tnobody knows what this is
ce_specversion:1.0,ce_id:b-1,ce_type:order.paid,ce_source:/shop,content-type:application/json\torder-7\t{\"form\":\"binary\",\"total\":99.90}
ce_specversion:1.0,ce_id:b-1,ce_type:order.paid,ce_source:/elsewhere,content-type:application/json\torder-7\t{\"form\":\"another source\"}
";

/// What arrives of it, byte for byte.
const ARRIVES: [&str; 4] = [
    r#"{"form": "structured", "n": 9007199254740993}"#,
    r#"{"form":"another source"}"#,
    r#"{"form":"binary","total":99.90}"#,
    r#"{"form":"plain"}"#,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outbox_connectors_stream_is_delivered() {
    let jars = match std::env::var("POSTRIDER_TEST_KAFKA_JARS") {
        Ok(jars) => jars,
        Err(_) if std::env::var_os("POSTRIDER_TEST_CONTAINERS").is_some() => {
            say(
                "!! NOT TESTED: Kafka's own producer: POSTRIDER_TEST_KAFKA_JARS does not say where its jars are",
            );
            return;
        }
        // Without a broker nothing asks for them.
        Err(_) if other_log().is_none() => String::new(),
        Err(error) => panic!("POSTRIDER_TEST_KAFKA_JARS, as `scripts/services env` says: {error}"),
    };
    let world = delivered(|brokers, topic| console(&jars, brokers, topic)).await;
    if let Some(world) = world {
        any_consumer_reads_it(&jars, &world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_aiokafka_writes_is_delivered() {
    delivered(|brokers, topic| Command::from(aiokafka(brokers, topic).unwrap())).await;
}

/// What `producer` writes of the stream is delivered, but for what is poison and what is a duplicate.
async fn delivered(producer: impl Fn(&str, &str) -> Command) -> Option<World> {
    let Some(log) = other_log() else {
        say("!! NOT TESTED: Kafka producers: they need a broker");
        return None;
    };
    let world = World::new().await;
    let api = world.api();
    let receiver = Receiver::start(vec![Reply::status(200)]).await.unwrap();
    let fields = json!({"event_types": ["order.paid"]});
    api.endpoint(&receiver.url(), fields).await.unwrap();
    let brokers = log.strip_prefix("kafka://").unwrap();
    let topic = format!("{}.inbox", name_of(&world.data()));
    produce(producer(brokers, &topic)).await;
    let arrived = until("all arrive", SOON, async || {
        let got = receiver.got().len();
        Ok(if got >= ARRIVES.len() {
            Ok(())
        } else {
            Err(got.to_string())
        })
    });
    arrived.await.unwrap();
    let closed = until("each has an end", SOON, async || {
        Ok(api.look("/api/v1/accounting").await?.and_then(|shown| {
            let count = |of: &str, name: &str| shown[of][name].as_u64();
            let ended = count("deliveries", "delivered").zip(count("events", "duplicate"));
            if ended == Some((4, 1)) {
                Ok(())
            } else {
                Err(shown.to_string())
            }
        }))
    });
    closed.await.unwrap();
    let got = receiver.got();
    let mut bodies: Vec<_> = got
        .iter()
        .map(|got| String::from_utf8_lossy(&got.body))
        .collect();
    bodies.sort();
    assert_eq!(bodies, ARRIVES);
    let metrics = api
        .call(Method::GET, "/metrics", &Value::Null)
        .await
        .unwrap();
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let quarantined = metrics
        .lines()
        .find(|line| line.starts_with("postrider_quarantined_total"));
    assert_eq!(
        quarantined,
        Some("postrider_quarantined_total 1"),
        "{metrics}"
    );
    Some(world)
}

/// Kafka's console consumer reads what became of it all, and what it reads fits the published JSON Schemas.
async fn any_consumer_reads_it(jars: &str, world: &World) {
    let gone = Receiver::start(vec![Reply::status(410)]).await.unwrap();
    let fields = json!({"event_types": ["order.gone"]});
    let endpoint = world.api().endpoint(&gone.url(), fields).await.unwrap();
    let delivery = world.api().send_to(&endpoint, "order.gone").await.unwrap();
    world.api().ended(&delivery, SOON).await.unwrap();

    let log = other_log().unwrap();
    let (brokers, name) = (
        log.strip_prefix("kafka://").unwrap(),
        name_of(&world.data()),
    );
    let read = consumed(
        jars,
        brokers,
        &format!("{name}[.](attempts|dead-letters|quarantine)"),
        |read| {
            count(read, Read::Attempts, "succeeded") >= ARRIVES.len()
                && count(read, Read::DeadLetters, "dead_letter") >= 1
                && count(read, Read::Quarantine, "quarantined") >= 1
        },
    )
    .await;
    let of_topic = |topic| read.iter().filter(move |(of, _)| *of == topic);
    for (topic, file) in [
        (Read::Attempts, "attempts"),
        (Read::DeadLetters, "dead-letters"),
        (Read::Quarantine, "quarantine"),
    ] {
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/json/v1");
        let schema = std::fs::read(format!("{schema}/{file}.json")).unwrap();
        let schema = jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap();
        for (_, json) in of_topic(topic) {
            let wrong: Vec<String> = schema.iter_errors(json).map(|e| e.to_string()).collect();
            assert_eq!(wrong, Vec::<String>::new(), "{json}");
        }
    }
    assert_eq!(count(&read, Read::Attempts, "succeeded"), ARRIVES.len());
    assert_eq!(count(&read, Read::DeadLetters, "dead_letter"), 1);
    assert_eq!(count(&read, Read::Quarantine, "quarantined"), 1);
}

/// How many of a topic are of a kind.
fn count(read: &[(Read, Value)], topic: Read, kind: &str) -> usize {
    let is_one = |(of, json): &&(Read, Value)| *of == topic && json["kind"] == kind;
    read.iter().filter(is_one).count()
}

/// Which topic a line is of, by where its JSON is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Attempts,
    DeadLetters,
    Quarantine,
}

/// All that the console consumer reads, until `is_all`, of the topics that are called so, as JSON.
async fn consumed(
    jars: &str,
    brokers: &str,
    topics: &str,
    is_all: impl Fn(&[(Read, Value)]) -> bool,
) -> Vec<(Read, Value)> {
    let mut program = Command::new("java");
    program
        .args(["-cp", &format!("{jars}/*")])
        .arg("org.apache.kafka.tools.consumer.ConsoleConsumer")
        .args(["--bootstrap-server", brokers, "--include", topics])
        .args(["--from-beginning", "--isolation-level", "read_committed"])
        .args(["--property", "print.headers=true"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let json = |line: &str| {
        let (headers, value) = line.split_once('\t').unwrap();
        let (topic, json) = match headers.split_once("postrider:{") {
            None => (Read::Attempts, value.to_owned()),
            Some((_, rest)) if rest.contains("\"kind\":\"quarantined\"") => {
                (Read::Quarantine, format!("{{{rest}"))
            }
            Some((_, rest)) => (Read::DeadLetters, format!("{{{rest}")),
        };
        (
            topic,
            serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {line}")),
        )
    };
    let mut program = program.spawn().unwrap();
    let mut printed = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut read = Vec::new();
    // It reads on until it is stopped: when all is there, and nothing follows.
    let mut wait = SOON * 3;
    while let Ok(line) = timeout(wait, printed.next_line()).await {
        let Some(line) = line.unwrap() else { break };
        read.push(json(&line));
        if is_all(&read) {
            wait = Duration::from_secs(1);
        }
    }
    program.start_kill().unwrap();
    let ended = program.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(is_all(&read), "{read:?}: {}: {said}", ended.status);
    read
}

/// Kafka's console producer.
fn console(jars: &str, brokers: &str, topic: &str) -> Command {
    let mut program = Command::new("java");
    program
        .args([
            "-cp",
            &format!("{jars}/*"),
            "org.apache.kafka.tools.ConsoleProducer",
        ])
        .args(["--bootstrap-server", brokers, "--topic", topic])
        .args(["--property", "parse.headers=true"])
        .args(["--property", "parse.key=true"]);
    program
}

/// Has a producer write the stream.
async fn produce(mut producer: Command) {
    let mut producer = producer
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = producer.stdin.take().unwrap();
    input.write_all(STREAM.as_bytes()).await.unwrap();
    drop(input);
    let ended = producer.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{ended:?}");
}
