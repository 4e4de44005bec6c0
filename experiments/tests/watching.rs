//! An episode to look at: pictures, and a terminal that gets its own screen back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use common::{Place, SMALL, STEPS, TINY, hangups_are_ignored, pty, send, wait_until};
use rustix::process::Signal;
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

const OTHER_SCREEN: &str = "\u{1b}[?1049h";
const OWN_SCREEN: &str = "\u{1b}[?1049l";

/// The program on a pseudo-terminal of 80x24; `variable` is `NAME=VALUE`, or empty.
struct Watched {
    child: Child,
    keyboard: File,
    /// Kept open, so that its settings can be looked at in the end.
    terminal: File,
    shown: Arc<Mutex<Shown>>,
}

/// What has arrived at the terminal, and what its screen makes of it.
struct Shown {
    text: String,
    emulator: vt100::Parser,
}

impl Watched {
    fn start(place: &Place, arguments: &str, variable: &str) -> Watched {
        let (mut reader, terminal) = pty::pair();
        resize(&terminal, 80, 24);
        let mut command = place.command(arguments);
        command
            .stdin(terminal.try_clone().unwrap())
            .stdout(terminal.try_clone().unwrap())
            .stderr(Stdio::piped());
        command.env("TERM", "xterm-256color").env_remove("COLORTERM");
        if let Some((name, value)) = variable.split_once('=') {
            command.env(name, value);
        }
        let child = command.spawn().unwrap();
        let emulator = vt100::Parser::default();
        let shown = Arc::new(Mutex::new(Shown { text: String::new(), emulator }));
        let keyboard = reader.try_clone().unwrap();
        let heard = Arc::clone(&shown);
        std::thread::spawn(move || {
            let (mut buffer, mut bytes) = ([0; 4096], Vec::new());
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                bytes.extend_from_slice(&buffer[..count]);
                let mut heard = heard.lock().unwrap();
                heard.text = String::from_utf8_lossy(&bytes).into_owned();
                heard.emulator.process(&buffer[..count]);
            }
        });
        Watched { child, keyboard, terminal, shown }
    }

    /// All that has arrived.
    fn shown(&self) -> String {
        self.shown.lock().unwrap().text.clone()
    }

    /// The screen as it is now, a line a row.
    fn screen(&self) -> Vec<String> {
        self.shown.lock().unwrap().emulator.screen().rows(0, u16::MAX).collect()
    }

    /// Waits until `text` is on the screen.
    fn wait_for(&self, text: &str) {
        wait_until(|| self.screen().iter().any(|line| line.contains(text)));
    }

    /// The value of a reading.
    fn reading(&self, name: &str) -> String {
        // Below the title.
        let found =
            self.screen()[1..].iter().find_map(|line| Some(line.split_once(name)?.1.trim().to_owned()));
        found.unwrap_or_else(|| panic!("no {name}"))
    }

    fn resize(&self, columns: u16, rows: u16) {
        let side = |cells| NonZero::new(cells).unwrap();
        self.shown.lock().unwrap().emulator.screen_mut().set_size(side(rows), side(columns));
        resize(&self.terminal, columns, rows);
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn raw(&self) -> bool {
        !tcgetattr(&self.terminal).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Waits for the end and looks at what the terminal was left with.
    fn ended(mut self) -> (Option<i32>, String) {
        wait_until_ended(&mut self.child);
        wait_until(|| self.shown().contains(OWN_SCREEN));
        let shown = self.shown();
        assert!(shown.rfind(OTHER_SCREEN) < shown.rfind(OWN_SCREEN), "on the other screen: {shown:?}");
        assert!(shown.rfind("\u{1b}[?25l") < shown.rfind("\u{1b}[?25h"), "no cursor: {shown:?}");
        assert!(!self.raw(), "the terminal does not echo");
        let code = self.child.wait().unwrap().code();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (code, said)
    }
}

fn wait_until_ended(child: &mut Child) {
    let child = std::cell::RefCell::new(child);
    wait_until(|| child.borrow_mut().try_wait().unwrap().is_some());
}

fn resize(terminal: &File, columns: u16, rows: u16) {
    tcsetwinsize(terminal, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

#[test]
fn a_garden_is_watched_paused_resized_and_left() {
    let place = Place::new();
    let mut watched = Watched::start(&place, "watch gardener --seed 1", "");
    watched.wait_for("generation");
    assert!(watched.raw() && watched.shown().contains(OTHER_SCREEN));
    watched.wait_for("gardener · evolved · seed 1");
    assert!(watched.shown().contains("\u{1b}[38;5;"), "no colour");
    watched.press(" ");
    watched.wait_for("paused");
    let generation = watched.reading("generation");
    watched.press("s");
    let next = (generation.parse::<u32>().unwrap() + 1).to_string();
    wait_until(|| watched.reading("generation") == next);
    watched.resize(100, 40);
    wait_until(|| watched.screen()[39].starts_with("space pause"));
    watched.press("q");
    assert_eq!(watched.ended(), (Some(0), String::new()));
    assert!(place.names("").is_empty());
}

#[test]
fn control_c_and_escape_leave_as_well() {
    let place = Place::new();
    for (key, env) in [("\u{3}", "k8s"), ("\u{1b}", "k8s-v4.6")] {
        let mut watched = Watched::start(&place, &format!("watch {env} --agent random --seed 1"), "");
        watched.wait_for("return so far");
        watched.press(key);
        assert_eq!(watched.ended(), (Some(0), String::new()), "{key:?}");
    }
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let place = Place::new();
    for (signal, code, name) in [
        (Signal::TERM, 143, "SIGTERM"),
        (Signal::INT, 130, "SIGINT"),
        (Signal::QUIT, 131, "SIGQUIT"),
        #[cfg(target_os = "linux")]
        (Signal::HUP, 129, "SIGHUP"),
    ] {
        if signal == Signal::HUP && hangups_are_ignored() {
            continue;
        }
        let watched = Watched::start(&place, "watch k8s --seed 1", "");
        watched.wait_for("return so far");
        send(&watched.child, signal);
        assert_eq!(watched.ended(), (Some(code), format!("error: interrupted by {name}\n")));
    }
}

#[test]
fn control_z_gives_the_terminal_back_until_it_may_go_on() {
    let place = Place::new();
    let mut watched = Watched::start(&place, "watch k8s --seed 1", "");
    watched.wait_for("return so far");
    watched.press("\u{1a}");
    wait_until(|| watched.shown().contains(OWN_SCREEN));
    // Where there is no shell to come back to, the system lets it go on by itself.
    wait_until(|| {
        send(&watched.child, Signal::CONT);
        watched.shown().matches(OTHER_SCREEN).count() == 2
    });
    wait_until(|| watched.raw());
    watched.press("q");
    assert_eq!(watched.ended(), (Some(0), String::new()));
}

#[test]
fn a_terminal_gets_only_what_it_can_show() {
    let place = Place::new();
    for term in ["TERM=dumb", "TERM="] {
        let mut watched = Watched::start(&place, "watch k8s --seed 1", term);
        wait_until_ended(&mut watched.child);
        assert_eq!(watched.child.wait().unwrap().code(), Some(2), "{term}");
        let mut said = String::new();
        watched.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains("TERM") && said.contains("--gif FILE"), "{said}");
        assert_eq!(watched.shown(), "", "{term}");
    }
    let mut watched = Watched::start(&place, "watch gardener --seed 1", "TERM=vt100");
    watched.wait_for("generation");
    watched.press("q");
    let shown = Arc::clone(&watched.shown);
    assert_eq!(watched.ended(), (Some(0), String::new()));
    assert!(!shown.lock().unwrap().text.contains("\u{1b}[38;"), "colours for a vt100");
}

#[test]
fn an_episode_ends_on_the_screen_and_colours_can_be_left_out() {
    let place = Place::new();
    let arguments = "watch k8s --preset storm --agent random --seed 1 --set max_steps=12";
    let mut watched = Watched::start(&place, arguments, "NO_COLOR=1");
    watched.wait_for("return so far");
    watched.press("++++++");
    watched.wait_for("the time is over");
    watched.press("q");
    let shown = Arc::clone(&watched.shown);
    assert_eq!(watched.ended(), (Some(0), String::new()));
    let shown = &shown.lock().unwrap().text;
    assert!(!shown.contains("\u{1b}[38;") && !shown.contains("\u{1b}[48;"), "colour in spite of NO_COLOR");
}

#[test]
fn where_nobody_can_watch_it_says_what_can_be_done() {
    let place = Place::new();
    let said = place.refused("watch gardener --seed 1");
    assert!(said.contains("--gif FILE or --png FILE"), "{said}");
    for (arguments, expected) in [
        ("watch garden", "garden"),
        ("watch gardener --agent planner --gif a.gif", "planner"),
        ("watch k8s --gif nowhere/a.gif --seed 1 --set max_steps=5", "nowhere/a.gif"),
        ("watch k8s --png nowhere/a.png --seed 1 --set max_steps=5", "nowhere/a.png"),
        ("watch k8s --gif a --png ./a --seed 1 --set max_steps=5", "the same file"),
        ("watch k8s --png new/ --seed 1 --set max_steps=5", "new/"),
        ("watch gardener --gif a.gif --steps 20000 --every 1 --set max_generations=20000", "--every"),
    ] {
        let said = place.refused(arguments);
        assert!(said.contains(expected), "{arguments}: {said}");
    }
    for arguments in
        ["watch k8s --steps 4", "watch k8s --every 4 --png a.png", "watch k8s --gif a.gif --every 0"]
    {
        assert_eq!(place.run(arguments).code, Some(2), "{arguments}");
    }
}

/// Width and height of a PNG file, by its header.
fn png_size(bytes: &[u8]) -> [u32; 2] {
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    [16, 20].map(|at| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()))
}

#[test]
fn pictures_are_new_files_the_same_for_the_same_seed() {
    let place = Place::new();
    let arguments = "watch gardener --seed 7 --steps 30 --every 10";
    let ran = place.ok(&format!("{arguments} --gif a.gif --png a.png"));
    assert!(ran.stdout.starts_with("wrote a.gif: 4 frames, "), "{ran:?}");
    assert!(ran.stdout.contains("\nwrote a.png: after 30 steps, "), "{ran:?}");
    assert!(place.bytes("a.gif").starts_with(b"GIF89a"));
    assert_eq!(png_size(&place.bytes("a.png")), [300, 420]);
    let said = place.refused("watch gardener --gif new.gif --png a.png");
    assert!(said.contains("a.png") && said.contains("nothing was overwritten"), "{said}");
    let quiet = place.ok(&format!("{arguments} --gif b.gif --png b.png --quiet --threads 1"));
    assert_eq!(quiet.stdout, "");
    assert!(place.bytes("a.gif") == place.bytes("b.gif") && place.bytes("a.png") == place.bytes("b.png"));
    place.ok("watch gardener --seed 8 --steps 30 --png c.png");
    assert!(place.bytes("a.png") != place.bytes("c.png"));
}

#[test]
fn a_trained_agent_is_watched_and_its_checkpoint_named() {
    let place = Place::new();
    place.ok(&format!("train --env k8s --seed 1 --steps {} {SMALL} --out t", 6 * STEPS));
    let best = place.json("t/checkpoints/best.json")["numbers"]["counters"]["steps"].clone();
    let mut watched = Watched::start(&place, "watch k8s --agent prophet:t --seed 1", "");
    watched.wait_for(&format!("k8s · prophet:t at step {best} · seed 1"));
    watched.press("q");
    assert_eq!(watched.ended(), (Some(0), String::new()));
    place.ok("watch k8s --agent prophet:t --seed 1 --steps 9 --png a.png");
    let said = place.refused("watch gardener --agent prophet:t --png b.png");
    assert!(said.contains("t was trained in k8s, with 30 numbers in an observation"), "{said}");
}

/// After the work the other picture would be there.
#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_work() {
    let place = Place::new();
    std::fs::create_dir(place.path("closed")).unwrap();
    place.write("file", "");
    let closed = Permissions::from_mode(0o555);
    std::fs::set_permissions(place.path("closed"), closed).unwrap();
    // Who may write everywhere is refused by /proc.
    let closed =
        if tempfile::tempfile_in(place.path("closed")).is_ok() { "/proc/a.gif" } else { "closed/a.gif" };
    for path in ["nowhere/a.gif", "file/a.gif", closed] {
        for (bad, good) in [("--gif", "--png"), ("--png", "--gif")] {
            let said = place.refused(&format!("watch k8s --seed 1 --steps 9 {good} good {bad} {path}"));
            assert!(said.starts_with(&format!("error: cannot create {path}: ")), "{said}");
            assert!(!said.contains(".tmp"), "{said}");
        }
    }
}

