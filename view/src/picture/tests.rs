use gif::{ColorOutput, DecodeOptions};
use resonetics_envs::env::{Ending, Env, Step};
use resonetics_envs::gardener::{GardenerEnv, action};
use resonetics_envs::k8s::{K8sEnv, OBSERVATION};
use resonetics_envs::registry::{World, world};
use resonetics_envs::vector::{Autoreset, VecEnv};

use super::*;

/// A garden of 3x3 cells, and so of 100 pixels each.
fn garden() -> Scene {
    let dirt = vec![0.0, 0.5, 1.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0];
    Scene {
        step: 7,
        grid: [3, 3],
        cells: Cells::Garden { dirt, gardeners: vec![[2, 1]] },
        readings: vec![("generation", "7".to_owned()), ("population", "1".to_owned())],
        trends: [("mean dirt", 0.25), ("risk", 0.5), ("population", 0.1)],
        ending: None,
    }
}

fn cluster() -> Scene {
    let node = Node { cpu: 0.0, memory: 0.5, critical: false, out_of_memory: false };
    let mut nodes = vec![node; 9];
    nodes[1] = Node { cpu: 1.0, memory: 1.0, critical: true, out_of_memory: true };
    Scene { cells: Cells::Cluster { nodes, agent: [1, 0] }, ..garden() }
}

const NONE: Past<'_> = Past { values: &[], steps: 10 };

/// The colour at a place, by what a PNG decoder makes of the file.
fn decoded(picture: &Picture) -> impl Fn(usize, usize) -> Rgb + use<> {
    let bytes = picture.png().unwrap();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let width = info.width as usize;
    assert_eq!((width, info.height as usize), (picture.width, picture.height));
    assert_eq!((width, info.color_type), (300, png::ColorType::Rgb));
    move |x, y| [0, 1, 2].map(|i| pixels[3 * (y * width + x) + i])
}

#[test]
fn a_garden_has_a_square_a_cell_and_gardeners_with_an_edge() {
    let at = decoded(&Picture::of(&garden(), NONE));
    assert_eq!((at(0, 0), at(99, 99)), (cividis(0.0), cividis(0.0)));
    assert_eq!(at(200, 0), cividis(1.0), "the third cell of the first row");
    assert_eq!(at(50, 250), cividis(0.0));
    // Twelve levels: a half is the sixth, six elevenths up the ramp.
    assert_eq!(at(150, 50), cividis(6.0 / 11.0));
    assert_eq!((at(150, 250), at(100, 200), at(199, 299)), ([255; 3], [0; 3], [0; 3]));
    let letters =
        (0..300).flat_map(|x| (300..328).map(move |y| (x, y))).filter(|&(x, y)| at(x, y) == [255; 3]);
    assert!(letters.count() > 300, "no caption");
}

#[test]
fn a_node_has_two_bars_a_corner_and_a_frame() {
    let at = decoded(&Picture::of(&cluster(), NONE));
    // The second node: cpu and memory full, critical, out of memory.
    assert_eq!((at(130, 50), at(170, 50)), (cividis(1.0), cividis(1.0)));
    assert_eq!((at(110, 10), at(101, 50)), ([255; 3], COLOURS[usize::from(ALARM)]));
    // The first of the second row: no cpu, half of the memory, the agent.
    assert_eq!((at(30, 190), at(70, 110), at(70, 190)), ([0; 3], [0; 3], cividis(6.0 / 11.0)));
    assert_eq!(at(1, 150), [255; 3]);
    assert_eq!(at(201, 250), COLOURS[usize::from(BACKGROUND)]);
}

#[test]
fn the_curve_is_as_high_as_the_share_and_as_long_as_the_past() {
    let past = Past { values: &[0.0, 1.0, 0.5], steps: 10 };
    let at = decoded(&Picture::of(&garden(), past));
    let height = |x: usize| (328..368).filter(|&y| at(x, y) != COLOURS[usize::from(BACKGROUND)]).count();
    // Of 300 pixels 40 are the scale's: a place is 26 wide.
    assert_eq!([13, 39, 65, 91].map(height), [0, 40, 20, 0]);
}

