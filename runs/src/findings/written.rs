//! A report as a folder of files: figures, long tables, analysis.json and the page.

use std::path::{Path, PathBuf};

use resonetics_analysis::picture::Pictures;
use resonetics_analysis::report::{Report, page};

use crate::error::{self, Error};
use crate::files::{CsvFile, write_new};
use crate::interrupt;

/// Writes `report` into the folder `dir`: `figures/`, `tables/` where some are long, `analysis.json`, and `report.html` last,
/// for it has the notes on the pictures.
///
/// # Errors
/// A figure that cannot be drawn, a file that cannot be written, an interrupt.
pub fn write(dir: &Path, report: &mut Report) -> Result<(), Error> {
    let figures: PathBuf = dir.join("figures");
    std::fs::create_dir(&figures).map_err(error::io("create", &figures))?;
    let mut pictures = Pictures::default();
    for figure in report.parts.iter().flat_map(|part| &part.figures) {
        interrupt::check()?;
        write_new(&figures.join(format!("{}.svg", figure.name)), figure.wide.as_bytes())?;
        let pixels = pictures
            .png(&figure.wide)
            .map_err(|problem| Error::Failed(format!("cannot draw {}: {problem}", figure.name)))?;
        write_new(&figures.join(format!("{}.png", figure.name)), &pixels)?;
    }
    report.notes.extend(pictures.note());
    let long = report.long_tables();
    if !long.is_empty() {
        std::fs::create_dir(dir.join("tables")).map_err(error::io("create", &dir.join("tables")))?;
    }
    for (name, table) in long {
        interrupt::check()?;
        let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
        let mut csv = CsvFile::create(&dir.join(name), &columns)?;
        for row in &table.rows {
            csv.row(row.iter().map(|cell| cell.text.as_bytes()))?;
        }
        csv.finish()?;
    }
    let mut json = serde_json::to_vec_pretty(&report.json())
        .map_err(|error| Error::Failed(format!("cannot encode analysis.json: {error}")))?;
    json.push(b'\n');
    write_new(&dir.join("analysis.json"), &json)?;
    write_new(&dir.join("report.html"), page(report).as_bytes())
}
