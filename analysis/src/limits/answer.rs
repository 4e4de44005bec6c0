//! Which agent carries the most drift, in words.

use super::sides::{Beside, Side};
use super::world::World;
use crate::report::{capitalised, listed};
use crate::stats::dose::Estimate;

/// The answer about `world`; the first of `sides` has the highest limit.
pub(super) fn answer(world: &World, sides: &[Side], beside: &[Beside], decimals: usize) -> String {
    let Some((best, others)) = sides.split_first() else { return String::new() };
    let dose = world.dose.as_deref().unwrap_or("dose");
    let described = |side: &Side| format!("{}: {}", side.name, limit(side, dose, decimals));
    if others.is_empty() {
        return format!("{}: {}.", world.name, described(best));
    }
    let even: Vec<&Beside> = beside.iter().filter(|beside| !beside.is_told()).collect();
    let less: Vec<&Side> =
        beside.iter().filter(|beside| beside.is_told()).map(|beside| &sides[beside.side]).collect();
    let Some(nearest) = even.first() else {
        // The others follow in the order of their limits.
        let next = &beside[0];
        let among = if others.len() > 1 { ", and above every other" } else { "" };
        return format!(
            "{}: {} {} the most: {}. That is above {}, the next, by {}{among}.",
            world.name,
            best.name,
            carry(best),
            limit(best, dose, decimals),
            sides[next.side].name,
            by(next.by, decimals)
        );
    };
    let names: Vec<&str> = even.iter().map(|beside| sides[beside.side].name.as_str()).collect();
    let why = match (nearest.pairs, nearest.by) {
        (0, _) => "they have no episode with the same seed".to_owned(),
        (_, found @ Estimate { limit: Some(_), .. }) => format!("the difference is {}", by(found, decimals)),
        _ => "their limits are not known well enough".to_owned(),
    };
    let rest = match &less[..] {
        [] => String::new(),
        [one] => format!(" {} {} less than {}.", capitalised(&one.name), carry(one), best.name),
        less => {
            let names: Vec<&str> = less.iter().map(|side| side.name.as_str()).collect();
            format!(" {} carry less than {}.", capitalised(&listed(&names)), best.name)
        }
    };
    format!(
        "{}: {} and {} cannot be told apart: {why}. {}; {}.{rest}",
        world.name,
        best.name,
        listed(&names),
        described(best),
        described(&sides[nearest.side])
    )
}

/// The verb of one agent, or of several seeds of one.
fn carry(side: &Side) -> &'static str {
    if side.members.len() > 1 { "carry" } else { "carries" }
}

/// The limit of `side`, or its bound.
fn limit(side: &Side, dose: &str, decimals: usize) -> String {
    let Estimate { limit, low, high } = side.limit;
    match (limit, low, high) {
        (Some(limit), Some(low), Some(high)) => {
            format!(
                "half are lost at a {dose} of {limit:.decimals$} (95% {low:.decimals$} to {high:.decimals$})"
            )
        }
        (Some(limit), Some(low), None) => {
            format!("half are lost at a {dose} of {limit:.decimals$} (95% from {low:.decimals$} on)")
        }
        (Some(limit), None, Some(high)) => {
            format!("half are lost at a {dose} of {limit:.decimals$} (95% up to {high:.decimals$})")
        }
        (Some(limit), None, None) => {
            format!("half are lost at a {dose} of {limit:.decimals$} (too little for an interval)")
        }
        (None, Some(low), None) => format!("its limit is above a {dose} of {low:.decimals$}"),
        (None, None, Some(high)) => format!("its limit is below a {dose} of {high:.decimals$}"),
        (None, Some(low), Some(high)) => {
            format!("its limit lies between a {dose} of {low:.decimals$} and {high:.decimals$}")
        }
        (None, None, None) if side.members.len() > 1 => {
            format!("{} of {} trainings have a limit within the doses tried", side.known, side.members.len())
        }
        (None, None, None) => "its limit is not known".to_owned(),
    }
}

/// A difference with its interval, or the bound that is all there is.
fn by(found: Estimate, decimals: usize) -> String {
    match (found.limit, found.low, found.high) {
        (Some(by), Some(low), Some(high)) => {
            format!("{by:.decimals$} (95% {low:.decimals$} to {high:.decimals$})")
        }
        (Some(by), Some(low), None) => format!("{by:.decimals$} (95% from {low:.decimals$} on)"),
        (Some(by), None, Some(high)) => format!("{by:.decimals$} (95% up to {high:.decimals$})"),
        (Some(by), None, None) => format!("{by:.decimals$} (no interval)"),
        (None, Some(low), _) => format!("{low:.decimals$} or more (95%)"),
        (None, None, _) => "an unknown amount".to_owned(),
    }
}
