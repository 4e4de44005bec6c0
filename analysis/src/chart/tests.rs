use super::*;

fn labels() -> Labels<'static> {
    Labels { title: "a title", x: "time", y: "height" }
}

#[test]
fn steps_hold_their_height() {
    let corners = steps([(2.0, 0.5), (5.0, 0.0)].into_iter());
    assert_eq!(corners, [(0.0, 1.0), (2.0, 1.0), (2.0, 0.5), (5.0, 0.5), (5.0, 0.0)]);
}

#[test]
fn draws_each_curve_and_names_each_colour_once() {
    let curve = |name: &str| Curve {
        name: name.to_owned(),
        points: vec![(0.0, 0.0), (1.0, 1.0)],
        band: vec![(0.0, 0.0, 0.1), (1.0, 0.9, 1.0)],
    };
    let curves = [curve("one"), curve("two"), curve("one")];
    let svg = lines(&labels(), 0.0..1.0, 0.0..1.0, &curves, Size::Wide).unwrap();
    for text in ["a title", "time", "height"] {
        assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text}");
    }
    for (name, count) in [("one", 1), ("two", 1)] {
        assert_eq!(svg.matches(&format!("\n{name}\n")).count(), count, "{name}");
    }
    assert_eq!(svg.matches("<polygon").count(), 3);
}

/// Names stand in rows between the title and the plane; one too long for a row keeps its end.
#[test]
fn the_key_covers_nothing_and_is_cut_nowhere() {
    let names: Vec<String> = (0..9).map(|i| format!("agent number {i}")).collect();
    let long = format!("prophet:{}/the-end", "deep/".repeat(30));
    let curve =
        |name: &String| Curve { name: name.clone(), points: vec![(0.0, 1.0), (1.0, 1.0)], band: Vec::new() };
    let curves: Vec<Curve> = names.iter().chain([&long]).map(curve).collect();
    for (size, width) in [(Size::Wide, 820.0), (Size::Narrow, 380.0)] {
        let svg = lines(&labels(), 0.0..1.0, 0.0..3.0, &curves, size).unwrap();
        let texts: Vec<(f64, f64, &str)> = svg
            .split("<text ")
            .skip(1)
            .map(|text| {
                let number = |name: &str| -> f64 {
                    let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap();
                    rest.split_once('"').unwrap().0.parse().unwrap()
                };
                (number("x"), number("y"), text.split('\n').nth(1).unwrap())
            })
            .collect();
        let top = *texts.iter().find(|(.., text)| *text == "3.0").map(|(_, y, _)| y).unwrap();
        let title = *texts.iter().find(|(.., text)| *text == "a title").map(|(_, y, _)| y).unwrap();
        for name in &names {
            let (x, y, _) = texts.iter().find(|(.., text)| text == name).unwrap();
            assert!(*y > title && y + 8.0 < top, "{name} at {y}, between {title} and {top}");
            assert!(x + 14.0 * 7.0 < width, "{name} at {x}");
        }
        let mut places: Vec<_> = texts.iter().map(|(x, y, _)| (x.to_bits(), y.to_bits())).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), texts.len(), "no two texts stand in one place: {texts:?}");
        let (x, y, text) = texts.iter().find(|(.., text)| text.ends_with("/the-end")).unwrap();
        assert!(text.starts_with('…') && y + 8.0 < top && x + 5.5 * (text.len() as f64) < width, "{text}");
    }
}

/// The seventh curve has the colour of the first, and dashes.
#[test]
fn curves_of_one_colour_differ_in_dashes() {
    let curve = |i: usize| Curve {
        name: format!("n{i}"),
        points: vec![(0.0, i as f64 / 10.0), (1.0, i as f64 / 10.0)],
        band: Vec::new(),
    };
    let pieces = |count: usize| {
        let curves: Vec<Curve> = (0..count).map(curve).collect();
        let svg = lines(&labels(), 0.0..1.0, 0.0..1.0, &curves, Size::Wide).unwrap();
        svg.lines().filter(|line| line.contains("<polyline") && line.contains("#0072B2")).count()
    };
    // Its line and the one in the key.
    assert_eq!(pieces(6), 2);
    assert!(pieces(7) > 30);
}

