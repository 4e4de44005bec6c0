//! Curves that are held against levels, and what happened beside them.

use std::ops::Range;

use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::frame::{ChartError, Drawn, Ink, Key, Labels, Plane, Scale, Size, Stroke, framed, plane};
use super::{CALM, Curve, add_curves, strokes};

/// Pixels between a moment's line and its number, and that a digit takes.
const BESIDE: i32 = 3;
const DIGIT: i32 = 8;

/// A level across the plane, in the colour of the curve that is held against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Guide<'a> {
    /// What the key calls it.
    pub name: &'a str,
    /// The name of that curve.
    pub of: &'a str,
    /// Its height.
    pub at: f64,
}

/// Something that happened: a line from bottom to top, with its number where there is room.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// When.
    pub x: f64,
    /// Which of [`Guided::kinds`].
    pub kind: usize,
    /// What a list beside the figure calls it.
    pub number: u64,
}

/// Curves with what they are held against.
#[derive(Clone, Debug)]
pub struct Guided<'a> {
    /// What is written around them.
    pub labels: Labels<'a>,
    /// From where to where.
    pub x: Range<f64>,
    /// From where to where.
    pub y: Range<f64>,
    /// The curves.
    pub curves: &'a [Curve],
    /// Levels of them.
    pub guides: &'a [Guide<'a>],
    /// The names of up to three kinds of moments, the weightiest last.
    pub kinds: [&'a str; 3],
    /// In the order of their numbers.
    pub moments: &'a [Moment],
    /// Whether half the height will do.
    pub low: bool,
}

/// Draws curves with their guides and moments.
///
/// # Errors
/// That the drawing library refused.
pub fn guided(figure: &Guided<'_>, size: Size) -> Result<String, ChartError> {
    let curves = strokes(figure.curves);
    let several = curves.len() > 1 || !figure.guides.is_empty();
    let named = curves.iter().filter(|_| several).map(|&(name, stroke)| (name, Ink::Line(stroke)));
    let guides = guide_strokes(figure, &curves);
    let seen = (0..3).filter(|&kind| figure.moments.iter().any(|moment| moment.kind == kind));
    let kinds = seen.map(|kind| (figure.kinds[kind], Ink::Line(moment_stroke(kind))));
    let levels = figure.guides.iter().zip(&guides).map(|(guide, &stroke)| (guide.name, Ink::Line(stroke)));
    let key = Key::new(named.chain(levels).chain(kinds), size);
    let height = if figure.low { size.height() * 5 / 9 } else { size.height() };
    framed(figure.labels.title, &key, height, size, |area| {
        let scale = Scale::From(figure.y.start);
        let (x, y) = (figure.x.clone(), figure.y.clone());
        let mut chart = plane(area, &figure.labels, x.clone(), y, scale, size)?;
        add_moments(&mut chart, figure, size)?;
        for (guide, stroke) in figure.guides.iter().zip(&guides) {
            let ends = [(x.start, guide.at), (x.end, guide.at)];
            chart.draw_series([thin(*stroke, ends)])?;
        }
        add_curves(&mut chart, figure.curves, &curves)
    })
}

/// A curve's second guide is dotted, so that no two look alike.
fn guide_strokes(figure: &Guided<'_>, curves: &[(&str, Stroke)]) -> Vec<Stroke> {
    let each = figure.guides.iter().enumerate().map(|(place, guide)| {
        let colour =
            curves.iter().find(|(name, _)| *name == guide.of).map_or(CALM, |(_, found)| found.colour);
        let before = figure.guides[..place].iter().any(|other| other.of == guide.of);
        Stroke { colour, dashes: Some(if before { (2, 4) } else { (7, 4) }) }
    });
    each.collect()
}

/// By lightness and by dashes.
fn moment_stroke(kind: usize) -> Stroke {
    match kind {
        0 => Stroke { colour: CALM, dashes: Some((3, 3)) },
        1 => Stroke { colour: BLACK, dashes: Some((6, 5)) },
        _ => Stroke { colour: BLACK, dashes: None },
    }
}

/// A dashed line, thinner than a curve.
fn thin(
    stroke: Stroke,
    ends: [(f64, f64); 2],
) -> DashedPathElement<std::array::IntoIter<(f64, f64), 2>, u32> {
    let (on, off) = stroke.dashes.unwrap_or((1, 0));
    DashedPathElement::new(ends, on, off, stroke.colour.stroke_width(1))
}

fn add_moments(chart: &mut Plane<'_, '_>, figure: &Guided<'_>, size: Size) -> Drawn {
    let (bottom, top) = (figure.y.start, figure.y.end);
    // The weightiest lie above the others.
    for kind in 0..3 {
        for moment in figure.moments.iter().filter(|moment| moment.kind == kind) {
            let (stroke, ends) = (moment_stroke(kind), [(moment.x, bottom), (moment.x, top)]);
            match stroke.dashes {
                Some(_) => chart.draw_series([thin(stroke, ends)])?,
                None => chart.draw_series([stroke.path(ends.to_vec())])?,
            };
        }
    }
    let mut by_place: Vec<&Moment> = figure.moments.iter().collect();
    by_place.sort_by(|a, b| a.x.total_cmp(&b.x));
    let left = |moment: &Moment| chart.plotting_area().map_coordinate(&(moment.x, top)).0;
    let places: Vec<i32> = by_place.iter().map(|moment| left(moment)).collect();
    let nexts = places.iter().skip(1).chain([&i32::MAX]);
    for ((moment, place), next) in by_place.iter().zip(&places).zip(nexts) {
        let number = moment.number.to_string();
        // A line through a number would make another of it.
        if place + 2 * BESIDE + DIGIT * number.len() as i32 <= *next {
            let text = Text::new(number, (BESIDE, 1), ("sans-serif", size.text()));
            chart.draw_series([EmptyElement::at((moment.x, top)) + text])?;
        }
    }
    Ok(())
}
