//! Figures as SVG: curves over time, a strip of shares below them, estimates with their intervals,
//! shares in bins.
//!
//! Every function draws for one [`Size`] and yields the text of an SVG file with its own colours;
//! [`themed`] makes of it what stands in a page and follows the page's colours.

mod frame;
mod guided;
mod many;

pub use frame::{ChartError, Labels, Size, visible};
pub use guided::{Guide, Guided, Moment, guided};
pub use many::{CURVES, picked, picked_estimates};

use std::ops::Range;

use plotters::prelude::*;

use self::frame::{Drawn, Ink, Key, Plane, Scale, Stroke, distinct, framed, plane, rows};
use crate::stats::Interval;

/// Told apart by the colour-blind too (after Okabe and Ito 2008).
const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 97, 0),
    RGBColor(0, 158, 115),
    RGBColor(148, 71, 150),
    RGBColor(86, 180, 233),
    RGBColor(153, 112, 0),
];

/// What is as it should be, beside parts that stand out.
const CALM: RGBColor = RGBColor(154, 163, 171);

/// For the parts of a whole: none is that of one of the first three curves.
const PARTS: [RGBColor; 3] = [CALM, PALETTE[5], PALETTE[3]];

/// The name of a line that is no curve but what curves are compared with: it is dashed and grey.
pub const GUESSING: &str = "guessing (0.50)";

/// Where a strip lies below the curves, whose range is [0, 1].
const STRIP: Range<f64> = -0.13..-0.04;

/// A curve with, where there is one, its band. A point that is no finite number is a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What the key calls it; curves of one name share it and their colour. One without a name is thin and
    /// grey, below the others, and stands in no key.
    pub name: String,
    /// (x, y)
    pub points: Vec<(f64, f64)>,
    /// (x, low, high)
    pub band: Vec<(f64, f64, f64)>,
}

/// What was the case over x, as shares of up to three parts that add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip<'a> {
    /// What the key calls the parts.
    pub names: [&'a str; 3],
    /// (x, the share of each part from there to the next x); the last goes on to the end.
    pub shares: Vec<(f64, [f64; 3])>,
    /// A line across all at this x, with its name.
    pub mark: Option<(&'a str, f64)>,
}

/// An estimate with its interval, a line of [`intervals`].
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// What it is of.
    pub name: String,
    /// Finite.
    pub value: f64,
    /// `None`: only the value is drawn.
    pub interval: Option<Interval>,
}

/// Draws `curves` over `x` and `y`.
///
/// # Errors
/// That the drawing library refused.
pub fn lines(
    labels: &Labels<'_>,
    x: Range<f64>,
    y: Range<f64>,
    curves: &[Curve],
    size: Size,
) -> Result<String, ChartError> {
    let scale = Scale::From(y.start);
    lines_on(scale, labels, x, y, curves, size)
}

/// As [`lines`] of curves whose heights are logarithms to base 10; the axis says of which numbers.
///
/// # Errors
/// As [`lines`].
pub fn lines_over_log(
    labels: &Labels<'_>,
    x: Range<f64>,
    y: Range<f64>,
    curves: &[Curve],
    size: Size,
) -> Result<String, ChartError> {
    lines_on(Scale::Log10, labels, x, y, curves, size)
}

fn lines_on(
    scale: Scale,
    labels: &Labels<'_>,
    x: Range<f64>,
    y: Range<f64>,
    curves: &[Curve],
    size: Size,
) -> Result<String, ChartError> {
    let strokes = strokes(curves);
    // The title says what a single curve is.
    let named = if strokes.len() > 1 { &strokes[..] } else { &[] };
    let key = Key::new(named.iter().map(|&(name, stroke)| (name, Ink::Line(stroke))), size);
    framed(labels.title, &key, size.height(), size, |area| {
        add_curves(&mut plane(area, labels, x, y, scale, size)?, curves, &strokes)
    })
}

