//! Splits and dividends.

use market::ActionKind;
use market::universe::default_universe;
use sources::Error;
use sources::files::{ActionBatch, ActionFile, ActionOptions, ColumnMap, DataFile};

use super::at;

fn read(text: &str, symbols: &[&str]) -> Result<(Vec<ActionBatch>, Vec<String>), Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("actions.csv");
    std::fs::write(&path, text).unwrap();
    let symbols = symbols.iter().map(|&symbol| symbol.to_owned()).collect();
    let columns = ColumnMap::default();
    let options = ActionOptions { known: default_universe(), symbols, columns, now: at("2021-01-04T14:29:59Z") };
    let mut file = ActionFile::open(&DataFile::at(&path).unwrap(), &options)?;
    let (mut batches, mut refused) = (Vec::new(), Vec::new());
    while let Some(batch) = file.next_batch(&mut |q| refused.push(format!("{}: {}", q.line, q.reason))).unwrap() {
        batches.push(batch);
    }
    let kept: usize = batches.iter().map(|batch| batch.actions.len()).sum();
    assert_eq!((file.counts().kept, file.counts().refused), (kept as u64, refused.len() as u64));
    Ok((batches, refused))
}

#[test]
fn splits_and_dividends_are_told_apart_by_their_header() {
    let splits = "symbol,date,numerator,denominator\nAAPL,2014-06-09,7,1\nAAPL,2020-08-31,4,1\nC,2011-05-09,1,10\n";
    let (batches, refused) = read(splits, &[]).unwrap();
    assert_eq!((refused.len(), batches.len(), batches[0].actions.len()), (0, 2, 2));
    let action = &batches[0].actions[0];
    assert_eq!(action.kind, ActionKind::Split { numerator: 7.0, denominator: 1.0 });
    assert_eq!(action.known_at, at("2014-06-09T13:30:00Z"));

    let dividends = "symbol,date,dividend\nKO,2016-11-29,0.35\n0700_HK,2019-05-27,0.995929\n";
    let (batches, refused) = read(dividends, &[]).unwrap();
    assert_eq!((refused.len(), batches.len()), (0, 2));
    assert_eq!(batches[0].actions[0].kind, ActionKind::Dividend { amount: 0.35 });
    let closed = &batches[1].actions[0];
    assert_eq!(closed.known_at, at("2019-05-28T13:30:00Z"), "the ex-date was Memorial Day");

    let error = read("symbol,date,amount\n", &[]).unwrap_err().to_string();
    assert!(error.contains("holds neither splits") && error.ends_with("it has symbol, date, amount"), "{error}");
}

#[test]
fn only_the_symbols_asked_for_are_read() {
    let text = "symbol,date,dividend\nKO,2016-11-29,0.35\nMSFT,2016-11-15,0.39\n";
    let (batches, _) = read(text, &["msft"]).unwrap();
    assert_eq!(batches.iter().map(|batch| batch.asset.symbol.as_str()).collect::<Vec<_>>(), ["MSFT"]);
}

/// One row of splits after a good one is refused for that reason.
fn check(row: &str, reason: &str) {
    let text = format!("symbol,date,numerator,denominator\nAAPL,2014-06-09,7,1\n{row}\n");
    let (batches, refused) = read(&text, &[]).unwrap();
    assert_eq!((batches.len(), refused), (1, vec![format!("3: {reason}")]), "{row}");
}

#[test]
fn bad_actions_are_refused_and_named() {
    check("AAPL,2020-08-31,0,1", "numerator is 0: a positive finite number is expected");
    check("AAPL,2020-08-31,4,-1", "denominator is -1: a positive finite number is expected");
    check("AAPL,2020-08-31,NaN,1", "numerator is NaN: a positive finite number is expected");
    check("AAPL,2020-08-31,1,1", "a split of 1 for 1 is none");
    check("AAPL,soon,4,1", "date is \"soon\": a date such as 2020-01-02 is expected");
    check("AAPL,2014-06-09,7,1", "the same as line 2");
    check("AAPL,2014-06-09,2,1", "the same time as line 2, with other content");
    check("AAPL,2021-01-04,4,1", "2021-01-04 lies in the future of 2021-01-04T14:29:59Z");
    check("A$,2020-08-31,4,1", "\"A$\" is not a symbol: 1 to 24 letters, digits or any of - _ . ^ = are expected");
}
