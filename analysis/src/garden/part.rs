//! Gardens in a report.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::json;

use super::{AHEAD, BINS, DIRTY, Garden, Rules, SIGNALS, Signal};
use crate::agents::Named;
use crate::chart::{
    CURVES, ChartError, Curve, GUESSING, Labels, Size, Strip, lines, lines_over_strip, picked, shares,
};
use crate::read::garden::VERDICTS;
use crate::report::{Cell, Figure, Part, Table, at_most, capitalised, counted};
use crate::stats::roc::Roc;
use crate::stats::summary::{mean, quantile};
use crate::thinned::Thinned;

const WORDS: [(&str, &str); 10] = [
    ("dirt", "how full of dirt a cell is, from 0 (clean) to 1; a garden in which it stays high is lost"),
    ("risk", "a moving average of how fast dirt, population and emergencies change (RULES section 2.2)"),
    (
        "flow",
        "how much the measures of the dirt change when the grid is perturbed a little (RULES section 2.2)",
    ),
    ("creative, bubble, collapse", "the verdict: low, raised and high risk, by two thresholds"),
    ("losses warned of", "losses before which it warned, within 50 generations"),
    ("lead", "generations from the first of these warnings to the loss, the median over the gardens"),
    (
        "share of lead warning",
        "of the generations of the lead, the share at which it warned, the median over the gardens",
    ),
    ("false alarms", "of the generations that no loss followed within 50, the share at which it warned"),
    (
        "ROC area",
        "how well the signal separates the 50 generations before a loss from the others, over the settings under which a garden was lost: 1 is perfect, 0.5 is guessing",
    ),
    ("dirt as a signal", "for comparison: a loss is defined by the dirt, so a high area is expected"),
];

/// Groups of gardens of which the first gets a figure of its own.
pub const DRAWN: usize = 4;

/// Groups of which the answer speaks.
const SAID: usize = 6;

/// What a report says of `gardens`, of which there is at least one.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn part(gardens: &[Garden]) -> Result<Part, ChartError> {
    let mut longest: HashMap<_, &Garden> = HashMap::new();
    for garden in gardens {
        if let Some(seed) = &garden.seed {
            let best = longest.entry((&garden.group, seed)).or_insert(garden);
            if garden.generations > best.generations {
                *best = garden;
            }
        }
    }
    let (mut counted, mut copies) = (Vec::new(), Vec::new());
    for garden in gardens {
        let known = garden.seed.as_ref().and_then(|seed| longest.get(&(&garden.group, seed)));
        match known.filter(|known| !std::ptr::eq(**known, garden)) {
            Some(known) => copies.push(format!(
                "{}: the same settings and the same seed as {}; only that one is counted and drawn.",
                garden.name, known.name
            )),
            None => counted.push(garden.clone()),
        }
    }
    if copies.is_empty() {
        return told(gardens);
    }
    let mut part = told(&counted)?;
    let more = match copies.len() {
        1 => String::new(),
        n => format!(" The same holds for {} more.", n - 1),
    };
    part.sentences.push(copies.swap_remove(0) + &more);
    Ok(part)
}

fn told(gardens: &[Garden]) -> Result<Part, ChartError> {
    let rocs: Vec<Roc> = (0..SIGNALS.len()).map(|signal| pooled(gardens, signal)).collect();
    let mut figures = vec![dirt_figure(gardens)?];
    let groups = groups(gardens);
    for (number, (_, members)) in (1..).zip(&groups).take(DRAWN) {
        figures.push(garden_figure(members[0], number)?);
    }
    figures.push(verdict_figure(gardens)?);
    figures.extend(roc_figure(&rocs)?);
    let mut sentences = Vec::new();
    sentences.extend(gardens.iter().flat_map(open));
    sentences.extend(in_vain(gardens));
    if groups.len() < gardens.len() || groups.len() > DRAWN {
        sentences.push(format!(
            "{} gardens were read; of those with the same settings the first has a figure of its own (of {DRAWN} settings at most).",
            gardens.len()
        ));
    }
    let not_finite: u64 = gardens.iter().map(|garden| garden.not_finite).sum();
    if not_finite > 0 {
        sentences.push(format!(
            "Numbers that are NaN or infinite: {not_finite}. They are left out of what needs them, and curves have gaps there."
        ));
    }
    let areas: Vec<_> =
        SIGNALS.iter().zip(&rocs).map(|(name, roc)| json!({ "signal": name, "area": roc.area() })).collect();
    let tables = vec![summary_table(gardens), signal_table(gardens, &rocs), transition_table(gardens)];
    Ok(Part {
        question: "Did the garden survive, and was its loss predicted?".to_owned(),
        answer: [answer(gardens, &rocs)]
            .into_iter()
            .chain(left_out(gardens, &rocs))
            .chain(misleading(gardens))
            .collect::<Vec<_>>()
            .join(" "),
        sentences,
        figures,
        words: &WORDS,
        tables,
        findings: json!({ "kind": "garden", "gardens": gardens, "areas_of_all": areas, "ahead_generations": AHEAD }),
    })
}