/// Draws `curves`, which lie in [0, 1], over `x`, and below them `strip`.
///
/// # Errors
/// As [`lines`].
pub fn lines_over_strip(
    labels: &Labels<'_>,
    x: Range<f64>,
    curves: &[Curve],
    strip: &Strip<'_>,
    size: Size,
) -> Result<String, ChartError> {
    let strokes = strokes(curves);
    let mark = Stroke { colour: BLACK, dashes: None };
    let seen = |part: usize| strip.shares.iter().any(|(_, shares)| shares[part] > 0.0);
    let bars = strip.names.into_iter().zip(PARTS).enumerate().filter(|(part, _)| seen(*part));
    let bars = bars.map(|(_, (name, colour))| (name, Ink::Bar(colour)));
    let names = strokes.iter().map(|&(name, stroke)| (name, Ink::Line(stroke))).chain(bars);
    let key = Key::new(names.chain(strip.mark.map(|(name, _)| (name, Ink::Line(mark)))), size);
    framed(labels.title, &key, size.height(), size, |area| {
        let mut chart = plane(area, labels, x.clone(), STRIP.start..1.0, Scale::From(0.0), size)?;
        add_curves(&mut chart, curves, &strokes)?;
        let runs: Vec<_> = strip.shares.chunk_by(|a, b| a.1 == b.1).map(|run| run[0]).collect();
        let ends = runs.iter().skip(1).map(|(start, _)| *start).chain([x.end]);
        for ((start, shares), end) in runs.iter().zip(ends) {
            let mut floor = STRIP.start;
            for (part, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
                let top = floor + share * (STRIP.end - STRIP.start);
                chart.draw_series([Rectangle::new([(*start, floor), (end, top)], PARTS[part].filled())])?;
                floor = top;
            }
        }
        if let Some((_, at)) = strip.mark {
            chart.draw_series([mark.path(vec![(at, STRIP.start), (at, 1.0)])])?;
        }
        Ok(())
    })
}

/// Draws one estimate below the other, each as a stroke across the line of its interval.
///
/// # Errors
/// As [`lines`].
pub fn intervals(title: &str, x: &str, estimates: &[Estimate], size: Size) -> Result<String, ChartError> {
    let ends = estimates.iter().flat_map(|estimate| {
        let interval = estimate.interval.unwrap_or(Interval { low: estimate.value, high: estimate.value });
        [interval.low, interval.high]
    });
    let (low, high) =
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let margin = if high > low { 0.08 * (high - low) } else { 0.5 };
    let count = estimates.len() as f64;
    let names = distinct(estimates.iter().map(|estimate| estimate.name.as_str()), size.letters());
    framed(title, &Key::new([].into_iter(), size), 110 + 48 * estimates.len() as u32, size, |area| {
        let mut chart = rows(area, x, low - margin..high + margin, 0.0..count, size)?;
        for (row, estimate) in estimates.iter().enumerate() {
            let y = count - row as f64 - 0.7;
            let colour = PALETTE[row % PALETTE.len()];
            if let Some(Interval { low, high }) = estimate.interval {
                chart.draw_series([PathElement::new(
                    vec![(low, y), (high, y)],
                    colour.mix(0.5).stroke_width(9),
                )])?;
            }
            let stroke = vec![(estimate.value, y - 0.16), (estimate.value, y + 0.16)];
            chart.draw_series([PathElement::new(stroke, colour.stroke_width(3))])?;
            let name = Text::new(names[row].clone(), (low - margin, y + 0.5), ("sans-serif", size.text()));
            chart.draw_series([name])?;
        }
        Ok(())
    })
}

/// Draws up to three shares in `bins` of equal width over [0, 1], on top of each other; a bin of
/// which the shares are not finite stays empty.
///
/// # Errors
/// As [`lines`].
pub fn shares(labels: &Labels<'_>, series: &[(&str, Vec<f64>)], size: Size) -> Result<String, ChartError> {
    let seen = series.iter().zip(PARTS).filter(|((_, shares), _)| shares.iter().any(|share| *share > 0.0));
    let names = seen.map(|((name, _), colour)| (*name, Ink::Bar(colour)));
    let key = Key::new(names, size);
    framed(labels.title, &key, size.height(), size, |area| {
        let mut chart = plane(area, labels, 0.0..1.0, 0.0..1.0, Scale::From(0.0), size)?;
        let bins = series.first().map_or(0, |(_, shares)| shares.len());
        let mut floor = vec![0.0; bins];
        for ((_, shares), colour) in series.iter().zip(PARTS) {
            for (bin, share) in shares.iter().enumerate() {
                if share.is_finite() && *share > 0.0 {
                    let (left, right) =
                        ((bin as f64 + 0.06) / bins as f64, (bin as f64 + 0.94) / bins as f64);
                    let corners = [(left, floor[bin]), (right, floor[bin] + share)];
                    chart.draw_series([Rectangle::new(corners, colour.filled())])?;
                    floor[bin] += share;
                }
            }
        }
        Ok(())
    })
}

