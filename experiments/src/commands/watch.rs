//! `watch`: an episode to look at, in the terminal or as pictures.

use std::path::Path;

use super::{Context, seed};
use crate::cli::{PictureArgs, WatchArgs};
use crate::failure::{self, Failure};
use crate::files::write_new;
use crate::interrupt;
use crate::out::say;
use crate::progress::Progress;
use crate::setup::Setup;
use crate::view::picture::{Film, Past, Picture};
use crate::view::scene::Scene;
use crate::view::show::Show;
use crate::view::terminal;

/// Frames of a GIF unless `--every` says otherwise, and the most that it may ask for.
const FRAMES: u32 = 150;
const MOST_FRAMES: u32 = 10_000;
/// How long a frame stays, and the last one, in hundredths of a second.
const DELAY: u16 = 5;
const LAST_DELAY: u16 = 200;

pub fn run(args: &WatchArgs, context: Context) -> Result<(), Failure> {
    let env = Setup::new(&args.env, &args.world)?;
    let agent = args.agent.as_deref().unwrap_or(env.shown_agent());
    env.policy(agent, 1)?;
    let pictures = &args.pictures;
    if pictures.gif.is_some() || pictures.png.is_some() {
        let steps = pictures.steps.unwrap_or(env.limit()).min(env.limit());
        pictures.check(steps)?;
        let show = Show::new(&env, agent, seed(&args.seed)?)?;
        return pictures.write(show, steps, context);
    }
    terminal::check()?;
    let seed = seed(&args.seed)?;
    terminal::watch(Show::new(&env, agent, seed)?, format!("{} · {agent} · seed {seed}", env.name))
}

impl PictureArgs {
    fn every(&self, steps: u32) -> u32 {
        self.every.unwrap_or(steps.div_ceil(FRAMES))
    }

    /// Refuses before the work what would be refused after it.
    fn check(&self, steps: u32) -> Result<(), Failure> {
        let frames = steps / self.every(steps);
        if self.gif.is_some() && frames > MOST_FRAMES {
            return Err(Failure::Usage(format!(
                "a GIF of {frames} frames is too long: allowed are {MOST_FRAMES}; raise --every or lower --steps"
            )));
        }
        for path in [&self.gif, &self.png].into_iter().flatten() {
            if path.symlink_metadata().is_ok() {
                let taken = std::io::ErrorKind::AlreadyExists.into();
                return Err(failure::io("create", path)(taken));
            }
        }
        Ok(())
    }

    fn write(&self, mut show: Show, steps: u32, context: Context) -> Result<(), Failure> {
        let progress = Progress::new(steps.into(), "steps", context.quiet);
        let mut scene = show.scene();
        let mut past = vec![scene.trends[0].1];
        // A place more than steps: the curve begins before the first.
        let width = steps as usize + 1;
        let draw = |scene: &Scene, past: &[f64]| Picture::of(scene, Past { values: past, steps: width });
        let mut film = self.gif.is_some().then(|| Film::new(draw(&scene, &past), DELAY)).transpose()?;
        for step in 1..=steps {
            interrupt::check()?;
            show.step()?;
            scene = show.scene();
            past.push(scene.trends[0].1);
            progress.inc(1);
            let last = step == steps || show.ended();
            if let Some(film) = film.as_mut().filter(|_| last || step % self.every(steps) == 0) {
                film.show(draw(&scene, &past), if last { LAST_DELAY } else { DELAY })?;
            }
            if last {
                break;
            }
        }
        progress.finish();
        let told = |path: &Path, what: String, bytes: &[u8]| {
            write_new(path, bytes)?;
            if context.quiet {
                return Ok(());
            }
            say(format_args!("wrote {}: {what}, {} kB", path.display(), bytes.len().div_ceil(1000)))
        };
        if let (Some(path), Some(film)) = (&self.gif, film) {
            let what = format!("{} frames", film.frames());
            told(path, what, &film.finish()?)?;
        }
        if let Some(path) = &self.png {
            let what = format!("after {} steps", scene.step);
            told(path, what, &draw(&scene, &past).png()?)?;
        }
        Ok(())
    }
}