/// The counts of all gardens of those groups in which one was lost: gardens with other settings, which
/// hold, would make any signal look good.
fn pooled(gardens: &[Garden], signal: usize) -> Roc {
    let mut all = Roc::default();
    for (_, members) in groups(gardens).into_iter().filter(|(_, members)| has_loss(members)) {
        for garden in members {
            all.merge(&garden.signals[signal].roc);
        }
    }
    all
}

fn has_loss(members: &[&Garden]) -> bool {
    members.iter().any(|garden| garden.lost_at.is_some())
}

/// Which groups [`pooled`] leaves out; `None` if there is no such group, or no area.
fn left_out(gardens: &[Garden], rocs: &[Roc]) -> Option<String> {
    let held: Vec<_> = groups(gardens).into_iter().filter(|(_, members)| !has_loss(members)).collect();
    if held.is_empty() || rocs.iter().all(|roc| roc.area().is_none()) {
        return None;
    }
    let names: Vec<String> = held.iter().map(|(group, _)| (*group).to_owned()).collect();
    let of: usize = held.iter().map(|(_, members)| members.len()).sum();
    let said = format!(
        "The ROC areas leave out {} under which nothing was lost ({}): {}",
        counted(held.len() as u64, "setting", "settings"),
        counted(of as u64, "garden", "gardens"),
        at_most(SAID, &names, ", ", "settings")
    );
    Some(if said.ends_with('.') { said } else { said + "." })
}

