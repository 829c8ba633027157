//! The JSON Schemas of the JSON records, one for each topic.

use schemars::{JsonSchema, generate::SchemaSettings};

use crate::attempts::AttemptsRecord;
use crate::control::Fact;
use crate::dead_letter::DeadLetterJson;
use crate::inbox::Routes;
use crate::progress::ProgressRecord;
use crate::quarantine::QuarantineJson;
use crate::request::Request;
use crate::retry::RetryJson;
use crate::routed::Routed;

/// A JSON Schema (2020-12) as it is kept beside the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFile {
    /// The topic, or the header, whose JSON it describes.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}

/// Every schema. `retry`, `dead-letters` and `quarantine` describe the header
/// [`postrider`](crate::headers::JSON), `routes` the header of that name in `inbox`, the others the
/// value.
#[must_use]
pub fn all() -> Vec<SchemaFile> {
    vec![
        file::<Routes>("routes", "the header routes of a record of inbox"),
        file::<Routed>("routed", "the value of a record of routed"),
        file::<RetryJson>("retry", "the header postrider of a record of retry.<tier>"),
        file::<AttemptsRecord>("attempts", "the value of a record of attempts"),
        file::<DeadLetterJson>(
            "dead-letters",
            "the header postrider of a record of dead-letters",
        ),
        file::<Request>("requests", "the value of a record of requests"),
        file::<ProgressRecord>("progress", "the value of a record of progress"),
        file::<Fact>("control", "the value of a record of control"),
        file::<QuarantineJson>(
            "quarantine",
            "the header postrider of a record of quarantine",
        ),
    ]
}

fn file<T: JsonSchema>(name: &'static str, title: &'static str) -> SchemaFile {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    SchemaFile {
        name,
        text: text + "\n",
    }
}
