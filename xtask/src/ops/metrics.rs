//! Which metrics an expression names, and whether ops/metrics.txt has them.

use std::collections::BTreeSet;
use std::path::Path;

use super::boards::Board;
use super::files::read;
use super::rules::Rules;

/// What Prometheus itself adds.
const ITS_OWN: [&str; 2] = ["up", "ALERTS"];
const WORDS: [&str; 14] = [
    "and",
    "or",
    "unless",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "offset",
    "bool",
    "inf",
    "nan",
    "atan2",
];
/// A list in parentheses follows, of labels.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// What rules and dashboards name and nobody exports, what is exported and nobody looks at, and lines of
/// metrics.txt that are none.
pub(super) fn problems(place: &Path, rules: &Rules, boards: &[Board]) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    let mut known = BTreeSet::new();
    for line in
        read(&place.join("metrics.txt"))?.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, kind, _] = words[..] else {
            problems.push(format!("metrics.txt: not a name, a type and labels: {line}"));
            continue;
        };
        if !["counter", "gauge"].contains(&kind) || (kind == "counter") != name.ends_with("_total") {
            problems.push(format!("metrics.txt: {name} as a {kind}"));
        }
        if !known.insert(name.to_owned()) {
            problems.push(format!("metrics.txt: {name} is there twice"));
        }
    }
    let exported = known.clone();
    known.extend(rules.records.iter().map(|record| record.name.clone()));
    known.extend(ITS_OWN.map(str::to_owned));
    let mut used = BTreeSet::new();
    let named = rules.expressions().chain(boards.iter().flat_map(Board::expressions));
    for (what, expression) in named {
        for name in named_in(expression) {
            if !known.contains(&name) {
                problems.push(format!("{what}: nobody exports {name}"));
            }
            used.insert(name);
        }
    }
    problems.extend(exported.difference(&used).map(|name| format!("metrics.txt: nobody looks at {name}")));
    Ok(problems)
}

/// The names of metrics in an expression of `PromQL`.
pub(super) fn named_in(expression: &str) -> BTreeSet<String> {
    let bare = without_inside(&without_inside(&without_strings(expression), '{', '}'), '[', ']');
    let mut names = BTreeSet::new();
    let mut rest = bare.as_str();
    let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    while let Some(start) = rest.find(part) {
        rest = &rest[start..];
        let end = rest.find(|letter| !part(letter)).unwrap_or(rest.len());
        let word = &rest[..end];
        let after = rest[end..].trim_start();
        rest = &rest[end..];
        if BEFORE_LABELS.contains(&word) {
            if let Some(labels) = after.strip_prefix('(') {
                rest = labels.find(')').map_or("", |at| &labels[at..]);
            }
        } else if !["(", "by ", "by(", "without ", "without("].iter().any(|next| after.starts_with(next))
            && !word.starts_with(|letter: char| letter.is_ascii_digit())
            && !WORDS.contains(&word)
        {
            names.insert(word.to_owned());
        }
    }
    names
}

fn without_strings(expression: &str) -> String {
    let mut bare = String::new();
    let mut quote = None;
    let mut escaped = false;
    for letter in expression.chars() {
        match quote {
            Some(end) => {
                if letter == end && !escaped {
                    quote = None;
                }
                escaped = letter == '\\' && !escaped;
            }
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            None => bare.push(letter),
        }
    }
    bare
}

fn without_inside(text: &str, open: char, close: char) -> String {
    let mut depth = 0_usize;
    let mut bare = String::new();
    for letter in text.chars() {
        if letter == open {
            depth += 1;
        } else if letter == close {
            depth = depth.saturating_sub(1);
        } else if depth == 0 {
            bare.push(letter);
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_nothing_else() {
        let cases: [(&str, &[&str]); 6] = [
            ("time() - a_seconds > clamp_min(10 * b, 60)", &["a_seconds", "b"]),
            ("sum by (region, error_class) (increase(c_total[1d]))", &["c_total"]),
            ("f{x=\"y and } z\",k=~\"$run\"} > 0.8 and on () quantile(0.5, g) > 1e3", &["f", "g"]),
            ("1 - lumen:sli1d > 0.05 unless h offset 5m", &["lumen:sli1d", "h"]),
            ("a * on (run) group_left (kind) b", &["a", "b"]),
            ("vector(0) or sum(z) without (q)", &["z"]),
        ];
        for (expression, expected) in cases {
            let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(named_in(expression), expected, "{expression}");
        }
    }
}