/// However early an episode ends: here it is lost in a tenth of its time.
#[test]
fn the_default_frames_cover_the_episode_that_there_is() {
    let place = Place::new();
    let arguments = "watch k8s --preset storm --agent idle --seed 1 --set max_steps=100000";
    let ran = place.ok(&format!("{arguments} --gif a.gif --png a.png"));
    let number = |before: &str, after: &str| -> u32 {
        let rest = ran.stdout.split_once(before).unwrap().1;
        rest.split_once(after).unwrap().0.parse().unwrap()
    };
    let (frames, steps) = (number("a.gif: ", " frames"), number("a.png: after ", " steps"));
    assert!(steps > 20 && steps < 10_000, "{ran:?}");
    // The first, and one every k steps.
    assert!(frames > steps.min(150) / 2 && frames <= 151, "{ran:?}");
    // The curve reaches its right edge, 40 pixels from the picture's: in its lowest row, 52 from below, the last
    // pixel is not the background's.
    let mut decoder = png::Decoder::new(std::io::Cursor::new(place.bytes("a.png")));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let at = (pixels.len() / 3 / 300 - 52 - 1) * 300 + 300 - 40 - 1;
    let corner = &pixels[3 * at..][..3];
    assert!(corner != [0x14, 0x18, 0x1f], "{corner:?}");
}

