//! Values by key, in layers.

use std::path::Path;

use config::{Config, File, FileFormat, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::DEFAULT;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    Default,
    File,
    Environment(String),
    Flag,
}

/// One setting.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    /// `section.key`.
    pub(crate) key: String,
    default: ValueKind,
    pub(crate) value: ValueKind,
    pub(crate) from: From,
}

/// All settings, in the order of the manual.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leaves(Vec<Leaf>);

impl Leaves {
    /// The defaults.
    pub(super) fn defaults() -> Self {
        let config = Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml)).build();
        let values = flatten(&config.expect("default.toml is TOML").cache);
        let leaf = |key: String| {
            let value = values.iter().find(|(name, _)| *name == key).expect("listed keys are in it").1.clone();
            Leaf { key, default: value.clone(), value, from: From::Default }
        };
        Self(keys_in_order().map(leaf).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Leaf> {
        self.0.iter()
    }

    /// Overrides by a file, if it is there.
    pub(super) fn add_file(&mut self, path: &Path, complaints: &mut Vec<String>) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return complaints.push(format!("{} cannot be read: {error}", path.display())),
        };
        match Config::builder().add_source(File::from_str(&text, FileFormat::Toml)).build() {
            Ok(config) => {
                for (key, value) in flatten(&config.cache) {
                    self.set(&key, value, From::File, complaints);
                }
            }
            Err(error) => {
                let reason = error.to_string();
                complaints.push(format!("{} is not TOML: {}", path.display(), reason.replace('\n', " ").trim()));
            }
        }
    }

    /// Overrides by `AUSPEX__SECTION__KEY`.
    pub(super) fn add_environment(&mut self, environment: &[(String, String)], complaints: &mut Vec<String>) {
        for (name, text) in environment {
            let Some(path) = name.strip_prefix("AUSPEX__") else { continue };
            let key = path.to_ascii_lowercase().replace("__", ".");
            self.set_text(&key, text, From::Environment(name.clone()), complaints);
        }
    }

    /// Overrides by a text, read as the default's type.
    pub(super) fn set_text(&mut self, key: &str, text: &str, from: From, complaints: &mut Vec<String>) {
        self.set(key, ValueKind::String(text.to_owned()), from, complaints);
    }

    fn set(&mut self, key: &str, value: ValueKind, from: From, complaints: &mut Vec<String>) {
        let named = match &from {
            From::Environment(name) => format!("{key} ({name})"),
            _ => key.to_owned(),
        };
        let Some(leaf) = self.0.iter_mut().find(|leaf| leaf.key == key) else {
            return complaints.push(format!("{named} is no setting; `auspex config --default` lists them"));
        };
        match read_as(&leaf.default, value) {
            Ok(value) => (leaf.value, leaf.from) = (value, from),
            Err((found, expected)) => complaints.push(format!("{named} is {found}: {expected} is expected")),
        }
    }

    /// The struct behind the keys.
    pub(super) fn deserialize<T: DeserializeOwned>(&self) -> Result<T, String> {
        let mut builder = Config::builder();
        for leaf in &self.0 {
            builder = builder.set_override(&leaf.key, leaf.value.clone()).map_err(|error| error.to_string())?;
        }
        let config = builder.build().map_err(|error| error.to_string())?;
        config.try_deserialize().map_err(|error| error.to_string())
    }
}

impl Leaf {
    /// The value as TOML.
    pub(crate) fn to_toml(&self) -> String {
        toml(&self.value)
    }

    /// The value as JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        json(&self.value)
    }
}

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// The keys of the manual, as they stand there.
fn keys_in_order() -> impl Iterator<Item = String> {
    let mut section = "";
    DEFAULT.lines().filter_map(move |line| {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            return None;
        }
        let (key, _) = line.split_once(" = ").filter(|_| !line.starts_with('#'))?;
        Some(format!("{section}.{key}"))
    })
}

/// Values by their whole key; lists are values.
fn flatten(value: &Value) -> Vec<(String, ValueKind)> {
    fn walk(path: &str, value: &Value, into: &mut Vec<(String, ValueKind)>) {
        match &value.kind {
            ValueKind::Table(table) => {
                for (key, value) in table {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(&path, value, into);
                }
            }
            kind => into.push((path.to_owned(), kind.clone())),
        }
    }
    let mut values = Vec::new();
    walk("", value, &mut values);
    values.sort_by(|a, b| a.0.cmp(&b.0));
    values
}

/// The value as one of the default's type; else what was found and what is expected.
fn read_as(default: &ValueKind, value: ValueKind) -> Result<ValueKind, (String, &'static str)> {
    let found = toml(&value);
    match (default, value) {
        (ValueKind::Boolean(_), ValueKind::Boolean(value)) => Ok(value.into()),
        (ValueKind::Boolean(_), ValueKind::String(text)) => match truth(&text) {
            Some(value) => Ok(value.into()),
            None => Err((found, "true or false")),
        },
        (ValueKind::Boolean(_), _) => Err((found, "true or false")),
        (ValueKind::I64(_), ValueKind::I64(value)) if value >= 0 => Ok(value.into()),
        (ValueKind::I64(_), ValueKind::String(text)) => match text.trim().parse::<u32>() {
            Ok(value) => Ok(i64::from(value).into()),
            Err(_) => Err((found, "a whole number of at least 0")),
        },
        (ValueKind::I64(_), _) => Err((found, "a whole number of at least 0")),
        (ValueKind::Array(_), ValueKind::Array(values)) => {
            let is_text = |value: &Value| matches!(value.kind, ValueKind::String(_));
            match values.iter().all(is_text) {
                true => Ok(ValueKind::Array(values)),
                false => Err((found, "a list of texts")),
            }
        }
        (ValueKind::Array(_), ValueKind::String(text)) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(ValueKind::Array(items.map(|item| Value::new(None, item.to_owned())).collect()))
        }
        (ValueKind::Array(_), _) => Err((found, "a list of texts")),
        (_, ValueKind::String(text)) => Ok(text.into()),
        _ => Err((found, "a text")),
    }
}

/// Words for yes and no.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" | "" => Some(false),
        _ => None,
    }
}

fn json(value: &ValueKind) -> serde_json::Value {
    match value {
        ValueKind::Nil | ValueKind::Table(_) => serde_json::Value::Null,
        ValueKind::Boolean(value) => (*value).into(),
        ValueKind::I64(value) => (*value).into(),
        ValueKind::U64(value) => (*value).into(),
        ValueKind::I128(value) => value.to_string().into(),
        ValueKind::U128(value) => value.to_string().into(),
        ValueKind::Float(value) => (*value).into(),
        ValueKind::String(value) => value.as_str().into(),
        ValueKind::Array(values) => values.iter().map(|value| json(&value.kind)).collect(),
    }
}

/// Numbers, texts and lists of them look the same in TOML and JSON.
fn toml(value: &ValueKind) -> String {
    match value {
        ValueKind::Array(values) => {
            let items: Vec<String> = values.iter().map(|value| toml(&value.kind)).collect();
            format!("[{}]", items.join(", "))
        }
        value => json(value).to_string(),
    }
}
