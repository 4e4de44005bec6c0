//! A training that is stopped, resumed, evaluated and read, by the library that the program `resonetics` uses.
//!
//! `cargo run --release --example train_and_read`
#![allow(clippy::print_stdout)] // an example shows what it does

use std::path::Path;

use resonetics_runs::evaluation::evaluate;
use resonetics_runs::findings::report;
use resonetics_runs::inputs::Inputs;
use resonetics_runs::plan::Eval;
use resonetics_runs::progress::Silent;
use resonetics_runs::setup::Setup;
use resonetics_runs::training::{LearnerKind, Runtime, Seen, Stopped, Train, Training, Watched};
use resonetics_runs::{Error, trained};

// ANCHOR: train
/// Trains in `dir`, a new folder, until `watch` ends it or it is done.
fn train(dir: &Path, watch: &dyn Fn(&Watched<'_>) -> Result<(), Error>) -> Result<(), Error> {
    let world = Setup::preset("k8s", "reference")?.with(None, &["max_steps=100".to_owned()])?;
    let plan = Train::new(1, 8192, LearnerKind::Native, world.training(8192), world);
    let updates = |seen: &Seen<'_>| match seen {
        Seen::Update(watched) => watch(watched),
        _ => Ok(()),
    };
    let runtime = Runtime { watch: &updates, ..Runtime::default() };
    Training::begin(&plan, Some(dir), &runtime)?.run(&runtime)
}

/// Goes on from the last checkpoint, with the same bytes as if it had never been stopped; does nothing where it is
/// finished.
fn resume(dir: &Path) -> Result<(), Error> {
    let runtime = Runtime::default();
    match Stopped::open(dir, runtime.device)? {
        Some(stopped) => stopped.resume(&runtime)?.run(&runtime),
        None => Ok(()),
    }
}
// ANCHOR_END: train

// ANCHOR: read
/// Plays the trained policy in 50 fresh episodes, into the new folder `out`; its mean return.
fn mean_return(training: &Path, out: &Path) -> Result<Option<f64>, Error> {
    let (_, found) = evaluate(&Eval::new(training, 2, 50, 0.0, 1.0)?, Some(out), &Silent)?;
    Ok(found["return_mean"].as_f64())
}

/// What the report of these runs says, as text.
fn read(runs: &[&Path]) -> Result<String, Error> {
    let paths: Vec<_> = runs.iter().map(|run| run.to_path_buf()).collect();
    Ok(report(Inputs::find(&paths, true)?, None, "an example")?.text())
}
// ANCHOR_END: read

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place = tempfile::tempdir()?;
    let (training, evaluation) = (place.path().join("training"), place.path().join("evaluation"));
    let stopped = train(&training, &|watched| match watched.update.update {
        5 => Err(Error::Failed("enough for today".to_owned())),
        _ => Ok(()),
    });
    println!("stopped: {}", stopped.err().map(|error| error.to_string()).unwrap_or_default());
    resume(&training)?;
    println!("mean return {:.2}", mean_return(&training, &evaluation)?.unwrap_or(f64::NAN));
    println!("{}", read(&[&training, &evaluation])?);
    // Its best checkpoint as a policy, for episodes of your own.
    let world = trained::Trained::open(&training)?.plan.env;
    let _policy = trained::policy(&world, &format!("prophet:{}", training.display()), 16)?;
    Ok(())
}

#[test]
fn a_stopped_training_ends_as_one_that_was_not() -> Result<(), Box<dyn std::error::Error>> {
    main()?;
    let place = tempfile::tempdir()?;
    let [broken, unbroken] = ["broken", "unbroken"].map(|name| place.path().join(name));
    train(&broken, &|watched| {
        if watched.update.update == 5 { Err(Error::Failed(String::new())) } else { Ok(()) }
    })
    .unwrap_err();
    resume(&broken)?;
    train(&unbroken, &|_| Ok(()))?;
    resume(&unbroken)?;
    let csv = |run: &Path| std::fs::read(run.join("training.csv"));
    assert_eq!(csv(&broken)?, csv(&unbroken)?);
    // A folder that is taken is refused, and nothing in it is touched.
    assert!(train(&broken, &|_| Ok(())).unwrap_err().is_refusal());
    assert_eq!(csv(&broken)?, csv(&unbroken)?);
    Ok(())
}
