//! The report as one HTML file that loads nothing.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Figure, Part, Report, Table, bounds};
use crate::chart::themed;

/// The style sheet with the colours of curves, by day and by night, for a page in which figures stand.
pub const COLOURS: &str = include_str!("colours.css");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// `report` as a page: light and dark, for a phone and for paper, without any other file.
pub fn page(report: &Report) -> String {
    let many = report.parts.len() > 1;
    let title = bounds::cell(&report.title);
    let fitting = report.fitting();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(COLOURS)) (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        p.mark { "Resonetics" }
                        h1 { (title) }
                        @if let Some(when) = report.when() { p.when { (when) } }
                        @if many {
                            nav aria-label="Contents" {
                                ol {
                                    @for (number, part) in (1..).zip(&report.parts) {
                                        li {
                                            a href={ "#part-" (number) } { (bounds::cell(&part.question)) }
                                            " " (bounds::sentence(&part.answer))
                                        }
                                    }
                                }
                            }
                        }
                    }
                    @for (number, part) in (1..).zip(&report.parts) { (section(report, &fitting, number, part)) }
                    @if !report.differences.is_empty() {
                        section {
                            h2 { "What differs between the runs" }
                            @for differences in &report.differences { (table(report, differences)) }
                        }
                    }
                    @if !report.notes.is_empty() {
                        section {
                            h2 { "Notes on the files" }
                            ul { @for note in bounds::first(&report.notes, bounds::NOTES) { li { (note) } } }
                        }
                    }
                    (runs(report))
                    footer { p { "This page: " code { (bounds::sentence(&report.made_by)) } ", resonetics " (report.version) "." } }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn section(report: &Report, fitting: &[&Figure], number: u32, part: &Part) -> Markup {
    html! {
        section id={ "part-" (number) } {
            h2 { (bounds::cell(&part.question)) }
            p.answer { (bounds::sentence(&part.answer)) }
            @for sentence in bounds::first(&part.sentences, bounds::SENTENCES) { p { (sentence) } }
            @for drawn in &part.figures {
                (figure(drawn, fitting.iter().any(|fits| std::ptr::eq(*fits, drawn))))
            }
            @for shown in &part.tables { (table(report, shown)) }
            @if !part.words.is_empty() {
                dl { @for (word, meaning) in part.words { dt { (word) } dd { (meaning) } } }
            }
        }
    }
}

fn figure(figure: &Figure, fits: bool) -> Markup {
    let caption = bounds::sentence(&figure.caption);
    html! {
        figure {
            @if fits {
                div.wide { (PreEscaped(themed(&figure.wide, &caption))) }
                div.narrow { (PreEscaped(themed(&figure.narrow, &caption))) }
            } @else {
                p { "This page would be too large with this figure: it is in " code { "figures/" (figure.name) ".svg" } "." }
            }
            figcaption { (caption) }
        }
    }
}

fn table(report: &Report, table: &Table) -> Markup {
    let (columns, rows) = table.shown(report.rows_of(table));
    let is_number: Vec<bool> = (0..columns.len()).map(|column| table.is_number(column)).collect();
    let class = |column: usize| is_number[column].then_some("number");
    let caption = bounds::sentence(&table.caption);
    html! {
        // The caption stands outside what scrolls, or a phone would cut it.
        p.caption { (caption) }
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                thead {
                    tr {
                        @for (column, name) in columns.iter().enumerate() {
                            th scope="col" class=[class(column)] { button type="button" { (bounds::cell(name)) } }
                        }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (column, cell) in row.iter().enumerate() {
                                td class=[class(column)] data-value=[cell.value] { (unbroken(&bounds::cell(&cell.text))) }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(cut) = report.cut(table) { p.cut { (cut) } }
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
    let listed = report.listed();
    html! {
        @if !commands.is_empty() {
            section {
                h2 { "To reproduce" }
                p {
                    "In this order, with the program as " code { "cargo build --release" } " makes it in "
                    code { "target/release" } " (the commit of each run is given below). Each writes a new folder: choose another "
                    code { "--out" } " where one is taken."
                }
                pre tabindex="0" { code { @for run in commands.iter().take(bounds::COMMANDS) { (bounds::sentence(&run.command)) "\n" } } }
                @if commands.len() > bounds::COMMANDS {
                    p { "These are the first " (bounds::COMMANDS) " of " (commands.len()) " commands; analysis.json has all." }
                }
            }
        }
        @if !report.runs.is_empty() {
            section {
                h2 { "Configuration" }
                @for (run, whole) in report.runs.iter().zip(&listed) {
                    details {
                        summary {
                            (bounds::cell(&run.name))
                            @if !run.status.is_empty() { " · " (bounds::cell(&run.status)) }
                        }
                        @if !run.made_by.is_empty() { p { (bounds::cell(&run.made_by)) } }
                        @if run.config.is_empty() {
                            p { "There is no config.toml next to its files." }
                        } @else if !whole {
                            p { "Its settings are in its config.toml and in analysis.json: this page would be too large with them." }
                        } @else {
                            pre tabindex="0" { code { (run.config) } }
                        }
                    }
                }
                @if listed.len() < report.runs.len() {
                    p { "And " (report.runs.len() - listed.len()) " more runs, all of which are in analysis.json." }
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
