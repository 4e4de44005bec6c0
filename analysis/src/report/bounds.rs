//! How much of a report a page and a terminal show, whatever it is of: the rest is in files beside them.

use super::{Cell, Figure, Report, Table};
use crate::chart::visible;

/// A table of more rows, or columns, is in a file beside the page, which shows so many.
const ROWS: usize = 100;
const COLUMNS: usize = 16;
/// Sentences, notes and commands that are shown; `analysis.json` has all.
pub(super) const SENTENCES: usize = 12;
pub(super) const NOTES: usize = 40;
pub(super) const COMMANDS: usize = 100;
/// Bytes of all figures of a page, of all its tables, and of all configurations: together with the rest it
/// stays below 5 MB.
const FIGURES: usize = 2_200_000;
const TABLES: usize = 1_000_000;
const CONFIGURATIONS: usize = 400_000;
/// Runs that have a line of their own in a page.
const RUNS: usize = 500;
/// Letters of a cell and of a sentence.
const CELL: usize = 160;
const SENTENCE: usize = 2_000;
/// Bytes around a cell.
const MARKUP: usize = 40;

impl Report {
    /// The tables that are longer than a page shows, each with the name of its file.
    pub fn long_tables(&self) -> Vec<(String, &Table)> {
        let long = self.tables().into_iter().enumerate().filter(|(_, (table, rows))| table.is_cut(*rows));
        long.map(|(number, (table, _))| (file_name(number + 1), table)).collect()
    }

    /// All tables, each with how many of its rows a page shows.
    fn tables(&self) -> Vec<(&Table, usize)> {
        let mut left = TABLES;
        let all = self.parts.iter().flat_map(|part| &part.tables).chain(&self.differences);
        let rows = |table: &Table| {
            let bytes = |row: &Vec<Cell>| {
                row.iter().take(COLUMNS).map(|cell| escaped(&self::cell(&cell.text)) + MARKUP).sum()
            };
            table.rows.iter().take(ROWS).take_while(|row| taken(&mut left, bytes(row))).count()
        };
        let mut rows = rows;
        all.map(|table| (table, rows(table))).collect()
    }

    /// How many rows of `table`, one of the report's, are shown.
    pub(super) fn rows_of(&self, table: &Table) -> usize {
        let tables = self.tables();
        tables.iter().find(|(own, _)| std::ptr::eq(*own, table)).map_or(ROWS, |(_, rows)| *rows)
    }

    /// What stands below `table`, one of the report's, where it is not shown whole.
    pub(super) fn cut(&self, table: &Table) -> Option<String> {
        let tables = self.tables();
        let number = tables.iter().position(|(own, _)| std::ptr::eq(*own, table))?;
        let of = |what: &str, shown: usize, all: usize| {
            (all > shown).then(|| format!("the first {shown} of {all} {what}"))
        };
        let cut =
            [of("rows", tables[number].1, table.rows.len()), of("columns", COLUMNS, table.columns.len())];
        let cut: Vec<String> = cut.into_iter().flatten().collect();
        (!cut.is_empty()).then(|| {
            format!(
                "These are {}; `resonetics report` and `analyze` write the complete table to {} next to the page.",
                cut.join(" and "),
                file_name(number + 1)
            )
        })
    }

    /// The figures that fit into a page, from the first on.
    pub(super) fn fitting(&self) -> Vec<&Figure> {
        let mut left = FIGURES;
        let figures = self.parts.iter().flat_map(|part| &part.figures);
        figures.filter(|figure| taken(&mut left, figure.wide.len() + figure.narrow.len())).collect()
    }

    /// How many runs a page lists, and which of them with their configurations.
    pub(super) fn listed(&self) -> Vec<bool> {
        let mut left = CONFIGURATIONS;
        self.runs.iter().take(RUNS).map(|run| taken(&mut left, escaped(&run.config))).collect()
    }
}

/// Takes `bytes` of what is `left`, where there are so many.
fn taken(left: &mut usize, bytes: usize) -> bool {
    let fits = bytes <= *left;
    *left -= if fits { bytes } else { 0 };
    fits
}

fn file_name(number: usize) -> String {
    format!("tables/table-{number}.csv")
}

/// Bytes of `text` in a page.
fn escaped(text: &str) -> usize {
    text.len() + 5 * text.bytes().filter(|byte| b"<>&\"".contains(byte)).count()
}

impl Table {
    fn is_cut(&self, rows: usize) -> bool {
        self.rows.len() > rows || self.columns.len() > COLUMNS
    }

