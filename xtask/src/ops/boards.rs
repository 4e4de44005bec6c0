//! Grafana's dashboards: that they have what Grafana reads, and show what can be seen.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::files::{ending, json, list, text};

/// Colours that stay apart for all kinds of sight (Okabe and Ito's).
const COLOURS: [&str; 6] = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"];
const KINDS: [&str; 6] = ["timeseries", "stat", "bargauge", "state-timeline", "histogram", "table"];

pub(super) struct Board {
    /// The file's name without its ending.
    pub(super) name: String,
    pub(super) content: Value,
}

impl Board {
    /// What each is called and its expression.
    pub(super) fn expressions(&self) -> impl Iterator<Item = (String, &str)> {
        list(&self.content, "panels").iter().flat_map(move |panel| {
            let named =
                move |target| (format!("{}, {}", self.name, text(panel, "title")), text(target, "expr"));
            list(panel, "targets").iter().map(named)
        })
    }
}

pub(super) fn read(folder: &Path) -> Result<Vec<Board>, String> {
    let board = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Board { name, content: json(path)? })
    };
    ending(folder, "json")?.iter().map(board).collect()
}

pub(super) fn problems(boards: &[Board]) -> Vec<String> {
    boards.iter().flat_map(problems_of).collect()
}

fn problems_of(board: &Board) -> Vec<String> {
    let content = &board.content;
    let mut problems = Vec::new();
    if text(content, "uid") != board.name || text(content, "title").is_empty() {
        problems.push("its uid is its file's name, and it has a title".to_owned());
    }
    if !content["schemaVersion"].is_u64() {
        problems.push("schemaVersion is a number".to_owned());
    }
    let variables: Vec<&str> =
        list(&content["templating"], "list").iter().map(|variable| text(variable, "name")).collect();
    if !variables.contains(&"datasource") {
        problems.push("the data source is a variable".to_owned());
    }
    let mut ids = BTreeSet::new();
    let mut taken: Vec<[u64; 4]> = Vec::new();
    for panel in list(content, "panels") {
        let mut say = |what: &str| problems.push(format!("{}: {what}", text(panel, "title")));
        if text(panel, "title").is_empty() || !KINDS.contains(&text(panel, "type")) {
            say("has a title and a type that is known");
        }
        if !panel["id"].as_u64().is_some_and(|id| ids.insert(id)) {
            say("has an id of its own");
        }
        match ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64()) {
            [Some(x), Some(y), Some(w), Some(h)] if w > 0 && h > 0 && x + w <= 24 => {
                let apart =
                    |&[ox, oy, ow, oh]: &[u64; 4]| x >= ox + ow || ox >= x + w || y >= oy + oh || oy >= y + h;
                if !taken.iter().all(apart) {
                    say("lies on another panel");
                }
                taken.push([x, y, w, h]);
            }
            _ => say("has a place in the grid of 24 columns"),
        }
        if list(panel, "targets").is_empty() {
            say("asks for something");
        }
        let steps = list(&panel["fieldConfig"]["defaults"]["thresholds"], "steps");
        for target in list(panel, "targets") {
            let expression = text(target, "expr");
            if expression.is_empty() || text(&target["datasource"], "uid") != "${datasource}" {
                say("each target has an expression, and the data source that is chosen");
            }
            if is_raw_counter(expression) {
                say("shows a counter as it is; it can only rise");
            }
            for variable in expression.split('$').skip(1) {
                let name =
                    variable.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
                if !variables.contains(&name) {
                    say(&format!("there is no variable {name}"));
                }
            }
        }
        let limits = steps.iter().skip(1).map(|step| step["value"].as_f64());
        if !limits.collect::<Option<Vec<f64>>>().is_some_and(|limits| limits.is_sorted()) {
            say("its thresholds rise");
        }
        for colour in colours(&panel["fieldConfig"]) {
            if !COLOURS.contains(&colour) {
                say(&format!("{colour} is no colour of ours"));
            }
        }
    }
    problems.iter().map(|problem| format!("{}.json: {problem}", board.name)).collect()
}

/// Whether a counter is shown without asking how much it rose.
fn is_raw_counter(expression: &str) -> bool {
    let rises = ["increase(", "rate(", "irate("];
    expression.contains("_total") && !rises.iter().any(|rise| expression.contains(rise))
}

/// All that is given as a colour.
fn colours(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match value.as_str() {
                Some(colour) if key == "fixedColor" || key == "color" => vec![colour],
                _ => colours(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(colours).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_with(from: &str, to: &str) -> Vec<String> {
        let panel = |id: u64, x: u64| {
            serde_json::json!({
                "id": id, "title": "Level", "type": "stat", "gridPos": { "x": x, "y": 0, "w": 12, "h": 8 },
                "targets": [{ "expr": "increase(a_total{run=~\"$run\"}[5m])", "datasource": { "uid": "${datasource}" } }],
                "fieldConfig": { "defaults": { "thresholds": { "steps": [
                    { "color": "#0072B2", "value": null }, { "color": "#E69F00", "value": 1 }, { "color": "#D55E00", "value": 2 }] } } },
            })
        };
        let board = serde_json::json!({
            "uid": "a", "title": "A", "schemaVersion": 39,
            "templating": { "list": [{ "name": "datasource" }, { "name": "run" }] },
            "panels": [panel(1, 0), panel(2, 12)],
        });
        let text = serde_json::to_string(&board).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        let content = serde_json::from_str(&text.replacen(from, to, 1)).unwrap();
        problems(&[Board { name: "a".to_owned(), content }])
    }

    #[test]
    fn what_is_wrong_with_a_dashboard_is_said() {
        assert_eq!(problems_with("\"uid\":\"a\"", "\"uid\":\"a\""), [""; 0]);
        for (from, to, expected) in [
            ("\"uid\":\"a\"", "\"uid\":\"b\"", "uid"),
            ("\"id\":2", "\"id\":1", "id of its own"),
            ("\"x\":12", "\"x\":6", "lies on another"),
            ("\"x\":12", "\"x\":13", "grid"),
            ("\"stat\"", "\"graph\"", "type"),
            ("increase(", "(", "counter as it is"),
            ("$run", "$runs", "no variable runs"),
            ("${datasource}", "prometheus", "data source"),
            ("#0072B2", "red", "no colour"),
            ("\"value\":2", "\"value\":0.5", "thresholds rise"),
        ] {
            let found = problems_with(from, to);
            assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:?}");
        }
    }
}
