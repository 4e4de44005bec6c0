//! `lumen notify`: a notice to whoever has to hear.

use clap::{Args, ValueEnum};
use resonetics_lumen::notify::{chat, test_alert, variable, webhook};
use resonetics_runs::Error;
use serde_json::Value;

use crate::out::say;

#[derive(Debug, Args)]
pub struct NotifyArgs {
    /// What it is about
    #[arg(required_unless_present = "test_alert")]
    pub title: Option<String>,
    /// More, as JSON
    #[arg(value_name = "JSON", requires = "title")]
    pub payload: Option<String>,
    /// Where it goes
    #[arg(long, value_enum, default_value_t = Mode::Webhook)]
    pub mode: Mode,
    /// Tell the Alertmanager at URL an alert that means nothing, to follow its route
    #[arg(long, value_name = "URL", conflicts_with_all = ["title", "mode"])]
    pub test_alert: Option<String>,
    /// Severity of the test alert: page, critical, warning or ticket
    #[arg(long, value_name = "NAME", default_value = "ticket", requires = "test_alert", value_parser = ["page", "critical", "warning", "ticket"])]
    pub severity: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Print it
    Console,
    /// POST it to LUMEN_ALERT_URL, signed with LUMEN_ALERT_SECRET
    Webhook,
    /// POST its title to SLACK_WEBHOOK
    Chat,
}

pub fn run(args: &NotifyArgs) -> Result<(), Error> {
    if let Some(url) = &args.test_alert {
        test_alert(url, &args.severity)?;
        return say(format_args!(
            "the Alertmanager took it, with the severity {}: see where it arrives",
            args.severity
        ));
    }
    let title = args.title.as_deref().unwrap_or_default();
    let payload = match &args.payload {
        Some(text) => serde_json::from_str::<Value>(text)
            .map_err(|error| Error::Refused(format!("`{text}` is no JSON: {error}")))?,
        None => Value::Null,
    };
    let set = |name: &str| {
        variable(name)?.ok_or_else(|| Error::Unknown(format!("{name} is not set: nobody was told")))
    };
    match args.mode {
        Mode::Console if payload.is_null() => say(format_args!("{title}")),
        Mode::Console => say(format_args!("{title} {payload}")),
        Mode::Webhook => {
            webhook(&set("LUMEN_ALERT_URL")?, variable("LUMEN_ALERT_SECRET")?.as_deref(), title, &payload)
        }
        Mode::Chat => chat(&set("SLACK_WEBHOOK")?, title, &payload),
    }
}
