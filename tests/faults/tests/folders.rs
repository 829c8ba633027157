//! A history that was written down is read back as it was, and each damage to it is found.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::collections::BTreeMap;
use std::sync::OnceLock;

use checker::history::{Became, Views};
use checker::{History, Limits};
use faults::damages;
use faults::journal::{self, Journal, Line};
use faults::verdict;
use simulation::plan::draw;
use simulation::world::run::run;
use tempfile::TempDir;

/// A seed whose world has everything that is damaged: retries, keys, views.
const SEED: u64 = 7;

/// Seeds of worlds in which much is repeated, late, or around a fence.
const WORLDS: [u64; 7] = [0, 1, 7, 19, 80, 98, 99];

fn history() -> &'static History {
    static RAN: OnceLock<History> = OnceLock::new();
    RAN.get_or_init(|| {
        let ran = run(draw(SEED)).unwrap();
        assert_eq!(ran.problems, Vec::new());
        ran.history
    })
}

/// Writes it as the runner does: a process is known to receivers by its number, which is its life's here.
fn write(history: &History, folder: &TempDir) {
    let journal = Journal::new(&folder.path().join("journal")).unwrap();
    let number = |life: u64| Some(u32::try_from(life).unwrap());
    for line in &history.processes {
        journal.write(&Line::Process(None, line.clone())).unwrap();
        if line.what == Became::Started {
            let known = Line::Process(number(line.life), line.clone());
            journal.write(&known).unwrap();
        }
    }
    for request in &history.requests {
        let line = journal.next_request();
        let sent = checker::history::Request {
            answer: None,
            ..request.clone()
        };
        journal.write(&Line::Sends(line, sent)).unwrap();
        if let Some(answer) = request.answer.clone() {
            journal.write(&Line::Told(line, answer)).unwrap();
        }
    }
    for arrival in &history.arrivals {
        let line = Line::Arrived(arrival.life.and_then(number), arrival.clone());
        journal.write(&line).unwrap();
    }
    for ((topic, partition), records) in &history.partitions {
        for record in records {
            let line = Line::Record(topic.clone(), *partition, record.clone());
            journal.write(&line).unwrap();
        }
    }
    for views in &history.views {
        journal.write(&Line::Views(views.clone())).unwrap();
    }
}

#[test]
fn each_damage_to_a_history_that_was_written_down_is_found() {
    let history = history();
    let folder = TempDir::new().unwrap();
    write(history, &folder);
    let path = folder.path().join("journal");
    let (read, verdict) = verdict::of_folder(&path, &verdict::limits()).unwrap();
    assert_eq!(verdict.problems, Vec::new());
    assert_eq!(read.requests, history.requests);
    assert_eq!(read.arrivals, history.arrivals);
    assert_eq!(read.processes, history.processes);
    let written = history
        .partitions
        .iter()
        .filter(|(_, records)| !records.is_empty());
    assert!(read.partitions.iter().eq(written));
    let rows = |views: &[Views]| {
        views
            .iter()
            .map(|views| views.deliveries.len())
            .sum::<usize>()
    };
    assert_eq!(rows(&read.views), rows(&history.views));
    let found = damages::are_found(&read, &verdict::limits()).unwrap();
    assert!(found >= 15, "{found}");
}

/// Whatever happened in a world (repeats, late records, owners killed at once), what is damaged was needed.
#[test]
fn each_damage_is_found_in_every_world() {
    let mut found = BTreeMap::new();
    let mut missed = Vec::new();
    for seed in WORLDS {
        let ran = run(draw(seed)).unwrap();
        // A world draws how many may be on the wire.
        let limits = Limits {
            in_flight: usize::MAX,
            ..verdict::limits()
        };
        assert_eq!(checker::check(&ran.history, &limits), Vec::new(), "{seed}");
        for (name, is_found) in damages::each(&ran.history, &limits) {
            if is_found == Some(false) {
                missed.push((name, seed));
            }
            *found.entry(name).or_default() += u64::from(is_found.is_some());
        }
    }
    assert_eq!(missed, Vec::new(), "by seed");
    let never: BTreeMap<_, u64> = found.into_iter().filter(|(_, times)| *times == 0).collect();
    assert_eq!(never, BTreeMap::new(), "never done");
}

#[test]
fn a_line_that_is_lost_or_broken_off_in_the_file_is_found() {
    let history = history();
    let folder = TempDir::new().unwrap();
    write(history, &folder);
    let path = folder.path().join("journal");
    let file = path.join("receivers.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    // The answer to an attempt that a record tells of.
    let lost = whole
        .lines()
        .position(|line| line.contains("{\"Status\":200}"))
        .unwrap();
    let rest: Vec<&str> = whole
        .lines()
        .enumerate()
        .filter(|(n, _)| *n != lost)
        .map(|(_, l)| l)
        .collect();
    std::fs::write(&file, rest.join("\n")).unwrap();
    let (_, verdict) = verdict::of_folder(&path, &verdict::limits()).unwrap();
    assert_ne!(verdict.problems, Vec::new());
    std::fs::write(&file, &whole[..whole.len() - 20]).unwrap();
    assert!(journal::read(&path).is_err(), "half a line");
}
