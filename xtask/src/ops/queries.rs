//! ops/queries.md: all expressions of rules and dashboards in one place, to be copied.

use super::boards::Board;
use super::files::{list, text as text_at};
use super::rules::Rules;

pub(super) fn text(rules: &Rules, boards: &[Board]) -> String {
    let mut text =
        "# Queries\n\nMade from the rules and the dashboards by `cargo xtask ops --write`. In a dashboard's \
                    query a name with `$` is what was chosen above it.\n\n## Recorded\n"
            .to_owned();
    for record in &rules.records {
        block(&mut text, &format!("`{}`", record.name), &record.expression);
    }
    text += "\n## Alerts\n";
    for alert in &rules.alerts {
        let what = format!(
            "{} ({}, for {}, [runbook](../{}))",
            alert.name, alert.severity, alert.waits, alert.runbook
        );
        block(&mut text, &what, &alert.expression);
    }
    for board in boards {
        text += &format!("\n## {}\n", text_at(&board.content, "title"));
        for panel in list(&board.content, "panels") {
            let expressions: Vec<&str> =
                list(panel, "targets").iter().map(|target| text_at(target, "expr")).collect();
            block(&mut text, text_at(panel, "title"), &expressions.join("\n"));
        }
    }
    text
}

fn block(text: &mut String, what: &str, expression: &str) {
    *text += &format!("\n{what}:\n\n```promql\n{expression}\n```\n");
}
