//! Bad input, each with the line and the column that are told.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

const HEADER: &str = "Gen,Population,Avg_Energy,Total_Entropy,Emergency_Moves,Isolation_Saves,Entropy_Gradient,\
    Population_Volatility,Emergency_Ratio,Collapse_Risk,Flow,Verdict";
const FIRST: &str = "1,25,49.62,8.90,0,0,8.897,0,0.0000,0.0623,0.0128,creative";
const SECOND: &str = "2,25,49.28,17.95,0,0,-9.053,1,0.0000,0.1160,0.0198,collapse";

struct File {
    _dir: TempDir,
    path: PathBuf,
}

fn file(text: impl AsRef<[u8]>) -> File {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("some.csv");
    fs::write(&path, text).unwrap();
    File { _dir: dir, path }
}

/// The generations of `text` and what was noted.
fn garden(text: &str) -> Result<(Vec<garden::Generation>, Vec<String>), String> {
    let file = file(text);
    let shown = |error: ReadError| error.to_string().split_once("some.csv").unwrap().1.to_owned();
    let (kind, mut table) = open(&file.path).map_err(shown)?;
    assert_eq!(kind, Kind::Garden);
    let mut all = Vec::new();
    let take = |_: &Row<'_>, generation| {
        all.push(generation);
        Ok(())
    };
    garden::read(&mut table, &|| true, take).map_err(shown)?;
    Ok((all, table.notes().to_vec()))
}

fn refused(text: &str) -> String {
    garden(text).unwrap_err()
}

#[test]
fn rows_come_back_as_they_were_written() {
    let (all, notes) = garden(&format!("{HEADER}\n{FIRST}\n{SECOND}\n")).unwrap();
    let written: Vec<String> = all.iter().map(|generation| generation.cells().join(",")).collect();
    assert_eq!(written, [FIRST, SECOND]);
    assert!(notes.is_empty());
    assert_eq!((all[1].entropy_gradient, all[1].flow, all[1].verdict), (-9.053, Some(0.0198), 2));
}

/// CRLF, a byte order mark, empty lines, spaces and quotes, no Flow, no line end behind the last whole
/// line.
#[test]
fn files_from_elsewhere_are_read() {
    let plain = garden(&format!("{HEADER}\n{FIRST}\n{SECOND}\n")).unwrap().0;
    for text in [
        format!("{HEADER}\r\n{FIRST}\r\n{SECOND}\r\n"),
        format!("\u{feff}{HEADER}\n{FIRST}\n\n\n{SECOND}\n"),
        format!("{HEADER}\n{FIRST}\n{SECOND}"),
        format!("{HEADER}\n{FIRST}\n{SECOND}\n").replace(',', " , "),
        format!("\u{feff}\"{HEADER}\"\r\n\"{FIRST}\"\r\n\"{SECOND}\"\r\n").replace(',', "\",\""),
    ] {
        assert_eq!(garden(&text), Ok((plain.clone(), Vec::new())), "{text:?}");
    }
    let eleven = |line: &str, flow: &str| line.replace(flow, "");
    let text = format!("{}\n{}\n", eleven(HEADER, "Flow,"), eleven(FIRST, "0.0128,"));
    let (all, _) = garden(&text).unwrap();
    assert_eq!(all, [garden::Generation { flow: None, ..plain[0] }]);
    assert_eq!(all[0].cells().join(","), eleven(FIRST, "0.0128,"));
}

