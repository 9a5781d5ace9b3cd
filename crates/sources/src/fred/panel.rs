//! Series of use.

use jiff::civil::{Time, time};
use market::Timeframe;

/// What is known of a series without asking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PanelSeries {
    /// FRED's id.
    pub id: &'static str,
    /// A name for people.
    pub name: &'static str,
    /// Its period.
    pub timeframe: Timeframe,
    /// The unit of its values.
    pub unit: &'static str,
    /// The time of day in New York at which its values are published, where it is sure.
    pub released: Option<Time>,
}

const EMPLOYMENT_PRICES_ACCOUNTS: Option<Time> = Some(time(8, 30, 0, 0));
const MICHIGAN: Option<Time> = Some(time(10, 0, 0, 0));
const RATES: Option<Time> = Some(time(16, 15, 0, 0));

/// The series of the default universe, and what models of them read beside them. A time of publication stands where it is
/// documented for the series or for its release; the others count as known at the end of the day.
pub const PANEL: &[PanelSeries] = {
    use Timeframe::{D1, Mo1, Q1, W1};
    &[
        series("GDP", "Gross domestic product", Q1, "billions of dollars", EMPLOYMENT_PRICES_ACCOUNTS),
        series("CPIAUCSL", "Consumer price index", Mo1, "index 1982-84=100", EMPLOYMENT_PRICES_ACCOUNTS),
        series("UNRATE", "Unemployment rate", Mo1, "percent", EMPLOYMENT_PRICES_ACCOUNTS),
        series("FEDFUNDS", "Federal funds effective rate", Mo1, "percent", RATES),
        series("UMCSENT", "Consumer sentiment", Mo1, "index 1966Q1=100", MICHIGAN),
        series("GDPC1", "Real gross domestic product", Q1, "billions of chained dollars", EMPLOYMENT_PRICES_ACCOUNTS),
        series(
            "CPILFESL",
            "Consumer prices less food and energy",
            Mo1,
            "index 1982-84=100",
            EMPLOYMENT_PRICES_ACCOUNTS,
        ),
        series("PAYEMS", "Employees on nonfarm payrolls", Mo1, "thousands of persons", EMPLOYMENT_PRICES_ACCOUNTS),
        series("DFF", "Federal funds effective rate, daily", D1, "percent", RATES),
        series("INDPRO", "Industrial production", Mo1, "index 2017=100", None),
        series("HOUST", "Housing starts", Mo1, "thousands of units a year", None),
        series("ICSA", "Initial claims for unemployment insurance", W1, "persons", None),
        series("DGS10", "Treasury yield, 10 years", D1, "percent", None),
        series("DGS2", "Treasury yield, 2 years", D1, "percent", None),
        series("T10Y2Y", "Treasury yield, 10 years less 2 years", D1, "percent", None),
        series("M2SL", "Money stock M2", Mo1, "billions of dollars", None),
        series("PCEPILFE", "Consumption prices less food and energy", Mo1, "index 2017=100", None),
        series("VIXCLS", "Implied volatility of the S&P 500", D1, "index", None),
    ]
};

const fn series(
    id: &'static str,
    name: &'static str,
    timeframe: Timeframe,
    unit: &'static str,
    released: Option<Time>,
) -> PanelSeries {
    PanelSeries { id, name, timeframe, unit, released }
}
