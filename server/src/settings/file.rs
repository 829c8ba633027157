//! The configuration file: TOML, flat, one key an option.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key;
use crate::nearest::nearest;

/// What the file says, each value as it would be written on the command line.
#[derive(Debug)]
pub(super) struct SettingsFile {
    path: PathBuf,
    settings: BTreeMap<String, Setting>,
}

#[derive(Debug)]
struct Setting {
    line: usize,
    values: Vec<String>,
    is_list: bool,
}

impl SettingsFile {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong with it and where, for people.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        let file = Self {
            path: path.to_owned(),
            settings: BTreeMap::new(),
        };
        file.parsed(&text)
    }

    fn parsed(mut self, text: &str) -> Result<Self, String> {
        let table =
            DeTable::parse(text).map_err(|error| format!("{}: {error}", self.path.display()))?;
        for (name, value) in table.into_inner() {
            let line = 1 + text[..name.span().start].matches('\n').count();
            let is_list = matches!(value.get_ref(), DeValue::Array(_));
            let values = values(&value).ok_or_else(|| {
                self.at(
                    line,
                    &format!("{} must be a value or a list of values", name.get_ref()),
                )
            })?;
            self.settings.insert(
                name.into_inner().into_owned(),
                Setting {
                    line,
                    values,
                    is_list,
                },
            );
        }
        Ok(self)
    }

    /// The file, once every key is that of an option, and every value one that the option takes.
    ///
    /// # Errors
    /// The first that is not, with its line.
    pub(super) fn checked(self, options: &[Arg]) -> Result<Self, String> {
        for (name, setting) in &self.settings {
            let option = options
                .iter()
                .find(|option| key(option).as_ref() == Some(name));
            let option = option.ok_or_else(|| self.unknown(name, setting.line, options))?;
            let takes_many = matches!(option.get_action(), ArgAction::Append);
            if setting.is_list && !takes_many {
                return Err(self.at(setting.line, &format!("{name} takes one value, not a list")));
            }
            for value in &setting.values {
                check(option, value).map_err(|problem| self.at(setting.line, &problem))?;
            }
        }
        Ok(self)
    }

    /// What the file says of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&[String]> {
        self.settings
            .get(key)
            .map(|setting| setting.values.as_slice())
    }

    fn unknown(&self, name: &str, line: usize, options: &[Arg]) -> String {
        let keys: Vec<String> = options.iter().filter_map(key).collect();
        let meant = nearest(name, keys.iter().map(String::as_str));
        let meant = meant.map_or(String::new(), |meant| format!("; did you mean {meant:?}?"));
        self.at(line, &format!("unknown key {name:?}{meant}"))
    }

    fn at(&self, line: usize, problem: &str) -> String {
        format!("{}, line {line}: {problem}", self.path.display())
    }
}

fn values(value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
    if let DeValue::Array(array) = value.get_ref() {
        array.iter().map(|value| scalar(value.get_ref())).collect()
    } else {
        scalar(value.get_ref()).map(|value| vec![value])
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// Whether the option takes the value: asked of a command line that has this option alone, so that
/// the answer is the one that the flag would get.
fn check(option: &Arg, value: &str) -> Result<(), String> {
    let long = option.get_long().unwrap_or_default();
    let names = option.get_value_names().unwrap_or_default().to_vec();
    let alone = Arg::new("option")
        .long(long.to_owned())
        .action(ArgAction::Set);
    let alone = alone
        .value_names(names)
        .value_parser(option.get_value_parser().clone());
    let command = Command::new("postrider").no_binary_name(true).arg(alone);
    let outcome = command.try_get_matches_from([format!("--{long}={value}")]);
    outcome.map(drop).map_err(|error| {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default();
        first.trim_start_matches("error: ").to_owned()
    })
}
