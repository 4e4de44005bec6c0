//! Three simulated years, against what a program of its own, in Python, has decided: sets of the days, ISO weeks
//! (`date.isocalendar`) and months that count, and the newest archive of each.

use super::*;
use crate::archive::calendar::{seconds, stamp};

const NOW: &str = "2026-12-31T18:00:00Z";

/// An archive every 31 hours from 2024 on, with a second one twenty minutes later each fifth time, and gaps.
fn items() -> Vec<Item> {
    let start = seconds("2024-01-01T03:00:00Z").unwrap();
    let mut items = Vec::new();
    for number in (0..848).filter(|number| !(5..=7).contains(&(number % 17))) {
        let at = start + f64::from(number) * 31.0 * 3600.0;
        let both = [at, at + 1200.0];
        for created in &both[..if number % 5 == 0 { 2 } else { 1 }] {
            let name = stamp(*created).replace(".000", "");
            items.push(Item {
                run: "a".to_owned(),
                dir: name.clone(),
                id: name,
                created: *created,
                is_elsewhere: false,
            });
        }
    }
    items.retain(|item| item.created <= seconds(NOW).unwrap());
    items
}

fn decided(items: &[Item], rules: Rules, good: &dyn Fn(&Item) -> bool) -> Plan {
    plan(items, rules, seconds(NOW).unwrap(), &mut |item| Ok(good(item))).unwrap()
}

/// What stays by the rules that hold where none are given, and why.
const TABLE: &str = "
2026-01-30T22:00:00Z month 2026-01
2026-02-28T08:00:00Z month 2026-02
2026-03-28T18:00:00Z month 2026-03
2026-04-30T01:00:00Z month 2026-04
2026-05-31T01:00:00Z month 2026-05
2026-06-29T18:20:00Z month 2026-06
2026-07-30T18:00:00Z month 2026-07
2026-08-29T11:00:00Z month 2026-08
2026-09-30T18:00:00Z month 2026-09
2026-10-31T18:00:00Z month 2026-10
2026-11-02T01:00:00Z day 2026-11-02
2026-11-03T08:00:00Z day 2026-11-03
2026-11-08T12:00:00Z day 2026-11-08
2026-11-09T19:00:00Z day 2026-11-09
2026-11-11T02:00:00Z day 2026-11-11
2026-11-12T09:20:00Z day 2026-11-12
2026-11-13T16:00:00Z day 2026-11-13
2026-11-14T23:00:00Z day 2026-11-14
2026-11-16T06:00:00Z day 2026-11-16
2026-11-17T13:00:00Z day 2026-11-17
2026-11-18T20:20:00Z day 2026-11-18
2026-11-20T03:00:00Z day 2026-11-20
2026-11-21T10:00:00Z day 2026-11-21
2026-11-22T17:00:00Z day 2026-11-22
2026-11-24T00:00:00Z day 2026-11-24
2026-11-25T07:20:00Z day 2026-11-25
2026-11-30T11:00:00Z day 2026-11-30
2026-12-01T18:20:00Z day 2026-12-01
2026-12-03T01:00:00Z day 2026-12-03
2026-12-04T08:00:00Z day 2026-12-04
2026-12-05T15:00:00Z day 2026-12-05
2026-12-06T22:00:00Z day 2026-12-06
2026-12-08T05:20:00Z day 2026-12-08
2026-12-09T12:00:00Z day 2026-12-09
2026-12-10T19:00:00Z day 2026-12-10
2026-12-12T02:00:00Z day 2026-12-12
2026-12-13T09:00:00Z day 2026-12-13
2026-12-14T16:20:00Z day 2026-12-14
2026-12-15T23:00:00Z day 2026-12-15
2026-12-17T06:00:00Z day 2026-12-17
2026-12-22T10:00:00Z day 2026-12-22
2026-12-23T17:00:00Z day 2026-12-23
2026-12-25T00:00:00Z day 2026-12-25
2026-12-26T07:00:00Z day 2026-12-26
2026-12-27T14:20:00Z day 2026-12-27
2026-12-28T21:00:00Z day 2026-12-28
2026-12-30T04:00:00Z day 2026-12-30
";

