//! `auspex doctor`: what could keep this installation from working.

mod checks;

use std::process::ExitCode;

use serde_json::json;

use crate::cli::Context;
use crate::home::Home;
use crate::screen;
use crate::settings::{Complaints, Settings};

const EXAMPLES: &str = "\
Examples:
  auspex doctor
  auspex doctor --home /srv/auspex --json

Exit code 1 when anything fails; warnings do not count.";

/// What `doctor` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    Warn,
    Fail,
}

/// One line of the report.
#[derive(Debug)]
struct Finding {
    what: &'static str,
    outcome: Outcome,
    detail: String,
    hint: Option<String>,
}

impl Finding {
    fn ok(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, outcome: Outcome::Ok, detail: detail.into(), hint: None }
    }

    fn warn(what: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what, outcome: Outcome::Warn, detail: detail.into(), hint: Some(hint.into()) }
    }

    fn fail(what: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what, outcome: Outcome::Fail, detail: detail.into(), hint: Some(hint.into()) }
    }
}

pub(crate) async fn run(args: &Args, home: &Home, settings: Result<Settings, Complaints>) -> anyhow::Result<ExitCode> {
    let mut findings = vec![checks::home(home), checks::disk(home)];
    match settings {
        Err(complaints) => {
            let hint = "`auspex config --default` lists what can be set";
            findings.extend(complaints.0.into_iter().map(|complaint| Finding::fail("settings", complaint, hint)));
        }
        Ok(settings) => {
            findings.push(Finding::ok("settings", "understood"));
            findings.push(checks::port(&settings).await);
            let context = Context { home: home.clone(), settings };
            findings.extend(checks::database(&context).await);
        }
    }
    findings.push(checks::time_zone());
    let failed = findings.iter().any(|finding| finding.outcome == Outcome::Fail);
    match args.json {
        true => screen::say_json(&findings.iter().map(to_json).collect::<Vec<_>>())?,
        false => screen::say(findings.iter().map(to_text).collect::<Vec<_>>().join("\n"))?,
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Warn => "warn",
        Outcome::Fail => "fail",
    }
}

fn to_text(finding: &Finding) -> String {
    let line = format!("{:<4}  {:<10}  {}", word(finding.outcome), finding.what, finding.detail);
    match &finding.hint {
        Some(hint) => format!("{line}\n                  {hint}"),
        None => line,
    }
}

fn to_json(finding: &Finding) -> serde_json::Value {
    json!({
        "check": finding.what, "outcome": word(finding.outcome), "detail": finding.detail, "hint": finding.hint,
    })
}
