//! The embedded log against bare `fjall` with an fsync a batch, on the same disk in the same run.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::chance::{Chance, Seeded};
use eventlog_embedded::{Config, EmbeddedLog};
use eventlog_port::{
    EventLog, NewRecord, ReadLimit, TopicPartition, TopicSpec, Writer, WriterKind, WriterSpec,
};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use tokio::time::Instant;

use crate::measure::{Latencies, SystemClock, compare, median, rate, resident_mib};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Records of each run.
    #[arg(long, default_value_t = 200_000)]
    records: u64,
    /// Runs of each pair, in turn; their median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// What to measure; all of it when none is named.
    #[arg(long = "only", value_enum)]
    only: Vec<Figure>,
    /// Records for the memory figure.
    #[arg(long, default_value_t = 10_000_000)]
    memory: u64,
    /// Where to write; by default the system's folder for temporary files.
    #[arg(long)]
    directory: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Figure {
    /// 4,096 in flight.
    Many,
    /// 64 in flight.
    Few,
    /// 64 tasks with one in flight each.
    Tasks,
    /// One append at a time.
    Lone,
    /// In sequence, and at a point.
    Reads,
    /// Over many records.
    Memory,
}

const VALUE: usize = 1_024;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()?;
    println!(
        "{:<44} {:>12} {:>12} {:<5} {:>6}",
        "1 KiB records", "Postrider", "bare fjall", "", "ratio"
    );
    let wanted = |figure| arguments.only.is_empty() || arguments.only.contains(&figure);
    for (figure, in_flight, batch) in [
        (Figure::Many, 4_096, 1_000),
        (Figure::Few, 64, 64),
        (Figure::Tasks, 64, 64),
    ] {
        if wanted(figure) {
            pairs(arguments, &runtime, figure, in_flight, batch)?;
        }
    }
    if wanted(Figure::Lone) {
        lone(arguments, &runtime)?;
    }
    if wanted(Figure::Reads) {
        runtime.block_on(reads(arguments))?;
    }
    if wanted(Figure::Memory) {
        runtime.block_on(memory(arguments))?;
    }
    Ok(())
}

/// Both in turn, and each first every other time: what one leaves to the disk, the next one pays for.
fn pairs(
    arguments: &Arguments,
    runtime: &tokio::runtime::Runtime,
    figure: Figure,
    in_flight: u32,
    batch: u64,
) -> anyhow::Result<()> {
    let (records, each_a_task) = (arguments.records, figure == Figure::Tasks);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for turn in 0..2 * arguments.runs {
        let folder = folder(arguments)?;
        if matches!(turn % 4, 0 | 3) {
            bare.push(bare_batches(&folder, records, batch)?);
        } else {
            let run = appends(&folder, records, in_flight, each_a_task);
            ours.push(runtime.block_on(run)?);
        }
    }
    let whose = if each_a_task { "tasks" } else { "in flight" };
    let what = format!("durable appends, {in_flight} {whose} / batches of {batch}");
    let mut ratios: Vec<f64> = ours.iter().zip(&bare).map(|(o, b)| o / b).collect();
    ratios.sort_by(f64::total_cmp);
    compare(&what, median(ours), median(bare), "/s");
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    println!(
        "{:<44} {least:.2} to {most:.2}, median {:.2}",
        "  the ratio of each pair",
        median(ratios)
    );
    Ok(())
}

fn folder(arguments: &Arguments) -> anyhow::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("postrider-bench");
    Ok(match &arguments.directory {
        Some(directory) => builder.tempdir_in(directory)?,
        None => builder.tempdir()?,
    })
}

fn value(chance: &mut Seeded) -> Bytes {
    let words = (0..VALUE / 8).flat_map(|_| chance.next_u64().to_be_bytes());
    words.collect::<Vec<u8>>().into()
}

fn bare_batches(folder: &tempfile::TempDir, records: u64, batch: u64) -> anyhow::Result<f64> {
    let (database, keyspace) = bare(folder.path())?;
    let value = value(&mut Seeded::new(1));
    rate(records, || {
        for first in (0..records).step_by(batch as usize) {
            let mut write = database.batch().durability(Some(PersistMode::SyncData));
            for offset in first..(first + batch).min(records) {
                write.insert(&keyspace, offset.to_be_bytes(), value.clone());
            }
            write.commit()?;
        }
        Ok(())
    })
}

fn bare(path: &Path) -> anyhow::Result<(Database, fjall::Keyspace)> {
    let database = Database::builder(path)
        .manual_journal_persist(true)
        .open()?;
    let keyspace = database.keyspace("records", KeyspaceCreateOptions::default)?;
    Ok((database, keyspace))
}

struct Ours {
    log: EmbeddedLog,
    writer: Arc<dyn Writer>,
    to: TopicPartition,
}

async fn ours(path: &Path, in_flight: u32) -> anyhow::Result<Ours> {
    let log = EmbeddedLog::open(Config::new(path.join("log"), Arc::new(SystemClock)))?;
    let spec = TopicSpec {
        name: "records".to_owned(),
        partitions: 1,
        retention: None,
        retention_bytes: None,
        max_record_bytes: 1 << 20,
    };
    log.ensure(&[spec]).await?;
    let spec = WriterSpec {
        kind: WriterKind::Prefix,
        name: "bench".to_owned(),
        max_in_flight: in_flight,
    };
    let writer = Arc::from(log.writer(spec).await?);
    Ok(Ours {
        log,
        writer,
        to: TopicPartition::new("records", 0),
    })
}