#[test]
fn three_years_are_thinned_out_as_a_table_says() {
    let items = items();
    let plan = decided(&items, Rules::default(), &|_| true);
    assert_eq!((items.len(), plan.decisions.len()), (838, 838));
    let kept = plan.decisions.iter().filter(|decision| decision.keep);
    let kept: Vec<String> = kept
        .map(|decision| format!("{} {}", decision.dir, decision.rule.trim_start_matches("newest of ")))
        .collect();
    let table: Vec<&str> = TABLE.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(kept, table);
    for decision in plan.decisions.iter().filter(|decision| !decision.keep) {
        assert!(
            decision.rule.starts_with("not the newest of ") || decision.rule == "older than all that is kept",
            "{decision:?}"
        );
    }
}

#[test]
fn other_rules_keep_as_many_as_there_are_days_weeks_and_months() {
    for ((days, weekly, monthly), expected) in [
        ((60, 8, 12), [37, 0, 10]),
        ((7, 4, 6), [5, 2, 5]),
        ((1, 1, 1), [0, 1, 0]),
        ((0, 60, 0), [0, 60, 0]),
        ((0, 0, 40), [0, 0, 36]),
        ((14, 26, 36), [7, 24, 33]),
        ((2000, 0, 0), [698, 0, 0]),
        ((0, 8, 12), [0, 8, 11]),
    ] {
        let plan = decided(&items(), Rules { days, weekly, monthly, require_remote: false }, &|_| true);
        let of = |unit: &str| {
            let rule = format!("newest of {unit} ");
            plan.decisions.iter().filter(|decision| decision.keep && decision.rule.starts_with(&rule)).count()
        };
        assert_eq!(["day", "week", "month"].map(of), expected, "{days} {weekly} {monthly}");
    }
}

#[test]
fn the_last_good_one_of_a_run_stays() {
    let of = |run: &str, dir: &str, created: &str| Item {
        run: run.to_owned(),
        dir: dir.to_owned(),
        id: dir.to_owned(),
        created: seconds(created).unwrap(),
        is_elsewhere: false,
    };
    let items = [
        of("old", "old/1", "2020-01-01T00:00:00Z"),
        of("old", "old/2", "2020-01-02T00:00:00Z"),
        of("old", "old/3", "2020-01-03T00:00:00Z"),
        of("new", "new/1", "2026-12-31T01:00:00Z"),
        of("new", "new/2", "2026-12-31T02:00:00Z"),
        of("later", "later/1", "2027-12-31T02:00:00Z"),
    ];
    let kept = |good: &dyn Fn(&Item) -> bool| -> Vec<(String, String)> {
        let plan = decided(&items, Rules::default(), good);
        let kept = plan.decisions.into_iter().filter(|decision| decision.keep);
        kept.map(|decision| (decision.dir, decision.rule)).collect()
    };
    let pair = |dir: &str, rule: &str| (dir.to_owned(), rule.to_owned());
    let later = pair("later/1", "made later than now");
    let (last, day) = ("last good archive of its run", "newest of day 2026-12-31");
    assert_eq!(kept(&|_| true), [later.clone(), pair("new/2", day), pair("old/3", last)]);
    // The newest of the day is damaged, and so is the newest of the other run.
    let good = |item: &Item| !["new/2", "old/3"].contains(&item.dir.as_str());
    assert_eq!(kept(&good), [later.clone(), pair("new/1", last), pair("new/2", day), pair("old/2", last)]);
    let none = "no archive of its run is good";
    assert_eq!(
        kept(&|item| item.run == "new"),
        [later, pair("new/2", day), pair("old/1", none), pair("old/2", none), pair("old/3", none)]
    );
}

#[test]
fn the_hash_of_a_plan_is_that_of_what_it_decides() {
    let items = items();
    let hash =
        |rules: Rules, now: &str| plan(&items, rules, seconds(now).unwrap(), &mut |_| Ok(true)).unwrap().hash;
    let rules = Rules::default();
    let first = hash(rules, NOW);
    assert_eq!(first, hash(rules, "2026-12-31T23:59:59Z"));
    assert_ne!(first, hash(rules, "2027-01-01T00:00:00Z"));
    assert_ne!(first, hash(Rules { days: 61, ..rules }, NOW));
    let mut fewer = items.clone();
    fewer.remove(0);
    assert_ne!(first, decided(&fewer, rules, &|_| true).hash);
}
