//! `auspex ledger`: what was said, unaltered.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use engine::body::{Body, CheckpointBody};
use engine::ledger::{CheckpointFile, Expected, Output, PublicKey, SecretKey, Verdict};
use engine::rederive::Rederived;
use market::{ChainId, Checkpoint, Origin};
use serde_json::json;
use storage::{Draft, Index};

use crate::cli::{Context, Usage, usage};
use crate::compose::system_clock;
use crate::screen::{self, count};

const EXAMPLES: &str = "\
Examples:
  auspex ledger verify                                           every ledger of this home
  auspex ledger verify export.jsonl --checkpoint checkpoint.json
  auspex ledger export --origin replay --out replay.jsonl
  auspex ledger checkpoint --out checkpoint.json --sign-key key.hex
  auspex ledger rederive 1f3c5a

Exit codes of verify: 0 sound; 1 broken, naming the first bad entry and the rule; 2
unreadable input. Of rederive: 0 the forecast stands, 1 it does not. A cut or wholly
recomputed ledger shows only against a checkpoint kept elsewhere. docs/ledger.md holds a
verifier in Python that needs nothing of ours.";

/// What `ledger` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check every rule: hashes, order, times, slots, scores
    #[command(after_help = EXAMPLES)]
    Verify(VerifyArgs),
    /// Write a ledger as JSON lines
    #[command(after_help = EXAMPLES)]
    Export(ExportArgs),
    /// Compute a forecast again from the rows and model it names
    #[command(after_help = EXAMPLES)]
    Rederive(RederiveArgs),
    /// Write the head of a ledger to a file that is to be kept elsewhere
    #[command(after_help = EXAMPLES)]
    Checkpoint(CheckpointArgs),
}

#[derive(Debug, clap::Args)]
struct ChainArgs {
    /// live, replay or simulated [default: live, or the only ledger there is]
    #[arg(long)]
    origin: Option<Origin>,
    /// Which run of that origin [default: the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// An export; - for stdin; without it the ledgers of this home are verified
    file: Option<PathBuf>,
    /// A head published earlier, which must be part of the ledger
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The key (64 hex digits) the checkpoint must be signed with
    #[arg(long, value_name = "KEY", requires = "checkpoint")]
    public_key: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    #[command(flatten)]
    chain: ChainArgs,
    /// Where to write; - for stdout
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
struct RederiveArgs {
    /// The entry's id: the first digits of its hash
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct CheckpointArgs {
    #[command(flatten)]
    chain: ChainArgs,
    /// Where to write; - for stdout
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A file of 64 hex digits to sign with (`openssl rand -hex 32`)
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// Write into the live ledger, too, that its head was published
    #[arg(long)]
    record: bool,
}

pub(crate) async fn run(args: Args, context: Context) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Verify(args) => verify(args, context).await,
        What::Export(args) => export(args, context).await,
        What::Rederive(args) => rederive(args, context).await,
        What::Checkpoint(args) => checkpoint(args, context).await,
    }
}

