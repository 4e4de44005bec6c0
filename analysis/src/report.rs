//! A report: what was asked, the answer, figures, tables; as text for a terminal and as one HTML page.

mod bounds;
mod html;
mod text;

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
    /// The command that makes this report again.
    pub made_by: String,
    /// The program's version.
    pub version: String,
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
    /// Words that not every reader knows, with their meanings.
    pub words: &'static [(&'static str, &'static str)],
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
            Some(value) => Cell { text: decimal(value, decimals), value: Some(value) },
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
        let text = match cell.value {
            None => return cell,
            Some(percent) if percent > 0.0 && percent < 0.05 => "<0.1%".to_owned(),
            Some(percent) if (99.95..100.0).contains(&percent) => ">99.9%".to_owned(),
            Some(_) => format!("{}%", cell.text),
        };
        Cell { text, ..cell }
    }

    /// A number with its interval, where there is one.
    pub fn estimate(value: Option<f64>, interval: Option<Interval>, decimals: usize) -> Cell {
        let cell = Cell::number(value, decimals);
        match interval.filter(|_| cell.value.is_some()) {
            None => cell,
            Some(Interval { low, high }) => {
                let text =
                    format!("{} ({} to {})", cell.text, decimal(low, decimals), decimal(high, decimals));
                Cell { text, ..cell }
            }
        }
    }

    /// What a number was and what it becomes; it sorts by the latter.
    pub fn change(from: Option<f64>, to: Option<f64>, decimals: usize) -> Cell {
        let [from, to] = [from, to].map(|value| Cell::number(value, decimals));
        Cell { text: format!("{} → {}", from.text, to.text), ..to }
    }

    /// A p-value.
    pub fn p(p: Option<f64>) -> Cell {
        p.map_or_else(|| Cell::text("–"), |p| Cell { text: p_text(p), value: Some(p) })
    }
}

/// With so many decimals, and numbers that would fill a line with a power of ten.
fn decimal(value: f64, decimals: usize) -> String {
    if value.abs() >= 1e12 { format!("{value:.3e}") } else { format!("{value:.decimals$}") }
}

/// A p-value as it is written.
pub fn p_text(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

/// A count with its thousands apart: 1,234,567.
pub fn thousands(count: f64) -> String {
    let digits = format!("{count:.0}");
    let (sign, digits) = digits.split_at(usize::from(digits.starts_with('-')));
    let mut text = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digits.len() < 16 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many there are of what is called `one` or `several`: 1 life, 2 lives.
pub fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// The name of trainings that differ in their seeds alone.
pub(crate) fn of_seeds(members: &[String]) -> String {
    match members {
        [one] => one.clone(),
        [first, _, _, _, ..] => format!("{first} and {} other seeds", members.len() - 1),
        few => format!("{} ({} seeds)", few.join(", "), few.len()),
    }
}

/// The first of `sentences`, each behind a space, and how many more there are.
pub fn some_of(sentences: &[String]) -> String {
    const SAID: usize = 3;
    let more = sentences.len().saturating_sub(SAID);
    let mut text = String::new();
    for sentence in sentences.iter().take(SAID) {
        text += " ";
        text += sentence;
    }
    if more > 0 {
        text += &format!(" The same holds for {more} more: see the notes.");
    }
    text
}

/// The first of `names`, and how many more there are.
pub(crate) fn listed(names: &[&str]) -> String {
    match names {
        [first, second, _, others @ ..] if !others.is_empty() => {
            format!("{first}, {second} and {} more", others.len() + 1)
        }
        _ => names.join(", "),
    }
}

/// The first `most` of `texts`, and that the table has the others, which are so many `what`.
pub fn at_most(most: usize, texts: &[String], separator: &str, what: &str) -> String {
    let shown = texts[..texts.len().min(most)].join(separator);
    match texts.len().saturating_sub(most) {
        0 => shown,
        more => {
            let and = if separator == " " { "And" } else { "and" };
            format!("{shown}{separator}{and} {more} more {what}, all of which are in the table.")
        }
    }
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

    /// Whether a column has a number in it.
    fn is_number(&self, column: usize) -> bool {
        self.rows.iter().filter_map(|row| row.get(column)).any(|cell| cell.value.is_some())
    }
}

impl Report {
    /// How many runs, and on which days they started; `None` where no run says.
    fn when(&self) -> Option<String> {
        let day = |run: &Run| run.started_at.get(..10).map(str::to_owned);
        let mut days: Vec<String> = self.runs.iter().filter_map(day).collect();
        days.sort();
        let (first, last) = (days.first()?, days.last()?);
        let count =
            if self.runs.len() == 1 { "1 run".to_owned() } else { format!("{} runs", self.runs.len()) };
        Some(if first == last {
            format!("{count} of {first}")
        } else {
            format!("{count}, {first} to {last}")
        })
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
            "version": self.version,
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
    fn a_report_says_of_when_it_is() {
        let of = |days: &[&str]| {
            let run = |day: &&str| Run { started_at: (*day).to_owned(), ..Run::default() };
            Report { runs: days.iter().map(run).collect(), ..Report::default() }.when()
        };
        assert_eq!(of(&["2026-02-03T10:00:00Z"]).unwrap(), "1 run of 2026-02-03");
        assert_eq!(of(&["2026-02-03T10:00:00Z", "2026-02-03T11:00:00Z"]).unwrap(), "2 runs of 2026-02-03");
        assert_eq!(
            of(&["2026-03-01T10:00:00Z", "2026-02-03T11:00:00Z"]).unwrap(),
            "2 runs, 2026-02-03 to 2026-03-01"
        );
        assert_eq!(of(&["", "2026"]), None);
    }

    #[test]
    fn one_is_not_called_several() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "life", "lives")), ["0 lives", "1 life", "2 lives"]);
        let of = |names: &[&str]| of_seeds(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["a"]), "a");
        assert_eq!(of(&["a", "b", "c"]), "a, b, c (3 seeds)");
        assert_eq!(of(&["a", "b", "c", "d"]), "a and 3 other seeds");
    }

    #[test]
    fn counts_are_written_with_their_thousands() {
        let of = [0.0, 999.0, 1000.0, 65_536.0, 2_000_000.0, -1234.0, 1e30].map(thousands);
        assert_eq!(of[..6], ["0", "999", "1,000", "65,536", "2,000,000", "-1,234"]);
        assert!(!of[6].contains(','));
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
        assert_eq!(
            [0.0, 0.000_4, 0.999_6, 1.0].map(|share| Cell::share(Some(share)).text),
            ["0.0%", "<0.1%", ">99.9%", "100.0%"]
        );
        let interval = Some(Interval { low: -1.0, high: 2.0 });
        assert_eq!(Cell::estimate(Some(0.5), interval, 1).text, "0.5 (-1.0 to 2.0)");
        assert_eq!(Cell::estimate(None, interval, 1), Cell::text("–"));
        assert_eq!(Cell::change(Some(1.0), None, 0), Cell { text: "1 → –".to_owned(), value: None });
        assert_eq!(Cell::number(Some(-1.5e200), 2).text, "-1.500e200");
    }
}
