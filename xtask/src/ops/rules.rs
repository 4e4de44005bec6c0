//! The rules of Prometheus and their tests. promtool passes where a test names an alert that does not exist, and where
//! an alert has no test.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::files::{list, text, yaml};

const SEVERITIES: [&str; 4] = ["page", "critical", "warning", "ticket"];

pub(super) struct Rules {
    pub(super) alerts: Vec<Alert>,
    pub(super) records: Vec<Record>,
    alert_cases: Vec<Case>,
    record_cases: Vec<Case>,
}

pub(super) struct Alert {
    pub(super) name: String,
    pub(super) expression: String,
    pub(super) waits: String,
    pub(super) severity: String,
    /// The runbook's path from the root of the repository.
    pub(super) runbook: String,
    summary: String,
}

pub(super) struct Record {
    pub(super) name: String,
    pub(super) expression: String,
}

/// What a test says of an alert, or of an expression.
struct Case {
    of: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Fires,
    Silent,
    NoData,
}

impl Rules {
    pub(super) fn read(folder: &Path) -> Result<Rules, String> {
        let [alerts, records, alert_tests, record_tests] =
            ["alerts.yml", "recording.yml", "alerts_test.yml", "recording_test.yml"]
                .map(|name| yaml(&folder.join(name)));
        Ok(Rules {
            alerts: rules(&alerts?).map(alert).collect(),
            records: rules(&records?).map(record).collect(),
            alert_cases: cases(&alert_tests?, "alert_rule_test", "alertname", "exp_alerts"),
            record_cases: cases(&record_tests?, "promql_expr_test", "expr", "exp_samples"),
        })
    }

    /// What each is called and its expression.
    pub(super) fn expressions(&self) -> impl Iterator<Item = (String, &str)> {
        let alerts =
            self.alerts.iter().map(|alert| (format!("alert {}", alert.name), alert.expression.as_str()));
        let records =
            self.records.iter().map(|record| (format!("record {}", record.name), record.expression.as_str()));
        alerts.chain(records)
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        for alert in &self.alerts {
            let name = alert.name.as_str();
            let mut say = |what: String| problems.push(format!("alert {name}: {what}"));
            if !names.insert(name) {
                say("is there twice".to_owned());
            }
            if !SEVERITIES.contains(&alert.severity.as_str()) {
                say(format!("severity {:?}, not one of {}", alert.severity, SEVERITIES.join(", ")));
            }
            if alert.waits.is_empty() {
                say("has no `for`".to_owned());
            }
            if alert.summary.is_empty() {
                say("has no summary".to_owned());
            }
            if let Some(label) = unwanted_label(&alert.summary) {
                say(format!("its summary tells {label}, which is neither a name nor a number of ours"));
            }
            for kind in [Kind::Fires, Kind::Silent, Kind::NoData] {
                if !self.alert_cases.iter().any(|case| case.of == name && case.kind == kind) {
                    say(format!("no test in which it is: {kind:?}"));
                }
            }
        }
        for case in self.alert_cases.iter().filter(|case| !names.contains(case.of.as_str())) {
            problems.push(format!("alerts_test.yml: there is no alert {}", case.of));
        }
        for record in &self.records {
            let has = |kind: Kind| {
                let of = |case: &&Case| names_metric(&case.of, &record.name) && case.kind == kind;
                self.record_cases.iter().find(of).is_some()
            };
            if !has(Kind::Fires) {
                problems.push(format!("record {}: no test of its value", record.name));
            }
            if !has(Kind::NoData) {
                problems.push(format!("record {}: no test without data", record.name));
            }
        }
        problems
    }
}

/// Whether an expression names a metric.
fn names_metric(expression: &str, metric: &str) -> bool {
    let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    expression.split(|letter| !part(letter)).any(|word| word == metric)
}

fn rules(file: &Value) -> impl Iterator<Item = &Value> {
    list(file, "groups").iter().flat_map(|group| list(group, "rules"))
}

fn alert(rule: &Value) -> Alert {
    let own = |key: &str| text(rule, key).to_owned();
    Alert {
        name: own("alert"),
        expression: own("expr").trim().to_owned(),
        waits: own("for"),
        severity: text(&rule["labels"], "severity").to_owned(),
        runbook: text(&rule["annotations"], "runbook_url").to_owned(),
        summary: text(&rule["annotations"], "summary").to_owned(),
    }
}

