//! The guide and the README: the commands that they show are run and print what they say, and their links
//! lead somewhere.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{Place, names, without_progress, words};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn is_markdown(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "md")
}

/// A chapter or the README: its path from the root of the repository, and its text.
#[derive(Clone)]
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn at(path: &str) -> Page {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Page { path: path.into(), text }
    }

    /// The chapters, those that include another file whole too.
    fn chapters() -> Vec<Page> {
        let chapters = ["docs/guide/src", "docs/guide/src/performance"].into_iter().flat_map(|folder| {
            let markdown = names(&root().join(folder)).into_iter().filter(|name| is_markdown(name));
            markdown.map(move |name| Page::at(&format!("{folder}/{name}")))
        });
        chapters.collect()
    }

    /// The chapters and what else is read before the code.
    fn all() -> Vec<Page> {
        let others = [
            "README.md",
            "ARCHITECTURE.md",
            "CONTRIBUTING.md",
            "results/README.md",
            "docs/RULES.md",
            "docs/PERFORMANCE.md",
        ];
        others.map(Page::at).into_iter().chain(Page::chapters()).collect()
    }

    /// Blocks of code: what follows the opening fence, and their lines; and the text without them.
    fn blocks(&self) -> (Vec<(&str, Vec<&str>)>, String) {
        let (mut blocks, mut prose) = (Vec::new(), String::new());
        let mut open: Option<(&str, Vec<&str>)> = None;
        for line in self.text.lines() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(kind), None) => open = Some((kind, Vec::new())),
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some((_, lines))) => lines.push(line),
                (None, None) => prose = prose + line + "\n",
            }
        }
        assert!(open.is_none(), "{}: a block of code has no end", self.path.display());
        (blocks, prose)
    }

    /// Blocks of this kind.
    fn blocks_of<'a>(&'a self, kind: &str) -> Vec<Vec<&'a str>> {
        let of_kind = self.blocks().0.into_iter().filter(|(found, _)| *found == kind);
        of_kind.map(|(_, lines)| lines).collect()
    }

    /// Where its links and pictures lead, those to other hosts left out.
    fn links(&self) -> Vec<String> {
        let prose = self.blocks().1;
        let inline = prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        let defined = prose.lines().filter(|line| line.starts_with('['));
        let defined = defined.filter_map(|line| Some(line.split_once("]: ")?.1));
        let links = inline.chain(defined).filter(|link| !link.contains("://"));
        links.map(str::to_owned).collect()
    }

    /// Text in backquotes that is a command of ours.
    fn quoted_commands(&self) -> Vec<String> {
        let prose = self.blocks().1;
        let quoted = prose.split('`').skip(1).step_by(2);
        quoted.filter(|text| text.starts_with("resonetics ")).map(str::to_owned).collect()
    }
}

/// Commands of a block, each with the lines that are shown below it.
fn commands<'a>(block: &[&'a str]) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in block {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, Vec::new())),
            (None, Some((_, shown))) => shown.push(line),
            (None, None) => panic!("a block of commands begins with `{line}`"),
        }
    }
    commands
}

/// Runs a line of a shell in a place, and yields its exit status and what a terminal would show.
fn in_shell(place: &Place, line: &str) -> (Option<i32>, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_resonetics"));
    let searched = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec 2>&1; {line}")]).current_dir(place.path("")).env("PATH", searched);
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_BACKTRACE"] {
        shell.env_remove(variable);
    }
    let output = shell.stdin(Stdio::null()).output().unwrap();
    (output.status.code(), without_progress(&String::from_utf8(output.stdout).unwrap()))
}

/// Whether `line` is `shown`, where `...` stands for anything.
fn line_matches(shown: &str, line: &str) -> bool {
    let Some((start, rest)) = shown.split_once("...") else { return shown == line };
    let Some(mut left) = line.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split("...").collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(end)
}

