//! Which runs of a group can be compared, and up to which step: some may have ended early.

use std::collections::HashMap;

use super::training::Training;
use crate::report::{listed, thousands};
use crate::stats::summary::mean;
use crate::thinned::value_at;

/// The runs of one group.
pub(super) struct Compared<'a> {
    pub(super) name: &'a str,
    pub(super) members: Vec<&'a Training>,
    /// Of `members` those that went to the end, if they are two at least.
    whole: Vec<&'a Training>,
    /// The steps that the shortest has, and the longest.
    ends: (f64, f64),
    /// Runs with the seed of one of `members`, which is the other name: they say nothing that it does not.
    copies: Vec<(&'a str, &'a str)>,
}

impl<'a> Compared<'a> {
    pub(super) fn of(name: &'a str, members: Vec<&'a Training>) -> Compared<'a> {
        let (members, copies) = without_copies(members);
        let steps = || members.iter().map(|member| member.log.steps);
        let ends = (steps().fold(f64::INFINITY, f64::min), steps().fold(0.0, f64::max));
        let mut whole = members.clone();
        whole.retain(|member| member.log.steps == ends.1 && !is_short(member));
        if whole.len() < 2 {
            whole.clear();
        }
        Compared { name, members, whole, ends, copies }
    }

    /// Whether a run of it is called `run`.
    pub(super) fn is_of(&self, run: &str) -> bool {
        self.members.iter().any(|member| member.name == run) || self.copies.iter().any(|copy| copy.0 == run)
    }

    /// The runs that are compared: the whole ones, or all of them as far as all of them go.
    pub(super) fn runs(&self) -> &[&'a Training] {
        if self.whole.is_empty() { &self.members } else { &self.whole }
    }

    /// Where they are compared.
    pub(super) fn until(&self) -> f64 {
        if self.whole.is_empty() { self.ends.0 } else { self.ends.1 }
    }

    /// Those that share a curve: the others would end it, or be ended by it.
    pub(super) fn together(&self) -> &[&'a Training] {
        if self.whole.is_empty() && self.ends.0 < self.ends.1 { &[] } else { self.runs() }
    }

    /// Those that have a curve of their own.
    pub(super) fn apart(&self) -> Vec<&'a Training> {
        let together = self.together();
        let is_apart = |member: &&&Training| together.iter().all(|other| !std::ptr::eq(**member, *other));
        self.members.iter().filter(is_apart).copied().collect()
    }

    /// What the answer says of the choice, behind the number of seeds; nothing where there was none.
    pub(super) fn choice(&self) -> String {
        match (self.whole.len(), self.ends) {
            (_, (short, long)) if short == long => String::new(),
            (0, _) => ", where the shortest ends,".to_owned(),
            (_, _) => format!(", those of {} that {},", self.members.len(), self.chosen()),
        }
    }

    /// What sets the runs that are compared apart from the others. That they are whole is known where they were to
    /// have so many steps, and the others were to have more than they have.
    fn chosen(&self) -> &'static str {
        let all_are = self.whole.iter().all(|member| is_whole(member));
        if all_are && self.wholes() == self.whole.len() { "are complete" } else { "went furthest" }
    }

    /// How many went as far as they were to.
    fn wholes(&self) -> usize {
        self.members.iter().filter(|member| is_whole(member)).count()
    }

    /// The name of their curve.
    pub(super) fn label(&self) -> String {
        let (shown, all) = (self.together().len(), self.members.len() + self.copies.len());
        match self.together() {
            [one] if all > 1 => one.name.clone(),
            _ if shown == all || shown == 0 => self.name.to_owned(),
            _ if self.name == format!("{all} runs") => format!("{shown} of {all} runs"),
            _ => format!("{} ({shown} of {all} runs)", self.name),
        }
    }

    /// That runs are copies, and of which.
    pub(super) fn copied(&self) -> Option<String> {
        let (_, of) = self.copies.first()?;
        let names: Vec<&str> =
            self.copies.iter().filter(|(_, other)| other == of).map(|(copy, _)| *copy).collect();
        let more = match self.copies.len() - names.len() {
            0 => String::new(),
            more => format!("; the same holds for {more} more"),
        };
        Some(format!(
            "{}: the same settings and the same seed as {of}; only that one is counted and drawn{more}.",
            listed(&names)
        ))
    }

    /// How far the runs got, where they got not equally far, and what they had where all of them are.
    pub(super) fn remark(&self, column: &str) -> Option<String> {
        let (short, long) = self.ends;
        if short == long {
            return None;
        }
        let at = |member: &&Training| {
            let column =
                member.log.column(column).filter(|column| column.first.is_some_and(|first| first.0 <= short));
            value_at(&column?.curve.points(), short)
        };
        let there: Option<Vec<f64>> = self.members.iter().map(at).collect();
        let there = there.and_then(|values| mean(&values)).map_or_else(String::new, |mean| {
            let digits = if column == "gap_R" { 4 } else { 2 };
            format!(
                "; at {} steps, where all {} are, {column} is {mean:.digits$} on average",
                thousands(short),
                self.members.len()
            )
        });
        let rest = if self.whole.is_empty() {
            let known = self.members.iter().all(|member| member.planned.is_some());
            let fewer = if known && self.wholes() < 2 {
                "fewer than two are complete"
            } else {
                "only one went furthest"
            };
            format!("{fewer}, so each has a curve of its own, and they are compared where the shortest ends")
        } else {
            format!("the mean and its band are of those that {}", self.chosen())
        };
        Some(format!(
            "{}: the runs have {} to {} steps; {rest}{there}.",
            self.name,
            thousands(short),
            thousands(long)
        ))
    }
}

/// `members` with one run a seed, the longest, and the others with its name.
fn without_copies(members: Vec<&Training>) -> (Vec<&Training>, Vec<(&str, &str)>) {
    let mut longest: HashMap<&str, &Training> = HashMap::new();
    for &member in &members {
        if let Some(seed) = &member.seed {
            let best = longest.entry(seed).or_insert(member);
            if member.log.steps > best.log.steps {
                *best = member;
            }
        }
    }
    let of = |member: &Training| {
        let best = *longest.get(member.seed.as_deref()?)?;
        (!std::ptr::eq(best, member)).then_some(best)
    };
    let copies = members.iter().filter_map(|member| Some((member.name.as_str(), of(member)?.name.as_str())));
    let copies = copies.collect();
    (members.into_iter().filter(|member| of(member).is_none()).collect(), copies)
}

/// Whether `training` has fewer steps than it was to have.
fn is_short(training: &Training) -> bool {
    training.planned.is_some_and(|planned| training.log.steps < planned)
}

/// Whether `training` is known to have all steps that it was to have.
fn is_whole(training: &Training) -> bool {
    training.planned.is_some() && !is_short(training)
}
