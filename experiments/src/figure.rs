//! Figures: curves over time as SVG.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::failure::Failure;
use crate::files::write_new;

/// Blue and orange, then green and purple: told apart by the colour-blind too (Okabe and Ito
/// 2008).
const PALETTE: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(230, 97, 0), RGBColor(0, 158, 115), RGBColor(148, 71, 150)];

const SIZE: (u32, u32) = (820, 420);

/// A curve with, where there is one, its band.
pub struct Curve {
    /// What the legend calls it; curves of one name share it and their colour.
    pub name: String,
    /// (x, y)
    pub points: Vec<(f64, f64)>,
    /// (x, low, high)
    pub band: Vec<(f64, f64, f64)>,
}

/// What is written around the curves.
pub struct Labels<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
    /// The corner that the curves leave free.
    pub legend: SeriesLabelPosition,
}

/// Draws `curves` over `x` and `y` into a new SVG file.
///
/// # Errors
/// An I/O error, naming the file.
pub fn draw(
    path: &Path,
    labels: &Labels<'_>,
    x: Range<f64>,
    y: Range<f64>,
    curves: &[Curve],
) -> Result<(), Failure> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    plot(&area, labels, x, y, curves)
        .map_err(|error| Failure::Failed(format!("cannot draw {}: {error}", path.display())))?;
    drop(area);
    write_new(path, svg.as_bytes())
}

fn plot<'a>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    labels: &Labels<'_>,
    x: Range<f64>,
    y: Range<f64>,
    curves: &[Curve],
) -> Result<(), Box<dyn Error + 'a>> {
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(labels.title, ("sans-serif", 20))
        .margin(12)
        .margin_right(28)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .x_desc(labels.x)
        .y_desc(labels.y)
        .label_style(("sans-serif", 14))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .light_line_style(TRANSPARENT)
        .draw()?;
    let mut names: Vec<&str> = Vec::new();
    for curve in curves {
        let known = names.iter().position(|name| *name == curve.name);
        let colour = PALETTE[known.unwrap_or(names.len()) % PALETTE.len()];
        let upper = curve.band.iter().map(|&(x, _, high)| (x, high));
        let lower = curve.band.iter().rev().map(|&(x, low, _)| (x, low));
        let band: Vec<(f64, f64)> = upper.chain(lower).collect();
        if !band.is_empty() {
            chart.draw_series([Polygon::new(band, colour.mix(0.18))])?;
        }
        let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
        let drawn = chart.draw_series(line)?;
        if known.is_none() {
            names.push(&curve.name);
            drawn
                .label(curve.name.as_str())
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
    }
    chart
        .configure_series_labels()
        .position(labels.legend.clone())
        .label_font(("sans-serif", 14))
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_hold_their_height() {
        let corners = steps([(2.0, 0.5), (5.0, 0.0)].into_iter());
        assert_eq!(corners, [(0.0, 1.0), (2.0, 1.0), (2.0, 0.5), (5.0, 0.5), (5.0, 0.0)]);
    }

    #[test]
    fn draws_each_curve_and_names_each_colour_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figure.svg");
        let curve = |name: &str| Curve {
            name: name.to_owned(),
            points: vec![(0.0, 0.0), (1.0, 1.0)],
            band: vec![(0.0, 0.0, 0.1), (1.0, 0.9, 1.0)],
        };
        let labels =
            Labels { title: "a title", x: "time", y: "height", legend: SeriesLabelPosition::UpperLeft };
        let curves = [curve("one"), curve("two"), curve("one")];
        draw(&path, &labels, 0.0..1.0, 0.0..1.0, &curves).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        for text in ["a title", "time", "height"] {
            assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text}");
        }
        for (name, count) in [("one", 1), ("two", 1)] {
            assert_eq!(svg.matches(&format!("\n{name}\n")).count(), count, "{name}");
        }
        assert_eq!(svg.matches("<polygon").count(), 3);
        assert!(draw(&path, &labels, 0.0..1.0, 0.0..1.0, &[]).is_err(), "a file that exists is refused");
    }
}