/// Whether the lines are those shown, where a line `...` stands for any number of them.
fn lines_match(shown: &[&str], lines: &[&str]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((&"...", rest)) => (0..=lines.len()).any(|skipped| lines_match(rest, &lines[skipped..])),
        Some((first, rest)) => lines
            .split_first()
            .is_some_and(|(line, after)| line_matches(first, line) && lines_match(rest, after)),
    }
}

#[test]
fn dots_stand_for_what_is_left_out_and_nothing_else_does() {
    for (shown, line) in [("a", "a"), ("a ... d", "a b c d"), ("...", ""), ("{...,x,...}", "{1,x,2}")] {
        assert!(line_matches(shown, line), "{shown} {line}");
    }
    for (shown, line) in [("a", "a "), ("a ... d", "a b c"), ("{...,x,...}", "{1,2}"), ("ab...bc", "abc")] {
        assert!(!line_matches(shown, line), "{shown} {line}");
    }
    for shown in
        [vec!["a", "b", "c"], vec!["...", "c"], vec!["a", "..."], vec!["...", "b", "..."], vec!["..."]]
    {
        assert!(lines_match(&shown, &["a", "b", "c"]), "{shown:?}");
    }
    for shown in [vec![], vec!["a", "b"], vec!["...", "b"], vec!["b", "..."], vec!["a", "...", "d"]] {
        assert!(!lines_match(&shown, &["a", "b", "c"]), "{shown:?}");
    }
}

/// Runs the commands of a page in the order in which they stand there, in one directory.
fn run_commands_of(page: &Page) -> usize {
    let place = Place::new();
    let mut run = 0;
    for (kind, block) in page.blocks().0 {
        let expected = match kind {
            "console" => 0,
            "console,refused" => 2,
            _ => continue,
        };
        for (line, shown) in commands(&block) {
            let (code, printed) = in_shell(&place, line);
            let at = format!("{}: `{line}` printed\n{printed}", page.path.display());
            assert_eq!(code, Some(expected), "{at}");
            let lines: Vec<&str> = printed.lines().collect();
            assert!(
                shown.is_empty() || lines_match(&shown, &lines),
                "{at}which is not\n{}",
                shown.join("\n")
            );
            run += 1;
        }
    }
    run
}

#[test]
fn commands_print_what_the_guide_shows() {
    let pages = [vec![Page::at("README.md")], Page::chapters()].concat();
    let run: usize = pages.iter().map(run_commands_of).sum();
    assert!(run > 20, "{run} commands");
}

/// The help of each command that was asked for.
struct Help {
    place: Place,
    names: Vec<String>,
    texts: BTreeMap<String, String>,
}

impl Help {
    fn new() -> Help {
        let place = Place::new();
        let all = place.ok("--help").stdout;
        let listed = all.lines().skip_while(|line| *line != "Commands:").skip(1);
        let listed = listed.take_while(|line| !line.is_empty());
        let names = listed.filter_map(|line| words(line).first().map(|name| (*name).to_owned())).collect();
        Help { place, names, texts: BTreeMap::new() }
    }

    /// Checks that the command exists and has the options that the line gives it.
    fn check(&mut self, line: &str, page: &Page) {
        let at = format!("{}: `{line}`", page.path.display());
        let typed = words(line);
        let command = typed[1..].iter().find(|word| self.names.iter().any(|name| name == *word));
        let command = *command.unwrap_or(&"--help");
        if command == "--help" {
            let placeholder = typed.get(1).is_some_and(|word| *word == "COMMAND");
            assert!(placeholder || typed.len() == 1, "{at} is no command");
        }
        let help = self.texts.entry(command.to_owned()).or_insert_with(|| {
            let asked = if command == "--help" { command.to_owned() } else { format!("{command} --help") };
            self.place.ok(&asked).stdout
        });
        let known = |option: &str| {
            help.split(|letter: char| letter.is_whitespace() || letter == ',').any(|word| word == option)
        };
        for option in typed.iter().filter(|word| word.starts_with('-')) {
            let option = option.split_once('=').map_or(*option, |(option, _)| option);
            assert!(known(option), "{at}: {command} has no {option}");
        }
    }
}

