//! `list`: environments, presets, agents and settings.

use resonetics_envs::registry::{ENVIRONMENTS, PRESETS};

use super::{Context, report};
use crate::cli::ListArgs;
use crate::failure::Failure;
use crate::setup::Setup;

pub fn run(args: &ListArgs, context: Context) -> Result<(), Failure> {
    let text = match &args.env {
        Some(name) => Setup::resolve(name, &args.preset, None, &[])
            .map_err(Failure::Usage)?
            .settings_table()
            .to_string(),
        None => overview()?,
    };
    report("list", "list.txt", &text, args.out.out.as_deref(), None, context)
}

fn overview() -> Result<String, Failure> {
    let mut text = String::from("environments\n");
    for (name, what) in ENVIRONMENTS {
        let setup = Setup::resolve(name, "reference", None, &[]).map_err(Failure::Failed)?;
        text += &format!("  {name:<10} {what}\n  {:<10} agents: {}\n", "", setup.agents().join(", "));
    }
    text += "presets (--preset)\n";
    for (name, what) in PRESETS {
        text += &format!("  {name:<10} {what}\n");
    }
    text += "settings (--set KEY=VALUE, --config FILE): resonetics list --env NAME prints them all\n";
    Ok(text)
}
