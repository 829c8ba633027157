//! Topics: what is asked of one, what one has, and how the two differ.

use std::fmt;
use std::time::Duration;

/// Longest topic name, in bytes (Kafka's own bound).
pub const MAX_TOPIC_NAME: usize = 249;

/// Most partitions of a topic.
pub const MAX_PARTITIONS: u32 = 4_096;

/// A topic as its users need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// `[A-Za-z0-9._-]{1,249}`, not `.` or `..`.
    pub name: String,
    /// How many partitions, 1 to [`MAX_PARTITIONS`].
    pub partitions: u32,
    /// A record is kept at least this long after its append; `None`: for ever.
    pub retention: Option<Duration>,
    /// A partition is held to about this many bytes; `None`: as many as there are.
    pub retention_bytes: Option<u64>,
    /// The largest record in bytes, by [`NewRecord::size`](crate::NewRecord::size).
    pub max_record_bytes: u32,
}

impl TopicSpec {
    /// Checks name and bounds.
    ///
    /// # Errors
    /// What is wrong, in words fit for an operator.
    pub fn check(&self) -> Result<(), BadTopic> {
        let bad = |problem| {
            Err(BadTopic {
                topic: self.name.clone(),
                problem,
            })
        };
        if self.name.is_empty() || self.name.len() > MAX_TOPIC_NAME {
            return bad("the name must have 1 to 249 bytes");
        }
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if self.name == "." || self.name == ".." || !self.name.bytes().all(fits) {
            return bad(
                "the name may hold letters, digits, '.', '_' and '-', and is not '.' or '..'",
            );
        }
        if self.partitions == 0 || self.partitions > MAX_PARTITIONS {
            return bad("it must have 1 to 4,096 partitions");
        }
        if self.max_record_bytes == 0 {
            return bad("its largest record must have at least one byte");
        }
        Ok(())
    }
}

/// A topic that cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("topic {topic:?}: {problem}")]
pub struct BadTopic {
    /// The name as given.
    pub topic: String,
    /// What is wrong with the request.
    pub problem: &'static str,
}

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its settings, as the engine reports them.
    pub spec: TopicSpec,
    /// On how many machines a record is kept; 1 on one machine.
    pub replication: u32,
    /// Whether the log stamps the records itself. It must: time is the log's append time.
    pub stamps_append_time: bool,
    /// Whether old records may be dropped by key. They must not be.
    pub compacted: bool,
}

/// What making sure of a topic would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What was asked.
    pub spec: TopicSpec,
    /// What would be done about it.
    pub action: Action,
}

/// What is to be done about one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is there and keeps every promise.
    Fits,
    /// It is not there, and would be made.
    Create,
    /// It is there, differs, and the log would follow: only a log whose settings nobody else can
    /// have chosen says this.
    Update(Vec<Change>),
    /// It is there, and would break a promise. Nothing is changed: an operator decides.
    Mismatch(Vec<Mismatch>),
}

/// One setting of a topic that would be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The setting.
    pub setting: &'static str,
    /// What it is.
    pub found: String,
    /// What it would be.
    pub wanted: String,
}

/// One setting of a topic that would break a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The setting, in the engine's own word for it.
    pub setting: String,
    /// What it is.
    pub found: String,
    /// What it must be.
    pub wanted: String,
    /// The command that mends it.
    pub remedy: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            found,
            wanted,
            remedy,
        } = self;
        write!(
            f,
            "{setting} is {found}, must be {wanted}; mend it with: {remedy}"
        )
    }
}

/// The plan of a log that lives in one process: what is missing is made, what differs follows,
/// and partitions are only ever added.
///
/// # Errors
/// The first spec that cannot be asked for.
pub fn local_plan(specs: &[TopicSpec], there: &[TopicInfo]) -> Result<Vec<Plan>, BadTopic> {
    let plan = |spec: &TopicSpec| {
        spec.check()?;
        let found = there.iter().find(|info| info.spec.name == spec.name);
        let action = found.map_or(Action::Create, |found| update(&found.spec, spec));
        Ok(Plan {
            spec: spec.clone(),
            action,
        })
    };
    specs.iter().map(plan).collect()
}

fn update(found: &TopicSpec, wanted: &TopicSpec) -> Action {
    let mut changes = Vec::new();
    let mut compare = |setting, found: String, wanted: String| {
        if found != wanted {
            changes.push(Change {
                setting,
                found,
                wanted,
            });
        }
    };
    let partitions = wanted.partitions.max(found.partitions);
    compare(
        "partitions",
        found.partitions.to_string(),
        partitions.to_string(),
    );
    let time = |kept: Option<Duration>| kept.map_or("for ever".to_owned(), in_words);
    compare("retention", time(found.retention), time(wanted.retention));
    let size = |kept: Option<u64>| kept.map_or("unlimited".to_owned(), |b| format!("{b} bytes"));
    compare(
        "retention_bytes",
        size(found.retention_bytes),
        size(wanted.retention_bytes),
    );
    let record = |bytes: u32| format!("{bytes} bytes");
    compare(
        "max_record_bytes",
        record(found.max_record_bytes),
        record(wanted.max_record_bytes),
    );
    if changes.is_empty() {
        Action::Fits
    } else {
        Action::Update(changes)
    }
}

/// A retention as an operator would say it: in the largest unit that leaves nothing over.
fn in_words(time: Duration) -> String {
    let millis = time.as_millis();
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("min", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let whole = units.iter().find(|(_, unit)| millis.is_multiple_of(*unit));
    whole.map_or_else(
        || format!("{time:?}"),
        |(name, unit)| format!("{} {name}", millis / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, partitions: u32) -> TopicSpec {
        TopicSpec {
            name: name.to_owned(),
            partitions,
            retention: None,
            retention_bytes: None,
            max_record_bytes: 1,
        }
    }

    #[test]
    fn names_and_bounds() {
        for good in ["events", "retry.4s", "a_b-C.9", &"x".repeat(249)] {
            assert_eq!(spec(good, 1).check(), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "é", "a\0", &"x".repeat(250)] {
            assert!(spec(bad, 1).check().is_err(), "{bad}");
        }
        assert!(spec("a", 0).check().is_err());
        assert!(spec("a", 4_097).check().is_err());
        assert!(
            TopicSpec {
                max_record_bytes: 0,
                ..spec("a", 1)
            }
            .check()
            .is_err()
        );
    }

    #[test]
    fn retention_in_words() {
        for (millis, words) in [
            (3_196_800_000, "37 d"),
            (90_000, "90 s"),
            (3_600_000, "1 h"),
            (1_500, "1500 ms"),
        ] {
            assert_eq!(in_words(Duration::from_millis(millis)), words);
        }
    }

    #[test]
    fn a_local_log_makes_follows_and_never_takes_partitions_away() {
        let info = |spec| TopicInfo {
            spec,
            replication: 1,
            stamps_append_time: true,
            compacted: false,
        };
        let there = [info(spec("a", 2)), info(spec("b", 2))];
        let wanted = [spec("a", 1), spec("b", 3), spec("c", 1)];
        let plans = local_plan(&wanted, &there).unwrap();
        let more = Change {
            setting: "partitions",
            found: "2".to_owned(),
            wanted: "3".to_owned(),
        };
        let actions: Vec<Action> = plans.into_iter().map(|plan| plan.action).collect();
        assert_eq!(
            actions,
            [Action::Fits, Action::Update(vec![more]), Action::Create]
        );
        assert!(local_plan(&[spec("", 1)], &there).is_err());
    }
}
