//! What a file holds, by its header.

use super::table::shortened;
use super::{ReadError, Table, doses, episodes, garden, lifetimes, log};

/// What a file holds, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A garden, generation by generation (RULES section 2.3), with the column Flow or without it.
    Garden,
    /// The episodes of a benchmark.
    Episodes,
    /// A training of Prophet, update by update.
    Training,
    /// The drift experiment, step by step.
    Drift,
    /// Lives with and without the control layer.
    Lifetimes,
    /// Lives at several doses of drift.
    Doses,
}

impl Kind {
    const ALL: [Kind; 6] =
        [Kind::Garden, Kind::Episodes, Kind::Training, Kind::Drift, Kind::Lifetimes, Kind::Doses];

    /// The name that the program gives to such a file.
    pub const fn file(self) -> &'static str {
        match self {
            Kind::Garden => "resonetics_data.csv",
            Kind::Episodes => "episodes.csv",
            Kind::Training => "training.csv",
            Kind::Drift => "drift.csv",
            Kind::Lifetimes => "lifetimes.csv",
            Kind::Doses => "lives.csv",
        }
    }

    /// The columns without which it is no such file.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Kind::Garden => &garden::COLUMNS,
            Kind::Episodes => &episodes::COLUMNS,
            Kind::Training => &log::TRAINING,
            Kind::Drift => &log::DRIFT,
            Kind::Lifetimes => &lifetimes::COLUMNS,
            Kind::Doses => &doses::COLUMNS,
        }
    }

    /// Files of the program that sum up: their first columns, what they are, and where the rows behind
    /// them are.
    const SUMMARIES: [(&[&str], &str, Kind); 6] = [
        (&["agent", "episodes", "return_mean"], "benchmark.csv of `benchmark`", Kind::Episodes),
        (&["run", "seed", "generations", "lost_at"], "summary.csv of `gardener`", Kind::Garden),
        (&["world", "agent", "episodes", "horizon"], "summary.csv of `controls`", Kind::Lifetimes),
        (&["world", "control", "time", "at_risk"], "survival.csv of `controls`", Kind::Lifetimes),
        (&["agent", "dose", "episodes"], "doses.csv of `limit`", Kind::Doses),
        (&["agent", "limit", "low", "high"], "limits.csv of `limit`", Kind::Doses),
    ];

    /// What `table` holds.
    ///
    /// # Errors
    /// [`ReadError::Line`] or [`ReadError::Cell`] for a header that none of the kinds has, with what is
    /// nearest.
    pub fn of(table: &Table) -> Result<Kind, ReadError> {
        let header = table.header();
        if header == garden::columns(true) || header == garden::columns(false) {
            return Ok(Kind::Garden);
        }
        let has = |column: &&&str| header.iter().any(|name| name == **column);
        let known = |kind: Kind| kind.columns().iter().filter(has).count();
        let mut rest = Kind::ALL.into_iter().filter(|&kind| kind != Kind::Garden);
        if let Some(kind) = rest.find(|&kind| known(kind) == kind.columns().len()) {
            return Ok(kind);
        }
        let summary =
            Kind::SUMMARIES.into_iter().find(|(first, ..)| header.iter().take(first.len()).eq(*first));
        if let Some((_, name, rows)) = summary {
            let problem = format!(
                "is the {name}, a summary; give the rows behind it, in {} of the same run, or the run's folder",
                rows.file()
            );
            return Err(table.at(1, problem));
        }
        Err(table.at(1, Kind::unknown(header)))
    }

    /// Why a header is that of no kind.
    fn unknown(header: &[String]) -> String {
        let line = header.join(",");
        let separator = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")];
        if let Some((_, name)) = separator.iter().find(|(mark, _)| line.matches(*mark).count() >= 2) {
            return format!("the cells are separated by {name}; commas are needed");
        }
        if 2 * header.iter().filter(|cell| cell.parse::<f64>().is_ok()).count() > header.len() {
            let first = match header.len() {
                11 | 12 => garden::columns(header.len() == 12).join(","),
                _ => Kind::headers(),
            };
            return format!(
                "there is no header: the first line holds values; put this line before it: {first}"
            );
        }
        // Nearness does not see the difference of upper and lower case.
        let has = |column: &str| header.iter().any(|name| name.eq_ignore_ascii_case(column));
        let known = |kind: Kind| kind.columns().iter().filter(|column| has(column)).count();
        let nearest = Kind::ALL.into_iter().max_by_key(|&kind| 100 * known(kind) / kind.columns().len());
        match nearest.filter(|&kind| 2 * known(kind) > kind.columns().len()) {
            Some(Kind::Garden) => wrong_garden(header),
            Some(kind) => {
                let written = |column: &&&str| !header.iter().any(|name| name == **column);
                let missing: Vec<&str> = kind.columns().iter().filter(written).copied().collect();
                format!("is like {} without the column `{}`", kind.file(), missing.join("`, `"))
            }
            None => format!(
                "`{}` is not the header of a file that can be read; these are: {}",
                shortened(&line),
                Kind::headers()
            ),
        }
    }

    /// How the headers begin that can be read.
    fn headers() -> String {
        Kind::ALL.map(|kind| format!("{} ({},…)", kind.file(), kind.columns()[..3].join(","))).join("; ")
    }
}

/// Where a header that is nearly a garden's departs from it.
fn wrong_garden(header: &[String]) -> String {
    let expected = garden::columns(header.iter().any(|name| name.eq_ignore_ascii_case("Flow")));
    let problem = match header.iter().zip(&expected).position(|(found, expected)| found != expected) {
        Some(at) => format!("column {} is `{}` where `{}` belongs", at + 1, header[at], expected[at]),
        None => format!("has {} columns where {} belong", header.len(), expected.len()),
    };
    format!("{problem}; the columns of {} are {}", Kind::Garden.file(), expected.join(","))
}
