//! Answers put together from what the engine holds, made once and kept ready.

use ::engine::views::{Health, Issued, Quote};
use axum::http::StatusCode;
use jiff::Timestamp;
use market::{Asset, AssetClass, Timeframe};
use tracing::warn;

use crate::answers::forecast::{Call, ForecastAnswer, ForecastParts, SkillAnswer};
use crate::answers::health::HealthAnswer;
use crate::answers::scoreboard::{ScoreboardAnswer, ScoreboardLineAnswer};
use crate::answers::summary::{SummaryAnswer, SummaryParts, SummaryRow};
use crate::answers::trends::{TrendsAnswer, TrendsParts, VOLATILITY_BARS};
use crate::extract::Window;
use crate::problem::{Kind, Problem};
use crate::ready::Answer;
use crate::state::{ApiState, RecordKey, TrendsKey, max_age};

/// Bars may have closed since the forecast was made: so many more are read than a chart shows.
const CHART_SLACK: usize = 64;

impl ApiState {
    /// The newest forecast, ready.
    pub(crate) async fn forecast(&self, asset: &Asset, timeframe: Timeframe) -> Result<Answer, Problem> {
        let slot = self.ready().forecasts.slot(&(asset.symbol.clone(), timeframe));
        let answer = slot.get_or_make(self.settings().ready_max_age(), async || {
            self.ready().miss();
            Answer::json(&self.forecast_answer(asset, timeframe).await?)
        });
        answer.await
    }

    /// The newest forecast.
    pub(crate) async fn forecast_answer(&self, asset: &Asset, timeframe: Timeframe) -> Result<ForecastAnswer, Problem> {
        let symbol = &asset.symbol;
        let issued = self.issued(symbol, timeframe);
        let issued = issued.map_err(|cause| Problem::no_forecast(symbol, timeframe, cause))?;
        let split_factor = self.split_factor(asset, timeframe, issued.forecast.as_of).await?;
        // The forecast itself is in memory: it is shown although the record cannot be read now.
        let record = RecordKey { symbol: symbol.clone(), timeframe, window: None };
        let (skill, reason) = match self.record(&record).await {
            Ok(record) => (Some(SkillAnswer::of(&record.summary)), None),
            Err(problem) => (None, Some(format!("the track record cannot be read now: {}", problem.message()))),
        };
        let quote = self.engine().quote(symbol);
        let n_bars = timeframe.chart_size().0 + CHART_SLACK;
        let answer = ForecastAnswer::of(&ForecastParts {
            asset,
            issued: &issued,
            split_factor,
            quote: quote.as_ref(),
            bars: &self.engine().recent_bars(symbol, timeframe, n_bars),
            skill: skill.as_ref(),
            stale: self.engine().is_stale(&issued.forecast),
            reason: reason.as_deref(),
        });
        answer.ok_or_else(|| without_horizons(&issued))
    }

