//! Which runs of a group can be compared, and up to which step: some may have ended early.

use super::{Training, value_at};
use crate::report::thousands;
use crate::stats::summary::mean;

/// The runs of one group.
pub(super) struct Compared<'a> {
    pub(super) name: &'a str,
    pub(super) members: Vec<&'a Training>,
    /// Of `members` those that went to the end, if they are two at least.
    whole: Vec<&'a Training>,
    /// The steps that the shortest has, and the longest.
    ends: (f64, f64),
}

impl<'a> Compared<'a> {
    pub(super) fn of(name: &'a str, members: Vec<&'a Training>) -> Compared<'a> {
        let steps = || members.iter().map(|member| member.log.steps);
        let ends = (steps().fold(f64::INFINITY, f64::min), steps().fold(0.0, f64::max));
        let mut whole = members.clone();
        whole.retain(|member| member.log.steps == ends.1 && !is_short(member));
        if whole.len() < 2 {
            whole.clear();
        }
        Compared { name, members, whole, ends }
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
            (_, _) => format!(", those of {} that are whole,", self.members.len()),
        }
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
            "fewer than two are whole, so each has a curve of its own, and they are compared where the shortest ends"
        } else {
            "the mean and its band are of those that are whole"
        };
        Some(format!(
            "{}: the runs have {} to {} steps; {rest}{there}.",
            self.name,
            thousands(short),
            thousands(long)
        ))
    }
}

/// Whether `training` has fewer steps than it was to have.
fn is_short(training: &Training) -> bool {
    training.planned.is_some_and(|planned| training.log.steps < planned)
}
