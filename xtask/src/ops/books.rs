//! Runbooks: one for each alert, none for nothing, and no command in them that does not exist.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::{ending, read};
use super::rules::Rules;

const PARTS: [&str; 4] = ["\n## Meaning\n", "\n## Check\n", "\n## Act\n", "\n## Afterwards\n"];

/// How a line of a block of commands may begin. What is typed is tested with the program, what is asked with curl by
/// the tests of `lumen serve`.
const COMMANDS: [&str; 18] = [
    "resonetics lumen ctl ",
    "resonetics lumen up ",
    "resonetics lumen ingest ",
    "resonetics lumen signals ",
    "resonetics lumen runs ",
    "resonetics lumen status ",
    "resonetics lumen tail ",
    "resonetics lumen collect ",
    "resonetics lumen map ",
    "resonetics lumen validate ",
    "resonetics lumen log ",
    "resonetics lumen archive",
    "resonetics lumen keys root show ",
    "resonetics lumen verify-remote ",
    "resonetics train --from ",
    "resonetics train --resume ",
    "resonetics report ",
    "curl --silent http://127.0.0.1:",
];

pub(super) fn problems(folder: &Path, rules: &Rules) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    let mut there = BTreeSet::new();
    for path in ending(folder, "md")? {
        let name = format!("docs/runbooks/{}", path.file_name().unwrap_or_default().to_string_lossy());
        let text = read(&path)?;
        let alerts: Vec<&str> = rules
            .alerts
            .iter()
            .filter(|alert| alert.runbook == name)
            .map(|alert| alert.name.as_str())
            .collect();
        if alerts.is_empty() {
            problems.push(format!("{name}: no alert leads there"));
        }
        for alert in alerts.iter().filter(|alert| !text.contains(&format!("`{alert}`"))) {
            problems.push(format!("{name}: says nothing of {alert}"));
        }
        problems.extend(problems_of(&text, folder).iter().map(|problem| format!("{name}: {problem}")));
        there.insert(name);
    }
    for alert in rules.alerts.iter().filter(|alert| !there.contains(&alert.runbook)) {
        problems.push(format!("alert {}: there is no {}", alert.name, alert.runbook));
    }
    Ok(problems)
}

fn problems_of(text: &str, folder: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let mut from = 0;
    for part in PARTS {
        match text[from..].find(part) {
            Some(at) => from += at,
            None => problems.push(format!("has no part {} in its place", part.trim())),
        }
    }
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    for line in blocks.flat_map(str::lines) {
        let plain = line.replace('\'', "");
        if !COMMANDS.iter().any(|command| plain.starts_with(command)) {
            problems.push(format!("not a command that there is: {line}"));
        }
    }
    for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap_or_default()) {
        if !folder.join(link).is_file() {
            problems.push(format!("leads to {link}, which is not there"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_runbook_is_said() {
        let good = "# A\n\n## Meaning\n\n## Check\n\n```sh\nresonetics lumen runs runs\ncurl --silent 'http://127.0.0.1:8088/a?b&c'\n```\n\n## Act\n\n## Afterwards\n";
        assert_eq!(problems_of(good, Path::new(".")), [""; 0]);
        for (from, to, expected) in [
            ("## Act\n", "## Do\n", "no part ## Act"),
            ("lumen runs", "lumen walks", "not a command"),
            ("127.0.0.1", "example.org", "not a command"),
            ("## Act\n", "## Act\n\n[there](nowhere.md)\n", "leads to nowhere.md"),
        ] {
            let found = problems_of(&good.replacen(from, to, 1), Path::new("."));
            assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:?}");
        }
    }
}