/// The groups in the order in which they come, each with its gardens.
fn groups(gardens: &[Garden]) -> Vec<(&str, Vec<&Garden>)> {
    let mut groups: Vec<(&str, Vec<&Garden>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for garden in gardens {
        let place = *places.entry(&garden.group).or_insert_with(|| {
            groups.push((&garden.group, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(garden);
    }
    groups
}

fn lost_text(gardens: &[&Garden]) -> String {
    let lost: Vec<f64> = gardens.iter().filter_map(|garden| garden.lost_at).map(|at| at as f64).collect();
    match (mean(&lost), gardens.len()) {
        (None, 1) => {
            format!("was not lost in {}", counted(gardens[0].generations, "generation", "generations"))
        }
        (None, n) => format!("{n} of {n} held to the end of the log"),
        (Some(at), 1) => format!("was lost at generation {at:.0}"),
        (Some(at), n) => {
            let (were, mean) = if lost.len() == 1 { ("was", "") } else { ("were", " on average") };
            format!("{} of {n} {were} lost, at generation {at:.0}{mean}", lost.len())
        }
    }
}

fn answer(gardens: &[Garden], rocs: &[Roc]) -> String {
    let groups = groups(gardens);
    let outcome = match &groups[..] {
        [(_, members)] if members.len() == 1 => format!("The garden {}.", lost_text(members)),
        [(_, members)] => format!("{}.", capitalised(&lost_text(members))),
        many => {
            let text = |(group, members): &(&str, Vec<&Garden>)| {
                let subject = if members.len() == 1 { "the garden " } else { "" };
                format!("{group}: {subject}{}", lost_text(members))
            };
            let each: Vec<_> = many.iter().map(text).collect();
            let said = at_most(SAID, &each, "; ", "settings");
            if said.ends_with('.') { said } else { format!("{said}.") }
        }
    };
    let lost = gardens.iter().filter(|garden| garden.lost_at.is_some()).count();
    if lost == 0 {
        return outcome;
    }
    let warned = gardens.iter().filter(|garden| garden.signals[0].lead.is_some()).count();
    let risk = match rocs[0].area() {
        Some(area) => format!(
            "as a score for a loss within {AHEAD} generations it has an area under the ROC curve of {area:.2} (0.5 is guessing)"
        ),
        None => "its predictive value cannot be estimated".to_owned(),
    };
    let lead = gardens.iter().filter_map(|garden| garden.signals[0].lead);
    // A garden that was lost early, or whose log begins late, has fewer generations before that.
    let before =
        gardens.iter().filter_map(|garden| garden.lost_at.map(|at| at.saturating_sub(garden.from_to[0])));
    let before = before.max().unwrap_or_default().min(AHEAD);
    let said = match (warned, lost) {
        (0, 1) if before == 0 => {
            "There was no generation before that in which the risk could have warned".to_owned()
        }
        (0, 1) => format!(
            "The risk did not reach the verdict collapse in the {} before that",
            counted(before, "generation", "generations")
        ),
        (0, _) => format!(
            "The risk reached the verdict collapse in the {AHEAD} generations before none of the {lost} losses"
        ),
        (1, 1) => format!(
            "The risk reached the verdict collapse in the {} before that, the first time {} ahead",
            counted(before, "generation", "generations"),
            counted(lead.sum(), "generation", "generations")
        ),
        (warned, _) => format!(
            "The risk reached the verdict collapse in the {AHEAD} generations before {warned} of {lost} losses"
        ),
    };
    format!("{outcome} {said}; {risk}.")
}

/// Where the verdict says another thing than the dirt.
fn misleading(gardens: &[Garden]) -> Option<String> {
    let total = |of: fn(&Garden) -> u64| gardens.iter().map(of).sum::<u64>();
    let (saturated, creative) = (total(|garden| garden.saturated), total(|garden| garden.saturated_creative));
    let generations = total(|garden| garden.generations);
    let misled = 100.0 * creative as f64 / saturated as f64;
    let strength = if misled >= 50.0 { "The verdict misleads" } else { "At times the verdict misleads" };
    let blind = |garden: &Garden| garden.saturated_creative == 0 || !garden.rules.risk_sees_dirt;
    let why = if gardens.iter().all(blind) {
        " Risk and verdict look at change, and a garden that is full of dirt does not change."
    } else {
        ""
    };
    (creative > 0).then(|| {
        format!(
            "{strength}: in {saturated} of {generations} generations the garden is saturated (mean dirt at or above {}), \
             and {misled:.1}% of these read creative.{why}",
            of_rules(gardens, |rules| percent(rules.lost_share))
        )
    })
}

/// What the log of `garden` leaves open of its loss.
fn open(garden: &Garden) -> Vec<String> {
    let name = &garden.name;
    let mut said = Vec::new();
    if let Some((earliest, latest)) = garden.lost_between {
        let when = match latest {
            Some(latest) => format!("at any generation from {earliest} to {latest}"),
            None => format!("at generation {earliest} or later, or not at all"),
        };
        said.push(format!(
            "{name}: the log has two decimals of the dirt, so that the garden may have been lost {when}."
        ));
    }
    if let Some(at) = garden.lost_elsewhere {
        let [from, to] = garden.from_to;
        said.push(format!(
            "{name}: its summary.csv says that it was lost at generation {at}, but the log has generations {from} to {to}."
        ));
    }
    if garden.dirt_mean.is_none() {
        said.push(format!(
            "{name}: no dirt in the log is a number, so whether the garden was lost is unknown."
        ));
    }
    if garden.full_from_the_start && garden.lost_at.is_some() {
        said.push(format!(
            "{name}: the log begins at generation {} with the garden full of dirt, so that it may have been lost before.",
            garden.from_to[0]
        ));
    }
    said
}

/// That gardens which were not lost read collapse, where they did. Of their last generations nobody knows
/// what followed.
fn in_vain(gardens: &[Garden]) -> Option<String> {
    let collapsed = |garden: &Garden| garden.verdicts[2];
    let held = gardens.iter().filter(|garden| garden.lost_at.is_none() && collapsed(garden) > 0);
    let (count, generations) = held.fold((0, 0), |(n, sum), garden| (n + 1, sum + collapsed(garden)));
    (count > 0).then(|| {
        format!(
            "{} of {} not lost read collapse; no loss followed in the log.",
            counted(generations, "generation", "generations"),
            if count == 1 { "a garden that was".to_owned() } else { format!("{count} gardens that were") }
        )
    })
}

fn percent(share: f64) -> String {
    format!("{}%", (1000.0 * share).round() / 10.0)
}

/// What the rules of `gardens` say, once where they say the same.
fn of_rules(gardens: &[Garden], say: impl Fn(&Rules) -> String) -> String {
    let mut said: Vec<String> = Vec::new();
    for garden in gardens {
        let text = say(&garden.rules);
        if !said.contains(&text) {
            said.push(text);
        }
    }
    said.join(" or ")
}

fn summary_table(gardens: &[Garden]) -> Table {
    let named = Named::of(gardens.iter().map(|garden| garden.recipe.as_ref()));
    let measures = [
        "generations",
        "lost at",
        "dirt, mean",
        "dirt, end",
        "creative",
        "bubble",
        "collapse",
        "risk-dirt correlation",
    ];
    let mut table = Table::new("Each garden", &named.columns("garden", &measures));
    for garden in gardens {
        let measured = vec![
            Cell::count(garden.generations),
            garden.lost_at.map_or_else(|| Cell::text("–"), Cell::count),
            Cell::share(garden.dirt_mean),
            Cell::share(garden.dirt_end),
            Cell::share(Some(garden.share(0))),
            Cell::share(Some(garden.share(1))),
            Cell::share(Some(garden.share(2))),
            Cell::number(garden.risk_dirt_correlation, 2),
        ];
        table.rows.push(named.row(&garden.name, garden.recipe.as_ref(), measured));
    }
    table
}

fn signal_table(gardens: &[Garden], rocs: &[Roc]) -> Table {
    let lost: Vec<&Garden> = gardens.iter().filter(|garden| garden.lost_at.is_some()).collect();
    let mut table = Table::new(
        "Early warning of a loss",
        &[
            "signal",
            "warns at",
            "losses warned of",
            "lead",
            "share of lead warning",
            "false alarms",
            "ROC area",
        ],
    );
    let at = [
        of_rules(gardens, |rules| format!("{:.2}", rules.collapse_risk)),
        of_rules(gardens, |rules| format!("{:.2}", rules.survival_flow)),
        "bubble".to_owned(),
        format!("{} (half full)", percent(DIRTY)),
    ];
    for (number, (name, at)) in SIGNALS.into_iter().zip(at).enumerate() {
        let signals = || gardens.iter().map(|garden| &garden.signals[number]);
        if !signals().any(|signal| signal.present) {
            continue;
        }
        let leads: Vec<f64> =
            lost.iter().filter_map(|garden| garden.signals[number].lead).map(|lead| lead as f64).collect();
        let since = |garden: &&Garden| {
            let signal = &garden.signals[number];
            Some(signal.warned as f64 / signal.lead? as f64)
        };
        let since: Vec<f64> = lost.iter().filter_map(since).collect();
        let [quiet, in_vain] = [|signal: &Signal| signal.quiet, |signal: &Signal| signal.in_vain]
            .map(|count| signals().map(count).sum::<u64>() as f64);
        let before = if lost.is_empty() {
            Cell::text("–")
        } else {
            Cell { text: format!("{} of {}", leads.len(), lost.len()), value: Some(leads.len() as f64) }
        };
        table.rows.push(vec![
            Cell::text(name),
            Cell::text(at),
            before,
            Cell::number(quantile(&leads, 0.5), 0),
            Cell::share(quantile(&since, 0.5)),
            Cell::share(Some(in_vain / quiet)),
            Cell::number(rocs[number].area(), 3),
        ]);
    }
    table
}

fn transition_table(gardens: &[Garden]) -> Table {
    let mut table = Table::new(
        "Verdict transitions, share of the generations after each verdict",
        &["from", "generations", "to creative", "to bubble", "to collapse"],
    );
    for (from, name) in VERDICTS.into_iter().enumerate() {
        let counts =
            [0, 1, 2].map(|to| gardens.iter().map(|garden| garden.transitions[from][to]).sum::<u64>());
        let all: u64 = counts.iter().sum();
        let mut row = vec![Cell::text(name), Cell::count(all)];
        row.extend(counts.map(|count| Cell::share((all > 0).then(|| count as f64 / all as f64))));
        table.rows.push(row);
    }
    table
}

/// From the first generation of all `gardens` to the last.
fn span(gardens: &[Garden]) -> Range<f64> {
    let from = gardens.iter().map(|garden| garden.from_to[0]).min().unwrap_or_default() as f64;
    let to = gardens.iter().map(|garden| garden.from_to[1]).max().unwrap_or_default() as f64;
    // Generation 1 stands so near to the axis that it may begin at 0.
    (if from <= 1.0 { 0.0 } else { from })..to.max(from + 1.0)
}

fn dirt_figure(gardens: &[Garden]) -> Result<Figure, ChartError> {
    let groups = groups(gardens).len();
    let name = |garden: &Garden| if groups > 1 { garden.group.clone() } else { garden.name.clone() };
    let names = if groups > 1 { groups } else { gardens.len() };
    let (curves, note) = if names > CURVES || gardens.len() > 4 * CURVES {
        // The longest life first, then the cleanest.
        let rank = |garden: &Garden| {
            Some(garden.lifetime() as f64 - garden.dirt_mean.filter(|dirt| dirt.is_finite())?)
        };
        let ranks: Vec<Option<f64>> = gardens.iter().map(rank).collect();
        picked(&ranks, "length of life and then mean dirt", |index, _| {
            Some(gardens[index].dirt.curve(&gardens[index].name))
        })
    } else {
        (gardens.iter().map(|garden| garden.dirt.curve(&name(garden))).collect(), String::new())
    };
    let labels = Labels { title: "Dirt", x: "generation", y: "mean dirt of a cell (0 to 1)" };
    let caption = format!(
        "Mean dirt of a cell over the generations. A garden is lost when it stays at or above {}.{note}",
        of_rules(gardens, |rules| format!(
            "{} for {} generations",
            percent(rules.lost_share),
            rules.lost_generations
        ))
    );
    Figure::new("garden-dirt", caption, |size: Size| lines(&labels, span(gardens), 0.0..1.0, &curves, size))
}

fn garden_figure(garden: &Garden, number: u32) -> Result<Figure, ChartError> {
    let mut curves = vec![garden.dirt.curve("dirt"), garden.risk.curve("risk")];
    if garden.signals[1].present {
        curves.push(garden.flow.curve("flow"));
    }
    let strip = Strip {
        names: VERDICTS,
        shares: verdicts(garden),
        mark: garden.lost_at.map(|lost| ("lost", lost as f64)),
    };
    let title = format!("{}: dirt, its signals, and the verdict below", garden.name);
    let labels = Labels { title: &title, x: "generation", y: "share of the whole" };
    let caption = format!(
        "Dirt of {} and its signals. The strip has the colour of the verdict; where generations with different verdicts share a pixel column, each verdict has its share of the height.",
        garden.name
    );
    let x = span(std::slice::from_ref(garden));
    Figure::new(format!("garden-{number}"), caption, |size| {
        lines_over_strip(&labels, x.clone(), &curves, &strip, size)
    })
}

/// From which generation on each verdict has which share, at most some 256 times.
fn verdicts(garden: &Garden) -> Vec<(f64, [f64; 3])> {
    let points = garden.verdict.each_ref().map(Thinned::points);
    let together = points[0].len().div_ceil(256).max(1);
    let share = |verdict: &Vec<(f64, f64)>, from: usize| {
        let places = &verdict[from..verdict.len().min(from + together)];
        places.iter().map(|place| place.1).sum::<f64>() / places.len() as f64
    };
    let places = (0..points[0].len()).step_by(together);
    places.map(|from| (points[0][from].0, points.each_ref().map(|verdict| share(verdict, from)))).collect()
}

fn verdict_figure(gardens: &[Garden]) -> Result<Figure, ChartError> {
    let series: Vec<(&str, Vec<f64>)> = VERDICTS
        .into_iter()
        .enumerate()
        .map(|(verdict, name)| {
            let share = |bin: usize| {
                let bins = || gardens.iter().map(|garden| garden.verdicts_by_dirt[bin]);
                let all: u64 = bins().flatten().sum();
                bins().map(|bin| bin[verdict]).sum::<u64>() as f64 / all as f64
            };
            (name, (0..BINS).map(share).collect())
        })
        .collect();
    let labels =
        Labels { title: "Verdict by dirt", x: "mean dirt of a cell (0 to 1)", y: "share of the generations" };
    let caption = "Verdicts at each tenth of the dirt; a tenth that no garden reached is empty. If the verdict warned of a loss, the colour would change towards the right.";
    Figure::new("garden-verdicts", caption, |size| shares(&labels, &series, size))
}

fn roc_figure(rocs: &[Roc]) -> Result<Option<Figure>, ChartError> {
    let curve = |(name, roc): (&&str, &Roc)| {
        let points = roc.points()?;
        Some(Curve { name: format!("{name} ({:.2})", roc.area()?), points, band: Vec::new() })
    };
    let mut curves: Vec<_> = SIGNALS.iter().zip(rocs).filter_map(curve).collect();
    if curves.is_empty() {
        return Ok(None);
    }
    let guessing = vec![(0.0, 0.0), (1.0, 1.0)];
    curves.push(Curve { name: GUESSING.to_owned(), points: guessing, band: Vec::new() });
    let labels = Labels {
        title: "Lost within 50 generations?",
        x: "false alarm rate (share of earlier generations)",
        y: "hit rate",
    };
    let caption = "ROC curves, with their areas: a predictive signal hugs the upper left corner; one below the diagonal falls as the loss approaches. Scores are resolved to 0.0001.";
    Figure::new("garden-roc", caption, |size| lines(&labels, 0.0..1.0, 0.0..1.0, &curves, size)).map(Some)
}