/// What is promised of a GIF with the defaults, of the episode that has most to show.
#[test]
fn a_gif_is_small_unless_more_is_asked_for() {
    let place = Place::new();
    place.ok("watch gardener --agent heuristic --seed 1 --gif a.gif");
    assert!(place.bytes("a.gif").len() < 1_500_000);
}

/// The gardens that are watched and logged are the same, to the end of the episode.
#[test]
fn what_is_watched_is_what_gardener_plays() {
    let place = Place::new();
    let garden = format!("gardener --seed 5 {TINY}");
    place.ok(&format!("{garden} --generations 60 --out run"));
    let logged = place.csv("run/resonetics_data.csv");
    let mut watched =
        Watched::start(&place, &format!("watch {garden} --set max_generations=60"), "NO_COLOR=1");
    watched.press("++++");
    watched.wait_for("the time is over");
    for (column, name) in [
        ("Gen", "generation"),
        ("Population", "population"),
        ("Avg_Energy", "mean energy"),
        ("Total_Entropy", "total entropy"),
        ("Emergency_Moves", "emergency moves"),
        ("Isolation_Saves", "isolation saves"),
        ("Verdict", "verdict"),
    ] {
        assert_eq!(watched.reading(name), logged.column(column)[59], "{name}");
    }
    watched.press("q");
    assert_eq!(watched.ended(), (Some(0), String::new()));
}