fn record(value: &Bytes) -> NewRecord {
    NewRecord {
        value: Some(value.clone()),
        ..NewRecord::default()
    }
}

/// Either one caller keeps so many in flight, or so many tasks wait each for its own before it comes
/// back, and have to be woken for it.
async fn appends(
    folder: &tempfile::TempDir,
    records: u64,
    in_flight: u32,
    each_a_task: bool,
) -> anyhow::Result<f64> {
    let ours = ours(folder.path(), in_flight).await?;
    let value = value(&mut Seeded::new(1));
    fill(&ours, &value, 1, 1).await?;
    let begun = Instant::now();
    if !each_a_task {
        fill(&ours, &value, records, in_flight as usize).await?;
    } else {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..in_flight {
            let (writer, to, value) = (Arc::clone(&ours.writer), ours.to.clone(), value.clone());
            tasks.spawn(async move {
                for _ in 0..records / u64::from(in_flight) {
                    writer.append(&to, record(&value)).await?.await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
    }
    Ok(records as f64 / begun.elapsed().as_secs_f64())
}

async fn fill(ours: &Ours, value: &Bytes, records: u64, in_flight: usize) -> anyhow::Result<()> {
    let mut open = VecDeque::new();
    for _ in 0..records {
        open.push_back(ours.writer.append(&ours.to, record(value)).await?);
        while open.len() >= in_flight {
            if let Some(oldest) = open.pop_front() {
                oldest.await?;
            }
        }
    }
    for answer in open {
        answer.await?;
    }
    Ok(())
}

fn lone(arguments: &Arguments, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    let count = 3_000;
    let (bare_folder, our_folder) = (folder(arguments)?, folder(arguments)?);
    let (database, keyspace) = bare(bare_folder.path())?;
    let value = value(&mut Seeded::new(1));
    let (mut bare_took, mut our_took) = (Latencies::new()?, Latencies::new()?);
    runtime.block_on(async {
        let ours = ours(our_folder.path(), 64).await?;
        // In turn, so that both see the same disk.
        for offset in 0..count {
            let begun = Instant::now();
            let mut write = database.batch().durability(Some(PersistMode::SyncData));
            write.insert(&keyspace, u64::to_be_bytes(offset), value.clone());
            write.commit()?;
            bare_took.record(begun.elapsed());
            let begun = Instant::now();
            ours.writer.append(&ours.to, record(&value)).await?.await?;
            our_took.record(begun.elapsed());
        }
        anyhow::Ok(())
    })?;
    for (name, q) in [("p50", 0.5), ("p99", 0.99)] {
        let what = format!("a lone durable append, {name}");
        compare(&what, our_took.quantile(q), bare_took.quantile(q), "µs");
    }
    Ok(())
}

async fn reads(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = folder(arguments)?;
    let ours = ours(folder.path(), 4_096).await?;
    let records = arguments.records * 5;
    fill(&ours, &value(&mut Seeded::new(1)), records, 4_096).await?;
    let limit = ReadLimit {
        records: 1_000,
        bytes: 1 << 20,
        wait: Duration::from_secs(1),
    };
    let mut rates = Vec::new();
    for _ in 0..arguments.runs {
        let mut reader = ours.log.reader(&ours.to, 0).await?;
        let begun = Instant::now();
        while reader.position() < records {
            reader.next(limit).await?;
        }
        rates.push(records as f64 / begun.elapsed().as_secs_f64());
    }
    println!(
        "{:<44} {:>12.1} {:>12} /s",
        format!("sequential read of {records}"),
        median(rates),
        ""
    );
    let mut took = Latencies::new()?;
    let mut chance = Seeded::new(2);
    let mut hot = Latencies::new()?;
    for _ in 0..100_000 {
        let offset = chance.below(records);
        let begun = Instant::now();
        ours.log.read_at(&ours.to, offset).await?;
        took.record(begun.elapsed());
        let begun = Instant::now();
        ours.log
            .read_at(&ours.to, records - 1 - chance.below(5_000))
            .await?;
        hot.record(begun.elapsed());
    }
    for (name, q) in [("p50", 0.5), ("p99", 0.99)] {
        let (anywhere, near) = (took.quantile(q), hot.quantile(q));
        println!(
            "{:<44} {anywhere:>12.1} {near:>12.1} µs    anywhere; among the last 5,000",
            format!("point read, {name}")
        );
    }
    Ok(())
}

async fn memory(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = folder(arguments)?;
    let ours = ours(folder.path(), 4_096).await?;
    let value = value(&mut Seeded::new(1));
    let step = (arguments.memory / 10).max(1);
    print!("resident MiB after each {step} records:");
    for _ in 0..10 {
        fill(&ours, &value, step, 4_096).await?;
        print!(" {:.0}", resident_mib()?);
    }
    println!();
    Ok(())
}