fn record(rule: &Value) -> Record {
    Record { name: text(rule, "record").to_owned(), expression: text(rule, "expr").trim().to_owned() }
}

/// The cases of a file of tests. Without any series there is no data; that something is expected is firing.
fn cases(file: &Value, tests: &str, name: &str, expected: &str) -> Vec<Case> {
    let case = |test: &Value, case: &Value| {
        let kind = match (list(case, expected).is_empty(), list(test, "input_series").is_empty()) {
            (false, _) => Kind::Fires,
            (true, false) => Kind::Silent,
            (true, true) => Kind::NoData,
        };
        Case { of: text(case, name).to_owned(), kind }
    };
    let of = |test: &Value| list(test, tests).iter().map(|found| case(test, found)).collect::<Vec<_>>();
    list(file, "tests").iter().flat_map(of).collect()
}

/// A label in a summary that could be a path, a host or free text.
fn unwanted_label(summary: &str) -> Option<&str> {
    const WANTED: [&str; 8] = ["run", "channel", "window", "experiment", "region", "job", "source", "role"];
    let labels = summary.split("$labels.").skip(1);
    labels.map(|rest| rest.split([' ', '}']).next().unwrap_or_default()).find(|label| !WANTED.contains(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERTS: &str = "
groups:
  - name: g
    rules:
      - { alert: High, expr: a > 1, for: 1m, labels: { severity: page }, annotations: { summary: 'run {{ $labels.run }}', runbook_url: docs/runbooks/high.md } }
";
    const TESTS: &str = "
tests:
  - input_series: [{ series: a, values: '2x9' }]
    alert_rule_test: [{ alertname: High, eval_time: 2m, exp_alerts: [{ exp_labels: { severity: page } }] }]
  - input_series: [{ series: a, values: '1x9' }]
    alert_rule_test: [{ alertname: High, eval_time: 2m, exp_alerts: [] }]
  - alert_rule_test: [{ alertname: High, eval_time: 2m, exp_alerts: [] }]
";
    const RECORDS: &str = "groups: [{ name: g, rules: [{ record: b, expr: a * 2 }] }]";
    const RECORD_TESTS: &str = "
tests:
  - input_series: [{ series: a, values: '2x9' }]
    promql_expr_test: [{ expr: 'round(b)', eval_time: 2m, exp_samples: [{ labels: b, value: 4 }] }]
  - promql_expr_test: [{ expr: b, eval_time: 2m, exp_samples: [] }]
";

    fn problems(changes: &[(&str, &str)]) -> Vec<String> {
        let place = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("alerts.yml", ALERTS),
            ("alerts_test.yml", TESTS),
            ("recording.yml", RECORDS),
            ("recording_test.yml", RECORD_TESTS),
        ] {
            let changed = changes.iter().fold(text.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
            std::fs::write(place.path().join(name), changed).unwrap();
        }
        Rules::read(place.path()).unwrap().problems()
    }

    #[test]
    fn what_promtool_does_not_see_is_seen() {
        assert_eq!(problems(&[]), [""; 0]);
        let cases: [(&[(&str, &str)], &str); 9] = [
            (&[("alertname: High", "alertname: Hihg")], "there is no alert Hihg"),
            (&[("alertname: High", "alertname: Hihg")], "no test in which it is: Fires"),
            (
                &[("'1x9'", "'1x9'"), ("[{ series: a, values: '1x9' }]", "[]")],
                "no test in which it is: Silent",
            ),
            (
                &[("  - alert_rule_test:", "  - input_series: [{ series: a }]\n    alert_rule_test:")],
                "it is: NoData",
            ),
            (&[("severity: page }, ann", "severity: urgent }, ann")], "severity \"urgent\""),
            (&[("for: 1m, ", "")], "has no `for`"),
            (&[("$labels.run", "$labels.path")], "tells path"),
            (&[("round(b)", "round(c)")], "record b: no test of its value"),
            (&[("expr: b,", "expr: bb,")], "record b: no test without data"),
        ];
        for (changes, expected) in cases {
            let found = problems(changes);
            assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:?}");
        }
    }
}