#[test]
fn nothing_is_drawn_across_a_gap() {
    let points = vec![(0.0, 0.1), (0.2, 0.2), (0.4, f64::NAN), (0.6, f64::INFINITY), (0.8, 0.3)];
    let curve = Curve { name: "one".to_owned(), points, band: Vec::new() };
    let svg = lines(&labels(), 0.0..1.0, 0.0..1.0, &[curve], Size::Narrow).unwrap();
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    let blue =
        |element: &str| svg.lines().filter(|line| line.contains(element) && line.contains("#0072B2")).count();
    // One piece of the curve; the point behind the gap stands alone.
    assert_eq!((blue("<polyline"), blue("<circle")), (1, 1), "{svg}");
}

/// Places with the same shares share a bar, parts without a share have none, and the mark and all
/// names are there.
#[test]
fn a_strip_has_a_bar_for_each_part_of_each_run() {
    let curve = Curve { name: "dirt".to_owned(), points: vec![(0.0, 0.0), (10.0, 1.0)], band: Vec::new() };
    let whole = |part: usize| std::array::from_fn(|i| if i == part { 1.0 } else { 0.0 });
    let strip = Strip {
        names: ["a", "b", "c"],
        shares: vec![(0.0, whole(0)), (2.0, whole(0)), (4.0, [0.5, 0.0, 0.5]), (8.0, whole(1))],
        mark: Some(("lost", 6.0)),
    };
    let svg = lines_over_strip(&labels(), 0.0..10.0, &[curve], &strip, Size::Wide).unwrap();
    let bars = |colour: RGBColor| -> Vec<[f64; 4]> {
        let hex = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
        let drawn = svg.lines().filter(|line| line.starts_with("<rect") && line.contains(&hex));
        let number = |line: &str, name: &str| -> f64 {
            let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
            rest.split_once('"').unwrap().0.parse().unwrap()
        };
        drawn.map(|line| ["x", "y", "width", "height"].map(|name| number(line, name))).collect()
    };
    let [a, b, c] = PARTS.map(bars);
    // The first of each is its name's, in the key.
    assert_eq!((a.len(), b.len(), c.len()), (3, 2, 2), "{svg}");
    let near = |found: f64, expected: f64| assert!((found - expected).abs() <= 2.0, "{found}, {expected}");
    near(a[1][2], a[2][2]); // 0 to 4, 4 to 8
    near(b[1][2], a[2][2] / 2.0); // 8 to 10
    near(a[2][3], a[1][3] / 2.0); // half of the height
    near(c[1][1] + c[1][3], a[2][1]); // above it
    for name in ["a", "b", "c", "dirt", "lost", "1.0", "0.0"] {
        assert_eq!(svg.matches(&format!("\n{name}\n")).count(), 1, "{name}");
    }
    assert!(!svg.contains("\n-0.1\n"), "the strip is on no scale");
}

#[test]
fn an_estimate_without_interval_has_no_line() {
    let one = |name: &str, interval| Estimate { name: name.to_owned(), value: 2.0, interval };
    let both = [one("a", Some(Interval { low: 1.0, high: 3.0 })), one("b", None)];
    let svg = intervals("a title", "return", &both, Size::Wide).unwrap();
    let lines =
        |width, colour| svg.lines().filter(|line| line.contains(width) && line.contains(colour)).count();
    let width = "stroke-width=\"9\"";
    assert_eq!((lines(width, "#0072B2"), lines(width, "#E66100")), (1, 0), "{svg}");
    let width = "stroke-width=\"3\"";
    assert_eq!((lines(width, "#0072B2"), lines(width, "#E66100")), (1, 1), "{svg}");
}

#[test]
fn numbers_on_an_axis_have_the_decimals_they_need() {
    let format = |range: std::ops::Range<f64>, value: f64| frame::number_format(&range)(&value);
    for (range, value, text) in [
        (0.0..1.0, 0.3, "0.3"),
        (0.0..0.5, 0.05, "0.05"),
        (0.01..0.05, 0.015, "0.015"),
        (0.0..10.0, 3.0, "3"),
        (0.0..1_000.0, 200.0, "200"),
        (0.0..400_000.0, 150_000.0, "150k"),
        (0.0..400_000.0, 0.0, "0"),
        (0.0..1e-7, 2e-8, "2.0e-8"),
        (0.0..1e12, 2e11, "2.0e11"),
    ] {
        assert_eq!(format(range, value), text);
    }
}

