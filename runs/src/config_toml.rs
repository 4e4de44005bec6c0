//! The text of a config.toml: which command it is of, and which line is wrong.

use resonetics_envs::config::line_of;
use toml::de::DeTable;

/// The `command` that `text` is of, empty where it names none, and all the rest of it.
///
/// # Errors
/// The line that is no TOML, and why.
pub fn opened(text: &str) -> Result<(String, toml::Deserializer<'_>), String> {
    let mut table = DeTable::parse(text).map_err(|error| at_line(text, &error))?;
    let command = table.get_mut().remove("command");
    let command = command.as_ref().and_then(|command| command.get_ref().as_str()).unwrap_or_default();
    Ok((command.to_owned(), toml::Deserializer::from(table)))
}

/// What is wrong with which line of `text`.
pub fn at_line(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| line_of(text, span.start));
    let written = text.lines().nth(line - 1).unwrap_or_default().trim();
    format!("line {line}: `{written}`: {}", error.message().trim_end())
}

/// A TOML text with an exponent in place of a hundred zeros.
pub fn short_numbers(toml: &str) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some((key, value)) if value.len() > 24 => match value.parse::<f64>() {
            Ok(number) if number.is_finite() => format!("{key} = {number:e}\n"),
            _ => format!("{line}\n"),
        },
        _ => format!("{line}\n"),
    };
    toml.lines().map(line).collect()
}
