//! Settings on top of settings: a preset, then a TOML file, then `key=value` pairs.
//!
//! Every key has a default, so that what may be set is what the defaults hold; a key that is not
//! there, a value of another type or out of its range is refused with its place.

use std::collections::HashMap;
use std::fmt;
use std::num::IntErrorKind;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// A setting that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: `{}`: {problem}", written(key, value))]
pub struct ConfigError {
    /// Where it stands, such as `storm.toml, line 3` or `--set`.
    pub place: String,
    /// The key with its path, such as `risk.ema_alpha`; empty where the text is no TOML.
    pub key: String,
    /// The value as written.
    pub value: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

/// A setting as it was written.
fn written(key: &str, value: &str) -> String {
    if key.is_empty() { value.to_owned() } else { format!("{key} = {value}") }
}

/// A number for people: with an exponent where hundreds of zeros would stand.
pub fn short(number: f64) -> String {
    if is_long(number) { format!("{number:e}") } else { number.to_string() }
}

fn is_long(number: f64) -> bool {
    number.is_finite() && number != 0.0 && !(1e-7..1e16).contains(&number.abs())
}

/// Settings that know what is allowed.
pub trait Settings: Clone + Serialize + DeserializeOwned {
    /// Names every key that is out of its range.
    fn check(&self, allowed: &mut Allowed);
}

/// Collects what [`Settings::check`] finds.
#[derive(Default)]
pub struct Allowed {
    problems: Vec<(String, String, String)>,
    prefix: Vec<&'static str>,
}

impl Allowed {
    /// Checks the keys of a table inside.
    pub fn table(&mut self, name: &'static str, check: impl FnOnce(&mut Allowed)) {
        self.prefix.push(name);
        check(self);
        self.prefix.pop();
    }

    /// `key` must be within `range`; NaN is not.
    pub fn number(&mut self, key: &str, value: f64, range: RangeInclusive<f64>) {
        if !range.contains(&value) {
            let problem = format!("allowed are numbers from {} to {}", range.start(), range.end());
            self.refuse(key, short(value), problem);
        }
    }

    /// `key` must be within `range`.
    pub fn integer(&mut self, key: &str, value: u64, range: RangeInclusive<u64>) {
        if !range.contains(&value) {
            let problem = format!("allowed are whole numbers from {} to {}", range.start(), range.end());
            self.refuse(key, value, problem);
        }
    }

    /// `key` must fulfil what `problem` asks for.
    pub fn rule(&mut self, fulfilled: bool, key: &str, value: impl fmt::Display, problem: &str) {
        if !fulfilled {
            self.refuse(key, value, problem.to_owned());
        }
    }

    fn refuse(&mut self, key: &str, value: impl fmt::Display, problem: String) {
        let mut path: Vec<&str> = self.prefix.clone();
        path.push(key);
        self.problems.push((path.join("."), value.to_string(), problem));
    }
}

/// A TOML text with the name to call it by in errors.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Such as the file's path.
    pub name: &'a str,
    /// The TOML text.
    pub text: &'a str,
}

/// `base` with the settings of `file`, then those of `sets` (each `key=value`) on top.
///
/// # Errors
/// The first setting that is unknown, of the wrong type or out of its range.
pub fn resolve<T: Settings>(base: &T, file: Option<Source<'_>>, sets: &[String]) -> Result<T, ConfigError> {
    let mut overlay = Overlay::new(base)?;
    if let Some(source) = file {
        overlay.file(source)?;
    }
    for set in sets {
        overlay.set(set)?;
    }
    overlay.finish()
}

struct Overlay<T> {
    table: Table,
    settings: T,
    /// Where each key that is no default was set, and to what as written.
    places: HashMap<String, (String, String)>,
}

impl<T: Settings> Overlay<T> {
    fn new(base: &T) -> Result<Overlay<T>, ConfigError> {
        let table = Table::try_from(base).map_err(|error| ConfigError {
            place: "defaults".to_owned(),
            key: String::new(),
            value: String::new(),
            problem: error.to_string(),
        })?;
        Ok(Overlay { table, settings: base.clone(), places: HashMap::new() })
    }

    fn file(&mut self, source: Source<'_>) -> Result<(), ConfigError> {
        let table = DeTable::parse(source.text).map_err(|error| {
            let line = line_of(source.text, error.span().map_or(0, |span| span.start));
            ConfigError {
                place: format!("{}, line {line}", source.name),
                key: String::new(),
                value: source.text.lines().nth(line - 1).unwrap_or_default().trim().to_owned(),
                problem: error.message().to_owned(),
            }
        })?;
        self.tables(source, &mut Vec::new(), table.get_ref())
    }

