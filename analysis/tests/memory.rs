//! A file of any length is read in the same memory. A program of its own, because its allocator counts.
#![allow(unsafe_code)] // an allocator cannot be written without
#![allow(clippy::unwrap_used)] // helpers of tests

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use std::path::Path;

use resonetics_analysis::garden::{Garden, Rules};
use resonetics_analysis::read::{Kind, ReadError, doses, episodes, log, open};

struct Counting;

thread_local! {
    /// Bytes that this thread holds now, and the most it held.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    HELD.with(|held| {
        let now = held.get().0 + bytes;
        held.set((now, held.get().1.max(now)));
    });
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes held while `path` is read, above those held before.
fn peak(path: &Path) -> isize {
    peak_of(|| read(path).unwrap())
}

/// The most bytes held while `work` is done, above those held before.
fn peak_of(work: impl FnOnce()) -> isize {
    let before = HELD.with(|held| {
        let now = held.get().0;
        held.set((now, now));
        now
    });
    work();
    HELD.with(|held| held.get().1) - before
}

fn read(path: &Path) -> Result<(), ReadError> {
    let (kind, mut table) = open(path)?;
    match kind {
        Kind::Garden => {
            let rules = Rules {
                cells: 3600,
                lost_share: 0.75,
                lost_generations: 50,
                collapse_risk: 0.72,
                survival_flow: 0.85,
                risk_sees_dirt: false,
            };
            drop(Garden::read(&mut table, "one", "all", rules, None, &|| true)?);
        }
        Kind::Episodes => drop(episodes::read(&mut table, &|| true)?),
        Kind::Doses => drop(doses::read(&mut table, &|| true)?),
        _ => drop(log::read(&mut table, None, &|| true)?),
    }
    Ok(())
}

fn file(header: &str, rows: u64, row: impl Fn(u64, &mut String)) -> tempfile::NamedTempFile {
    let mut text = format!("{header}\n");
    for number in 1..=rows {
        row(number, &mut text);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

const GARDEN: &str = "Gen,Population,Avg_Energy,Total_Entropy,Emergency_Moves,Isolation_Saves,Entropy_Gradient,Population_Volatility,Emergency_Ratio,Collapse_Risk,Flow,Verdict";

/// A file without line ends and a quote that is never closed are refused where they begin, not read to
/// the end.
#[test]
fn what_is_no_line_is_not_held() {
    let nothing = |_: u64, _: &mut String| {};
    let quote = |n: u64, text: &mut String| text.push_str(if n == 1 { "1,\"25,\n" } else { "2,25,1\n" });
    for (header, rows, row, said) in [
        (
            "x".repeat(8_000_000),
            0,
            &nothing as &dyn Fn(u64, &mut String),
            "line 1: is longer than 65536 bytes",
        ),
        (format!("{GARDEN}\n{}", "9".repeat(8_000_000)), 0, &nothing, "line 2: is longer than 65536 bytes"),
        (GARDEN.to_owned(), 1_000_000, &quote, "line 2: a quote is opened and not closed"),
    ] {
        let file = file(&header, rows, row);
        let mut found = Ok(());
        let held = peak_of(|| found = read(file.path()));
        let found = found.unwrap_err().to_string();
        assert!(found.contains(said), "{found}");
        assert!(held < 1_000_000, "{said}: {held} bytes");
    }
}

/// Once its buckets are full a reader holds what it holds, whether 60,000 rows or ten times as many.
#[test]
fn ten_times_the_rows_take_no_more_memory() {
    let generation = |n: u64, text: &mut String| {
        writeln!(text, "{n},25,49.62,{}.25,0,0,8.897,0,0.0000,0.{:04},0.0128,creative", n % 3000, n % 7000)
            .unwrap();
    };
    let episodes =
        "agent,episode,seed,return,steps,terminated,truncated,oom_nodes,critical_oom,avg_load,budget";
    let episode = |n: u64, text: &mut String| {
        writeln!(text, "random,{n},{n},{}.5,500,false,true,0,0,0.2,86", n % 40).unwrap();
    };
    let drift = "step,risk,smoothed_risk,mode,lr,gap_R,kernel,flow";
    let step =
        |n: u64, text: &mut String| writeln!(text, "{n},0.5,0.4,alert,0.01,0.{},0.2,0.1", n % 97).unwrap();
    // Three doses in turn.
    let doses = "agent,dose,episode,seed,steps,survived";
    let life = |n: u64, text: &mut String| {
        writeln!(text, "patrol,0.0{},{},{},500,{}", n % 3, n / 3, n / 3, n % 7 > 2).unwrap();
    };
    for (header, row) in [
        (GARDEN, &generation as &dyn Fn(u64, &mut String)),
        (episodes, &episode),
        (drift, &step),
        (doses, &life),
    ] {
        let [short, long] = [60_000, 600_000].map(|rows| peak(file(header, rows, row).path()));
        assert!(long <= short + 4_096, "{header}: {short} bytes for 60,000 rows, {long} for 600,000");
        assert!(long < 4_000_000, "{header}: {long} bytes");
    }
}
