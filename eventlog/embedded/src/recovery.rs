//! What is read back when the engine is opened, and what must be there.

use std::collections::BTreeSet;
use std::sync::Arc;

use eventlog_port::{BoxError, TopicPartition};

use crate::directory::Directory;
use crate::engine::{Engine, keyspace_name};
use crate::error::OpenError;
use crate::partition::{Partition, Tail};
use crate::topics::{Topic, Topics};

/// Reads the table of contents and where each partition ends, and checks that nothing that was
/// acknowledged is missing.
pub(crate) fn recover(directory: &Directory, engine: &Engine) -> Result<(Topics, u64), OpenError> {
    let path = directory.path();
    let damaged = |what: String| OpenError::Damaged {
        directory: path.to_owned(),
        what,
    };
    let contents = |error: BoxError| damaged(format!("its table of contents: {error}"));
    let found = engine.sequence().map_err(contents)?;
    let noted = directory.acknowledged();
    let noted = noted.map_err(|e| crate::directory::io_error(&directory.mark_path(), e))?;
    check_sequence(directory, noted.unwrap_or(0), found)?;
    let mut strangers: BTreeSet<String> = engine.names().into_iter().collect();
    let mut topics = Topics::new();
    let mut slot = 0;
    for (name, stored) in engine.topics().map_err(contents)? {
        let spec = stored.spec(&name);
        let mut partitions = Vec::new();
        for number in 0..spec.partitions {
            let id = TopicPartition::new(name.as_str(), number);
            strangers.remove(&keyspace_name(&id));
            let recovered = engine.attach(slot, &id).map_err(BoxError::from);
            let recovered = recovered.and_then(|()| engine.recover(slot, &id));
            let (start, tail) = recovered.map_err(|error| damaged(format!("{id}: {error}")))?;
            partitions.push(Arc::new(Partition::new(id, slot, start, tail)));
            slot += 1;
        }
        topics.insert(name, Topic { spec, partitions });
    }
    if let Some(stranger) = strangers.pop_first() {
        return Err(damaged(format!(
            "{stranger} has records, and its topic is not listed"
        )));
    }
    Ok((topics, found))
}

/// What was acknowledged must be there.
pub(crate) fn check_sequence(
    directory: &Directory,
    acknowledged: u64,
    found: u64,
) -> Result<(), OpenError> {
    if acknowledged <= found {
        return Ok(());
    }
    let (path, mark) = (directory.path().to_owned(), directory.mark_path());
    Err(OpenError::Lost {
        directory: path,
        acknowledged,
        found,
        mark,
    })
}

/// Writes what lies above the durable ends again, and syncs it.
pub(crate) fn rewrite(
    engine: &Engine,
    tails: &[(Arc<Partition>, Tail)],
    sequence: u64,
) -> Result<u64, BoxError> {
    let mut batch = engine.batch(0);
    for (partition, tail) in tails {
        for stored in engine.range(partition.slot, partition.tail().end, tail.end) {
            let (offset, stored) = stored?;
            engine.put_record(&mut batch, partition.slot, &partition.id, offset, stored)?;
        }
    }
    let sequence = sequence + 1;
    engine.put_contents(
        &mut batch,
        crate::topics::SEQUENCE_KEY,
        &sequence.to_be_bytes(),
    );
    batch.commit()?;
    engine.persist()?;
    Ok(sequence)
}
