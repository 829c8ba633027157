//! Postrider's topics as the log is asked for them.

use std::time::Duration;

use anyhow::Result;
use eventlog_port::TopicSpec;
use schemas::topics::Topic;

use super::target::Target;
use crate::cli::TopicArgs;
use crate::exit::WrongUse;

const DAY: Duration = Duration::from_secs(86_400);

/// How long every process may be down: what is kept to be read outlives its horizon by this.
const LONGEST_OUTAGE: Duration = Duration::from_secs(7 * 86_400);

/// The waits of the default retry schedule, with all of their jitter, are 83 h 9 min; an event must
/// not be forgotten while it is still tried.
const SHORTEST_RETENTION: Duration = Duration::from_secs(4 * 86_400);

/// The largest record: the ingest limit of 1 MiB, and room for what is added to it.
const MAX_RECORD: u32 = (1 << 20) + (512 << 10);

/// What a partition of `progress` may hold: several whole sets of checkpoint records, and what came
/// between them. Never by age: the newest set may be as old as the last event.
const PROGRESS_BYTES: u64 = 1 << 30;

/// Partitions of the topics that are spread, unless the operator says otherwise: one machine's
/// cores on the embedded log; a cluster's nodes, with room to add some, on Kafka.
const EMBEDDED_PARTITIONS: u32 = 8;
const KAFKA_PARTITIONS: u32 = 32;

/// Every topic, in the order in which an event meets them.
///
/// # Errors
/// A retention that would forget what is still needed.
pub(crate) fn topics(args: &TopicArgs, target: &Target) -> Result<Vec<TopicSpec>> {
    check(args)?;
    Ok(Topic::all()
        .into_iter()
        .map(|topic| spec(topic, args, target))
        .collect())
}

/// A topic that is none of Postrider's: spread as its own are, and kept for ever.
pub(super) fn other(name: &str, args: &TopicArgs, target: &Target) -> TopicSpec {
    TopicSpec {
        name: name.to_owned(),
        partitions: partitions(args, target),
        retention: None,
        retention_bytes: None,
        max_record_bytes: MAX_RECORD,
    }
}

fn check(args: &TopicArgs) -> Result<(), WrongUse> {
    let events = args.retention_events;
    if events < SHORTEST_RETENTION {
        let shortest = SHORTEST_RETENTION.as_secs() / DAY.as_secs();
        return Err(WrongUse(format!(
            "--retention-events must be at least {shortest}d: the retry schedule takes that long"
        )));
    }
    for (flag, kept) in [
        ("--retention-attempts", args.retention_attempts),
        ("--retention-dead-letters", args.retention_dead_letters),
    ] {
        if kept < events {
            return Err(WrongUse(format!(
                "{flag} must not be shorter than --retention-events: what came of an event is \
                 needed for as long as the event is there"
            )));
        }
    }
    Ok(())
}

fn spec(topic: Topic, args: &TopicArgs, target: &Target) -> TopicSpec {
    let outlived = |horizon: Duration| Some(horizon.saturating_add(LONGEST_OUTAGE));
    let (retention, retention_bytes) = match topic {
        // An outcome too: while the input may be read again, it must be found.
        Topic::Inbox
        | Topic::Routed
        | Topic::Events
        | Topic::Retry(_)
        | Topic::Requests
        | Topic::Quarantine => (outlived(args.retention_events), None),
        Topic::Attempts => (outlived(args.retention_attempts), None),
        Topic::DeadLetters => (outlived(args.retention_dead_letters), None),
        Topic::Progress => (None, Some(PROGRESS_BYTES)),
        Topic::Control => (None, None),
    };
    let partitions = match topic {
        Topic::Control | Topic::Quarantine => 1,
        Topic::Inbox
        | Topic::Routed
        | Topic::Events
        | Topic::Retry(_)
        | Topic::Attempts
        | Topic::DeadLetters
        | Topic::Requests
        | Topic::Progress => partitions(args, target),
    };
    TopicSpec {
        name: topic.to_string(),
        partitions,
        retention,
        retention_bytes,
        max_record_bytes: MAX_RECORD,
    }
}

fn partitions(args: &TopicArgs, target: &Target) -> u32 {
    let default = match target {
        Target::Embedded => EMBEDDED_PARTITIONS,
        Target::Kafka(_) => KAFKA_PARTITIONS,
    };
    args.partitions.unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(events: u32, attempts: u32, dead_letters: u32) -> TopicArgs {
        TopicArgs {
            partitions: None,
            retention_events: events * DAY,
            retention_attempts: attempts * DAY,
            retention_dead_letters: dead_letters * DAY,
        }
    }

    #[test]
    fn every_topic_can_be_asked_for() {
        let wanted = topics(&args(30, 40, 50), &Target::Embedded).unwrap();
        assert!(wanted.iter().all(|spec| spec.check().is_ok()));
        let kept = |name: &str| {
            let spec = wanted.iter().find(|spec| spec.name == name).unwrap();
            spec.retention.map(|kept| kept.as_secs() / 86_400)
        };
        assert_eq!(kept("events"), Some(37));
        assert_eq!(kept("retry.4s"), Some(37));
        assert_eq!(kept("attempts"), Some(47));
        assert_eq!(kept("dead-letters"), Some(57));
        assert_eq!(kept("progress"), None);
        assert_eq!(kept("control"), None);
    }

    #[test]
    fn co_partitioned_topics_have_as_many_partitions() {
        for target in [Target::Embedded, Target::Kafka("a:1".to_owned())] {
            for topic in Topic::all()
                .into_iter()
                .filter(|topic| topic.is_co_partitioned())
            {
                let partitions = spec(topic, &args(30, 30, 30), &target).partitions;
                assert_eq!(partitions, if target == Target::Embedded { 8 } else { 32 });
            }
        }
    }

    #[test]
    fn retention_that_forgets_too_soon_is_refused() {
        assert!(topics(&args(4, 4, 4), &Target::Embedded).is_ok());
        for short in [args(3, 30, 30), args(30, 29, 30), args(30, 30, 29)] {
            let error = topics(&short, &Target::Embedded).unwrap_err();
            assert!(error.is::<WrongUse>());
        }
    }
}
