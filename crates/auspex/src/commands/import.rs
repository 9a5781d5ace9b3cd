//! `auspex import`: bars, observations and corporate actions from files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use jiff::Timestamp;
use jiff::civil::Date;
use market::{Adjustment, Asset, AssetClass, AssetKind, Timeframe};
use serde_json::json;
use sources::files::{ActionOptions, BarOptions, ColumnMap, Counts, ObservationOptions};
use tokio_util::sync::CancellationToken;

use crate::cli::{Context, Usage, end_of};
use crate::compose::{Opened, system_clock};
use crate::intake::{self, Kind, Reading, Summary};
use crate::lifecycle::cancel_on_signal;
use crate::screen::{self, count};

/// What a shell gives for a command that was interrupted.
const INTERRUPTED: u8 = 130;

const EXAMPLES: &str = "\
Examples:
  auspex import bars ~/crypto_1h
  auspex import bars ~/stocks_daily --adjustment total_return
  auspex import bars VIX.csv --kind index --map volume=Vol
  auspex import bars perpetuals/BTCUSDT-PERP.csv --class crypto
  auspex import observations ~/macro/vintages.csv.gz
  auspex import actions ~/corporate_actions

Files are .csv, .csv.gz or .parquet; a folder stands for all of them in it. Bars without a
column of symbols are of the symbol that the file is named after (VIX.csv); Date does for
timestamp, and rows may begin with the newest. Importing the same again changes nothing, and a
killed import is continued by starting it anew. Rows that are refused are listed in a report
under quarantine/ in the home folder, with file, line and reason; the rest is kept. The exit
code is 1 when a file could not be read or more of its rows were refused than kept.";

/// What `import` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Price bars: symbol,timestamp,open,high,low,close[,adj_close],volume; timestamp = when the bar opened, UTC
    #[command(after_help = EXAMPLES)]
    Bars(BarArgs),
    /// Macro series: series_id,date,value[,realtime_start,realtime_end]
    #[command(after_help = EXAMPLES)]
    Observations(ObservationArgs),
    /// Corporate actions: symbol,date,numerator,denominator (splits) or symbol,date,dividend
    #[command(after_help = EXAMPLES)]
    Actions(ActionArgs),
}

#[derive(Debug, clap::Args)]
struct FileArgs {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only these symbols or series, in either spelling (BTC or BTCUSDT)
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    symbols: Vec<String>,
    /// The column a field stands in, such as timestamp=Date; may be repeated
    #[arg(long = "map", value_name = "FIELD=COLUMN")]
    columns: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct BarArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    reading: BarReading,
}

/// How bars are read.
#[derive(Debug, clap::Args)]
pub(crate) struct BarReading {
    /// How the prices are adjusted: raw, split or total_return
    #[arg(long, default_value = "raw", value_name = "VIEW")]
    adjustment: Adjustment,
    /// crypto or stocks, instead of what the symbols say
    #[arg(long)]
    class: Option<AssetClass>,
    /// coin, stable, equity, etf or index, instead of what the symbols say
    #[arg(long)]
    kind: Option<AssetKind>,
    /// The bars' length, instead of the commonest spacing of each file
    #[arg(long)]
    timeframe: Option<Timeframe>,
    /// The name under which the source is shown with prices and forecasts
    #[arg(long, default_value = "import", value_name = "NAME")]
    source: String,
}

#[derive(Debug, clap::Args)]
struct ObservationArgs {
    #[command(flatten)]
    files: FileArgs,
    /// When values without vintages were fetched, and so known [default: when the file was modified]
    #[arg(long, value_name = "DATE")]
    fetched: Option<Date>,
    /// Make assets, which are forecast, of series that are none yet
    #[arg(long)]
    add: bool,
}

#[derive(Debug, clap::Args)]
struct ActionArgs {
    #[command(flatten)]
    files: FileArgs,
}