    /// The columns, and the first `rows` of the rows, that are shown.
    pub(super) fn shown(&self, rows: usize) -> (&[String], impl Iterator<Item = &[Cell]>) {
        let columns = &self.columns[..self.columns.len().min(COLUMNS)];
        (columns, self.rows.iter().take(rows.min(ROWS)).map(|row| &row[..row.len().min(COLUMNS)]))
    }
}

/// `text` as a cell shows it.
pub(super) fn cell(text: &str) -> String {
    clipped(&visible(text), CELL)
}

/// `text` as a page and a terminal show it.
pub(super) fn sentence(text: &str) -> String {
    clipped(text, SENTENCE)
}

/// The first of `sentences`, and one that says how many more there are, and where.
pub(super) fn first(sentences: &[String], most: usize) -> Vec<String> {
    let mut shown: Vec<String> = sentences.iter().take(most).map(|text| sentence(text)).collect();
    if sentences.len() > most {
        shown.push(format!("And {} more, all of which are in analysis.json.", sentences.len() - most));
    }
    shown
}

/// `text` of at most `most` letters: what is longer loses its middle.
fn clipped(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let end = most / 3;
    let start: String = text.chars().take(most - end - 1).collect();
    format!("{start}…{}", text.chars().skip(count - end).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::{Part, Run, page};
    use super::*;

    /// Thousands of everything, each larger than any run makes it.
    fn monster() -> Report {
        let long = |number: usize| format!("{number} {}", "name & <more> ".repeat(500));
        let row = |row: usize| (0..60).map(|column| Cell::text(long(row + column))).collect();
        let table = || Table {
            caption: long(1),
            columns: (0..60).map(long).collect(),
            rows: (0..120).map(row).collect(),
        };
        let figure = |number: usize| Figure {
            name: format!("figure-{number}"),
            caption: long(number),
            wide: format!("<svg >{}</svg>", "<g></g>".repeat(20_000)),
            narrow: "<svg ></svg>".to_owned(),
        };
        let part = |_: usize| Part {
            question: long(1),
            answer: long(9).repeat(100),
            sentences: (0..3_000).map(long).collect(),
            figures: (0..30).map(figure).collect(),
            tables: vec![table(), table()],
            ..Part::default()
        };
        let run = |number: usize| Run {
            name: long(number),
            command: long(number),
            made_by: long(number),
            status: "finished".to_owned(),
            config: format!("x = {number}\n").repeat(300),
            ..Run::default()
        };
        Report {
            title: long(1),
            parts: (0..3).map(part).collect(),
            runs: (0..3_000).map(run).collect(),
            differences: vec![table()],
            notes: (0..3_000).map(long).collect(),
            ..Report::default()
        }
    }

    #[test]
    fn a_page_stays_below_five_megabytes() {
        let report = monster();
        let page = page(&report);
        assert!(page.len() < 5_000_000, "{} bytes", page.len());
        assert!(page.ends_with("</html>"));
        let names: Vec<String> = report.long_tables().into_iter().map(|(name, _)| name).collect();
        assert_eq!((names.len(), names[6].as_str()), (7, "tables/table-7.csv"));
        for said in [
            " of 120 rows and the first 16 of 60 columns",
            "tables/table-7.csv",
            "And 2988 more, all of which are in analysis.json.",
            "And 2960 more, all of which are in analysis.json.",
            "figures/figure-29.svg",
            "And 2500 more runs",
        ] {
            assert!(page.contains(said), "no {said}");
        }
        let text = report.text();
        assert!(text.len() < 3_000_000, "{} bytes", text.len());
        assert_eq!(text.matches(" of 120 rows and the first 16 of 60 columns").count(), 7);
    }

    /// What fits is shown whole, as ever.
    #[test]
    fn a_small_report_is_whole() {
        let row = |row: usize| vec![Cell::text(format!("row {row}")), Cell::count(row as u64)];
        let table = Table {
            caption: "c".to_owned(),
            columns: vec!["a".to_owned(), "b".to_owned()],
            rows: (0..100).map(row).collect(),
        };
        let report = Report { differences: vec![table], ..Report::default() };
        assert!(report.long_tables().is_empty());
        assert!(page(&report).contains("row 99") && report.text().contains("row 99"));
        assert!(!page(&report).contains("These are the first"));
    }

    #[test]
    fn what_is_too_long_loses_its_middle() {
        assert_eq!(clipped("0123456789", 10), "0123456789");
        assert_eq!(clipped("0123456789x", 7), "0123…9x");
        assert_eq!(cell("a\u{200b}b"), "a\\u{200b}b");
    }
}