#[test]
fn a_last_line_that_was_cut_is_left_out_and_said() {
    for cut in [1, 5, 20, SECOND.len() - 9, SECOND.len() - 1] {
        for end in ["\n", "\r\n"] {
            let text = format!("{HEADER}{end}{FIRST}{end}{}", &SECOND[..cut]);
            let (all, notes) = garden(&text).unwrap();
            assert_eq!(all.len(), 1, "{text}");
            assert!(
                notes[0].ends_with("line 3: the last line was cut (it has no line end); it is left out"),
                "{notes:?}"
            );
        }
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let body = |row: &str| format!("{HEADER}\n{FIRST}\n{row}\n");
    for (text, place) in [
        (String::new(), ", line 1: the file is empty: a header is needed"),
        (format!("{HEADER}\n"), ", line 1: a header and no generation: there is nothing to look at"),
        (
            format!("{HEADER}\n{}", &FIRST[..9]),
            ", line 1: a header and no generation but one that was cut: there is nothing to look at",
        ),
        (
            body("2,25,x,17.95,0,0,9.053,0,0,0.1,0.0198,creative"),
            ", line 3, column `Avg_Energy`: found `x`; allowed: a number",
        ),
        (
            body("2,-1,1,17.95,0,0,9.053,0,0,0.1,0.0198,creative"),
            ", line 3, column `Population`: found `-1`; allowed: whole numbers from 0 to 9007199254740992",
        ),
        (
            body("18446744073709551615,25,1,17.95,0,0,9.053,0,0,0.1,0.0198,creative"),
            ", line 3, column `Gen`: found `18446744073709551615`; allowed: whole numbers from 0 to 9007199254740992",
        ),
        (
            body("2,25,1,-500,0,0,9.053,0,0,0.1,0.0198,creative"),
            ", line 3, column `Total_Entropy`: found `-500`; allowed: numbers from 0 on",
        ),
        (
            body("2,25,-1e308,17.95,0,0,9.053,0,0,0.1,0.0198,creative"),
            ", line 3, column `Avg_Energy`: found `-1e308`; allowed: numbers from -1e100 to 1e100",
        ),
        (
            body("2,25,\"1\n\",17.95,0,0,9.053,0,0,0.1,0.0198,creative"),
            ", line 3: a quote is opened and not closed in the same line",
        ),
        (
            body("2,25,1,,0,0,9.053,0,0,0.1,0.0198,creative"),
            ", line 3, column `Total_Entropy`: found ``; allowed: a number",
        ),
        (
            body("2,25,1,17.95,0,0,9.053,0,0,1.5,0.0198,creative"),
            ", line 3, column `Collapse_Risk`: found `1.5`; allowed: numbers from 0 to 1",
        ),
        (
            body("2,25,1,17.95,0,0,9.053,0,0,0.1,0.0198,splendid"),
            ", line 3, column `Verdict`: found `splendid`; allowed: creative, bubble, collapse",
        ),
        (
            body("4,25,1,17.95,0,0,9.053,0,0,0.1,0.0198,creative"),
            ", line 3, column `Gen`: found `4`; allowed: 2, the generation after the previous one",
        ),
        (body("2,25,1"), ", line 3: has 3 cells where the header has 12"),
    ] {
        assert_eq!(refused(&text), place);
    }
    // With CRLF and empty lines too the line is the one that an editor shows.
    let windows = format!("{HEADER}\r\n{FIRST}\r\n\r\n{SECOND}\r\n3,x,,,,,,,,,,\r\n");
    assert!(
        refused(&windows).starts_with(", line 5, column `Population`: found `x`"),
        "{}",
        refused(&windows)
    );
}

#[test]
fn a_header_that_is_none_is_told_what_is_nearest() {
    for (header, said) in [
        (HEADER.replace("Avg_Energy", "Energy"), ", line 1: column 3 is `Energy` where `Avg_Energy` belongs"),
        (HEADER.replace(",Verdict", ""), ", line 1: has 11 columns where 12 belong"),
        (
            "a,b,c".to_owned(),
            ", line 1: `a,b,c` is not the header of a file that can be read; these are: resonetics_data.csv (Gen,",
        ),
        (
            "agent,seed,steps,terminated,truncated".to_owned(),
            ", line 1: is like episodes.csv without the column `return`",
        ),
        (
            "Agent,Seed,Return,Steps,Terminated,truncated".to_owned(),
            ", line 1: is like episodes.csv without the column `agent`, `seed`, `return`, `steps`, `terminated`",
        ),
        (HEADER.to_lowercase(), ", line 1: column 1 is `gen` where `Gen` belongs"),
        (HEADER.replace(',', ";"), ", line 1: the cells are separated by semicolons; commas are needed"),
        (HEADER.replace(',', "\t"), ", line 1: the cells are separated by tabs; commas are needed"),
        (HEADER.replace(',', "\r"), ", line 1: its lines end with CR alone; LF or CRLF are needed"),
        (
            FIRST.replace("0.0128,", ""),
            ", line 1: there is no header: the first line holds values; put this line before it: Gen,Population,Avg_Energy,Total_Entropy,Emergency_Moves,Isolation_Saves,Entropy_Gradient,Population_Volatility,Emergency_Ratio,Collapse_Risk,Verdict",
        ),
        (
            "agent,episodes,return_mean,return_std".to_owned(),
            ", line 1: is the benchmark.csv of `benchmark`, a summary; give the rows behind it, in episodes.csv of the same run",
        ),
        (
            "run,seed,generations,lost_at,dirt_mean".to_owned(),
            ", line 1: is the summary.csv of `gardener`, a summary; give the rows behind it, in resonetics_data.csv",
        ),
        (
            "world,agent,episodes,horizon,lost_without".to_owned(),
            ", line 1: is the summary.csv of `controls`, a summary; give the rows behind it, in lifetimes.csv",
        ),
        (
            "world,control,time,at_risk,lost,censored".to_owned(),
            ", line 1: is the survival.csv of `controls`, a summary; give the rows behind it, in lifetimes.csv",
        ),
        (
            "agent,dose,episodes,survived,mean_life".to_owned(),
            ", line 1: is the doses.csv of `limit`, a summary; give the rows behind it, in lives.csv of the same run",
        ),
        (
            "agent,limit,low,high,method".to_owned(),
            ", line 1: is the limits.csv of `limit`, a summary; give the rows behind it, in lives.csv of the same run",
        ),
    ] {
        let refused = refused(&format!("{header}\n1,2,3\n"));
        assert!(refused.starts_with(said), "{refused}");
    }
}

#[test]
fn nan_and_infinities_are_numbers_and_told() {
    let row = "2,25,inf,NaN,0,0,-inf,0,0.0,NaN,nan,creative";
    let (all, notes) = garden(&format!("{HEADER}\n{FIRST}\n{row}\n")).unwrap();
    assert!(all[1].avg_energy == f64::INFINITY && all[1].total_entropy.is_nan());
    assert!(all[1].collapse_risk.is_nan() && all[1].flow.is_some_and(f64::is_nan));
    let told = "line 3: column `Avg_Energy` is NaN or infinite, the first of 5 such cells; left out of what needs it";
    assert!(notes.len() == 1 && notes[0].ends_with(told), "{notes:?}");
}

#[test]
fn a_file_that_is_no_text_or_not_there_is_refused() {
    assert!(matches!(open(Path::new("no/such/file.csv")), Err(ReadError::Io { .. })));
    let binary = file([0xff_u8, 0xfe, 0, 1, b'\n', 7, 8]);
    let said = open(&binary.path).err().unwrap().to_string();
    assert!(said.ends_with("some.csv, line 1: the file is text in UTF-16: save it as UTF-8"), "{said}");
    let binary = file([0xff_u8, b'\n', 7, 8]);
    let said = open(&binary.path).err().unwrap().to_string();
    assert!(
        said.ends_with("some.csv, line 1: the header is not UTF-8 text: save the file as UTF-8"),
        "{said}"
    );
    let folder = tempfile::tempdir().unwrap();
    let said = open(folder.path()).err().unwrap().to_string();
    assert!(said.ends_with(" is not a file; write what is to be read into a file"), "{said}");
}

#[test]
fn reading_stops_when_told() {
    let rows: String = (1..=5000).map(|n| FIRST.replacen('1', &n.to_string(), 1) + "\n").collect();
    let file = file(format!("{HEADER}\n{rows}"));
    let (_, mut table) = open(&file.path).unwrap();
    let stopped = garden::read(&mut table, &|| false, |_, _| Ok(()));
    assert!(matches!(stopped, Err(ReadError::Stopped)));
}

const EPISODES: &str =
    "agent,episode,seed,return,steps,terminated,truncated,oom_nodes,critical_oom,avg_load,budget";

#[test]
fn episodes_come_agent_by_agent() {
    let rows = "a,1,7,1.5,500,false,true,0,0,0.2,8\nb,1,7,NaN,300,true,false,,,0.1,\na,2,9,2.5,400,true,false,0,0,0.3,8\nb,2,9,inf,1,true,false,,,0.1,\n";
    let file = file(format!("{EPISODES}\n{rows}"));
    let (kind, mut table) = open(&file.path).unwrap();
    assert_eq!(kind, Kind::Episodes);
    let agents = episodes::read(&mut table, &|| true).unwrap();
    assert_eq!(agents.len(), 2);
    assert_eq!((&agents[0].seeds, &agents[0].returns), (&vec![7, 9], &vec![1.5, 2.5]));
    assert_eq!((agents[0].terminated, agents[0].not_finite), (1, None));
    assert_eq!((agents[1].agent.as_str(), agents[1].not_finite), ("b", Some((3, 2))));
}

fn episodes(text: &str) -> Result<(Vec<episodes::Played>, Vec<String>), String> {
    let file = file(text);
    let shown = |error: ReadError| error.to_string().split_once("some.csv").unwrap().1.to_owned();
    let (_, mut table) = open(&file.path).map_err(shown)?;
    let agents = episodes::read(&mut table, &|| true).map_err(shown)?;
    Ok((agents, table.notes().to_vec()))
}

/// What is read stands before the last cell, or is a word: nothing of it was cut.
#[test]
fn a_last_episode_without_line_end_is_read_if_nothing_of_it_can_be_missing() {
    let of = |text: &str| episodes(text).map(|(agents, notes)| (agents[0].episodes, notes.len()));
    let rows = "a,1,7,1.5,500,false,true,0,0,0.2,8\na,2,9,2.5,400,true,false,0,0,0.3,8";
    assert_eq!(of(&format!("{EPISODES}\n{rows}")), Ok((2, 0)));
    let flags = "agent,seed,return,steps,terminated,truncated\na,7,1.5,500,false,true";
    assert_eq!(of(&format!("{flags}\na,9,1.5,500,false,True")), Ok((2, 0)));
    for cut in ["a,9,1.5,500,false,Tru", "a,9,1.5,500,false,", "a,9,1.5,500", "a,\"9"] {
        assert_eq!(of(&format!("{flags}\n{cut}")), Ok((1, 1)), "{cut}");
    }
    let last = "agent,seed,steps,terminated,truncated,return\na,7,500,false,1,1.5\na,9,500,0,true,1";
    assert_eq!(of(last), Ok((1, 1)), "1 may have been 12");
    assert_eq!(of(&format!("{last}\n")), Ok((2, 0)));
}

#[test]
fn episodes_that_cannot_be_meant_are_refused() {
    for (row, said) in [
        ("b,2,7,1,1,false,true,,,,", ""),
        (
            "a,2,7,1,1,false,true,,,,",
            ", line 3, column `seed`: found `7`; allowed: no seed that `a` played before, as in line 2",
        ),
        (
            " ,2,9,1,1,false,true,,,,",
            ", line 3, column `agent`: found ``; allowed: text (UTF-8) that is not empty",
        ),
        (
            "a,2,9,1e101,1,false,true,,,,",
            ", line 3, column `return`: found `1e101`; allowed: numbers from -1e100 to 1e100",
        ),
        ("a,2,9,1,1,yes,true,,,,", ", line 3, column `terminated`: found `yes`; allowed: true, false"),
    ] {
        let found = episodes(&format!("{EPISODES}\na,1,7,1.5,500,0,True,0,0,0.2,8\n{row}\n"));
        assert_eq!(found.err().unwrap_or_default(), said);
    }
    let found =
        episodes(&format!("{EPISODES}\na,1,18446744073709551615,1.5,500,1,False,0,0,0.2,8\n")).unwrap();
    assert_eq!((found.0[0].seeds[0], found.0[0].terminated), (u64::MAX, 1));
}

#[test]
fn a_log_keeps_gaps_and_where_they_are() {
    let header = "update,steps,episodes,return_mean,greedy_return,learning_rate,loss,value_loss,entropy,approx_kl,explained_variance,rollbacks";
    let rows = "1,100,0,,,0.1,1,1,1,0,0,0\n2,200,300,5,4,0.1,NaN,1,1,0,0,0\n3,300,300,7,,0.1,2,1,1,0,0,1\n4,400,900,6,5,0.1,3,1,1,0,0,1";
    let log_of = |rows: &str| {
        let file = file(format!("{header}\n{rows}"));
        let (kind, mut table) = open(&file.path).unwrap();
        assert_eq!(kind, Kind::Training);
        log::read(&mut table, None, &|| true).map(|log| (log, table.notes().len()))
    };
    let (log, notes) = log_of(rows).unwrap();
    assert_eq!((log.rows, log.steps, notes), (4, 400.0, 1), "the last line has no end");
    let rollbacks = log.column("rollbacks").unwrap();
    assert_eq!(rollbacks.last, Some((300.0, 1.0)), "what may have lost digits is no value");
    assert_eq!(log.column("explained_variance").unwrap().last, Some((400.0, 0.0)));
    let (whole, notes) = log_of(&format!("{rows}\n")).unwrap();
    assert_eq!((whole.column("rollbacks").unwrap().last, notes), (Some((400.0, 1.0)), 0));
    let returns = log.column("return_mean").unwrap();
    assert_eq!((returns.first, returns.last), (Some((200.0, 5.0)), Some((400.0, 6.0))));
    assert_eq!(log.column("loss").unwrap().not_finite, Some((3, 1)));
    let backwards =
        log_of("1,100,0,,,0.1,1,1,1,0,0,0\n2,100,3,5,4,0.1,1,1,1,0,0,0\n").unwrap_err().to_string();
    assert!(backwards.ends_with(
        "line 3, column `steps`: found `100`; allowed: more than 100, the steps of the row before"
    ));
}

/// Two environments, episodes of 500 steps at most: a mean return counts once it is not of the short episodes
/// alone, which end first, and it is known of how many it is.
#[test]
fn mean_returns_of_the_episodes_that_ended_first_are_left_out() {
    let header = "update,steps,episodes,return_mean,length_mean,greedy_return,learning_rate,loss,value_loss,entropy,approx_kl,explained_variance,rollbacks";
    let two = log::Episodes { side_by_side: 2.0, longest: 500.0 };
    let row = |steps: u32, episodes: u32, mean: f64, length: u32| {
        format!("1,{steps},{episodes},{mean},{length},,0,1,1,1,0,0,0\n")
    };
    for (rows, known, behind, first, biased) in [
        // By the first 900 steps only a short one has ended, by 1,900 both and two more.
        (
            vec![(900, 1, 1.0, 100), (1900, 3, 20.0, 480), (2100, 4, 25.0, 470), (3100, 6, 26.0, 480)],
            Some(two),
            Some((4.0, 6.0)),
            Some((2100.0, 25.0)),
            2,
        ),
        // Most are short: it takes a hundred of them, however long that is.
        (
            vec![(900, 120, 1.0, 10), (2100, 90, 1.0, 10), (4000, 170, 2.0, 10), (8000, 300, 3.0, 20)],
            Some(two),
            Some((100.0, 100.0)),
            Some((4000.0, 2.0)),
            2,
        ),
        // Of nobody knows how many environments a hundred are asked for.
        (vec![(90, 99, 1.0, 20), (95, 120, 2.0, 20)], None, Some((100.0, 100.0)), Some((95.0, 2.0)), 1),
        // So many side by side that the last hundred are a moment's.
        (
            vec![(1_000_000, 1900, 1.0, 480), (2_000_000, 4000, 2.0, 480)],
            Some(log::Episodes { side_by_side: 1024.0, ..two }),
            None,
            None,
            2,
        ),
    ] {
        let text: String =
            rows.iter().map(|&(steps, ended, mean, length)| row(steps, ended, mean, length)).collect();
        let of = |header: &str, text: &str| {
            let (_, mut table) = open(&file(format!("{header}\n{text}")).path).unwrap();
            log::read(&mut table, known, &|| true).unwrap()
        };
        let log = of(header, &text);
        let returns = log.column("return_mean").unwrap();
        assert_eq!((log.behind(), returns.first, log.biased), (behind, first, biased), "{text}");
        // Where the policy is measured by itself, the mean is of whole episodes too.
        let measured = of(&format!("{header},sampled_return"), &text.replace('\n', ",\n"));
        assert_eq!(
            (measured.biased, measured.column("return_mean").unwrap().curve.points().len()),
            (0, rows.len())
        );
    }
}

#[test]
fn lives_come_world_by_world() {
    let file = file(
        "world,agent,control,episode,seed,lifetime,lost\nk8s,random,off,1,7,40,true\nk8s,random,on,1,7,90,false\n",
    );
    let (kind, mut table) = open(&file.path).unwrap();
    assert_eq!(kind, Kind::Lifetimes);
    let worlds = lifetimes::read(&mut table, &|| true).unwrap();
    assert_eq!((worlds.len(), worlds[0].name.as_str()), (1, "k8s, random"));
    assert_eq!((worlds[0].off[0].1.lost, worlds[0].on[0].1.time), (true, 90.0));
    let twice = "world,agent,control,episode,seed,lifetime,lost\nk8s,a,off,1,7,40,true\nk8s,b,off,1,7,40,true\nk8s,a,off,2,7,41,true\n";
    let (_, mut table) = open(&self::file(twice).path).unwrap();
    let said = lifetimes::read(&mut table, &|| true).unwrap_err().to_string();
    assert!(
        said.ends_with(
            "line 4, column `seed`: found `7`; allowed: a seed that is not in an earlier line, as it is in line 2"
        ),
        "{said}"
    );
}

const LIVES: &str = "agent,dose,episode,seed,steps,survived";

fn doses(rows: &str) -> Result<(Vec<doses::Doses>, Vec<String>), String> {
    let file = file(format!("{LIVES}\n{rows}"));
    let (kind, mut table) = open(&file.path).unwrap();
    assert_eq!(kind, Kind::Doses);
    let shown = |error: ReadError| error.to_string().split_once("some.csv").unwrap().1.to_owned();
    let read = doses::read(&mut table, &|| true).map_err(shown)?;
    Ok((read, table.notes().to_vec()))
}

/// Doses come in any order and are sorted; one that was not finished is left out, and the cut row with it.
#[test]
fn lives_at_doses_come_agent_by_agent() {
    let rows = "\
        b,0.02,0,7,100,true\nb,0.02,1,8,50,false\n\
        a,0.03,0,7,10,false\na,0.03,1,8,30,false\n\
        b,0.01,1,8,100,true\nb,0.01,0,7,100,true\n\
        b,0.015,0,7,100,true\nb,0.015,1,8,9";
    let (read, notes) = doses(rows).unwrap();
    let [b, a] = &read[..] else { panic!("two agents") };
    assert_eq!((b.agent.as_str(), b.curve.doses(), b.curve.survived()), ("b", &[0.01, 0.02][..], vec![2, 1]));
    assert_eq!(
        (&b.seeds[..], &b.mean_life[..], &b.unfinished[..]),
        (&[7, 8][..], &[100.0, 75.0][..], &[0.015][..])
    );
    assert_eq!((a.curve.survived(), &a.mean_life[..], a.episodes), (vec![0], &[20.0][..], 2));
    assert!(notes.len() == 1 && notes[0].contains("the last line was cut"), "{notes:?}");
}

/// An episode that is not at every dose is in no curve.
#[test]
fn episodes_are_those_of_all_doses() {
    let rows = "a,1,0,7,9,true\na,1,1,8,9,false\na,2,1,8,9,true\na,2,2,9,9,true\n";
    let (read, _) = doses(rows).unwrap();
    assert_eq!((read[0].curve.survived(), &read[0].seeds[..]), (vec![0, 1], &[8][..]));
    let none = doses("a,1,0,7,9,true\na,2,1,8,9,true\n").unwrap_err();
    assert!(none.ends_with("`a` has no episode that was played at all of its doses"), "{none}");
}

#[test]
fn lives_that_contradict_each_other_are_refused() {
    for (rows, said) in [
        (
            "a,1,0,7,9,true\na,1,0,7,9,true\n",
            "line 3, column `episode`: found `0`; allowed: no episode that `a` played at this dose before",
        ),
        (
            "a,1,0,7,9,true\na,2,0,8,9,true\n",
            "line 3, column `seed`: found `8`; allowed: the seed that episode 0 of `a` has in an earlier line",
        ),
        ("a,inf,0,7,9,true\n", "line 2, column `dose`: found `inf`; allowed: a number that is not infinite"),
        ("a,1,0,7,9,maybe\n", "line 2, column `survived`: found `maybe`; allowed: true, false"),
        ("", "a header and no life: there is nothing to look at"),
    ] {
        let refused = doses(rows).unwrap_err();
        assert!(refused.ends_with(said), "{refused}");
    }
    let many: Vec<String> = (0..=100).map(|dose| format!("a,{dose},0,7,9,true\n")).collect();
    assert!(doses(&many.concat()).unwrap_err().ends_with("at most 100 different doses of an agent"));
    let many: Vec<String> = (0..=64).map(|agent| format!("a{agent},1,0,7,9,true\n")).collect();
    assert!(doses(&many.concat()).unwrap_err().ends_with("at most 64 different agents in a file"));
}
