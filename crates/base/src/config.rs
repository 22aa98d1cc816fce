//! Configuration in layers: defaults < TOML file < environment < command line, with each value's origin.

use crate::nearest::nearest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use toml::{Table, Value};

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file of this path.
    File(String),
    /// The environment variable of this name.
    Environment(String),
    /// The command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// A layer could not be merged.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The file is not TOML.
    #[error("{path}: {message}")]
    Syntax {
        /// The file.
        path: String,
        /// What the parser says, with line and column.
        message: String,
    },
    /// A key that no part of Gemba reads.
    #[error("unknown key '{key}' ({origin}){}", did_you_mean(.nearest.as_deref()))]
    UnknownKey {
        /// The dotted key.
        key: String,
        /// Who set it.
        origin: String,
        /// The known key next to it.
        nearest: Option<String>,
    },
    /// The value has the wrong type or is out of range.
    #[error("{0}")]
    Invalid(String),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |key| format!("; did you mean '{key}'?"))
}

/// The layers on the way to a finished configuration.
#[derive(Debug, Clone)]
pub struct Layers {
    merged: Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    /// Starts with the defaults, which also define which keys exist. An optional key must serialise to
    /// some value (an empty string, say), or it would be unknown.
    ///
    /// # Errors
    /// When the defaults are not a TOML table, which is a mistake in the program.
    pub fn from_defaults<T: Default + Serialize>() -> Result<Self, ConfigError> {
        let merged =
            Table::try_from(T::default()).map_err(|error| ConfigError::Invalid(error.to_string()))?;
        let mut origins = BTreeMap::new();
        for key in leaves(&merged, "") {
            origins.insert(key, Origin::Default);
        }
        Ok(Self { merged, origins })
    }

    /// Merges a TOML file's text.
    ///
    /// # Errors
    /// When it is not TOML or names an unknown key.
    pub fn file(&mut self, path: &str, text: &str) -> Result<(), ConfigError> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        let origin = Origin::File(path.to_owned());
        merge(&mut self.merged, table, "", &origin, &mut self.origins)
    }

    /// Merges variables `GEMBA__HUB__MQTT__LISTEN`; other names are left alone.
    ///
    /// # Errors
    /// When a `GEMBA__` variable names an unknown key.
    pub fn environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix("GEMBA__") else { continue };
            let key = rest.to_ascii_lowercase().replace("__", ".").replace('_', "-");
            self.set(&key, &text, Origin::Environment(name))?;
        }
        Ok(())
    }

    /// Sets one dotted key from the command line.
    ///
    /// # Errors
    /// When the key is unknown.
    pub fn command_line(&mut self, key: &str, text: &str) -> Result<(), ConfigError> {
        self.set(key, text, Origin::CommandLine)
    }

    fn set(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), ConfigError> {
        let mut parts: Vec<&str> = key.split('.').collect();
        let Some(last) = parts.pop() else { return Ok(()) };
        let known =
            parts.iter().try_fold(&self.merged, |table, part| table.get(*part).and_then(Value::as_table));
        let value = parse_as(known.and_then(|table| table.get(last)), text);
        let leaf = Table::from_iter([(last.to_owned(), value)]);
        let tree = parts
            .iter()
            .rev()
            .fold(leaf, |inner, part| Table::from_iter([((*part).to_owned(), Value::Table(inner))]));
        merge(&mut self.merged, tree, "", &origin, &mut self.origins)
    }

    /// The finished configuration.
    ///
    /// # Errors
    /// When a value has the wrong type; the text names the key and the type wanted.
    pub fn finish<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        T::deserialize(self.merged.clone()).map_err(|error| {
            // The place stands alone in the text's last line: "in `queue.bytes-max`".
            let text = error.to_string();
            let key = text.lines().rev().find_map(|line| line.trim().strip_prefix("in `")?.strip_suffix('`'));
            let what = error.message();
            ConfigError::Invalid(match key {
                Some(key) => format!("'{key}' ({}): {what}", self.origin(key)),
                None => what.to_owned(),
            })
        })
    }

    /// Who set a key; [`Origin::Default`] for one that is not there.
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// Every leaf: dotted key, value as TOML, origin.
    pub fn show(&self) -> Vec<(String, String, &Origin)> {
        let find = |key: &str| {
            let mut parts = key.split('.');
            let first = self.merged.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        };
        self.origins
            .iter()
            .filter_map(|(key, origin)| Some((key.clone(), find(key)?.to_string(), origin)))
            .collect()
    }
}

/// Text takes the type of the default; what does not parse stays text, so that the final step names the key.
fn parse_as(default: Option<&Value>, text: &str) -> Value {
    let typed = match default {
        Some(Value::Integer(_)) => text.parse().ok().map(Value::Integer),
        Some(Value::Float(_)) => text.parse().ok().map(Value::Float),
        Some(Value::Boolean(_)) => text.parse().ok().map(Value::Boolean),
        Some(Value::Array(_)) => Some(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Value::String(part.to_owned()))
                .collect(),
        )),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn leaves(table: &Table, prefix: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for (key, value) in table {
        let path = join(prefix, key);
        match value {
            Value::Table(inner) => keys.extend(leaves(inner, &path)),
            _ => keys.push(path),
        }
    }
    keys
}

fn merge(
    base: &mut Table,
    layer: Table,
    prefix: &str,
    origin: &Origin,
    origins: &mut BTreeMap<String, Origin>,
) -> Result<(), ConfigError> {
    for (key, value) in layer {
        let path = join(prefix, &key);
        let siblings: Vec<String> = base.keys().cloned().collect();
        match (base.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value, &path, origin, origins)?,
            (Some(Value::Table(_)), _) => {
                return Err(ConfigError::Invalid(format!("'{path}' ({origin}) is a section, not a value")));
            }
            (Some(slot), value) => {
                *slot = value;
                origins.insert(path, origin.clone());
            }
            (None, _) => {
                let sibling =
                    nearest(&key, siblings.iter().map(String::as_str)).map(|near| join(prefix, near));
                // Right key, wrong section.
                let elsewhere =
                    || origins.keys().find(|known| known.rsplit('.').next() == Some(&key)).cloned();
                let nearest = sibling.or_else(elsewhere);
                return Err(ConfigError::UnknownKey { key: path, origin: origin.to_string(), nearest });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
