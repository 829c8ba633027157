//! Configuration: the file, the environment, the flags, in that order of precedence upward.
//!
//! Every option names its environment variable where it is declared; its key in the file is that
//! name without `POSTRIDER_`, in small letters. What the file says becomes the option's default, so
//! that whatever reads the command line reads all three.

mod file;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command, CommandFactory};

use crate::cli::Cli;
use file::SettingsFile;

/// What every option's environment variable begins with.
const PREFIX: &str = "POSTRIDER_";

/// The command line, with the defaults that the configuration file sets.
///
/// # Errors
/// When the file can't be read, has an unknown key, or a value that its option does not take.
pub(crate) fn command(arguments: &[OsString]) -> Result<Command, clap::Error> {
    let command = with_switches(Cli::command());
    let Some(path) = config_path(arguments) else {
        return Ok(command);
    };
    let known = options(&command);
    match SettingsFile::read(&path).and_then(|file| file.checked(&known)) {
        Ok(file) => Ok(with_defaults(command, &file)),
        Err(error) => Err(command.clone().error(ErrorKind::InvalidValue, error)),
    }
}

/// An option's key in the configuration file. The file itself has none.
fn key(option: &Arg) -> Option<String> {
    let variable = option.get_env()?.to_str()?.strip_prefix(PREFIX)?;
    (variable != "CONFIG").then(|| variable.to_ascii_lowercase())
}

/// Finds `--config` before the command line is parsed: parsing needs what the file says.
fn config_path(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments
        .iter()
        .skip(1)
        .take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        let text = argument.to_str();
        if let Some(path) = text.and_then(|text| text.strip_prefix("--config=")) {
            return Some(PathBuf::from(path));
        }
    }
    let variable = std::env::var_os(format!("{PREFIX}CONFIG"));
    variable
        .filter(|path| path != OsStr::new(""))
        .map(PathBuf::from)
}

/// Lets every switch be turned off again, `--json=false`: the variable or the file may have it on.
fn with_switches(command: Command) -> Command {
    let switch = |option: Arg| {
        if !matches!(option.get_action(), ArgAction::SetTrue) {
            return option;
        }
        let option = option
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true);
        option
            .value_name("BOOL")
            .default_value("false")
            .default_missing_value("true")
            .hide_default_value(true)
            .hide_possible_values(true)
            .value_parser(BoolishValueParser::new())
    };
    command.mut_args(switch).mut_subcommands(with_switches)
}

/// Every option of every command that has a key.
fn options(command: &Command) -> Vec<Arg> {
    let own = command
        .get_arguments()
        .filter(|option| key(option).is_some())
        .cloned();
    own.chain(command.get_subcommands().flat_map(options))
        .collect()
}

fn with_defaults(command: Command, file: &SettingsFile) -> Command {
    let default = |option: Arg| {
        let setting = key(&option).and_then(|key| file.get(&key));
        match setting {
            Some(values) => option.default_values(values.to_vec()),
            None => option,
        }
    };
    command
        .mut_args(default)
        .mut_subcommands(|command| with_defaults(command, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(command: &Command) -> Vec<Arg> {
        let own = command
            .get_arguments()
            .filter(|option| option.get_long().is_some())
            .cloned();
        own.chain(command.get_subcommands().flat_map(flags))
            .collect()
    }

    #[test]
    fn every_option_has_a_variable_named_after_it() {
        let flags = flags(&Cli::command());
        assert!(flags.len() > 20);
        for flag in flags {
            let long = flag.get_long().unwrap().replace('-', "_").to_uppercase();
            let variable = flag.get_env().and_then(OsStr::to_str).unwrap_or_default();
            assert!(variable.starts_with(PREFIX), "--{long} has no variable");
            assert!(
                variable.ends_with(&long),
                "--{long} has the variable {variable}"
            );
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        with_switches(Cli::command()).debug_assert();
    }

    #[test]
    fn the_file_is_found_before_anything_is_parsed() {
        let path = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
            config_path(&arguments)
        };
        let found = Some(PathBuf::from("a.toml"));
        assert_eq!(path(&["postrider", "log", "--config", "a.toml"]), found);
        assert_eq!(path(&["postrider", "--config=a.toml", "log"]), found);
        assert_eq!(path(&["postrider", "--", "--config=a.toml"]), None);
    }
}
