//! The report for a terminal.

use unicode_width::UnicodeWidthStr;

use super::{Report, Table, bounds};

impl Table {
    /// The table for a terminal, as much of it as a page shows: numbers to the right, texts to the left.
    pub fn text(&self) -> String {
        self.text_of(usize::MAX)
    }

    /// As [`Table::text`], with `rows` at most.
    fn text_of(&self, rows: usize) -> String {
        let (columns, rows) = self.shown(rows);
        let rows: Vec<Vec<String>> =
            rows.map(|row| row.iter().map(|cell| bounds::cell(&cell.text)).collect()).collect();
        let columns: Vec<String> = columns.iter().map(|name| bounds::cell(name)).collect();
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
            cells.chain([columns[column].width()]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns.len()).map(width).collect();
        let is_number: Vec<bool> = (0..columns.len()).map(|column| self.is_number(column)).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().enumerate().map(|(column, text)| {
                let room = " ".repeat(widths[column].saturating_sub(text.width()));
                if is_number[column] { format!("{room}{text}") } else { format!("{text}{room}") }
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        let mut text = format!("{}\n", bounds::sentence(&self.caption));
        text += &line(&columns);
        for row in &rows {
            text += &line(row);
        }
        text
    }
}

impl Report {
    /// The report for a terminal: questions, answers, tables, notes.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let table = |table: &Table| {
            let cut = self.cut(table).map(|cut| format!("{cut}\n")).unwrap_or_default();
            format!("{}{cut}\n", table.text_of(self.rows_of(table)))
        };
        for part in &self.parts {
            text += &format!("{}\n  {}\n", part.question, bounds::sentence(&part.answer));
            for sentence in bounds::first(&part.sentences, bounds::SENTENCES) {
                text += &format!("  {sentence}\n");
            }
            text += "\n";
            part.tables.iter().for_each(|shown| text += &table(shown));
        }
        self.differences.iter().for_each(|shown| text += &table(shown));
        for note in bounds::first(&self.notes, bounds::NOTES) {
            text += &format!("note: {note}\n");
        }
        text
    }
}
