//! The topics of a world.

use eventlog_port::TopicSpec;
use schemas::topics::Topic;

use crate::plan::Plan;

/// Every topic, with as many partitions as the plan says, kept for ever.
#[must_use]
pub fn specs(plan: &Plan) -> Vec<TopicSpec> {
    let spec = |topic: Topic| TopicSpec {
        name: topic.to_string(),
        partitions: match topic {
            Topic::Control | Topic::Quarantine => 1,
            Topic::Inbox | Topic::Routed => plan.inbox_partitions,
            Topic::Events
            | Topic::Retry(_)
            | Topic::Attempts
            | Topic::DeadLetters
            | Topic::Requests
            | Topic::Progress => plan.partitions,
        },
        retention: None,
        retention_bytes: None,
        max_record_bytes: 2 << 20,
    };
    Topic::all().into_iter().map(spec).collect()
}
