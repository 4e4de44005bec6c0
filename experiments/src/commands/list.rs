//! `list`: environments, presets, agents and settings.

use resonetics_envs::registry::{ENVIRONMENTS, PRESETS};

use super::{Context, Report, described, reported};
use crate::cli::ListArgs;
use crate::failure::Failure;
use crate::setup::Setup;

pub fn run(args: &ListArgs, context: Context) -> Result<(), Failure> {
    // The overview is the same for every preset, but not for one that does not exist.
    Setup::preset("k8s", &args.preset).map_err(Failure::Usage)?;
    let text = match &args.env {
        Some(name) => Setup::preset(name, &args.preset).map_err(Failure::Usage)?.settings_table().to_string(),
        None => overview()?,
    };
    let config = described("list", [("preset", args.preset.as_str().into())]);
    reported(&config, args.out.out.as_deref(), context, || {
        Ok(Report { text, file: "list.txt", outcome: Ok(()) })
    })
}

fn overview() -> Result<String, Failure> {
    let mut text = String::from("environments\n");
    for (name, what) in ENVIRONMENTS {
        let setup = Setup::preset(name, "reference").map_err(Failure::Failed)?;
        text += &format!("  {name:<10} {what}\n  {:<10} agents: {}\n", "", setup.agents().join(", "));
    }
    text += "presets (--preset)\n";
    for (name, what) in PRESETS {
        text += &format!("  {name:<10} {what}\n");
    }
    text += "settings (--set KEY=VALUE, --config FILE): resonetics list --env NAME prints them all\n";
    Ok(text)
}
