//! An episode as a stream of scenes.

use std::convert::Infallible;
use std::path;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use resonetics_runs::Error;
use resonetics_runs::plan::range::{SEED, allowed};
use resonetics_runs::setup::Setup;
use resonetics_runs::trained::{PROPHET, Trained};
use resonetics_runs::training::Which;
use resonetics_view::scene::Scene;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::answer::refused;
use super::ends::not_led_away;
use super::runs;
use crate::view::show::{Player, RATES, Show, pace};

/// What is asked for.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    /// The page sends its whole form; the path has said it.
    env: String,
    /// [`TRAINED`] for the settings that a trained agent was trained with.
    preset: String,
    /// Empty: the one that the world is shown with; `prophet:` and the name of a run in the list: its best
    /// checkpoint, or the one behind an @.
    agent: String,
    /// Whether the actions of a trained agent are drawn from its policy.
    sample: bool,
    /// As it was typed: what is wrong with it is said in the words of the command line.
    seed: String,
    /// Whether the control layer is on; none: as it is in this world.
    control: Option<bool>,
    /// One of [`RATES`].
    rate: u32,
    /// Where to begin, as the id of a scene says it: the episode is played up to it first.
    from: String,
}

impl Default for Asked {
    fn default() -> Asked {
        let [env, agent] = [String::new(), String::new()];
        Asked {
            env,
            preset: "reference".to_owned(),
            agent,
            sample: false,
            seed: "1".to_owned(),
            control: None,
            rate: 10,
            from: String::new(),
        }
    }
}

/// The preset of a trained agent.
pub(super) const TRAINED: &str = "as trained";

/// An episode that is being streamed.
struct Live {
    show: Show,
    rate: u32,
    /// The step of the checkpoint that acts, of a trained agent.
    checkpoint: Option<u64>,
    begun: bool,
}

/// A scene as it is sent.
#[derive(Serialize)]
struct Sent<'a> {
    #[serde(flatten)]
    scene: &'a Scene,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<u64>,
}

/// Scenes as server-sent events. Their ids are their steps, with the checkpoint behind an @: a browser that has
/// lost the connection goes on behind the last one it has seen, if it can be the same episode.
pub(super) async fn live(
    State(dir): State<Arc<path::PathBuf>>,
    Path(env): Path<String>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let seen = headers.get("last-event-id").and_then(|id| Some(id.to_str().ok()?.to_owned()));
    let opened = match asked {
        // It may have to play many steps before the first scene.
        Ok(Query(asked)) => spawn_blocking(move || open(&dir, &env, &asked, seen))
            .await
            .unwrap_or_else(|error| Err(Error::Failed(format!("the episode stopped: {error}")))),
        Err(rejection) => Err(Error::Refused(rejection.body_text())),
    };
    match opened {
        Ok(live) => Sse::new(scenes(live)).into_response(),
        Err(failure) => refused(StatusCode::BAD_REQUEST, format!("{failure}\n")),
    }
}

/// The episode that is asked for, at the step that is asked for.
fn open(dir: &path::Path, env: &str, asked: &Asked, seen: Option<String>) -> Result<Live, Error> {
    let seed = asked.seed.parse().ok().filter(|seed| SEED.contains(seed));
    let seed = seed.ok_or_else(|| Error::Refused(format!("`seed = {}`: {}", asked.seed, allowed(&SEED))))?;
    if !RATES.contains(&asked.rate) {
        return Err(Error::Refused(format!("`rate = {}`: allowed are {RATES:?}", asked.rate)));
    }
    let player = player(dir, env, asked)?.sampled(asked.sample)?;
    let checkpoint = player.checkpoint();
    let from = seen.unwrap_or_else(|| asked.from.clone());
    let (step, of) = from.split_once('@').map_or((from.as_str(), None), |(step, of)| (step, Some(of)));
    if let (Some(of), Some(now)) = (of, checkpoint)
        && of != now.to_string()
    {
        let best = if asked.agent.contains('@') { "" } else { "best " };
        return Err(Error::Refused(format!(
            "{} has another {best}checkpoint now, of step {now}: this episode, of step {of}'s, cannot continue; start a new one",
            asked.agent
        )));
    }
    let mut show = player.show(seed)?;
    for _ in 0..step.parse().unwrap_or(0) {
        if show.ended() {
            break;
        }
        show.step()?;
    }
    Ok(Live { show, rate: asked.rate, checkpoint, begun: false })
}

/// Who is asked for, in the world that is asked for.
fn player(dir: &path::Path, env: &str, asked: &Asked) -> Result<Player, Error> {
    let switched = |setup: Setup| asked.control.map_or(setup.clone(), |enabled| setup.with_control(enabled));
    let preset = || Setup::preset(env, &asked.preset).map(switched);
    let Some(name) = asked.agent.strip_prefix(PROPHET) else {
        let setup = preset()?;
        let agent = if asked.agent.is_empty() { setup.shown_agent() } else { &asked.agent };
        if !setup.agents().contains(&agent) {
            let known = setup.agents().join(", ");
            return Err(Error::Refused(format!(
                "unknown agent `{agent}` for {env}; known are: {known}, and prophet:RUN for a training in the list"
            )));
        }
        let agent = agent.to_owned();
        return Player::new(setup, &agent);
    };
    let (folder, which) = listed(dir, name)?.ok_or_else(|| {
        Error::Refused(format!("unknown agent `{}`: there is no such run in the list", asked.agent))
    })?;
    not_led_away(&folder, &folder.join("config.toml"))?;
    let checkpoints = folder.join("checkpoints");
    let files: Vec<path::PathBuf> = match which {
        Which::Best => ["best.json", "best.safetensors"].map(|name| checkpoints.join(name)).into(),
        _ => checkpoints.read_dir().into_iter().flatten().flatten().map(|entry| entry.path()).collect(),
    };
    files.iter().try_for_each(|file| not_led_away(&folder, file))?;
    let trained = Trained::chosen(&folder, which)?;
    if asked.preset != TRAINED {
        return Player::of(trained, preset()?);
    }
    let setup = switched(trained.plan.env.clone());
    if setup.name != env {
        return Err(Error::Refused(format!(
            "{name} was trained in {}, not in {env}: choose that world, or a preset of this one",
            setup.name
        )));
    }
    Player::of(trained, setup)
}

/// The run called `name` in the list, and which of its checkpoints is meant; none if there is no such run. A page must
/// not name directories of this machine: only what is in the list.
fn listed(dir: &path::Path, name: &str) -> Result<Option<(path::PathBuf, Which)>, Error> {
    if let Some(folder) = runs::find(dir, name) {
        return Ok(Some((folder, Which::Best)));
    }
    let Some((name, which)) = name.rsplit_once('@') else { return Ok(None) };
    let Some(folder) = runs::find(dir, name) else { return Ok(None) };
    Ok(Some((folder, which.parse().map_err(Error::Refused)?)))
}

/// Steps only when the browser has taken the scene before: one that is slow, or gone, costs nothing.
fn scenes(live: Live) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(live, |mut live| async move {
        if live.begun {
            if live.show.ended() {
                return None;
            }
            let (between, together) = pace(live.rate);
            tokio::time::sleep(between).await;
            for _ in 0..together {
                live.show.step().ok()?;
            }
        }
        live.begun = true;
        let scene = live.show.scene();
        let of = live.checkpoint.map_or_else(String::new, |step| format!("@{step}"));
        let id = format!("{}{of}", scene.step);
        let sent = Sent { scene: &scene, checkpoint: live.checkpoint };
        Some((Ok(Event::default().id(id).data(serde_json::to_string(&sent).ok()?)), live))
    })
}
