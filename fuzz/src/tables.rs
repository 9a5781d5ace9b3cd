//! Tables of nobody in particular: daily bars as text, members of an index as a page.

use std::collections::HashSet;

use market::{Calendar, Timeframe};
use sources::constituents::{self, Column, List};
use sources::daily_csv;

use super::{check_bar, check_refusals, check_text};

/// Daily bars as comma-separated text.
pub(crate) fn daily_csv(bytes: &[u8]) {
    let table = match daily_csv::parse(bytes) {
        Ok(table) => table,
        Err(error) => return check_text(&error.to_string()),
    };
    check_refusals(&table.refused, bytes.len());
    assert!(table.rows.is_sorted_by(|a, b| a.line < b.line));
    for row in table.rows {
        match row.into_bar() {
            Ok(bar) => {
                check_bar(&bar, Calendar::Nyse, Timeframe::D1);
                assert_eq!(Calendar::Nyse.trading_date(bar.open_time), row.date);
            }
            Err(reason) => check_text(&reason),
        }
    }
}

/// A page with the members of an index.
pub(crate) fn constituents(bytes: &[u8]) {
    let html = String::from_utf8_lossy(bytes);
    let headed = List { n_members: 1..=600, ..List::sp500() };
    let placed = List { symbol: Column::At(0), company: Column::At(1), table: "table".to_owned(), ..headed.clone() };
    for list in [headed, placed] {
        let found = match constituents::parse(&html, &list) {
            Ok(found) => found,
            Err(error) => {
                check_text(&error.to_string());
                continue;
            }
        };
        assert_eq!(found.list, list.name);
        assert!(list.n_members.contains(&found.members.len()));
        check_refusals(&found.refused, usize::MAX);
        let symbols: HashSet<_> = found.members.iter().map(|member| &member.symbol).collect();
        assert_eq!(symbols.len(), found.members.len());
        for member in &found.members {
            assert!((1..=200).contains(&member.name.len()) && !member.name.contains('\n'), "{member:?}");
            assert_eq!(member.name.trim(), member.name);
        }
    }
}
