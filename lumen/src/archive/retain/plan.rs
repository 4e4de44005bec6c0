//! Which archives are kept: the newest of each of the last days, weeks and months, in UTC.

use std::collections::{BTreeMap, HashMap};

use resonetics_runs::Error;
use resonetics_runs::files::sha256;

use crate::archive::calendar::Day;

/// How far back the newest archive of each day, ISO week and month is kept, the present one counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Days.
    pub days: u32,
    /// ISO weeks.
    pub weekly: u32,
    /// Months.
    pub monthly: u32,
    /// Whether an archive stays that has no copy elsewhere whose bytes were compared.
    pub require_remote: bool,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { days: 60, weekly: 8, monthly: 12, require_remote: false }
    }
}

/// An archive as a plan sees it.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which run it is of: rules are for each run by itself.
    pub run: String,
    /// `RUN/TIME-ID8`.
    pub dir: String,
    /// Its id.
    pub id: String,
    /// When it was made, in seconds since 1970.
    pub created: f64,
    /// Whether the bytes of a copy elsewhere were compared, the last time with success.
    pub is_elsewhere: bool,
}

/// What is to become of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `RUN/TIME-ID8`.
    pub dir: String,
    /// Its id.
    pub id: String,
    /// Whether it stays.
    pub keep: bool,
    /// The rule that says so.
    pub rule: String,
}

/// What is to become of all archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Sorted by folder.
    pub decisions: Vec<Decision>,
    /// SHA-256 of what it decides and by which rules.
    pub hash: String,
}

/// Decides about `items` as it is `now`, in seconds since 1970. The last archive of a run that `is_good` is kept.
///
/// # Errors
/// Those of `is_good`.
pub fn plan(
    items: &[Item],
    rules: Rules,
    now: f64,
    is_good: &mut dyn FnMut(&Item) -> Result<bool, Error>,
) -> Result<Plan, Error> {
    let mut runs: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for item in items {
        runs.entry(&item.run).or_default().push(item);
    }
    let mut decisions = Vec::new();
    for mut run in runs.into_values() {
        // The newest first.
        run.sort_by(|a, b| b.created.total_cmp(&a.created).then(b.dir.cmp(&a.dir)));
        let mut decided = by_rules(&run, rules, now);
        keep_a_good_one(&run, &mut decided, is_good)?;
        decisions.extend(decided);
    }
    decisions.sort_by(|a, b| a.dir.cmp(&b.dir));
    let Rules { days, weekly, monthly, require_remote } = rules;
    let mut text = format!("days {days} weekly {weekly} monthly {monthly}\n");
    if require_remote {
        text += "require remote\n";
    }
    for Decision { dir, id, keep, rule } in &decisions {
        text += &format!("{} {dir} {id} {rule}\n", if *keep { "keep" } else { "delete" });
    }
    Ok(Plan { decisions, hash: sha256(text.as_bytes()) })
}

/// Of one run, the newest first.
fn by_rules(run: &[&Item], rules: Rules, now: f64) -> Vec<Decision> {
    let today = Day::of(now);
    let mut newest: HashMap<String, &str> = HashMap::new();
    let mut decided = Vec::new();
    for item in run {
        let day = Day::of(item.created);
        let ages = [
            (today.since(day), rules.days, "day", day.name()),
            (today.weeks_since(day), rules.weekly, "week", day.week_name()),
            (today.months_since(day), rules.monthly, "month", day.month_name()),
        ];
        let mut kept = None;
        let mut newer = None;
        for (age, most, unit, name) in ages {
            let first = *newest.entry(format!("{unit} {name}")).or_insert(&item.dir);
            if age >= i64::from(most) {
                continue;
            }
            if first == item.dir {
                kept = kept.or_else(|| Some(format!("newest of {unit} {name}")));
            } else {
                newer = newer.or_else(|| Some(format!("not the newest of {unit} {name}")));
            }
        }
        if item.created > now {
            kept = Some("made later than now".to_owned());
        }
        if rules.require_remote && !item.is_elsewhere {
            kept = kept.or_else(|| Some("no copy of it elsewhere was verified".to_owned()));
        }
        let (keep, rule) = match kept {
            Some(rule) => (true, rule),
            None => (false, newer.unwrap_or_else(|| "older than all that is kept".to_owned())),
        };
        decided.push(Decision { dir: item.dir.clone(), id: item.id.clone(), keep, rule });
    }
    decided
}

/// Where none of those that stay is good, the newest good one stays too; where none is good at all, all do.
fn keep_a_good_one(
    run: &[&Item],
    decided: &mut [Decision],
    is_good: &mut dyn FnMut(&Item) -> Result<bool, Error>,
) -> Result<(), Error> {
    if decided.iter().all(|decision| decision.keep) {
        return Ok(());
    }
    for keep in [true, false] {
        for (item, decision) in run.iter().zip(&mut *decided).filter(|(_, decision)| decision.keep == keep) {
            if is_good(item)? {
                if !keep {
                    decision.keep = true;
                    "last good archive of its run".clone_into(&mut decision.rule);
                }
                return Ok(());
            }
        }
    }
    for decision in decided.iter_mut().filter(|decision| !decision.keep) {
        decision.keep = true;
        "no archive of its run is good".clone_into(&mut decision.rule);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