/// A line of text that begins at a place, as far as it can be read with these letters.
fn text(at: &dyn Fn(usize, usize) -> Rgb, left: usize, top: usize, letters: usize) -> String {
    let glyph = |place: usize| {
        [0, 1, 2, 3, 4, 5, 6, 7].map(|y| {
            let lit = |x: &usize| at(left + place * GLYPH + x, top + y) == [255; 3];
            (0..GLYPH).filter(lit).map(|x| 1 << x).sum::<u8>()
        })
    };
    let letter = |place| (b' '..127).find(|&letter| BASIC_LEGACY[usize::from(letter)] == glyph(place));
    (0..letters).map(|place| letter(place).map_or('?', char::from)).collect()
}

/// Read back letter by letter: the numbers at the curve, at the colours, and what the colours mean.
#[test]
fn scales_have_numbers_and_the_colours_a_meaning() {
    for (scene, meaning, marks) in [
        (garden(), "100% dirt of a cell", &[(16, 396, "gardener"), (4, 408, "curve: mean dirt")][..]),
        (
            cluster(),
            "100% in use",
            &[
                (16, 396, "agent"),
                (80, 396, "out of memory"),
                (16, 408, "critical"),
                (92, 408, "bars: cpu, memory"),
            ],
        ),
    ] {
        let picture = Picture::of(&scene, Past { values: &[0.0, 1.0], steps: 1501 });
        let at = decoded(&picture);
        let read = |left, top, expected: &str| assert_eq!(text(&at, left, top, expected.len()), expected);
        read(264, 328, "100%");
        read(264, 360, "0%");
        read(4, 372, "0");
        // It ends where the curve does.
        read(260 - 15 * GLYPH, 372, "generation 1500");
        read(4, 384, "0%");
        read(124, 384, meaning);
        for &(left, top, name) in marks {
            read(left, top, name);
        }
        // From clean to dirty, twelve levels of eight pixels.
        let ramp = |level: usize| at(24 + 8 * level + 4, 388);
        assert_eq!((ramp(0), ramp(6), ramp(11)), (cividis(0.0), cividis(6.0 / 11.0), cividis(1.0)));
    }
}

#[test]
fn the_largest_clusters_have_bars_and_narrow_ones_room_for_the_caption() {
    for (grid, [width, height]) in
        [([64, 64], [512, 632]), ([61, 61], [488, 608]), ([64, 3], [300, 632]), ([3, 64], [512, 144])]
    {
        let full = Node { cpu: 1.0, memory: 0.0, critical: false, out_of_memory: false };
        let cells = Cells::Cluster { nodes: vec![full; grid[0] * grid[1]], agent: [0, 0] };
        let picture = Picture::of(&Scene { grid, cells, ..garden() }, NONE);
        assert_eq!((picture.width, picture.height), (width, height), "{grid:?}");
        let below = height - 120;
        let bars = picture.pixels[..below * width].iter().filter(|pixel| **pixel == shade(1.0));
        // The cpu's bar of each node, of two pixels of its eight.
        assert_eq!(bars.count(), grid[0] * grid[1] * 2 * 6, "{grid:?}");
        let lit = (0..width).filter(|x| (below..below + 28).any(|y| picture.pixels[y * width + x] == LIGHT));
        assert!(lit.count() > 100, "{grid:?}: the caption is cut");
    }
}

/// The longest that there is to say, at the end of both worlds.
#[test]
fn captions_are_not_cut() {
    let mut endings = Vec::new();
    for (preset, limit) in [("storm", u32::MAX), ("calm", 40)] {
        for mut scene in [last_of_garden(preset, limit), last_of_cluster(preset, limit)] {
            scene.trends[0].1 = 1.0;
            for line in caption(&scene) {
                assert!(MARGIN + GLYPH * line.len() <= SIDE, "{line}");
            }
            endings.push(scene.ending.unwrap());
        }
    }
    endings.sort_unstable();
    endings.dedup();
    assert_eq!(endings, ["the cluster is lost", "the garden is lost", "the time is over"]);
}