/// The screen as an SVG image of cells of 9x18.
fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"monospace\" font-size=\"15\">\n<rect width=\"100%\" height=\"100%\" fill=\"#14181f\"/>\n",
        columns * 9,
        rows * 18
    );
    let hex = |colour, default: &str| match colour {
        vt100::Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        _ => default.to_owned(),
    };
    for row in 0..rows {
        for column in 0..columns {
            let cell = screen.cell(row, column).unwrap();
            let (x, y) = (column * 9, row * 18);
            let mut fill = |y: u16, height: u16, colour: String| {
                writeln!(
                    svg,
                    "<rect x=\"{x}\" y=\"{y}\" width=\"9\" height=\"{height}\" fill=\"{colour}\"/>"
                )
                .unwrap();
            };
            if cell.bgcolor() != vt100::Color::Default {
                fill(y, 18, hex(cell.bgcolor(), ""));
            }
            let colour = hex(cell.fgcolor(), "#e8eaed");
            match cell.contents().chars().next().unwrap_or(' ') {
                ' ' => {}
                '▀' => fill(y, 9, colour),
                level @ '▁'..='█' => {
                    let eighths = level as u16 - '▁' as u16 + 1;
                    fill(y + 18 - 18 * eighths / 8, 18 * eighths / 8, colour);
                }
                letter => {
                    let weight = if cell.bold() { " font-weight=\"bold\"" } else { "" };
                    writeln!(
                        svg,
                        "<text x=\"{x}\" y=\"{}\" fill=\"{colour}\"{weight}>{letter}</text>",
                        y + 14
                    )
                    .unwrap();
                }
            }
        }
    }
    svg + "</svg>\n"
}

/// The terminal view of the README, from a real terminal.
#[test]
#[ignore = "writes docs/guide/src/images/terminal.svg"]
fn screenshot() {
    let place = Place::new();
    let arguments = "watch gardener --agent heuristic --seed 1";
    let mut watched = Watched::start(&place, arguments, "COLORTERM=truecolor");
    watched.wait_for("generation");
    watched.press("+++++");
    wait_until(|| watched.reading("generation").parse::<u32>().unwrap() >= 200);
    watched.press(" ");
    watched.wait_for("paused");
    let svg = svg(watched.shown.lock().unwrap().emulator.screen());
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/src/images/terminal.svg"), svg)
        .unwrap();
    watched.press("q");
    watched.ended();
}