    /// The forecast that was current at an instant, with the bars known then.
    pub(crate) async fn forecast_replayed(
        &self,
        asset: &Asset,
        timeframe: Timeframe,
        as_of: Timestamp,
    ) -> Result<ForecastAnswer, Problem> {
        let symbol = &asset.symbol;
        let Some(issued) = self.engine().issued_at(symbol, timeframe, as_of).await? else {
            let detail = format!("the ledger has no {timeframe} forecast of {symbol} from {as_of} or before");
            return Err(Problem::about(Kind::NoSuchForecast, symbol, timeframe).detail(detail));
        };
        let request = ::engine::views::BarsRequest {
            symbol: symbol.clone(),
            timeframe,
            from: None,
            to: Some(issued.forecast.as_of),
            as_of: Some(issued.forecast.as_of),
            adjustment: None,
            limit: u32::try_from(timeframe.chart_size().0).unwrap_or(u32::MAX),
        };
        let bars = match self.engine().bars(&request).await {
            Ok(answer) => answer.bars,
            Err(::engine::EngineError::NoBars { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let answer = ForecastAnswer::of(&ForecastParts {
            asset,
            issued: &issued,
            split_factor: 1.0,
            quote: None,
            bars: &bars,
            skill: None,
            stale: false,
            reason: Some(
                "an answer of the past shows what the ledger and the bars said then; prices, staleness and skill are of the present",
            ),
        });
        answer.ok_or_else(|| without_horizons(&issued))
    }

    /// One asset at a glance.
    pub(crate) async fn summary_row(&self, asset: &Asset, timeframe: Timeframe) -> Result<SummaryRow, Problem> {
        let issued = self.issued(&asset.symbol, timeframe);
        let quote = self.engine().quote(&asset.symbol);
        let (split_factor, stale) = match &issued {
            Ok(issued) => {
                let forecast = &issued.forecast;
                (self.split_factor(asset, timeframe, forecast.as_of).await?, self.engine().is_stale(forecast))
            }
            Err(_) => (1.0, false),
        };
        Ok(SummaryRow::of(&SummaryParts {
            asset,
            timeframe,
            quote: quote.as_ref(),
            issued: issued.as_deref(),
            split_factor,
            stale,
        }))
    }

    /// The first assets of a class (all when absent), at a glance.
    pub(crate) async fn summary_rows(&self, class: Option<AssetClass>, limit: u32) -> Result<Vec<SummaryRow>, Problem> {
        let assets = self.engine().assets();
        let listed = assets.iter().filter(|asset| class.is_none_or(|class| asset.class() == class));
        let mut rows = Vec::new();
        for asset in listed.take(limit as usize) {
            rows.push(self.summary_row(asset, self.engine().default_timeframe(&asset.symbol)).await?);
        }
        Ok(rows)
    }

    /// The summary of a class (all when absent), ready.
    pub(crate) async fn summary(&self, class: Option<AssetClass>, limit: u32) -> Result<Answer, Problem> {
        let slot = self.ready().summaries.slot(&(class, limit));
        let answer = slot.get_or_make(self.settings().ready_max_age(), async || {
            self.ready().miss();
            Answer::json(&SummaryAnswer {
                class: class.map_or("all", AssetClass::as_str),
                origin: self.engine().chain().origin().as_str(),
                timestamp: self.now().into(),
                assets: self.summary_rows(class, limit).await?,
            })
        });
        answer.await
    }

    /// A track record, ready.
    pub(crate) async fn trends(&self, asset: &Asset, key: &TrendsKey) -> Result<Answer, Problem> {
        let slot = self.ready().trends.slot(key);
        let answer = slot.get_or_make(key.record.max_age(), async || {
            self.ready().miss();
            let RecordKey { symbol, timeframe, window } = &key.record;
            let record = self.record(&key.record).await?;
            let rows = self.in_todays_terms(asset, *timeframe, record.rows.clone()).await?;
            // What the newest one was measured in, the others were.
            let unit = self.engine().issued(symbol, *timeframe).ok().map(|issued| issued.forecast.unit);
            let issued = self.issued(symbol, *timeframe).ok();
            let headline = issued.as_ref().and_then(|issued| issued.forecast.horizons.first());
            Answer::json(&TrendsAnswer::of(&TrendsParts {
                asset,
                timeframe: *timeframe,
                window: window.map_or("all", Window::as_str),
                origin: self.engine().chain().origin(),
                summary: &record.summary,
                rows: &rows,
                unit,
                confidence: headline.map(|headline| Call::of(asset, headline).confidence),
                bars: &self.engine().recent_bars(symbol, *timeframe, VOLATILITY_BARS + 1),
                chart: key.chart,
            }))
        });
        answer.await
    }

    /// The scoreboard, ready.
    pub(crate) async fn scoreboard(
        &self,
        class: Option<AssetClass>,
        timeframe: Option<Timeframe>,
        window: Option<Window>,
    ) -> Result<Answer, Problem> {
        let slot = self.ready().scoreboards.slot(&(class, timeframe, window));
        let answer = slot.get_or_make(max_age(window), async || {
            self.ready().miss();
            let records = self.pooled(window).await?;
            let rows = ::engine::track::scoreboard(&records, class, timeframe);
            Answer::json(&ScoreboardAnswer {
                origin: self.engine().chain().origin().as_str(),
                chain: self.engine().chain().to_string(),
                window: window.map_or("all", Window::as_str),
                timestamp: self.now().into(),
                lines: rows.iter().map(ScoreboardLineAnswer::of).collect(),
            })
        });
        answer.await
    }

    /// The state of the service, ready, with its status code.
    pub(crate) async fn health(&self) -> Result<(StatusCode, Answer), Problem> {
        let answer = self.ready().health.get_or_make(self.settings().ready_max_age(), async || {
            self.ready().miss();
            let status = self.engine().status();
            let code = match HealthAnswer::overall(&status) {
                Health::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
                Health::Healthy | Health::Degraded => StatusCode::OK,
            };
            if code != StatusCode::OK {
                warn!(cause = status.database_detail.as_deref(), "the database does not answer");
            }
            let origin = self.engine().chain().origin();
            Ok((code, Answer::json(&HealthAnswer::of(status, origin, self.now(), self.ready().counts()))?))
        });
        answer.await
    }

    /// The newest price of an asset.
    pub(crate) fn quote(&self, asset: &Asset) -> Option<Quote> {
        self.engine().quote(&asset.symbol)
    }
}

fn without_horizons(issued: &Issued) -> Problem {
    let cause = std::io::Error::other(format!("entry {} of {} has no horizons", issued.seq, issued.chain));
    Problem::internal("show a forecast", &cause)
}
