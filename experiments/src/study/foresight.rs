//! Whether risk, flow and verdict foretell the loss of a garden.

use std::path::Path;

use super::cell::{Cell, GENERATION, Size, Study, below};

/// The rules' risk, and the one that sees a saturated grid.
const RISKS: [(&str, &[&str]); 2] =
    [("gardens", &[]), ("gardens-saturation", &["--set", "risk.w_saturation=1"])];

pub const STUDY: Study = Study {
    name: "foresight",
    question: "Do risk, flow and verdict foretell within 50 generations that a garden is lost, and does a risk that sees saturation do it better? (--seeds: gardens; --steps: generations)",
    size: Size { seeds: 20, steps: 1500, episodes: 1 },
    cells,
    measures: &[],
    values: None,
    report: Some("report"),
};

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let (runs, generations) = (size.seeds.to_string(), size.steps.to_string());
    let gardens = |(name, sets): (&str, &[&str])| {
        let mut words = vec![
            "gardener",
            "--agent",
            "evolved",
            "--seed",
            "1",
            "--runs",
            &runs,
            "--generations",
            &generations,
        ];
        words.extend(sets);
        let generations = u64::from(size.seeds) * size.steps;
        Cell::other(name, &words, Vec::new(), generations).of(generations, GENERATION)
    };
    let mut cells: Vec<Cell> = RISKS.into_iter().map(gardens).collect();
    let paths = RISKS.map(|(name, _)| below(dir, name));
    let needs = RISKS.map(|(name, _)| name.to_owned()).to_vec();
    cells.push(Cell::other("report", &["analyze", &paths[0], &paths[1]], needs, 0));
    cells
}