#[test]
fn in_a_page_no_colour_is_fixed_and_texts_are_escaped() {
    let svg = shares(&labels(), &[("a <b>", vec![0.5, f64::NAN]), ("c", vec![0.5, f64::NAN])], Size::Wide);
    let page = themed(&svg.unwrap(), "shares of \"a <b>\"");
    assert!(!page.contains("\"#"), "{page}");
    assert!(page.contains("aria-label=\"shares of &quot;a &lt;b>&quot;\""));
    assert!(page.contains("a &lt;b&gt;") && page.contains("var(--curve-6, #997000)"));
}

#[test]
fn a_range_has_room() {
    let r = range([1.0, f64::NAN, 3.0].into_iter()).unwrap();
    assert!(r.start < 1.0 && r.end > 3.0);
    assert_eq!(range([f64::NAN].into_iter()), None);
    let flat = range([2.0].into_iter()).unwrap();
    assert!(flat.start < 2.0 && flat.end > 2.0);
}

/// The key names no part that is nowhere.
#[test]
fn a_part_that_never_was_has_no_name() {
    let strip = Strip { names: ["a", "b", "c"], shares: vec![(0.0, [0.5, 0.5, 0.0])], mark: None };
    let strip = lines_over_strip(&labels(), 0.0..9.0, &[], &strip, Size::Wide).unwrap();
    let bars =
        shares(&labels(), &[("a", vec![0.5]), ("b", vec![0.5]), ("c", vec![0.0])], Size::Wide).unwrap();
    for svg in [strip, bars] {
        let named = |name: &str| svg.contains(&format!("\n{name}\n"));
        assert_eq!(["a", "b", "c"].map(named), [true, true, false]);
    }
}

