//! A report: what was asked, the answer, figures, tables; as text for a terminal and as one HTML page.

mod html;

pub use html::{COLOURS, page};

use serde::Serialize;
use serde_json::Value;

use crate::chart::{ChartError, Size};
use crate::stats::Interval;

/// Everything that a report says.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What it is about.
    pub title: String,
    /// What was looked at, part by part.
    pub parts: Vec<Part>,
    /// The runs that the files come from.
    pub runs: Vec<Run>,
    /// Settings in which the runs differ.
    pub differences: Vec<Table>,
    /// What the reader should know of the files: cut lines, assumptions.
    pub notes: Vec<String>,
    /// The command that makes this report again, and the program's version.
    pub made_by: String,
}

/// One question with its answer and what the answer rests on.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// What was asked.
    pub question: String,
    /// The answer, in a sentence or two.
    pub answer: String,
    /// What else there is to say.
    pub sentences: Vec<String>,
    /// Its figures.
    pub figures: Vec<Figure>,
    /// Its tables.
    pub tables: Vec<Table>,
    /// The findings as data, for `analysis.json`.
    pub findings: Value,
}

/// A figure in both sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// File name without extension.
    pub name: String,
    /// What it shows.
    pub caption: String,
    /// SVG for a page.
    pub wide: String,
    /// SVG for a phone.
    pub narrow: String,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Its columns, with units.
    pub columns: Vec<String>,
    /// Its rows, each with as many cells.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// What is shown.
    pub text: String,
    /// What it sorts by, if it is a number.
    pub value: Option<f64>,
}

/// Where files come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Run {
    /// Its folder.
    pub name: String,
    /// What made it, ready to be typed; empty if unknown.
    pub command: String,
    /// Version, commit, machine; empty if unknown.
    pub made_by: String,
    /// When it started, in UTC; empty if unknown. Texts sort as times do.
    pub started_at: String,
    /// How it ended; empty if unknown.
    pub status: String,
    /// The whole config.toml; empty if there is none.
    pub config: String,
}

impl Figure {
    /// Draws both sizes.
    ///
    /// # Errors
    /// That of `draw`.
    pub fn new(
        name: impl Into<String>,
        caption: impl Into<String>,
        draw: impl Fn(Size) -> Result<String, ChartError>,
    ) -> Result<Figure, ChartError> {
        let (wide, narrow) = (draw(Size::Wide)?, draw(Size::Narrow)?);
        Ok(Figure { name: name.into(), caption: caption.into(), wide, narrow })
    }
}

impl Cell {
    /// A text.
    pub fn text(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), value: None }
    }

    /// A number with so many decimals; a dash where there is none.
    pub fn number(value: Option<f64>, decimals: usize) -> Cell {
        match value.filter(|value| value.is_finite()) {
            Some(value) => Cell { text: format!("{value:.decimals$}"), value: Some(value) },
            None => Cell::text("–"),
        }
    }

    /// A count.
    pub fn count(count: u64) -> Cell {
        Cell { text: count.to_string(), value: Some(count as f64) }
    }

    /// A share in [0, 1], shown in percent.
    pub fn share(share: Option<f64>) -> Cell {
        let cell = Cell::number(share.map(|share| 100.0 * share), 1);
        if cell.value.is_some() { Cell { text: format!("{}%", cell.text), ..cell } } else { cell }
    }

    /// An interval; it sorts by its lower end.
    pub fn interval(interval: Option<Interval>, decimals: usize) -> Cell {
        interval.map_or_else(
            || Cell::text("–"),
            |Interval { low, high }| Cell {
                text: format!("{low:.decimals$} to {high:.decimals$}"),
                value: Some(low),
            },
        )
    }

    /// A p-value.
    pub fn p(p: Option<f64>) -> Cell {
        p.map_or_else(|| Cell::text("–"), |p| Cell { text: p_text(p), value: Some(p) })
    }
}

/// A p-value as it is written.
pub fn p_text(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

/// `text` with a large first letter.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl Table {
    /// A table without rows.
    pub fn new(caption: impl Into<String>, columns: &[&str]) -> Table {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Table { caption: caption.into(), columns, rows: Vec::new() }
    }

    /// The table for a terminal: numbers to the right, texts to the left.
    pub fn text(&self) -> String {
        let length = |text: &str| text.chars().count();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| length(&cell.text));
            cells.chain([length(&self.columns[column])]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let is_number = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).any(|cell| cell.value.is_some())
        };
        let line = |cells: Vec<&str>| {
            let padded = cells.iter().enumerate().map(|(column, text)| {
                let room = " ".repeat(widths[column].saturating_sub(length(text)));
                if is_number(column) { format!("{room}{text}") } else { format!("{text}{room}") }
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        let mut text = format!("{}\n", self.caption);
        text += &line(self.columns.iter().map(String::as_str).collect());
        for row in &self.rows {
            text += &line(row.iter().map(|cell| cell.text.as_str()).collect());
        }
        text
    }
}

impl Report {
    /// The report for a terminal: questions, answers, tables, notes.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            text += &format!("{}\n  {}\n", part.question, part.answer);
            for sentence in &part.sentences {
                text += &format!("  {sentence}\n");
            }
            text += "\n";
            for table in &part.tables {
                text += &format!("{}\n", table.text());
            }
        }
        for table in &self.differences {
            text += &format!("{}\n", table.text());
        }
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        text
    }

    /// The findings as JSON: what was asked and answered, the data behind it, runs and notes.
    pub fn json(&self) -> Value {
        let part = |part: &Part| {
            serde_json::json!({
                "question": part.question,
                "answer": part.answer,
                "remarks": part.sentences,
                "findings": part.findings,
                "figures": part.figures.iter().map(|figure| &figure.name).collect::<Vec<_>>(),
            })
        };
        serde_json::json!({
            "title": self.title,
            "made_by": self.made_by,
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
            "runs": self.runs,
            "notes": self.notes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn table() -> Table {
        let mut table = Table::new("lives <of> two", &["agent", "life, steps"]);
        table.rows.push(vec![Cell::text("planner & co"), Cell::number(Some(12.5), 1)]);
        table.rows.push(vec![Cell::text("random"), Cell::number(Some(f64::NAN), 1)]);
        table
    }

    #[test]
    fn a_table_is_aligned() {
        let lines = [
            "lives <of> two",
            "agent         life, steps",
            "planner & co         12.5",
            "random                  –",
        ];
        assert_eq!(table().text(), lines.join("\n") + "\n");
    }

    #[test]
    fn cells_say_what_there_is() {
        assert_eq!(Cell::share(Some(0.125)).text, "12.5%");
        assert_eq!(Cell::share(None), Cell::text("–"));
        assert_eq!(Cell::p(Some(0.0001)).text, "<0.001");
        assert_eq!(Cell::interval(Some(Interval { low: -1.0, high: 2.0 }), 1).text, "-1.0 to 2.0");
    }
}
