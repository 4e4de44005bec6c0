//! The report as one HTML file that loads nothing.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Figure, Part, Report, Table};
use crate::chart::themed;

/// The style sheet with the colours of curves, by day and by night, for a page in which figures stand.
pub const COLOURS: &str = include_str!("colours.css");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// `report` as a page: light and dark, for a phone and for paper, without any other file.
pub fn page(report: &Report) -> String {
    let many = report.parts.len() > 1;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.title) }
                style { (PreEscaped(COLOURS)) (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        p.mark { "Resonetics" }
                        h1 { (report.title) }
                        @if let Some(when) = report.when() { p.when { (when) } }
                        @if many {
                            nav aria-label="Contents" {
                                ol {
                                    @for (number, part) in (1..).zip(&report.parts) {
                                        li {
                                            a href={ "#part-" (number) } { (part.question) }
                                            " " (part.answer)
                                        }
                                    }
                                }
                            }
                        }
                    }
                    @for (number, part) in (1..).zip(&report.parts) { (section(number, part)) }
                    @if !report.differences.is_empty() {
                        section {
                            h2 { "What differs between the runs" }
                            @for differences in &report.differences { (table(differences)) }
                        }
                    }
                    @if !report.notes.is_empty() {
                        section {
                            h2 { "Notes on the files" }
                            ul { @for note in &report.notes { li { (note) } } }
                        }
                    }
                    (runs(report))
                    footer { p { "This page: " code { (report.made_by) } ", resonetics " (report.version) "." } }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn section(number: u32, part: &Part) -> Markup {
    html! {
        section id={ "part-" (number) } {
            h2 { (part.question) }
            p.answer { (part.answer) }
            @for sentence in &part.sentences { p { (sentence) } }
            @for drawn in &part.figures { (figure(drawn)) }
            @for shown in &part.tables { (table(shown)) }
            @if !part.words.is_empty() {
                dl { @for (word, meaning) in part.words { dt { (word) } dd { (meaning) } } }
            }
        }
    }
}

fn figure(figure: &Figure) -> Markup {
    html! {
        figure {
            div.wide { (PreEscaped(themed(&figure.wide, &figure.caption))) }
            div.narrow { (PreEscaped(themed(&figure.narrow, &figure.caption))) }
            figcaption { (figure.caption) }
        }
    }
}

fn table(table: &Table) -> Markup {
    let is_number =
        |column: usize| table.rows.iter().filter_map(|row| row.get(column)).any(|cell| cell.value.is_some());
    let class = |column: usize| is_number(column).then_some("number");
    html! {
        // The caption stands outside what scrolls, or a phone would cut it.
        p.caption { (table.caption) }
        div.scroll tabindex="0" role="region" aria-label=(table.caption) {
            table {
                thead {
                    tr {
                        @for (column, name) in table.columns.iter().enumerate() {
                            th scope="col" class=[class(column)] { button type="button" { (name) } }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (column, cell) in row.iter().enumerate() {
                                td class=[class(column)] data-value=[cell.value] { (unbroken(&cell.text)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// An interval behind its number goes into the next line as a whole.
fn unbroken(text: &str) -> Markup {
    match text.split_once(" (") {
        Some((number, interval)) if text.ends_with(')') => {
            html! { (number) " " span.interval { "(" (interval) } }
        }
        _ => html! { (text) },
    }
}

fn runs(report: &Report) -> Markup {
    // A benchmark may need a training that came before it.
    let mut commands: Vec<_> = report.runs.iter().filter(|run| !run.command.is_empty()).collect();
    commands.sort_by(|a, b| a.started_at.cmp(&b.started_at));
    html! {
        @if !commands.is_empty() {
            section {
                h2 { "To reproduce" }
                p {
                    "In this order, with the program as " code { "cargo build --release" } " makes it in "
                    code { "target/release" } " (the commit of each run stands below). Each writes a new folder: choose another "
                    code { "--out" } " where one is taken."
                }
                pre tabindex="0" { code { @for run in commands { (run.command) "\n" } } }
            }
        }
        @if !report.runs.is_empty() {
            section {
                h2 { "Configuration" }
                @for run in &report.runs {
                    details {
                        summary {
                            (run.name)
                            @if !run.status.is_empty() { " · " (run.status) }
                        }
                        @if !run.made_by.is_empty() { p { (run.made_by) } }
                        @if run.config.is_empty() {
                            p { "No config.toml stands beside its files." }
                        } @else {
                            pre tabindex="0" { code { (run.config) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::table;
    use super::super::{Cell, Figure, Part, Report, Run, Table};
    use super::*;

    #[test]
    fn the_page_escapes_what_it_is_told_and_loads_nothing() {
        let evil = "<img src=http://x.example/y onerror=alert(1)>".to_owned();
        let mut evil_table = Table::new(evil.clone(), &[&evil]);
        evil_table.rows.push(vec![Cell::text(evil.clone())]);
        let part = Part {
            question: evil.clone(),
            answer: evil.clone(),
            sentences: vec![evil.clone()],
            figures: vec![Figure {
                name: evil.clone(),
                caption: evil.clone(),
                wide: "<svg a>".into(),
                narrow: "<svg b>".into(),
            }],
            tables: vec![table(), evil_table.clone()],
            words: &[("<img>", "<img>")],
            findings: serde_json::Value::Null,
        };
        let run = Run {
            name: evil.clone(),
            command: evil.clone(),
            made_by: evil.clone(),
            started_at: evil.clone(),
            status: evil.clone(),
            config: evil.clone(),
        };
        let report = Report {
            title: evil.clone(),
            parts: vec![part],
            runs: vec![run],
            differences: vec![evil_table],
            notes: vec![evil.clone()],
            made_by: evil.clone(),
            version: evil,
        };
        let page = page(&report);
        assert!(!page.contains("<img"), "{page}");
        assert!(page.matches("&lt;img").count() >= 20, "{page}");
        assert!(page.contains("<dt>&lt;img&gt;</dt>"), "{page}");
        for loading in ["src=\"", "<link", "@import", "url(", "fetch(", "href=\"http"] {
            assert!(!page.contains(loading), "{loading}");
        }
        assert!(page.contains("planner &amp; co") && page.contains("data-value=\"12.5\""));
    }
}