/// `svg` for the inside of a page: its ink is the text's colour, paper and colours are the page's
/// `--paper` and `--curve-1` to `--curve-6` where it has them; `description` is what a screen reader says.
pub fn themed(svg: &str, description: &str) -> String {
    let hex = |RGBColor(r, g, b): RGBColor| format!("\"#{r:02X}{g:02X}{b:02X}\"");
    let mut page = svg.replace(&hex(BLACK), "\"currentColor\"");
    page = page.replace(&hex(WHITE), "\"var(--paper, #FFFFFF)\"");
    for (number, colour) in (1..).zip(PALETTE) {
        let plain = hex(colour);
        page = page.replace(&plain, &format!("\"var(--curve-{number}, {})\"", plain.trim_matches('"')));
    }
    page = page.replace(&hex(CALM), "\"var(--calm, #9AA3AB)\"");
    let escaped = description.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    page.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{escaped}\" "), 1)
}

/// The names of `curves`, each once, and how those curves are drawn.
fn strokes(curves: &[Curve]) -> Vec<(&str, Stroke)> {
    let mut strokes: Vec<(&str, Stroke)> = Vec::new();
    for curve in curves.iter().filter(|curve| !curve.name.is_empty()) {
        if strokes.iter().all(|(name, _)| *name != curve.name) {
            let colour = PALETTE[strokes.len() % PALETTE.len()];
            let dashes = [None, Some((8, 4)), Some((2, 4))][(strokes.len() / PALETTE.len()).min(2)];
            let is_line = curve.name == GUESSING;
            let stroke = if is_line {
                Stroke { colour: CALM, dashes: Some((4, 4)) }
            } else {
                Stroke { colour, dashes }
            };
            strokes.push((&curve.name, stroke));
        }
    }
    strokes
}

fn add_curves(chart: &mut Plane<'_, '_>, curves: &[Curve], strokes: &[(&str, Stroke)]) -> Drawn {
    let (grey, named): (Vec<&Curve>, Vec<&Curve>) = curves.iter().partition(|curve| curve.name.is_empty());
    for curve in grey {
        for points in curve.points.split(|(_, y)| !y.is_finite()).filter(|points| !points.is_empty()) {
            match &seen(chart, points, |point| [point, point])[..] {
                [point] => chart.draw_series([Circle::new(*point, 1, CALM.filled())])?,
                points => chart.draw_series([PathElement::new(points, CALM.stroke_width(1))])?,
            };
        }
    }
    for curve in named {
        let Some((_, stroke)) = strokes.iter().find(|(name, _)| *name == curve.name) else { continue };
        for band in curve.band.split(|(_, low, high)| !(low + high).is_finite()) {
            let band = seen(chart, band, |(x, low, high)| [(x, low), (x, high)]);
            let upper = band.iter().map(|&(x, _, high)| (x, high));
            let lower = band.iter().rev().map(|&(x, low, _)| (x, low));
            if !band.is_empty() {
                let corners: Vec<_> = upper.chain(lower).collect();
                chart.draw_series([Polygon::new(corners, stroke.colour.mix(0.18))])?;
            }
        }
        for points in curve.points.split(|(_, y)| !y.is_finite()) {
            match &seen(chart, points, |point| [point, point])[..] {
                [] => {}
                [point] => _ = chart.draw_series([Circle::new(*point, 2, stroke.colour.filled())])?,
                points => _ = chart.draw_series([stroke.path(points.to_vec())])?,
            }
        }
    }
    Ok(())
}

/// `points` but those that fall into the pixels of the one before: fifty thousand lives have a step each,
/// and no screen shows them. `places` says where a point is drawn.
fn seen<T: Copy>(chart: &Plane<'_, '_>, points: &[T], places: impl Fn(T) -> [(f64, f64); 2]) -> Vec<T> {
    let pixels = |&point: &T| places(point).map(|place| chart.plotting_area().map_coordinate(&place));
    let mut kept: Vec<T> = Vec::new();
    let mut before = None;
    for point in points {
        let at = Some(pixels(point));
        if at != before {
            kept.push(*point);
        }
        before = at;
    }
    kept
}

/// The corners of a curve that keeps each height until the next time, from (0, 1) on.
pub fn steps(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut corners = vec![(0.0, 1.0)];
    let mut height = 1.0;
    for (time, next) in points {
        corners.push((time, height));
        corners.push((time, next));
        height = next;
    }
    corners
}

/// A range that holds all finite values of `values` with a little room, `None` if there are none.
pub fn range(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let room = if high > low { 0.05 * (high - low) } else { 0.5 * low.abs().max(1.0) };
    (low <= high).then_some(low - room..high + room)
}

#[cfg(test)]
mod tests;
