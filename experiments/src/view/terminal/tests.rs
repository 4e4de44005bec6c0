use std::io::Read;
use std::process::Command;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::style::{Color, Modifier};
use resonetics_runs::setup::Setup;
use resonetics_view::colour::cividis;
use resonetics_view::scene::Cells;

use super::draw::{Ink, READINGS, draw};
use super::shown::PAST;
use super::*;
use crate::view::show::Player;

#[path = "../../../tests/common/pty.rs"]
mod pty;

fn show(env: &str, agent: &str, preset: &str) -> Show {
    Player::new(Setup::preset(env, preset).unwrap(), agent).unwrap().show(1).unwrap()
}

fn view(show: &Show) -> View {
    View::new("a title".to_owned(), show.scene())
}

fn drawn(view: &View, ink: Ink, [columns, rows]: [u16; 2]) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, view, ink)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    buffer
        .content
        .chunks(width)
        .map(|line| line.iter().map(ratatui::buffer::Cell::symbol).collect())
        .collect()
}

/// A reading must be on the screen, name and value in one line.
fn says(lines: &[String], name: &str, value: &str) {
    let found = lines.iter().any(|line| line.contains(name) && line.trim_end().ends_with(value));
    assert!(found, "no line with {name} and {value} in\n{}", lines.join("\n"));
}

#[test]
fn a_garden_fits_80x24_with_all_its_numbers() {
    let mut show = show("gardener", "heuristic", "reference");
    for _ in 0..40 {
        show.step().unwrap();
    }
    let view = view(&show);
    let buffer = drawn(&view, Ink::Full, [80, 24]);
    let lines = lines(&buffer);
    assert!(lines[0].starts_with("a title") && lines[0].ends_with(" 10 steps/s"), "{}", lines[0]);
    assert!(lines[23].contains("space pause"), "{}", lines[23]);
    assert_eq!(view.scene.readings.len(), 12);
    for (name, value) in &view.scene.readings {
        says(&lines, name, value);
    }
    for (name, share) in view.scene.trends {
        says(&lines, name, &format!("{:.0}%", 100.0 * share));
    }
    // 44 half rows hold the 60 cells of a side.
    for line in &lines[1..23] {
        let grid: String = line.chars().take(44).collect();
        assert!(grid.chars().all(|cell| cell == '▀' || cell == '●'), "{line}");
    }
    let Cells::Garden { gardeners, .. } = &view.scene.cells else { panic!() };
    let mut places: Vec<_> =
        gardeners.iter().map(|[row, column]| (row * 44 / 60 / 2, column * 44 / 60)).collect();
    places.sort_unstable();
    places.dedup();
    let seen = lines[..23].concat().matches('●').count();
    assert_eq!(seen, places.len());
    for (row, column) in places {
        assert_eq!(buffer[(column as u16, row as u16 + 1)].symbol(), "●");
    }
}

