//! What requests say, understood once at the edge.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL};
use axum::http::request::Parts;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use market::AssetClass;
use serde::de::DeserializeOwned;

use crate::problem::{Kind, Problem};

/// Query parameters; what cannot be read is a problem.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(Problem::new(Kind::InvalidParameter).detail(rejection.body_text())),
        }
    }
}

/// The one variable segment of a path.
#[derive(Debug)]
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(rejection) => Err(Problem::new(Kind::BadRequest).detail(rejection.body_text())),
        }
    }
}

/// What a request asks of its answer's form. Read in passing: a copy of all headers would cost as much as the answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// A compressed body is welcome.
    pub(crate) gzip: bool,
    /// What is kept ready is not wanted.
    pub(crate) no_cache: bool,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        Ok(Self {
            gzip: header(ACCEPT_ENCODING).is_some_and(accepts_gzip),
            no_cache: header(CACHE_CONTROL)
                .is_some_and(|control| control.split(',').any(|directive| directive.trim() == "no-cache")),
        })
    }
}

fn accepts_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        matches!(name.trim(), "gzip" | "*") && !refused
    })
}

/// An instant: RFC 3339, or a date, which means its first moment in UTC.
pub(crate) fn instant(parameter: &'static str, text: &str) -> Result<Timestamp, Problem> {
    let date = || text.parse::<Date>().ok().and_then(|date| date.to_zoned(TimeZone::UTC).ok()).map(|z| z.timestamp());
    let instant = text.parse().ok().or_else(date);
    instant.ok_or_else(|| {
        let text: String = text.chars().take(48).collect();
        Problem::parameter(
            parameter,
            format!("{text:?} is no instant: RFC 3339 (2026-01-31T00:00:00Z) or a date is expected"),
        )
    })
}

/// Instants where they are given.
pub(crate) fn optional_instant(parameter: &'static str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    text.filter(|text| !text.is_empty()).map(|text| instant(parameter, text)).transpose()
}

/// A whole number within bounds.
pub(crate) fn bounded(parameter: &'static str, text: Option<&str>, default: u32, most: u32) -> Result<u32, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(default) };
    text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
        let text: String = text.chars().take(48).collect();
        Problem::parameter(parameter, format!("{text:?} is not a whole number from 1 to {most}"))
    })
}

/// A class; `None` for all of them.
pub(crate) fn class(parameter: &'static str, text: &str) -> Result<Option<AssetClass>, Problem> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|e: market::symbol::UnknownName| Problem::parameter(parameter, format!("{e}, all")))
}

/// A stretch of time that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Window {
    Week,
    Month,
    Year,
    FiveYears,
}

impl Window {
    pub(crate) const ALL: [Self; 4] = [Self::Week, Self::Month, Self::Year, Self::FiveYears];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Week => "1W",
            Self::Month => "1M",
            Self::Year => "1Y",
            Self::FiveYears => "5Y",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|window| window.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let text: String = text.chars().take(48).collect();
            Problem::parameter("window", format!("{text:?} is no window: 1W, 1M, 1Y or 5Y is expected"))
        })
    }

    pub(crate) fn optional(text: Option<&str>) -> Result<Option<Self>, Problem> {
        text.filter(|text| !text.is_empty()).map(Self::parse).transpose()
    }

    /// When it began.
    pub(crate) fn since(self, now: Timestamp) -> Timestamp {
        let span = match self {
            Self::Week => Span::new().weeks(1),
            Self::Month => Span::new().months(1),
            Self::Year => Span::new().years(1),
            Self::FiveYears => Span::new().years(5),
        };
        let began = TimeZone::UTC.to_datetime(now).checked_sub(span).ok();
        began.and_then(|began| began.to_zoned(TimeZone::UTC).ok()).map_or(Timestamp::MIN, |began| began.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_rfc_3339_or_dates() {
        let cases = [
            ("2026-01-31T12:00:00Z", Some("2026-01-31T12:00:00Z")),
            ("2026-01-31T12:00:00+02:00", Some("2026-01-31T10:00:00Z")),
            ("2026-01-31", Some("2026-01-31T00:00:00Z")),
            ("yesterday", None),
            ("2026-13-01", None),
        ];
        for (text, expected) in cases {
            assert_eq!(instant("from", text).ok().map(|t| t.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_bounds() {
        let cases = [(None, Some(10)), (Some(""), Some(10)), (Some("1"), Some(1)), (Some("500"), Some(500))];
        let refused = ["0", "501", "-1", "1.5", "x"].map(|text| (Some(text), None));
        for (text, expected) in cases.into_iter().chain(refused) {
            assert_eq!(bounded("limit", text, 10, 500).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn windows_are_calendar_spans_that_end_now() {
        let now = "2024-03-31T10:00:00Z".parse().unwrap();
        let since = Window::ALL.map(|window| window.since(now).to_string());
        assert_eq!(
            since,
            ["2024-03-24T10:00:00Z", "2024-02-29T10:00:00Z", "2023-03-31T10:00:00Z", "2019-03-31T10:00:00Z"]
        );
    }

    #[test]
    fn gzip_is_sent_only_where_it_is_asked_for() {
        let cases =
            [("gzip", true), ("br, gzip;q=0.5", true), ("*", true), ("gzip;q=0", false), ("br", false), ("", false)];
        for (accepted, expected) in cases {
            assert_eq!(accepts_gzip(accepted), expected, "{accepted}");
        }
    }
}
