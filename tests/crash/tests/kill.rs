//! `kill -9` of an appending process, a hundred times on one log: what was confirmed is there, byte
//! for byte, in order, with no hole.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crash::{PARTITIONS, TOPIC, number_of, open, partition_of, record};
use domain::chance::{Chance, Seeded};
use eventlog_port::{EventLog, ReadLimit, TopicPartition};
use tempfile::TempDir;

const KILLS: u64 = 100;

/// Runs an appender and kills it after it has confirmed so many. What it said is returned: number and
/// offset of each record that was confirmed.
fn append_and_kill(directory: &TempDir, first: u64, chance: &mut Seeded) -> Vec<(u64, u64)> {
    let mut child: Child = Command::new(env!("CARGO_BIN_EXE_appender"))
        .arg(directory.path())
        .arg(first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut confirmed = Vec::new();
    let enough = chance.below(700);
    for _ in 0..=enough {
        let mut line = String::new();
        assert!(
            said.read_line(&mut line).unwrap() > 0,
            "the appender ended by itself"
        );
        confirmed.push(parse(&line));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before it died counts, the line that was cut off does not.
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    confirmed.extend(
        rest.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(parse),
    );
    confirmed
}

fn parse(line: &str) -> (u64, u64) {
    let (number, offset) = line.trim_end().split_once(' ').unwrap();
    (number.parse().unwrap(), offset.parse().unwrap())
}

/// Reads the whole log from `from` on, checks that it is what was appended, in order and without a
/// hole, and that what was confirmed lies where it was said to. Returns where each partition ends.
async fn check(
    directory: &TempDir,
    from: &BTreeMap<u32, u64>,
    confirmed: &[(u64, u64)],
) -> (BTreeMap<u32, u64>, u64) {
    let log = open(directory.path()).unwrap();
    let limit = ReadLimit {
        records: 1_000,
        bytes: 8 << 20,
        wait: Duration::ZERO,
    };
    let mut found = BTreeMap::new();
    let mut ends = BTreeMap::new();
    for number in 0..PARTITIONS {
        let partition = TopicPartition::new(TOPIC, number);
        let end = log.bounds(&partition).await.unwrap().end;
        let start = from.get(&number).copied().unwrap_or(0);
        let mut reader = log.reader(&partition, start).await.unwrap();
        let (mut expected, mut last) = (start, None);
        while reader.position() < end {
            for read in reader.next(limit).await.unwrap() {
                assert_eq!(read.offset, expected, "no hole");
                expected += 1;
                let number = number_of(read.key.as_ref()).unwrap();
                assert_eq!(partition_of(number), partition);
                assert!(last < Some(number), "{number} behind {last:?}");
                last = Some(number);
                let wrote = record(number);
                assert_eq!(
                    (read.key, read.headers, read.value),
                    (wrote.key, wrote.headers, wrote.value)
                );
                found.insert(number, read.offset);
            }
        }
        ends.insert(number, end);
    }
    for (number, offset) in confirmed {
        assert_eq!(
            found.get(number),
            Some(offset),
            "record {number} was confirmed"
        );
    }
    let numbers = found.first_key_value().map_or(0, |(first, _)| *first)..;
    let gap = found
        .keys()
        .zip(numbers)
        .find(|(number, expected)| **number != *expected);
    assert_eq!(
        gap, None,
        "what landed is all that was accepted up to some record"
    );
    let next = found.last_key_value().map_or(0, |(number, _)| number + 1);
    (ends, next)
}

#[tokio::test]
async fn what_was_confirmed_survives_a_hundred_kills() {
    let directory = TempDir::new().unwrap();
    let mut chance = Seeded::new(8);
    let (mut from, mut first) = (BTreeMap::new(), 0);
    let (mut all, mut confirmed_in_all) = (Vec::new(), 0);
    for _ in 0..KILLS {
        let confirmed = append_and_kill(&directory, first, &mut chance);
        let (ends, next) = check(&directory, &from, &confirmed).await;
        confirmed_in_all += confirmed.len();
        all.extend(confirmed);
        (from, first) = (ends, next);
    }
    check(&directory, &BTreeMap::new(), &all).await;
    println!("{KILLS} kills, {confirmed_in_all} records confirmed, {first} numbers used");
}
