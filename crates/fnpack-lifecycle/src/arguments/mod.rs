//! Flags and their twins in the environment, read as Go's `flag` package does, which platforms are written for.
//!
//! A flag is stronger than the environment, the environment stronger than the default. Flags come first; the
//! first argument that is none ends them, as does `--`.

mod flags;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flags::{Definition, Fallback, Kind};
use fnpack_core::lifecycle::api::PlatformApi;
use fnpack_core::reference::Reference;

pub(crate) use flags::Flag;

use crate::failure::Failure;
use crate::phase::Phase;

/// A variable of the environment, if it is set and UTF-8.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why the flags cannot be read: the process ends as one of Go's would.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FlagError {
    #[error("flag provided but not defined: -{name}")]
    Unknown { name: String },
    #[error("flag needs an argument: -{name}")]
    NoValue { name: &'static str },
    #[error("invalid value `{value}` for flag -{name}")]
    Value { name: &'static str, value: String },
    #[error("bad flag syntax: {text}")]
    Syntax { text: String },
    /// The user asks what there is.
    #[error("help requested")]
    Help,
}

/// What a phase was called with.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// The version that the platform speaks.
    pub(crate) api: PlatformApi,
    values: BTreeMap<Flag, Vec<String>>,
    /// What is no flag.
    pub(crate) positional: Vec<String>,
}

impl Arguments {
    /// Reads flags, then fills in from the environment.
    pub(crate) fn parse(phase: Phase, api: PlatformApi, arguments: Vec<String>, environment: Environment<'_>) -> Result<Self, FlagError> {
        let mut parsed = Self { api, values: BTreeMap::new(), positional: Vec::new() };
        let mut rest = arguments.into_iter();
        while let Some(argument) = rest.next() {
            match flag_text(&argument) {
                None => parsed.positional.push(argument),
                Some("") => {}
                Some(text) => {
                    parsed.read_flag(phase, text, &argument, &mut rest)?;
                    continue;
                }
            }
            parsed.positional.extend(rest.by_ref());
        }
        for definition in phase.definitions(api).filter(|definition| !definition.variable.is_empty()) {
            if let Some(value) = environment(definition.variable).filter(|value| !value.is_empty())
                && !parsed.values.contains_key(&definition.flag)
            {
                parsed.add(definition, &value)?;
            }
        }
        Ok(parsed)
    }

    fn read_flag(&mut self, phase: Phase, text: &str, whole: &str, rest: &mut impl Iterator<Item = String>) -> Result<(), FlagError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() || name.starts_with('-') {
            return Err(FlagError::Syntax { text: whole.to_owned() });
        }
        let Some(definition) = phase.definitions(self.api).find(|definition| definition.name == name) else {
            let help = matches!(name, "h" | "help");
            return Err(if help { FlagError::Help } else { FlagError::Unknown { name: name.to_owned() } });
        };
        let value = match (definition.kind, value) {
            (_, Some(value)) => value,
            (Kind::Switch, None) => "true".to_owned(),
            (_, None) => rest.next().ok_or(FlagError::NoValue { name: definition.name })?,
        };
        self.add(definition, &value)
    }

    fn add(&mut self, definition: &Definition, value: &str) -> Result<(), FlagError> {
        let invalid = || FlagError::Value { name: definition.name, value: value.to_owned() };
        let values = self.values.entry(definition.flag).or_default();
        match definition.kind {
            Kind::List => values.extend(value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned)),
            Kind::Text => *values = vec![value.to_owned()],
            Kind::Switch => *values = vec![switch(value).ok_or_else(invalid)?.to_string()],
            Kind::Number => *values = vec![value.parse::<u32>().map_err(|_| invalid())?.to_string()],
        }
        Ok(())
    }

    /// What the user said, or the default that is a text.
    pub(crate) fn text(&self, flag: Flag) -> Option<&str> {
        let given = self.given(flag);
        given.or(match flag.definition().fallback {
            Fallback::Text(text) => Some(text),
            Fallback::None | Fallback::InLayers(_) => None,
        })
    }

    /// What the user said.
    pub(crate) fn given(&self, flag: Flag) -> Option<&str> {
        self.values.get(&flag)?.last().map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All that the user said.
    pub(crate) fn list(&self, flag: Flag) -> &[String] {
        self.values.get(&flag).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, flag: Flag) -> bool {
        self.given(flag) == Some("true")
    }

    /// An id.
    pub(crate) fn number(&self, flag: Flag) -> Option<u32> {
        self.given(flag)?.parse().ok()
    }

    /// An absolute path; only flags without any default have an empty one.
    pub(crate) fn path(&self, flag: Flag) -> PathBuf {
        let path = match (self.text(flag), flag.definition().fallback) {
            (Some(text), _) => PathBuf::from(text),
            (None, Fallback::InLayers(name)) => self.path(Flag::Layers).join(name),
            (None, Fallback::None | Fallback::Text(_)) => PathBuf::new(),
        };
        std::path::absolute(&path).unwrap_or(path)
    }

    /// A path that the user named.
    pub(crate) fn given_path(&self, flag: Flag) -> Option<PathBuf> {
        self.given(flag).map(|text| std::path::absolute(text).unwrap_or_else(|_| PathBuf::from(text)))
    }

    /// The order: that of the layers folder, if a platform put one there, else the builder's.
    pub(crate) fn order_path(&self) -> PathBuf {
        let in_layers = self.path(Flag::Layers).join("order.toml");
        if self.given(Flag::Order).is_none() && Path::is_file(&in_layers) { in_layers } else { self.path(Flag::Order) }
    }

    /// An image's name.
    pub(crate) fn reference(&self, flag: Flag) -> Result<Option<Reference>, Failure> {
        self.given(flag).map(reference).transpose()
    }
}

/// Reads an image's name.
pub(crate) fn reference(text: &str) -> Result<Reference, Failure> {
    text.parse().map_err(|error| Failure::arguments(Box::<dyn std::error::Error + Send + Sync>::from(error)))
}

/// The flags of a phase, for who gives a wrong one.
pub(crate) fn usage(phase: Phase, api: PlatformApi) -> String {
    let mut text = format!("Usage of {}:\n", phase.program());
    for definition in phase.definitions(api) {
        let value = match definition.kind {
            Kind::Switch => "",
            Kind::Text => " string",
            Kind::List => " value",
            Kind::Number => " int",
        };
        text.extend(["  -", definition.name, value, "\n"]);
        if !definition.variable.is_empty() {
            text.extend(["    \tas well as ", definition.variable, "\n"]);
        }
    }
    text
}

/// What follows one or two dashes; `None` if the argument is no flag, empty if it is the end of them.
fn flag_text(argument: &str) -> Option<&str> {
    let text = argument.strip_prefix('-').filter(|text| !text.is_empty())?;
    Some(text.strip_prefix('-').unwrap_or(text))
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
