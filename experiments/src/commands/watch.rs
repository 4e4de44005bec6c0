//! `watch`: an episode to look at, in the terminal or as pictures.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use resonetics_runs::Error;
use resonetics_runs::files::{check_new, write_new};
use resonetics_runs::interrupt;
use resonetics_runs::plan::range::STEPS;
use resonetics_view::picture::{Film, Past, Picture, PictureError};
use resonetics_view::scene::Scene;

use super::context::Context;
use super::typed::{ActingArgs, SeedArgs, WorldArgs, seed, whole};
use crate::out::say;
use crate::progress::Bar;
use crate::view::show::{Player, Show};
use crate::view::terminal;

/// Frames of a GIF unless `--every` says otherwise, and the most that it may ask for.
const FRAMES: u32 = 150;
const MOST_FRAMES: u32 = 10_000;
/// How long a frame stays, and the last one, in hundredths of a second.
const DELAY: u16 = 5;
const LAST_DELAY: u16 = 200;

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Environment: gardener, k8s or k8s-v4.6
    pub env: String,
    /// Agent, prophet:DIR for a trained one, prophet:DIR@last or prophet:DIR@STEP for another checkpoint than the
    /// best [default: evolved in the garden, heuristic in the cluster]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    #[command(flatten)]
    pub acting: ActingArgs,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub pictures: PictureArgs,
}

/// For pictures instead of the terminal.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pictures instead of the terminal", group = ArgGroup::new("picture").args(["gif", "png"]).multiple(true))]
pub struct PictureArgs {
    /// Write the episode as an animated GIF; an existing file is not overwritten
    #[arg(long, value_name = "FILE")]
    pub gif: Option<PathBuf>,
    /// Write the last frame as a PNG; an existing file is not overwritten
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
    /// Maximum number of steps (or generations) [default: to the end of the episode]
    #[arg(long, value_name = "N", requires = "picture", allow_negative_numbers = true, value_parser = whole::<u32>(STEPS))]
    pub steps: Option<u32>,
    /// Steps between two frames of the GIF [default: so that at most 150 frames show the episode]
    #[arg(long, value_name = "K", requires = "gif", allow_negative_numbers = true, value_parser = whole::<u32>(STEPS))]
    pub every: Option<u32>,
}

pub fn run(args: &WatchArgs, context: Context) -> Result<(), Error> {
    let env = args.world.world(&args.env)?;
    let agent = args.agent.as_deref().unwrap_or(env.shown_agent());
    let player = Player::new(env.clone(), agent)?.sampled(args.acting.sample)?;
    let pictures = &args.pictures;
    if pictures.gif.is_some() || pictures.png.is_some() {
        let most = pictures.steps.unwrap_or(env.limit()).min(env.limit());
        pictures.check(most)?;
        let seed = seed(&args.seed)?;
        // Who names the steps wants them as the scale, also beside another picture of as many.
        let steps = if pictures.steps.is_some() { most } else { length(player.show(seed)?, most, context)? };
        return pictures.write(player.show(seed)?, steps, context);
    }
    terminal::check()?;
    let seed = seed(&args.seed)?;
    let trained = player.checkpoint().map_or_else(String::new, |steps| format!(" at step {steps}"));
    terminal::watch(player.show(seed)?, format!("{} · {agent}{trained} · seed {seed}", env.name))
}

/// The steps of the episode, `most` at most. It is played for nothing else: how far apart frames are, and how many steps the
/// curve stands for, has to be known before the first of them.
fn length(mut show: Show, most: u32, context: Context) -> Result<u32, Error> {
    let progress = Bar::new(most.into(), "steps at most", context.quiet);
    let mut steps = 0;
    while !show.ended() {
        interrupt::check()?;
        show.step()?;
        steps += 1;
        progress.inc(1);
    }
    progress.finish();
    Ok(steps)
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` hands it
fn failed(error: PictureError) -> Error {
    Error::Failed(error.to_string())
}

impl PictureArgs {
    /// Steps from one frame to the next, of `steps`.
    fn every(&self, steps: u32) -> u32 {
        self.every.unwrap_or(steps.div_ceil(FRAMES))
    }

    /// Refuses before the work what would be refused after it.
    fn check(&self, most: u32) -> Result<(), Error> {
        let frames = most / self.every(most);
        if self.gif.is_some() && frames > MOST_FRAMES {
            return Err(Error::Refused(format!(
                "a GIF of {frames} frames is too long: allowed are {MOST_FRAMES}; raise --every or lower --steps"
            )));
        }
        for path in [&self.gif, &self.png].into_iter().flatten() {
            check_new(path)?;
        }
        if let (Some(gif), Some(png)) = (&self.gif, &self.png) {
            let place = |path: &Path| {
                let parent = path.parent().filter(|parent| *parent != Path::new(""));
                Some((parent.unwrap_or(Path::new(".")).canonicalize().ok()?, path.file_name()?.to_owned()))
            };
            if place(gif) == place(png) {
                return Err(Error::Refused(format!(
                    "--gif and --png are the same file, {}: give each a name of its own",
                    gif.display()
                )));
            }
        }
        Ok(())
    }

    /// Plays the episode for `steps`, or to its end, and draws it.
    fn write(&self, mut show: Show, steps: u32, context: Context) -> Result<(), Error> {
        let progress = Bar::new(steps.into(), "steps drawn", context.quiet);
        let mut scene = show.scene();
        let mut past = vec![scene.trends[0].1];
        // A place more than steps: the curve begins before the first.
        let width = steps as usize + 1;
        let draw = |scene: &Scene, past: &[f64]| Picture::of(scene, Past { values: past, steps: width });
        let mut film =
            self.gif.is_some().then(|| Film::new(draw(&scene, &past), DELAY)).transpose().map_err(failed)?;
        for step in 1..=steps {
            interrupt::check()?;
            show.step()?;
            scene = show.scene();
            past.push(scene.trends[0].1);
            progress.inc(1);
            let last = step == steps || show.ended();
            if let Some(film) = film.as_mut().filter(|_| last || step % self.every(steps) == 0) {
                film.show(draw(&scene, &past), if last { LAST_DELAY } else { DELAY }).map_err(failed)?;
            }
            if last {
                break;
            }
        }
        progress.finish();
        self.save(film, &draw(&scene, &past), scene.step, context)
    }

    fn save(&self, film: Option<Film>, last: &Picture, steps: u32, context: Context) -> Result<(), Error> {
        let told = |path: &Path, what: String, bytes: &[u8]| {
            write_new(path, bytes)?;
            if context.quiet {
                return Ok(());
            }
            say(format_args!("wrote {}: {what}, {} kB", path.display(), bytes.len().div_ceil(1000)))
        };
        if let (Some(path), Some(film)) = (&self.gif, film) {
            let what = format!("{} frames", film.frames());
            told(path, what, &film.finish().map_err(failed)?)?;
        }
        if let Some(path) = &self.png {
            let what = format!("after {steps} steps");
            told(path, what, &last.png().map_err(failed)?)?;
        }
        Ok(())
    }
}
