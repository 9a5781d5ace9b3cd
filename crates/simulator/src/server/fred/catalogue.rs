//! What is known of a series besides its values: titles, units, releases.

use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use market::Asset;

/// How often a series has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Quarterly,
    Annual,
}

impl Frequency {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Daily => "Daily",
            Self::Weekly => "Weekly",
            Self::Monthly => "Monthly",
            Self::Quarterly => "Quarterly",
            Self::Annual => "Annual",
        }
    }

    pub(super) const fn short(self) -> &'static str {
        match self {
            Self::Daily => "D",
            Self::Weekly => "W",
            Self::Monthly => "M",
            Self::Quarterly => "Q",
            Self::Annual => "A",
        }
    }

    /// Observations a year.
    pub(super) const fn per_year(self) -> f64 {
        match self {
            Self::Daily => 260.0,
            Self::Weekly => 52.0,
            Self::Monthly => 12.0,
            Self::Quarterly => 4.0,
            Self::Annual => 1.0,
        }
    }

    /// The period before one.
    pub(super) fn before(self, period: Date) -> Option<Date> {
        let span = match self {
            Self::Daily => 1.day(),
            Self::Weekly => 7.days(),
            Self::Monthly => 1.month(),
            Self::Quarterly => 3.months(),
            Self::Annual => 1.year(),
        };
        period.checked_sub(span).ok()
    }

    /// The frequency that the shortest distance between periods speaks for.
    fn of(periods: &[Date]) -> Self {
        let gap = periods.windows(2).map(|pair| pair[1].duration_since(pair[0])).min();
        match gap.unwrap_or(SignedDuration::from_hours(31 * 24)).as_hours() / 24 {
            ..=6 => Self::Daily,
            7..=27 => Self::Weekly,
            28..=88 => Self::Monthly,
            89..=364 => Self::Quarterly,
            _ => Self::Annual,
        }
    }
}

/// A publication that brings values of several series.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) id: usize,
    pub(super) name: &'static str,
    pub(super) press_release: bool,
    pub(super) link: &'static str,
}

/// The releases of the series below.
pub(super) static RELEASES: [Release; 5] = [
    Release { id: 10, name: "Consumer Price Index", press_release: true, link: "http://www.bls.gov/cpi/" },
    Release {
        id: 18,
        name: "H.15 Selected Interest Rates",
        press_release: true,
        link: "http://www.federalreserve.gov/releases/h15/",
    },
    Release { id: 50, name: "Employment Situation", press_release: true, link: "http://www.bls.gov/ces/" },
    Release { id: 53, name: "Gross Domestic Product", press_release: true, link: "http://www.bea.gov/national/" },
    Release { id: 91, name: "Surveys of Consumers", press_release: true, link: "https://data.sca.isr.umich.edu/" },
];

/// A series and what is said about it.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) frequency: Frequency,
    pub(super) units: String,
    pub(super) units_short: String,
    pub(super) adjustment: (&'static str, &'static str),
    /// Decimals of a published value, where they are known.
    pub(super) decimals: Option<usize>,
    pub(super) release: Option<&'static Release>,
}

const SA: (&str, &str) = ("Seasonally Adjusted", "SA");
const SAAR: (&str, &str) = ("Seasonally Adjusted Annual Rate", "SAAR");
const NSA: (&str, &str) = ("Not Seasonally Adjusted", "NSA");

type Known =
    (&'static str, &'static str, Frequency, &'static str, &'static str, (&'static str, &'static str), usize, usize);

const KNOWN: [Known; 7] = {
    use Frequency::{Daily, Monthly, Quarterly};
    const CHAINED: &str = "Billions of Chained 2017 Dollars";
    const CPI: &str = "Consumer Price Index for All Urban Consumers: All Items in U.S. City Average";
    const BASE_1982: &str = "Index 1982-1984=100";
    const BASE_1966: &str = "Index 1966:Q1=100";
    [
        ("GDP", "Gross Domestic Product", Quarterly, "Billions of Dollars", "Bil. of $", SAAR, 3, 53),
        ("GDPC1", "Real Gross Domestic Product", Quarterly, CHAINED, "Bil. of Chn. 2017 $", SAAR, 3, 53),
        ("CPIAUCSL", CPI, Monthly, BASE_1982, BASE_1982, SA, 3, 10),
        ("UNRATE", "Unemployment Rate", Monthly, "Percent", "%", SA, 1, 50),
        ("FEDFUNDS", "Federal Funds Effective Rate", Monthly, "Percent", "%", NSA, 2, 18),
        ("DFF", "Federal Funds Effective Rate", Daily, "Percent", "%", NSA, 2, 18),
        ("UMCSENT", "University of Michigan: Consumer Sentiment", Monthly, BASE_1966, BASE_1966, NSA, 1, 91),
    ]
};

impl Facts {
    /// What is known of a series with values for these periods, ascending.
    pub(super) fn of(asset: &Asset, periods: &[Date]) -> Self {
        let id = asset.source_symbol.clone();
        if let Some(&(_, title, frequency, units, units_short, adjustment, decimals, release)) =
            KNOWN.iter().find(|known| known.0 == id)
        {
            return Self {
                id,
                title: title.to_owned(),
                frequency,
                units: units.to_owned(),
                units_short: units_short.to_owned(),
                adjustment,
                decimals: Some(decimals),
                release: RELEASES.iter().find(|known| known.id == release),
            };
        }
        Self {
            id,
            title: asset.name.clone(),
            frequency: Frequency::of(periods),
            units: asset.quote.clone(),
            units_short: asset.quote.clone(),
            adjustment: ("Not Applicable", "NA"),
            decimals: None,
            release: None,
        }
    }
}
