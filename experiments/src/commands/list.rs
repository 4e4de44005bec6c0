//! `list`: environments, presets, agents and settings.

use clap::{Args, Command};
use resonetics_envs::registry::{ENVIRONMENTS, PRESETS};
use resonetics_runs::Error;
use resonetics_runs::setup::Setup;

use super::reported::{Report, described, reported};
use super::typed::OutArgs;

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print all settings of this environment, and of a training in it, as TOML ready for --config
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Preset of the drift: calm, reference or storm
    #[arg(long, value_name = "NAME", default_value = "reference")]
    pub preset: String,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &ListArgs, program: &Command) -> Result<(), Error> {
    // The overview is the same for every preset, but not for one that does not exist.
    Setup::preset("k8s", &args.preset)?;
    let text = match &args.env {
        Some(name) => settings(name, &args.preset)?,
        None => overview(program)?,
    };
    let config = described("list", [("preset", args.preset.as_str().into())]);
    reported(&config, args.out.out.as_deref(), || Ok(Report { text, file: "list.txt", outcome: Ok(()) }))
}

/// All settings of the world `name` and of a training in it, as TOML.
fn settings(name: &str, preset: &str) -> Result<String, Error> {
    let setup = Setup::preset(name, preset)?;
    Ok(format!(
        "# {name}, preset {preset}: write this into a file for --config FILE and change what you like.\n\
         # [agent] is of the heuristic agent, [agent.patrol] of patrol; [train] is of `train` (native learner, recipe\n\
         # standard), and other commands leave it out. Delete what of it you do not change: in the cluster the recipe\n\
         # follows from max_steps, and this is the one for its preset.\n{}",
        setup.all_settings()
    ))
}

fn overview(program: &Command) -> Result<String, Error> {
    let mut text = String::from("environments\n");
    for (name, what) in ENVIRONMENTS {
        let setup = Setup::preset(name, "reference")?;
        let agents = setup.agents().join(", ");
        text += &format!("  {name:<10} {what}\n  {:<10} agents: {agents}, prophet:DIR\n", "");
    }
    text += "presets (--preset)\n";
    for (name, what) in PRESETS {
        text += &format!("  {name:<10} {what}\n");
    }
    text += "agents\n  prophet:DIR trained by `train --out DIR`, wherever agents are named: its best checkpoint acts, greedily;\n              prophet:DIR@last and prophet:DIR@STEP are other checkpoints of it\n";
    text += "settings (--set KEY=VALUE, --config FILE): resonetics list --env NAME prints them all, train.* among them\n";
    text += "              lumen.enabled (as --lumen), lumen.residual_tense, lumen.residual_alert, lumen.ratio_tense, lumen.ratio_alert:\n              whether a run is watched, and where its levels begin (docs/LUMEN.md)\n";
    text += "commands\n";
    for command in program.get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text += &format!("  {:<11} {about}\n", command.get_name());
    }
    Ok(text)
}