impl Reading {
    /// How files are read whose kind their header tells, with the given way to read bars.
    pub(crate) fn any(assets: &[Asset], bars: &BarReading, symbols: &[String], now: Timestamp) -> anyhow::Result<Self> {
        if bars.source.is_empty() || bars.source.len() > 64 || bars.source.chars().any(char::is_control) {
            return Err(Usage("--source is a name of 1 to 64 characters".to_owned()).into());
        }
        Ok(Self {
            kind: None,
            bars: BarOptions {
                class: bars.class,
                kind: bars.kind,
                timeframe: bars.timeframe,
                adjustment: bars.adjustment,
                symbols: symbols.to_vec(),
                ..BarOptions::new(assets.to_vec(), now)
            },
            observations: ObservationOptions { series: Vec::new(), columns: ColumnMap::default(), fetched_at: now },
            fetched_at: None,
            actions: ActionOptions {
                known: assets.to_vec(),
                symbols: symbols.to_vec(),
                columns: ColumnMap::default(),
                now,
            },
            source: bars.source.clone(),
            add_series: false,
        })
    }
}

impl BarReading {
    /// Prices adjusted in a given way, all else as the files say.
    pub(crate) fn plain(adjustment: Adjustment) -> Self {
        Self { adjustment, class: None, kind: None, timeframe: None, source: "import".to_owned() }
    }
}

pub(crate) async fn run(args: Args, context: Context) -> anyhow::Result<ExitCode> {
    let now = system_clock().now();
    let mut opened = context.open().await?;
    let (files, reading) = reading(args.what, &opened, now)?;
    let found =
        sources::files::find(&files.paths).map_err(|error| Usage(format!("{:#}", anyhow::Error::from(error))))?;
    let rows = context.settings.import.quarantine_rows;
    let stop = CancellationToken::new();
    cancel_on_signal(stop.clone())?;
    let summary = intake::run(&mut opened, &context.home, found, reading, rows, now, &stop).await?;
    opened.store.close().await;
    match files.json {
        true => screen::say_json(&to_json(&summary))?,
        false => screen::say(to_text(&summary))?,
    }
    for (_, error) in &summary.failed {
        screen::note(format!("error: {error}"));
    }
    for (path, Counts { kept, refused, .. }) in &summary.mostly_refused {
        screen::note(format!("error: {}: {} rows refused, {} kept", path.display(), count(*refused), count(*kept)));
    }
    if summary.interrupted {
        screen::note("interrupted: what was read so far is stored; the same command again goes on from there");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let well = summary.went_well() && summary.mostly_refused.is_empty();
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn reading(what: What, opened: &Opened, now: Timestamp) -> anyhow::Result<(FileArgs, Reading)> {
    let columns = |files: &FileArgs| ColumnMap::parse(&files.columns).map_err(|error| Usage(error.to_string()));
    let plain = BarReading::plain(Adjustment::Raw);
    Ok(match what {
        What::Bars(BarArgs { files, reading: bars }) => {
            let mut reading = Reading::any(&opened.assets, &bars, &files.symbols, now)?;
            (reading.kind, reading.bars.columns) = (Some(Kind::Bars), columns(&files)?);
            (files, reading)
        }
        What::Observations(ObservationArgs { files, fetched, add }) => {
            let mut reading = Reading::any(&opened.assets, &plain, &[], now)?;
            reading.kind = Some(Kind::Observations);
            reading.observations.columns = columns(&files)?;
            reading.observations.series = series_ids(opened, &files.symbols);
            reading.fetched_at = fetched.map(end_of);
            reading.add_series = add;
            (files, reading)
        }
        What::Actions(ActionArgs { files }) => {
            let mut reading = Reading::any(&opened.assets, &plain, &files.symbols, now)?;
            (reading.kind, reading.actions.columns) = (Some(Kind::Actions), columns(&files)?);
            (files, reading)
        }
    })
}

/// Series by either spelling: `CPI` is `CPIAUCSL` in a file.
fn series_ids(opened: &Opened, texts: &[String]) -> Vec<String> {
    let id = |text: &String| opened.asset(text).map_or_else(|_| text.clone(), |asset| asset.source_symbol.clone());
    texts.iter().map(id).collect()
}

/// What was brought in, for people.
pub(crate) fn to_text(summary: &Summary) -> String {
    let kept: Vec<String> = summary.kept.iter().map(|(kind, n)| format!("{} {kind}", count(*n))).collect();
    let seconds = summary.elapsed.as_secs_f64();
    let mut text = format!(
        "imported {} from {} files in {seconds:.1} s ({} rows/s)",
        if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") },
        summary.files,
        count((summary.rows() as f64 / seconds.max(1e-3)) as u64),
    );
    let put = &summary.put;
    text += &format!(
        "\n  {} new, {} already there, {} revised",
        count(put.inserted),
        count(put.unchanged),
        count(put.revised)
    );
    if summary.skipped > 0 {
        text += &format!("; {} rows of other symbols skipped", count(summary.skipped));
    }
    if !summary.added.is_empty() {
        let names: Vec<&str> = summary.added.iter().map(|asset| asset.symbol.as_str()).collect();
        text += &format!("\n  {} new in the universe: {}", names.len(), shortened(&names));
    }
    if !summary.unlisted.is_empty() {
        let names: Vec<&str> = summary.unlisted.iter().map(String::as_str).collect();
        text += &format!("\n  {} series are kept as reference, not forecast: {}", names.len(), shortened(&names));
    }
    let gaps: usize = summary.series.iter().map(|(_, gaps)| gaps).sum();
    if gaps > 0 {
        let with = summary.series.iter().filter(|(_, gaps)| *gaps > 0).count();
        text += &format!("\n  {gaps} gaps in {with} of {} series", summary.series.len());
    }
    text + &refusals_to_text(summary)
}

/// The rows and files that were not taken, each on a line of its own; nothing where all were.
pub(crate) fn refusals_to_text(summary: &Summary) -> String {
    let mut text = String::new();
    if let Some(path) = &summary.quarantine {
        text += &format!("\n  {} rows refused, see {}", count(summary.refused), path.display());
        for refusal in &summary.refusals {
            text += &format!("\n    {refusal}");
        }
    }
    for path in &summary.skipped_files {
        text += &format!("\n  skipped {}: neither bars, observations nor actions", path.display());
    }
    text
}

fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    match names.len() {
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(" "), n - SHOWN),
        _ => names.join(" "),
    }
}