    fn tables(
        &mut self,
        source: Source<'_>,
        path: &mut Vec<String>,
        table: &DeTable<'_>,
    ) -> Result<(), ConfigError> {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            if let DeValue::Table(inner) = value.get_ref()
                && self.holds_table(path)
            {
                self.tables(source, path, inner)?;
            } else {
                let place = format!("{}, line {}", source.name, line_of(source.text, key.span().start));
                self.leaf(&path.join("."), plain(value), place)?;
            }
            path.pop();
        }
        Ok(())
    }

    fn holds_table(&self, path: &[String]) -> bool {
        let mut here = &self.table;
        path.iter().all(|key| match here.get(key) {
            Some(Value::Table(inner)) => {
                here = inner;
                true
            }
            _ => false,
        })
    }

    fn set(&mut self, set: &str) -> Result<(), ConfigError> {
        let place = "--set".to_owned();
        let Some((key, text)) = set.split_once('=') else {
            return Err(ConfigError {
                place,
                key: set.to_owned(),
                value: String::new(),
                problem: "expected key=value, such as max_steps=1000".to_owned(),
            });
        };
        let (key, text) = (key.trim(), text.trim());
        // What is no TOML value is a string without its quotes, as in drift.schedule=ramp.
        let value =
            format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
        self.leaf(key, value.unwrap_or_else(|| Value::String(text.to_owned())), place)
    }

    /// Puts one value in its place, if that leaves settings that can be read.
    fn leaf(&mut self, path: &str, value: Value, place: String) -> Result<(), ConfigError> {
        let written = match value {
            Value::Float(number) if is_long(number) => short(number),
            ref value => value.to_string(),
        };
        let error = |problem: String| ConfigError {
            place: place.clone(),
            key: path.to_owned(),
            value: written.clone(),
            problem,
        };
        let mut table = self.table.clone();
        let Some(target) = find(&mut table, path) else {
            return Err(error(self.unknown(path)));
        };
        *target = match (&*target, value) {
            (Value::Table(_), _) => return Err(error("this is a table: set the keys below it".to_owned())),
            (Value::Float(_), Value::Integer(whole)) => Value::Float(whole as f64),
            // What is beyond 64 bits arrives as text; what is allowed is said below.
            (Value::Integer(_), Value::String(text)) if is_beyond_64_bits(&text) => Value::Integer(i64::MAX),
            (old, new) if old.same_type(&new) => new,
            (old, new) => return Err(error(format!("expected {}, not {}", kind(old), kind(&new)))),
        };
        self.settings = match T::deserialize(Value::Table(table.clone())) {
            Ok(settings) => settings,
            Err(refused) => {
                let out_of_range = allowed_instead::<T>(table, path);
                return Err(error(out_of_range.unwrap_or_else(|| refused.message().trim().to_owned())));
            }
        };
        self.table = table;
        self.places.insert(path.to_owned(), (place, written));
        Ok(())
    }

    fn unknown(&self, path: &str) -> String {
        let mut keys = Vec::new();
        leaves(&self.table, "", &mut keys);
        // A key without its table, or else the nearest in spelling.
        let within = keys.iter().find(|key| key.rsplit('.').next() == Some(path));
        let distance = |key: &str| strsim::damerau_levenshtein(key, path);
        let nearest = keys.iter().min_by_key(|key| distance(key));
        let nearest = nearest.filter(|key| distance(key) <= 1 + path.len() / 3);
        if let Some(near) = within.or(nearest) {
            return format!("unknown key; did you mean `{near}`?");
        }
        let names = self.table.iter().map(
            |(key, value)| {
                if value.is_table() { format!("{key}.…") } else { key.clone() }
            },
        );
        format!("unknown key; known are: {}", names.collect::<Vec<_>>().join(", "))
    }

    fn finish(self) -> Result<T, ConfigError> {
        let mut allowed = Allowed::default();
        self.settings.check(&mut allowed);
        match allowed.problems.into_iter().next() {
            None => Ok(self.settings),
            Some((key, value, problem)) => {
                // A default can be refused because of what another key was set to.
                let default = || ("settings, with what was set".to_owned(), value);
                let (place, value) = self.places.get(&key).cloned().unwrap_or_else(default);
                Err(ConfigError { place, key, value, problem })
            }
        }
    }
}

fn is_beyond_64_bits(text: &str) -> bool {
    text.parse::<i64>()
        .is_err_and(|error| matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow))
}

/// What is allowed for a whole number that its type cannot hold: what the range check says of the
/// nearest number that it can.
fn allowed_instead<T: Settings>(mut table: Table, path: &str) -> Option<String> {
    if let Some(Value::Integer(number)) = find(&mut table, path) {
        *number = (*number).clamp(0, i64::from(u32::MAX));
    }
    let mut allowed = Allowed::default();
    T::deserialize(Value::Table(table)).ok()?.check(&mut allowed);
    allowed.problems.into_iter().find(|(key, ..)| key == path).map(|(.., problem)| problem)
}

fn find<'a>(table: &'a mut Table, path: &str) -> Option<&'a mut Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let value = table.get_mut(first)?;
    match (rest, value) {
        (None, value) => Some(value),
        (Some(rest), Value::Table(inner)) => find(inner, rest),
        (Some(_), _) => None,
    }
}

fn leaves(table: &Table, prefix: &str, keys: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            Value::Table(inner) => leaves(inner, &format!("{prefix}{key}."), keys),
            _ => keys.push(format!("{prefix}{key}")),
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

fn plain(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.as_str().to_owned()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.as_str().to_owned()), Value::Float)
        }
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(date) => Value::Datetime(*date),
        DeValue::Array(items) => Value::Array(items.iter().map(plain).collect()),
        DeValue::Table(table) => {
            Value::Table(table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value))).collect())
        }
    }
}

/// The line, from 1, in which byte `offset` of `text` stands.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}