/// A command as it would be typed for the program, whichever way it is started.
fn of_the_program(line: &str) -> Option<String> {
    let arguments = match line.split_once(" -- ") {
        Some((start, arguments)) if start.starts_with("cargo run ") => arguments,
        _ => line.strip_prefix("resonetics ")?,
    };
    Some(format!("resonetics {arguments}"))
}

#[test]
fn commands_that_are_not_run_exist_with_their_options() {
    let (mut help, mut checked) = (Help::new(), 0);
    let pages = [vec![Page::at("README.md"), Page::at("results/README.md")], Page::chapters()].concat();
    for page in &pages {
        let blocks = page.blocks_of("console,parse-only").concat();
        let typed = blocks.iter().map(|line| {
            let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("`{line}` is no command"));
            command.to_owned()
        });
        for line in typed.chain(page.quoted_commands()).filter_map(|line| of_the_program(&line)) {
            help.check(&line, page);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} commands");
}

#[test]
fn every_block_of_a_chapter_is_of_a_kind_that_is_looked_after() {
    let mut included = 0;
    for page in Page::chapters() {
        for (kind, lines) in page.blocks().0 {
            match kind {
                "console" | "console,refused" | "console,parse-only" | "toml" | "yaml" => {}
                // python/tests/test_readme.py runs it.
                "python" => assert!(page.path.ends_with("from-python.md"), "{}", page.path.display()),
                // Rust is what the examples hold, which are compiled and run.
                "rust" => {
                    let [line] = lines[..] else { panic!("{}: {lines:?}", page.path.display()) };
                    included_from(line, &page).unwrap_or_else(|| panic!("{}: {line}", page.path.display()));
                    included += 1;
                }
                other => panic!("{}: a block of the kind `{other}`", page.path.display()),
            }
        }
    }
    assert!(included > 4, "{included} pieces of examples");
}

/// The text that `{{#include file:anchor}}` stands for.
fn included_from(line: &str, page: &Page) -> Option<String> {
    let named = line.strip_prefix("{{#include ")?.strip_suffix("}}")?;
    let (file, anchor) = named.split_once(':').map_or((named, None), |(file, anchor)| (file, Some(anchor)));
    let path = root().join(page.path.parent()?).join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let Some(anchor) = anchor else { return Some(text) };
    let (_, after) = text
        .split_once(&format!("ANCHOR: {anchor}\n"))
        .or_else(|| text.split_once(&format!("ANCHOR: {anchor} -->\n")))?;
    after.split_once(&format!("ANCHOR_END: {anchor}")).map(|(included, _)| included.to_owned())
}

#[test]
fn includes_and_links_lead_to_files() {
    let mut followed = 0;
    for page in Page::all() {
        let folder = root().join(page.path.parent().unwrap());
        for line in page.text.lines().filter(|line| line.starts_with("{{#include ")) {
            assert!(included_from(line, &page).is_some(), "{}: {line}", page.path.display());
        }
        for link in page.links() {
            let file = link.split('#').next().unwrap_or_default();
            assert!(folder.join(file).exists(), "{}: {link} leads nowhere", page.path.display());
            followed += 1;
        }
    }
    assert!(followed > 50, "{followed} links");
}

/// In the book a link out of it would lead nowhere, and so would one to a chapter that is not in SUMMARY.md.
#[test]
fn the_summary_has_all_chapters_and_chapters_lead_to_chapters() {
    let book = Path::new("docs/guide/src");
    let mut listed = Page::at("docs/guide/src/SUMMARY.md").links();
    let chapters = Page::chapters();
    let mut found: Vec<String> = chapters
        .iter()
        .map(|page| page.path.strip_prefix(book).unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "SUMMARY.md")
        .collect();
    listed.sort();
    found.sort();
    assert_eq!(listed, found);
    for page in &chapters {
        for link in page.links() {
            assert!(!link.contains("../"), "{}: {link} leads out of the book", page.path.display());
        }
    }
}

#[test]
fn the_readme_has_at_most_130_lines() {
    let lines = Page::at("README.md").text.lines().count();
    assert!(lines <= 130, "{lines} lines");
}
