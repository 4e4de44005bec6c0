//! An episode as a stream of scenes.

use std::convert::Infallible;

use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::refused;
use crate::cli::{SEED, allowed};
use crate::failure::Failure;
use crate::setup::Setup;
use crate::view::show::{RATES, Show, pace};

/// What is asked for.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    /// The page sends its whole form; the path has said it.
    env: String,
    preset: String,
    /// Empty: the one that the world is shown with.
    agent: String,
    /// As it was typed: what is wrong with it is said in the words of the command line.
    seed: String,
    /// Whether the control layer is on; none: as it is in this world.
    control: Option<bool>,
    /// One of [`RATES`].
    rate: u32,
    /// The step to begin at: the episode is played up to it first.
    from: u32,
}

impl Default for Asked {
    fn default() -> Asked {
        let [env, agent] = [String::new(), String::new()];
        Asked {
            env,
            preset: "reference".to_owned(),
            agent,
            seed: "1".to_owned(),
            control: None,
            rate: 10,
            from: 0,
        }
    }
}

/// An episode that is being streamed.
struct Live {
    show: Show,
    rate: u32,
    begun: bool,
}

/// Scenes as server-sent events, numbered by their steps: a browser that has lost the connection goes on
/// behind the last one it has seen.
pub(super) async fn live(
    Path(env): Path<String>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let opened = match asked {
        // It may have to play many steps before the first scene.
        Ok(Query(asked)) => spawn_blocking(move || open(&env, &asked, seen))
            .await
            .unwrap_or_else(|error| Err(Failure::Failed(format!("the episode broke off: {error}")))),
        Err(rejection) => Err(Failure::Usage(rejection.body_text())),
    };
    match opened {
        Ok((show, rate)) => Sse::new(scenes(Live { show, rate, begun: false })).into_response(),
        Err(failure) => refused(StatusCode::BAD_REQUEST, format!("{failure}\n")),
    }
}

/// The episode that is asked for, at the step that is asked for.
fn open(env: &str, asked: &Asked, seen: Option<u32>) -> Result<(Show, u32), Failure> {
    let setup = Setup::preset(env, &asked.preset).map_err(Failure::Usage)?;
    let setup = asked.control.map_or(setup.clone(), |enabled| setup.with_control(enabled));
    let seed = asked.seed.parse().ok().filter(|seed| SEED.contains(seed));
    let seed = seed.ok_or_else(|| Failure::Usage(format!("`seed = {}`: {}", asked.seed, allowed(&SEED))))?;
    if !RATES.contains(&asked.rate) {
        return Err(Failure::Usage(format!("`rate = {}`: allowed are {RATES:?}", asked.rate)));
    }
    let agent = if asked.agent.is_empty() { setup.shown_agent() } else { &asked.agent };
    // Not prophet:DIR: a page must not name directories of this machine.
    if !setup.agents().contains(&agent) {
        let known = setup.agents().join(", ");
        return Err(Failure::Usage(format!("unknown agent `{agent}` for {env}; known are: {known}")));
    }
    let mut show = Show::new(&setup, agent, seed)?;
    for _ in 0..seen.unwrap_or(asked.from) {
        if show.ended() {
            break;
        }
        show.step()?;
    }
    Ok((show, asked.rate))
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
        let event = Event::default().id(scene.step.to_string()).data(serde_json::to_string(&scene).ok()?);
        Some((Ok(event), live))
    })
}
