//! How other servers are asked: within a time, and where they are said to be. A redirect is no answer: what was posted
//! would arrive as an empty question, somewhere else.

use std::time::Duration;

use ureq::{Agent, Body, Error, http::Response};

/// Asks within `patience`, and follows nobody.
pub(crate) fn agent(patience: Duration) -> Agent {
    Agent::config_builder().timeout_global(Some(patience)).max_redirects(0).build().into()
}

/// Whether the server took what it was sent, and if not why. The address may hold a secret: it is not told.
pub(crate) fn taken(answer: Result<Response<Body>, Error>) -> Result<(), String> {
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) if answer.status().is_redirection() => Err(format!(
            "it answers {}: it is elsewhere; give the address that it means",
            answer.status().as_u16()
        )),
        Ok(answer) => Err(format!("it answers {}", answer.status().as_u16())),
        Err(Error::StatusCode(code)) => Err(format!("it answers {code}")),
        Err(error) => Err(error.to_string()),
    }
}