/// Whole on a phone, where it has two lines and the plane is as high as it was.
#[test]
fn a_long_title_has_more_lines() {
    let title = "garden-heuristic-no-control, run-0001: dirt, its signals, and the verdict below";
    let drawn = |title: &str, size| {
        let curve = Curve { name: "one".to_owned(), points: vec![(0.0, 0.0), (1.0, 1.0)], band: Vec::new() };
        lines(&Labels { title, x: "time", y: "height" }, 0.0..1.0, 0.0..1.0, &[curve], size).unwrap()
    };
    let number = |svg: &str, name: &str| -> f64 {
        let (_, rest) = svg.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let narrow = drawn(title, Size::Narrow);
    for line in ["garden-heuristic-no-control, run-0001:", "dirt, its signals, and the verdict below"] {
        assert!(narrow.contains(&format!("\n{line}\n")), "{narrow}");
    }
    let plane = |svg: &str| {
        let (_, curve) = svg.split_once("stroke=\"#0072B2\"").unwrap();
        let (_, points) = curve.split_once("points=\"").unwrap();
        let points: Vec<f64> = points
            .split_once('"')
            .unwrap()
            .0
            .split([' ', ','])
            .filter(|number| !number.is_empty())
            .map(|number| number.parse().unwrap())
            .collect();
        points[1] - points[3]
    };
    let short = drawn("a title", Size::Narrow);
    assert!((plane(&narrow) - plane(&short)).abs() < 12.0, "{} {}", plane(&narrow), plane(&short));
    assert!(number(&narrow, "height") > number(&short, "height"));
    assert!(drawn(title, Size::Wide).contains(&format!("\n{title}\n")));
}

/// Fifty thousand steps are drawn as those that a screen can show; what lies in one pixel is a dot.
#[test]
fn what_falls_into_one_pixel_is_drawn_once() {
    let many: Vec<(f64, f64)> =
        (0..100_000).map(|i| (f64::from(i) / 1e5, 1.0 - f64::from(i) / 1e5)).collect();
    let band = many.iter().map(|&(x, y)| (x, y - 0.1, y + 0.1)).collect();
    let curve = Curve { name: "lives".to_owned(), points: many, band };
    let svg = lines(&labels(), 0.0..1.0, 0.0..1.0, &[curve], Size::Wide).unwrap();
    assert!(svg.len() < 60_000, "{} bytes", svg.len());
    let same = Curve { name: "once".to_owned(), points: vec![(0.5, 0.5); 61], band: Vec::new() };
    let svg = lines(&labels(), 0.0..1.0, 0.0..1.0, &[same], Size::Wide).unwrap();
    assert_eq!(svg.matches("<circle").count(), 1);
}

/// A curve without a name is grey, thin and in no key; those with one lie above it.
#[test]
fn a_curve_without_a_name_is_grey() {
    let curve =
        |name: &str| Curve { name: name.to_owned(), points: vec![(0.0, 0.0), (1.0, 1.0)], band: Vec::new() };
    let curves = [curve("one"), curve(""), curve("two"), curve("")];
    let svg = lines(&labels(), 0.0..1.0, 0.0..1.0, &curves, Size::Wide).unwrap();
    let strokes: Vec<&str> = svg.lines().filter(|line| line.contains("<polyline")).collect();
    let grey = strokes.iter().filter(|line| line.contains("#9AA3AB"));
    assert!(
        grey.clone().count() == 2 && grey.clone().all(|line| line.contains("stroke-width=\"1\"")),
        "{strokes:?}"
    );
    let place = |colour: &str| svg.rfind(colour).unwrap();
    assert!(place("#9AA3AB") < place("#0072B2") && place("#9AA3AB") < place("#E66100"));
    assert!(themed(&svg, "x").contains("var(--calm"));
}

/// Names that differ where a figure has no room, or in nothing that leaves ink, do not look alike.
#[test]
fn no_two_names_look_alike() {
    let middle = |letter: char| format!("{}{letter}{}", "begin/".repeat(30), "/end".repeat(30));
    let names =
        [middle('a'), middle('b'), "planner".to_owned(), "plan\u{200b}ner".to_owned(), "长".repeat(90)];
    let estimate = |name: &String| Estimate { name: name.clone(), value: 1.0, interval: None };
    let estimates: Vec<Estimate> = names.iter().map(estimate).collect();
    for size in [Size::Wide, Size::Narrow] {
        let svg = intervals("t", "x", &estimates, size).unwrap();
        let texts: Vec<&str> =
            svg.split("<text ").skip(1).filter_map(|text| text.split('\n').nth(1)).collect();
        let found = |part: &str| texts.iter().filter(|text| text.contains(part)).count();
        assert_eq!((found("1: …"), found("2: …"), found("planner"), found("plan\\u{200b}ner")), (1, 1, 1, 1));
        let long = texts.iter().find(|text| text.contains('长')).unwrap();
        assert!(long.chars().count() < if size == Size::Wide { 50 } else { 25 }, "{long}");
    }
    // Joined emoji and Persian keep what joins them.
    for name in ["\u{1f468}\u{200d}\u{1f469}", "می\u{200c}روم"] {
        assert_eq!(visible(name), name);
    }
    assert_eq!(visible("a\u{202e}b\tc"), "a\\u{202e}b\\u{9}c");
}

/// A level has the colour of its curve and is thinner; a moment's number stands where no other line crosses it.
#[test]
fn levels_and_moments_are_drawn_beside_their_curves() {
    let curve =
        |name: &str| Curve { name: name.to_owned(), points: vec![(0.0, 0.1), (9.0, 0.9)], band: vec![] };
    let curves = [curve("one"), curve("two")];
    let moment = |number, x, kind| Moment { x, kind, number };
    let guide = |name, of, at| Guide { name, of, at };
    let mut figure = Guided {
        labels: labels(),
        x: 0.0..9.0,
        y: 0.0..1.0,
        curves: &curves,
        guides: &[guide("low", "two", 0.2), guide("high", "two", 0.8)],
        kinds: ["some", "more", "most"],
        moments: &[moment(41, 3.0, 0), moment(42, 3.1, 2), moment(43, 9.0, 0)],
        low: false,
    };
    let svg = guided(&figure, Size::Wide).unwrap();
    let thin = |colour: &str| svg.matches(&format!("stroke=\"{colour}\" stroke-width=\"1\"")).count();
    assert!(thin("#E66100") > 2 && thin("#0072B2") == 0, "{svg}");
    for (text, count) in
        [("low", 1), ("high", 1), ("some", 1), ("more", 0), ("most", 1), ("41", 0), ("42", 1), ("43", 1)]
    {
        assert_eq!(svg.matches(&format!("\n{text}\n")).count(), count, "{text}");
    }
    let height = |svg: &str| -> u32 {
        svg.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    figure.low = true;
    assert!(height(&guided(&figure, Size::Wide).unwrap()) < height(&svg) - 100);
}
