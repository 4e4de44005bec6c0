//! What is known of a run, from its files.

use std::path::{Path, PathBuf};

use resonetics_analysis::report::Part;
use resonetics_runs::inputs::Inputs;
use resonetics_runs::run_dir::read_record;
use resonetics_runs::{Error, findings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::archive::Archive;
use crate::told::Told;

/// The most sentences of a headline.
const SENTENCES: usize = 3;
/// The most headlines that are shown.
const SHOWN: usize = 3;
/// The most bytes of a headline's numbers: more are in `analyze`.
const NUMBERS: usize = 64 << 10;

/// What a context is of.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The run's folder.
    pub folder: &'a Path,
    /// Its name.
    pub name: &'a str,
    /// How the run ended.
    pub state: &'a str,
    /// The folder of archives, where somebody asks for them.
    pub archives: Option<&'a Archive>,
}

/// What is known of a run. What is not known is null, or not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Which run it is.
    pub run: Run,
    /// What `analyze` says, a headline a question.
    pub headlines: Vec<Headline>,
    /// What its log of events tells.
    pub told: Told,
    /// Its archives, where somebody asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archives: Option<Vec<Archived>>,
}

/// What `run.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// What was run.
    pub command: Option<String>,
    /// Its seed, as text: readers make doubles of numbers.
    pub seed: Option<String>,
    /// The program's version.
    pub version: Option<String>,
    /// The program's commit.
    pub commit: Option<String>,
    /// How often it was gone on with.
    pub resumed: usize,
}

/// An answer of `analyze`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Headline {
    /// What is asked.
    pub question: String,
    /// The answer, with intervals where they are known.
    pub answer: String,
    /// What belongs to it.
    pub sentences: Vec<String>,
    /// The numbers behind it, with their intervals, as in `analysis.json`; left out where they are many.
    pub numbers: Option<Value>,
}

/// An archive of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archived {
    /// `RUN/TIME-ID8`.
    pub dir: String,
    /// Steps behind its last checkpoint.
    pub step: Option<u64>,
}

impl Known {
    /// What is known of a run now.
    pub(super) fn of(of: &Of<'_>) -> Result<Known, Error> {
        let record = read_record(of.folder)?;
        let word = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        let resumed = record.get("resumed_at").and_then(Value::as_array).map_or(0, Vec::len);
        let seed = record.get("seed").and_then(Value::as_u64).map(|seed| seed.to_string());
        let run =
            Run { command: word("command"), seed, version: word("version"), commit: word("commit"), resumed };
        let archives = of.archives.map(|archive| {
            let found = archive.found_of(Some(of.name))?.into_iter();
            // What cannot be read is no archive to go back to.
            let readable = found.filter_map(|found| Some((found.dir, found.said.ok()?)));
            let named = readable.map(|(dir, said)| Archived { dir, step: said.manifest.run.step });
            Ok::<_, Error>(named.collect())
        });
        Ok(Known {
            run,
            headlines: headlines(of.folder)?,
            told: told(of.folder),
            archives: archives.transpose()?,
        })
    }

    /// For the eye: headlines, signals, what happened, archives; 10 lines at most.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.headlines.iter().take(SHOWN).map(Headline::line).collect();
        let told = &self.told;
        if let (Some(clock), Some(source)) = (told.clock, &told.source) {
            let level = told.level.map_or("unknown", |level| level.name());
            let residual = told.residual.map_or_else(|| "-".to_owned(), |residual| format!("{residual:.3}"));
            let lost = told.lost.map_or_else(|| "-".to_owned(), |lost| lost.to_string());
            lines.push(format!(
                "signals: {source} at {clock}: level {level}, residual {residual}, lost {lost}"
            ));
        }
        let last = told.happened.iter().rev().take(4).rev();
        lines.extend(
            last.map(|event| format!("happened: {} at {}: {}", event.source, event.clock, event.what)),
        );
        if let Some(archives) = &self.archives {
            lines.push(match archives.last() {
                None => "archives: none".to_owned(),
                Some(last) => {
                    let step = last.step.map_or_else(String::new, |step| format!(" at step {step}"));
                    format!("archives: {}, the last one{step}: {}", archives.len(), last.dir)
                }
            });
        }
        lines
    }
}

impl Headline {
    fn of(part: &Part) -> Headline {
        let mut numbers = Some(part.findings.clone());
        numbers.iter_mut().for_each(without_places);
        let few = |numbers: &Value| numbers.to_string().len() <= NUMBERS && !numbers.is_null();
        Headline {
            question: without_place(&part.question),
            answer: without_place(&part.answer),
            sentences: part.sentences.iter().take(SENTENCES).map(|text| without_place(text)).collect(),
            numbers: numbers.filter(few),
        }
    }

    fn line(&self) -> String {
        format!("{} {}", self.question, self.answer)
    }
}

/// What its log tells; an agent may be called after a folder of this machine.
fn told(folder: &Path) -> Told {
    let mut told = Told::read(folder);
    let sources = told.happened.iter_mut().map(|event| &mut event.source);
    sources.chain(&mut told.source).for_each(|source| *source = without_place(source));
    told
}

/// What `analyze` says of the run in `folder`; nothing where there is nothing to analyze.
fn headlines(folder: &Path) -> Result<Vec<Headline>, Error> {
    let report =
        Inputs::find(&[PathBuf::from(folder)], false).and_then(|inputs| findings::report(inputs, None, ""));
    match report {
        Ok(report) => Ok(report.parts.iter().map(Headline::of).collect()),
        Err(refused) if refused.is_refusal() => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// `text` with the last names of whole paths in their places, as in `prophet:/somewhere/run`: they are of this machine.
pub(super) fn without_place(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(|letter: char| letter.is_whitespace() || ":=,;()'\"`".contains(letter)) {
        let is_whole = word.starts_with('/') || word.starts_with("~/");
        let last = word.rfind('/').map_or(0, |at| at + 1);
        out += if is_whole { &word[last..] } else { word };
    }
    out
}

fn without_places(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_place(text),
        Value::Array(values) => values.iter_mut().for_each(without_places),
        Value::Object(fields) => fields.values_mut().for_each(without_places),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_paths_lose_their_places() {
        for (text, told) in [
            ("prophet:/home/somebody/runs/a lives longer", "prophet:a lives longer"),
            ("(~/runs/b) and runs/c", "(b) and runs/c"),
            ("1/2 of /a/b/c, `/x/y`", "1/2 of c, `y`"),
            ("/", ""),
            ("é/ü", "é/ü"),
        ] {
            assert_eq!(without_place(text), told);
        }
    }
}
