//! `auspex config`: the settings in force.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::Context;
use crate::screen;
use crate::settings::{DEFAULT, From, shown};

const EXAMPLES: &str = "\
Examples:
  auspex config                                 what is in force, and where it comes from
  auspex config --default > ~/auspex.toml       the manual, to start a settings file from
  PORT=9000 auspex config --json";

/// What `config` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print the commented defaults instead
    #[arg(long, conflicts_with = "json")]
    pub(crate) default: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the manual.
pub(crate) fn print_default() -> anyhow::Result<ExitCode> {
    screen::say(DEFAULT.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let leaves = &context.settings.leaves;
    if args.json {
        let one = |leaf: &crate::settings::Leaf| {
            let value = if shown(leaf) == leaf.to_toml() { leaf.to_json() } else { json!("***") };
            (leaf.key.clone(), json!({ "value": value, "from": leaf.from.to_string() }))
        };
        let settings: serde_json::Map<_, _> = leaves.iter().map(one).collect();
        screen::say_json(&json!({ "home": context.home.path(), "settings": settings }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("# home: {}", context.home.path().display());
    let mut section = "";
    for leaf in leaves.iter() {
        let (of, key) = leaf.key.rsplit_once('.').expect("keys have a section");
        if of != section {
            text += &format!("\n\n[{of}]");
            section = of;
        }
        text += &format!("\n{key} = {}", shown(leaf));
        if leaf.from != From::Default {
            text += &format!("  # {}", leaf.from);
        }
    }
    screen::say(text)?;
    Ok(ExitCode::SUCCESS)
}