#[test]
fn a_half_block_has_the_colours_of_its_two_cells() {
    let mut view = view(&show("gardener", "idle", "reference"));
    let mut dirt = vec![0.0; 9];
    (dirt[1], dirt[4]) = (1.0, 0.5);
    view.scene.grid = [3, 3];
    view.scene.cells = Cells::Garden { dirt, gardeners: vec![[2, 2]] };
    // 22 rows hold 44 half rows: three cells of 14, upper left of which is column 14.
    let buffer = drawn(&view, Ink::Full, [80, 24]);
    let rgb = |share| {
        let [red, green, blue] = cividis(share);
        Color::Rgb(red, green, blue)
    };
    let cell = &buffer[(14, 1)];
    assert_eq!((cell.symbol(), cell.fg, cell.bg), ("▀", rgb(1.0), rgb(1.0)));
    assert_eq!((buffer[(13, 1)].fg, buffer[(14, 8)].fg), (rgb(0.0), rgb(0.5)));
    let indexed = drawn(&view, Ink::Indexed, [80, 24]);
    assert!(indexed.content.iter().all(|cell| !matches!(cell.fg, Color::Rgb(..))));
    assert!(matches!(indexed[(14, 1)].fg, Color::Indexed(_)));
    let plain = drawn(&view, Ink::Plain, [80, 24]);
    assert!(plain.content.iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
    assert_eq!((plain[(14, 1)].symbol(), plain[(13, 1)].symbol(), plain[(14, 8)].symbol()), ("@", ".", "+"));
    assert!(plain[(28, 15)].symbol() == "o" && plain[(28, 15)].modifier.contains(Modifier::REVERSED));
}

#[test]
fn a_cluster_fits_80x24_with_every_node_and_its_end() {
    let mut show = show("k8s", "random", "storm");
    let before = lines(&drawn(&view(&show), Ink::Full, [80, 24]));
    says(&before, "step", "0");
    says(&before, "control", "off");
    while !show.ended() {
        show.step().unwrap();
    }
    let view = view(&show);
    let lines = lines(&drawn(&view, Ink::Plain, [80, 24]));
    assert!(lines[0].ends_with("the cluster is lost"), "{}", lines[0]);
    for (name, value) in &view.scene.readings {
        says(&lines, name, value);
    }
    let Cells::Cluster { nodes, agent } = &view.scene.cells else { panic!() };
    for (i, node) in nodes.iter().enumerate() {
        let (row, column) = (i / 4, i % 4);
        let critical = if node.critical { '!' } else { ' ' };
        let cut = |line: usize| -> String { lines[line].chars().skip(11 * column).take(10).collect() };
        let (open, close) = if *agent == [row, column] { ('[', ']') } else { (' ', ' ') };
        assert_eq!(cut(1 + 3 * row), format!("{open}cpu{:3.0}%{critical}{close}", 100.0 * node.cpu));
        let memory =
            if node.out_of_memory { "full".to_owned() } else { format!("{:3.0}%", 100.0 * node.memory) };
        assert_eq!(cut(2 + 3 * row), format!("{open}mem{memory} {close}"));
    }
    assert!(nodes.iter().any(|node| node.out_of_memory));
}

#[test]
fn a_large_cluster_is_a_field() {
    let setup = Setup::preset("k8s", "reference").unwrap();
    let setup = setup.with(None, &["height=8".to_owned(), "width=12".to_owned()]).unwrap();
    let show = Player::new(setup, "random").unwrap().show(1).unwrap();
    let lines = lines(&drawn(&view(&show), Ink::Full, [80, 24]));
    // Four cells a node: 32 half rows, 48 columns.
    assert!(lines[16].starts_with(&"▀".repeat(20)), "{}", lines[16]);
    assert!(!lines[17].contains('▀') && !lines[1].chars().skip(48).any(|cell| cell == '▀'));
    assert_eq!(lines[..23].concat().matches('●').count(), 1);
    assert!(lines[23].ends_with("● agent   bright full memory"), "{}", lines[23]);
}

/// The number of colours of the terminals of 2020, by terminfo.
#[test]
fn colours_are_those_that_the_terminal_has() {
    for (no_color, colorterm, term, expected) in [
        ("", "", "xterm-256color", Ink::Indexed),
        ("", "", "screen", Ink::Indexed),
        ("", "", "vte-256color", Ink::Indexed),
        ("", "truecolor", "xterm-256color", Ink::Full),
        ("1", "truecolor", "xterm-256color", Ink::Plain),
        ("", "", "vt100", Ink::Plain),
        ("", "", "linux", Ink::Plain),
        ("", "", "xterm-mono", Ink::Plain),
    ] {
        assert_eq!(Ink::of(no_color, colorterm, term), expected, "{no_color} {colorterm} {term}");
    }
}

/// In a narrow terminal names are cut, and numbers and the state never.
#[test]
fn numbers_stay_whole_however_narrow_it_is() {
    for (env, agent) in [("gardener", "heuristic"), ("k8s", "random")] {
        let mut view = view(&show(env, agent, "reference"));
        view.paused = true;
        for columns in 22..100 {
            let lines = lines(&drawn(&view, Ink::Full, [columns, 40]));
            assert!(lines[0].ends_with(" paused · 10 steps/s"), "{columns}: {}", lines[0]);
            let width = READINGS.min(columns / 2);
            let beside = |line: &str| line.chars().skip(usize::from(columns - width)).collect::<String>();
            for (line, (name, value)) in lines[1..].iter().zip(&view.scene.readings) {
                let left = beside(line);
                if value.chars().count() > width.into() {
                    assert!(left.ends_with('…') && !left.contains(|c: char| c.is_ascii_digit()), "{left}");
                    continue;
                }
                let label = left.strip_suffix(value.as_str()).unwrap_or_else(|| panic!("{columns}: {left}"));
                assert!(label.is_empty() || label.ends_with(' '), "{columns}: {left:?}");
                assert!(name.starts_with(label.trim_end()), "{columns}: {left:?}");
            }
        }
    }
}

/// A terminal of few rows shows the curves beside the numbers, or says how many rows show all.
#[test]
fn in_few_rows_nothing_is_left_out_without_a_word() {
    for (env, agent) in [("gardener", "heuristic"), ("k8s", "random")] {
        let mut show = show(env, agent, "reference");
        for _ in 0..10 {
            show.step().unwrap();
        }
        let mut view = view(&show);
        view.past = [vec![1.0; 9], vec![1.0; 9], vec![1.0; 9]];
        for columns in [32, 40, 60, 73, 74, 80, 120] {
            for rows in 4..30 {
                let lines = lines(&drawn(&view, Ink::Full, [columns, rows]));
                let readings = view.scene.readings.iter().map(|(name, _)| *name);
                let names = readings
                    .chain(view.scene.trends.map(|(name, _)| name))
                    .all(|name| lines.iter().any(|line| line.contains(&name[..name.len().min(8)])));
                // Full curves, eight columns of each at least.
                let curves = lines.iter().filter(|line| line.contains("████████")).count();
                let said = lines.last().unwrap().contains(" rows show all");
                assert!(said || (names && curves >= 3), "{env} {columns}x{rows}:\n{}", lines.join("\n"));
                if said {
                    let words = lines.last().unwrap();
                    let enough: u16 = words.split(' ').next().unwrap().parse().unwrap();
                    assert!(enough > rows);
                    let lines = self::lines(&drawn(&view, Ink::Full, [columns, enough]));
                    assert!(!lines.last().unwrap().contains(" rows show all"), "{columns}x{enough}");
                }
            }
        }
    }
    let few = lines(&drawn(&view(&show("gardener", "idle", "reference")), Ink::Full, [80, 15]));
    assert!(few[14].starts_with("space pause") && few[1].contains("generation"), "{few:?}");
}

#[test]
fn the_last_line_says_what_the_marks_are() {
    for (env, ink, expected) in [
        ("gardener", Ink::Full, "● gardener   bright dirty"),
        ("gardener", Ink::Plain, "o gardener   @ dirty"),
        ("k8s", Ink::Full, "[ ] agent   ! critical   bright full"),
        ("k8s", Ink::Plain, "[ ] agent   ! critical"),
    ] {
        let view = view(&show(env, "idle", "reference"));
        let lines = lines(&drawn(&view, ink, [80, 24]));
        assert!(lines[23].starts_with("space pause") && lines[23].ends_with(expected), "{}", lines[23]);
    }
}

#[test]
fn any_size_is_drawn() {
    for (env, agent) in [("gardener", "random"), ("k8s", "random")] {
        let view = view(&show(env, agent, "reference"));
        for columns in [1, 2, 7, 31, 32, 60, 80, 250] {
            for rows in [1, 2, 3, 5, 13, 24, 90] {
                drawn(&view, Ink::Indexed, [columns, rows]);
            }
        }
    }
}

#[test]
fn the_past_is_bounded_and_ends_with_the_present() {
    let mut show = show("gardener", "heuristic", "reference");
    let mut view = view(&show);
    for step in 1..PAST + 5 {
        if step % 100 == 0 {
            show.step().unwrap();
        }
        view.show(show.scene());
        assert_eq!(view.past[0].len(), (step + 1).min(PAST));
    }
    assert_eq!(
        view.past.clone().map(|past| *past.last().unwrap()),
        show.scene().trends.map(|(_, share)| share)
    );
    assert!(view.past[0].first() < view.past[0].last());
}

#[test]
fn keys_do_what_the_last_line_says() {
    let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
    let mut view = view(&show("k8s", "idle", "reference"));
    assert_eq!(view.press(key(KeyCode::Char(' '))), Wish::Nothing);
    assert!(view.paused);
    view.press(key(KeyCode::Char(' ')));
    assert!(!view.paused);
    for step in [KeyCode::Char('s'), KeyCode::Right] {
        view.paused = false;
        assert_eq!(view.press(key(step)), Wish::Step);
        assert!(view.paused, "a single step stops the show");
    }
    for rate in 4..20_usize {
        view.press(key(KeyCode::Char('+')));
        assert_eq!(view.rate, rate.min(RATES.len() - 1));
    }
    for _ in 0..20 {
        view.press(key(KeyCode::Char('-')));
    }
    assert_eq!(view.rate, 0);
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    for quit in [key(KeyCode::Char('q')), key(KeyCode::Esc), control_c] {
        assert_eq!(view.press(quit), Wish::Quit);
        assert_eq!(view.press(KeyEvent { kind: KeyEventKind::Release, ..quit }), Wish::Nothing);
    }
    assert_eq!(view.press(key(KeyCode::Char('c'))), Wish::Nothing);
    assert_eq!(view.press(key(KeyCode::Char('z'))), Wish::Nothing);
}

/// The test starts itself a second time, in a pseudo-terminal, and panics there.
#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    const INSIDE: &str = "PANIC_ON_THE_SCREEN";
    if std::env::var_os(INSIDE).is_some() {
        let _screen = Screen::open().unwrap();
        panic!("on purpose");
    }
    let (mut master, terminal) = pty::pair();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = concat!(module_path!(), "::a_panic_gives_the_terminal_back_before_it_speaks");
    let name = name.split_once("::").unwrap().1;
    command.args([name, "--exact", "--nocapture"]).env(INSIDE, "1").env("RUST_BACKTRACE", "0");
    command.stdin(terminal.try_clone().unwrap()).stderr(terminal.try_clone().unwrap());
    let mut child = command.stdout(terminal).spawn().unwrap();
    drop(command);
    let (mut shown, mut buffer) = (Vec::new(), [0; 4096]);
    // Reading ends with an error when nobody has the terminal open.
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..count]);
    }
    assert!(!child.wait().unwrap().success());
    let shown = String::from_utf8(shown).unwrap();
    let place = |what| shown.find(what).unwrap_or_else(|| panic!("no {what:?} in {shown:?}"));
    assert!(place("\u{1b}[?1049h") < place("\u{1b}[?1049l"), "{shown:?}");
    assert!(place("\u{1b}[?1049l") < place("on purpose"), "{shown:?}");
}