async fn verify(args: VerifyArgs, context: Context) -> anyhow::Result<ExitCode> {
    // Whatever cannot be read is exit code 2: it says nothing about the ledger.
    let checkpoint = read_checkpoint(&args).map_err(unreadable)?;
    let verdicts = match &args.file {
        Some(file) => {
            let expected = Expected { chain: None, checkpoint };
            let file = file.clone();
            let verdict = tokio::task::spawn_blocking(move || verify_file(&file, expected)).await?;
            vec![(args.file.clone().unwrap_or_default().display().to_string(), verdict.map_err(unreadable)?)]
        }
        None => verify_home(&args, &context, checkpoint).await.map_err(unreadable)?,
    };
    let sound = verdicts.iter().all(|(_, verdict)| matches!(verdict, Verdict::Sound(_)));
    match args.json {
        true => screen::say_json(&verdicts.iter().map(verdict_json).collect::<Vec<_>>())?,
        false => screen::say(verdicts.iter().map(verdict_text).collect::<Vec<_>>().join("\n"))?,
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn unreadable(error: anyhow::Error) -> anyhow::Error {
    Usage(format!("{error:#}")).into()
}

fn read_checkpoint(args: &VerifyArgs) -> anyhow::Result<Option<Checkpoint>> {
    let Some(path) = &args.checkpoint else { return Ok(None) };
    let key: Option<PublicKey> = args.public_key.as_deref().map(str::parse).transpose()?;
    let file = CheckpointFile::read(path)?;
    Ok(Some(file.verified(key.as_ref())?.clone()))
}

fn verify_file(path: &Path, expected: Expected) -> anyhow::Result<Verdict> {
    if path.as_os_str() == "-" {
        return Ok(engine::ledger::verify(BufReader::new(io::stdin().lock()), expected)?);
    }
    let file = File::open(path).with_context(|| format!("failed to open {}", path.display()))?;
    Ok(engine::ledger::verify(BufReader::with_capacity(1 << 18, file), expected)?)
}

async fn verify_home(
    args: &VerifyArgs,
    context: &Context,
    checkpoint: Option<Checkpoint>,
) -> anyhow::Result<Vec<(String, Verdict)>> {
    let opened = context.open_existing().await?;
    let chains: Vec<ChainId> = match (&checkpoint, args.chain.origin) {
        (Some(checkpoint), _) => vec![checkpoint.chain.clone()],
        (None, Some(origin)) => vec![opened.chain(Some(origin), args.chain.run.as_deref()).await?.chain],
        (None, None) => opened.store.chains().await?.into_iter().map(|info| info.chain).collect(),
    };
    if chains.is_empty() {
        bail!("this home has no ledger yet");
    }
    let mut verdicts = Vec::new();
    for chain in chains {
        let spinner = screen::spinner(format!("verifying {chain}"));
        let verdict = engine::ledger::verify_stored(&*opened.store, &chain, checkpoint.clone()).await;
        spinner.finish_and_clear();
        verdicts.push((chain.to_string(), verdict?));
    }
    opened.store.close().await;
    Ok(verdicts)
}

fn verdict_text((what, verdict): &(String, Verdict)) -> String {
    match verdict {
        Verdict::Broken(broken) => format!("{what}: {broken}"),
        Verdict::Sound(report) => format!(
            "{what}: sound: {} entries of {}: {} forecasts, {} outcomes, {} voids, {} slots missed, {} horizons open\n  \
             recorded {} to {}\n  head {} {}",
            count(report.entries),
            report.chain,
            count(report.forecasts),
            count(report.outcomes),
            count(report.voids),
            count(report.missed_slots),
            count(report.open_horizons),
            report.first_recorded_at,
            report.last_recorded_at,
            report.entries - 1,
            report.head,
        ),
    }
}

fn verdict_json((what, verdict): &(String, Verdict)) -> serde_json::Value {
    match verdict {
        Verdict::Broken(broken) => json!({
            "input": what, "sound": false, "seq": broken.seq, "rule": broken.rule.as_str(), "detail": broken.detail,
        }),
        Verdict::Sound(report) => json!({
            "input": what, "sound": true, "chain": report.chain.to_string(), "entries": report.entries,
            "forecasts": report.forecasts, "outcomes": report.outcomes, "voids": report.voids,
            "missed": report.missed, "missed_slots": report.missed_slots, "open_horizons": report.open_horizons,
            "first_recorded_at": report.first_recorded_at, "last_recorded_at": report.last_recorded_at,
            "head": { "seq": report.entries - 1, "hash": report.head.to_string() },
        }),
    }
}

async fn export(args: ExportArgs, context: Context) -> anyhow::Result<ExitCode> {
    let opened = context.open_existing().await?;
    let chain = opened.chain(args.chain.origin, args.chain.run.as_deref()).await?.chain;
    let entries = match args.out.as_os_str() == "-" {
        true => engine::ledger::export(&*opened.store, &chain, &mut BufWriter::new(io::stdout())).await?,
        false => {
            let failed = || format!("failed to write {}", args.out.display());
            let mut file = Output::create(&args.out).with_context(failed)?;
            let entries = engine::ledger::export(&*opened.store, &chain, &mut file).await?;
            file.finish().with_context(failed)?;
            entries
        }
    };
    opened.store.close().await;
    screen::note(format!("exported {} entries of {chain}", count(entries)));
    Ok(ExitCode::SUCCESS)
}

async fn checkpoint(args: CheckpointArgs, context: Context) -> anyhow::Result<ExitCode> {
    let key = args.sign_key.as_deref().map(SecretKey::read).transpose()?;
    let opened = context.open_existing().await?;
    let head = opened.chain(args.chain.origin, args.chain.run.as_deref()).await?;
    if args.record && head.chain.origin() != Origin::Live {
        return usage("--record is for the live ledger: replays and simulations keep to their own time");
    }
    let now = system_clock().now();
    let checkpoint = Checkpoint { chain: head.chain.clone(), seq: head.seq, hash: head.hash, time: now };
    let file = match &key {
        Some(key) => CheckpointFile::signed(checkpoint, key),
        None => CheckpointFile::unsigned(checkpoint),
    };
    match args.out.as_os_str() == "-" {
        true => io::stdout().write_all(file.to_json().as_bytes())?,
        false => file.write(&args.out)?,
    }
    if args.record {
        let body = Body::Checkpoint(CheckpointBody { recorded_at: now, seq: head.seq, hash: head.hash.to_string() });
        let draft = Draft { recorded_at: now, body: body.to_json(), index: Index::Checkpoint };
        opened.store.append(&head.chain, &[draft]).await.context("failed to record the checkpoint")?;
    }
    opened.store.close().await;
    let signed = key.map(|key| format!(", signed by {}", key.public_key())).unwrap_or_default();
    screen::note(format!("checkpoint of {} at {} {}{signed}", head.chain, head.seq, head.hash));
    Ok(ExitCode::SUCCESS)
}

async fn rederive(args: RederiveArgs, context: Context) -> anyhow::Result<ExitCode> {
    let is_hash = |text: &str| !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = args.id.to_ascii_lowercase();
    if !is_hash(&id) {
        return usage(format!("{:?} is no id: the first digits of an entry's hash are expected", args.id));
    }
    let opened = context.open_existing().await?;
    let found = opened.store.entries_by_hash(&id).await?;
    let chain = found.first().map_or_else(ChainId::live, |(chain, _)| chain.clone());
    let engine = context.engine(&opened, chain, system_clock(), |_| ()).await?;
    let rederived = engine.rederive(&id).await?;
    opened.store.close().await;
    match args.json {
        true => screen::say_json(&rederived_json(&rederived))?,
        false => screen::say(rederived_text(&rederived))?,
    }
    Ok(if rederived.stands() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn rederived_text(rederived: &Rederived) -> String {
    let issued = &rederived.issued;
    let forecast = &issued.forecast;
    let what = format!(
        "{} {} as of {}, entry {} of {} by {} ({})",
        forecast.symbol,
        forecast.timeframe,
        forecast.as_of,
        issued.seq,
        issued.chain,
        forecast.model.name,
        forecast.model.id
    );
    let verdict = if rederived.is_identical() {
        "stands: computed again, it is the same to the byte".to_owned()
    } else if rederived.stands() {
        format!(
            "stands: computed again by another version of the code ({}), it differs by {:.1e} at most",
            forecast.model.code_version, rederived.difference
        )
    } else {
        let data = if rederived.same_data { "the same rows" } else { "other rows than it names" };
        let code = if rederived.same_code { "the same code" } else { "another version of the code" };
        format!("does not stand: from {data} and {code} it differs by {:.1e}", rederived.difference)
    };
    format!("{what}\n  {verdict}")
}

fn rederived_json(rederived: &Rederived) -> serde_json::Value {
    json!({
        "chain": rederived.issued.chain.to_string(),
        "seq": rederived.issued.seq,
        "hash": rederived.issued.hash.to_string(),
        "stands": rederived.stands(),
        "identical": rederived.is_identical(),
        "same_data": rederived.same_data,
        "same_code": rederived.same_code,
        "difference": if rederived.difference.is_finite() { json!(rederived.difference) } else { json!(null) },
    })
}