fn to_json(summary: &Summary) -> serde_json::Value {
    let series = |(key, gaps): &(storage::SeriesKey, usize)| {
        json!({
            "symbol": key.symbol.as_str(), "timeframe": key.timeframe.as_str(),
            "adjustment": key.adjustment.as_str(), "source": key.source, "open_gaps": gaps,
        })
    };
    // A path need not be UTF-8, JSON is.
    let text = |path: &PathBuf| path.display().to_string();
    let failed = |(path, error): &(PathBuf, String)| json!({ "path": text(path), "error": error });
    json!({
        "files": summary.files,
        "failed": summary.failed.iter().map(failed).collect::<Vec<_>>(),
        "skipped_files": summary.skipped_files.iter().map(text).collect::<Vec<_>>(),
        "mostly_refused": summary.mostly_refused.iter().map(|(path, _)| text(path)).collect::<Vec<_>>(),
        "interrupted": summary.interrupted,
        "rows": { "kept": summary.rows(), "refused": summary.refused, "skipped": summary.skipped },
        "kept": summary.kept.iter().map(|(kind, n)| (format!("{kind:?}").to_lowercase(), json!(n))).collect::<serde_json::Map<_, _>>(),
        "inserted": summary.put.inserted,
        "unchanged": summary.put.unchanged,
        "revised": summary.put.revised,
        "series": summary.series.iter().map(series).collect::<Vec<_>>(),
        "added": summary.added.iter().map(|asset| asset.symbol.as_str()).collect::<Vec<_>>(),
        "unlisted": summary.unlisted,
        "quarantine": summary.quarantine.as_ref().map(text),
        "elapsed_s": summary.elapsed.as_secs_f64(),
    })
}

/// Reads a folder of whatever kinds into a home.
pub(crate) async fn import_folder(
    context: &Context,
    opened: &mut Opened,
    folder: &std::path::Path,
    bars: &BarReading,
    symbols: &[String],
) -> anyhow::Result<Summary> {
    let now = system_clock().now();
    let reading = Reading::any(&opened.assets, bars, symbols, now)?;
    let files = sources::files::find(&[folder]).with_context(|| format!("failed to read {}", folder.display()))?;
    let rows = context.settings.import.quarantine_rows;
    intake::run(opened, &context.home, files, reading, rows, now, &CancellationToken::new()).await
}