/// The end of an episode in which nobody does anything.
fn last_of_garden(preset: &str, limit: u32) -> Scene {
    let World::Gardener(mut config) = world("gardener", preset).unwrap() else { panic!("a garden") };
    config.max_generations = limit.min(config.max_generations);
    let mut envs = VecEnv::new(vec![GardenerEnv::new(config)], Autoreset::Disabled).unwrap();
    let mut batch = envs.batch();
    envs.reset(1, &mut batch);
    let idle = vec![action::WAIT; envs.agents()];
    while !batch.terminated[0] && !batch.truncated[0] {
        envs.step(&idle, &mut batch).unwrap();
    }
    let ended = Ending { terminated: batch.terminated[0], truncated: batch.truncated[0] };
    Scene::garden(&envs.env(0), Some(ended))
}

fn last_of_cluster(preset: &str, limit: u32) -> Scene {
    let World::K8s(mut config) = world("k8s", preset).unwrap() else { panic!("a cluster") };
    config.max_steps = limit.min(config.max_steps);
    let (mut env, mut observation) = (K8sEnv::new(config), [0.0; OBSERVATION]);
    Env::reset(&mut env, Some(1), &mut observation);
    let (mut steps, mut total) = (0, 0.0);
    loop {
        let Step { reward, terminated, truncated } = Env::step(&mut env, 0, &mut observation).unwrap();
        (steps, total) = (steps + 1, total + f64::from(reward));
        if terminated || truncated {
            return Scene::cluster(&env, steps, total, Some(Ending { terminated, truncated }));
        }
    }
}

#[test]
fn pixels_are_the_colours_of_their_numbers() {
    let picture = Picture::of(&cluster(), NONE);
    let [height, width] = picture.shape();
    let rgb = picture.rgb();
    assert_eq!(rgb.len(), height * width * 3);
    let decoded = png::Decoder::new(std::io::Cursor::new(picture.png().unwrap()));
    let mut reader = {
        let mut decoder = decoded;
        decoder.set_transformations(png::Transformations::EXPAND);
        decoder.read_info().unwrap()
    };
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert!(pixels == rgb, "the PNG file shows others");
}

/// What a viewer shows after each frame of a film, and for how long.
fn played(bytes: &[u8]) -> Vec<(Vec<u8>, u16)> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    let mut decoder = options.read_info(bytes).unwrap();
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    assert_eq!(decoder.global_palette().unwrap()[..palette().len()], palette());
    let mut screen = vec![u8::MAX; width * height];
    let mut shown = Vec::new();
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        for (i, &pixel) in frame.buffer.iter().enumerate() {
            let (x, y) = (i % usize::from(frame.width), i / usize::from(frame.width));
            if Some(pixel) != frame.transparent {
                screen[(usize::from(frame.top) + y) * width + usize::from(frame.left) + x] = pixel;
            }
        }
        shown.push((screen.clone(), frame.delay));
    }
    assert_eq!(decoder.repeat(), Repeat::Infinite);
    shown
}

#[test]
fn a_film_plays_its_pictures_for_their_times() {
    let pictures = [garden(), cluster(), cluster(), garden()].map(|scene| Picture::of(&scene, NONE));
    let mut film = Film::new(pictures[0].clone(), 5).unwrap();
    for (picture, delay) in pictures[1..].iter().zip([6, 7, 200]) {
        film.show(picture.clone(), delay).unwrap();
    }
    assert_eq!(film.frames(), 4);
    let expected: Vec<_> = pictures.into_iter().map(|picture| picture.pixels).zip([5, 6, 7, 200]).collect();
    assert!(played(&film.finish().unwrap()) == expected);
}
