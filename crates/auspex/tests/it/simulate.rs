//! The simulated market as a process: vendors' answers on one port of this machine.

use std::process::{Child, Command};

use serde_json::Value;

use crate::bench::{Bench, Ran, block_on};
use crate::market::hours;
use crate::serve::{Listening, http};

/// Two days of hours, and the flags of a market that stands at their middle.
const HELD: &[&str] = &["simulate", "--port", "0", "--data", "bars", "--from", "2024-01-02"];

fn recording() -> Bench {
    let bench = Bench::new();
    bench.write("bars/btc.csv", hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 48));
    bench
}

/// The status, the header by which answers say that they are simulated, and the body.
fn get(server: &Listening, path: &str) -> (u16, String, Value) {
    block_on(async {
        let response = http().get(format!("{}{path}", server.url)).send().await.unwrap();
        let told = response.headers().get("x-auspex-simulated").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), told.unwrap_or_default(), response.json().await.unwrap_or(Value::Null))
    })
}

#[test]
fn a_recording_is_told_by_every_vendor_and_nothing_of_its_future() {
    let bench = recording();
    let server = Listening::start(&bench, &[HELD, &["--run", "of-hours"]].concat(), true);
    let (status, told, rows) = get(&server, "/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=1000");
    assert_eq!((status, rows.as_array().unwrap().len()), (200, 25), "{rows}");
    let [run, now, speed] = told.split(';').collect::<Vec<_>>().try_into().unwrap();
    let midnight = 1_704_153_600_000_000_i64;
    assert!((midnight..midnight + 60_000_000).contains(&now.parse().unwrap()), "{told}");
    assert_eq!((run, speed), ("of-hours", "1"));
    let (status, _, chart) = get(&server, "/v8/finance/chart/BTC-USD?range=1d&interval=1d");
    assert_eq!((status, &chart["chart"]["result"][0]["meta"]["symbol"]), (200, &Value::from("BTC-USD")), "{chart}");
    // Refusals, unknown paths and sites that have nothing say it too.
    for (path, expected) in [
        ("/api/v3/klines?symbol=NOSUCH&interval=1h", 400),
        ("/fred/series?series_id=GDP&file_type=json", 400),
        ("/v8/finance/chart/NOSUCH", 404),
        ("/nowhere", 404),
    ] {
        let (status, told, _) = get(&server, path);
        assert_eq!((status, told.split(';').next()), (expected, Some("of-hours")), "{path}");
    }
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn faults_strike_as_planned() {
    let bench = recording();
    bench
        .write("plan.toml", "[[fault]]\nkind = \"status\"\nstatus = 429\nretry_after = 7\npath = \"/api/v3/klines\"\n");
    let server = Listening::start(&bench, &[HELD, &["--faults", "plan.toml"]].concat(), true);
    let (status, told, body) = get(&server, "/api/v3/klines?symbol=BTCUSDT&interval=1h");
    assert_eq!((status, &body["code"], told.is_empty()), (429, &Value::from(-1003), false), "{body}");
    assert_eq!(get(&server, "/api/v3/ping").0, 200);
}

#[test]
fn it_ends_when_interrupted_and_by_itself() {
    let bench = recording();
    let end = |mut child: Child, signal: Option<&str>| {
        let mut told = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut told).unwrap();
        assert!(told.contains("http://127.0.0.1:"), "{told}");
        if let Some(signal) = signal {
            let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
            assert!(sent.unwrap().success());
        }
        child.wait().unwrap().code()
    };
    assert_eq!(end(bench.start(HELD), Some("-INT")), Some(0));
    assert_eq!(end(bench.start(&[HELD, &["--for", "100ms"]].concat()), None), Some(0));
}

#[test]
fn a_first_look_needs_no_more_than_a_folder() {
    let bench = recording();
    bench.write("bars/notes.csv", "what,why\nthis,that\n");
    let ran = bench.run(&["simulate", "--port", "0", "--data", "bars", "--for", "10ms"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // Shorter than thirty days: from its middle.
    assert!(ran.stdout.contains("from 2024-01-02T00:00:00Z, at the speed of life"), "{}", ran.stdout);
    assert!(ran.stdout.contains("what is recorded ends at 2024-01-03T00:00:00Z"), "{}", ran.stdout);
    assert!(ran.stdout.contains("export AUSPEX__SOURCES__BINANCE__REST=http://127.0.0.1:"), "{}", ran.stdout);
    assert!(ran.stderr.contains("read 48 bars from 1 files\n  skipped"), "{}", ran.stderr);
    assert!(!bench.database().exists(), "nothing is kept in the home");
}

#[test]
fn what_cannot_be_simulated_is_said_with_its_place() {
    let bench = recording();
    bench.write("plan.toml", "seed = 1\n\n[[fault]]\nkind = \"earthquake\"\n");
    bench.write("empty/readme.txt", "nothing");
    bench.write("macro/gdp.csv", "series_id,date,value,realtime_start\nGDP,2023-07-01,27600.5,2023-10-26\n");
    let check = |more: &[&str], words: &[&str]| {
        let Ran { code, stdout, stderr } = bench.run(&[HELD, more].concat());
        assert_eq!(code, 2, "{more:?}: {stdout}{stderr}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{more:?}: {stderr}");
    };
    check(&["--faults", "plan.toml"], &["plan.toml", "line 4", "earthquake", "known are latency"]);
    check(&["--faults", "nowhere.toml"], &["nowhere.toml"]);
    check(&["--ticks", "0"], &["--ticks"]);
    check(&["--run", "a;b"], &["--run", "a;b"]);
    let check = |args: &[&str], words: &[&str]| {
        let Ran { code, stdout, stderr } =
            bench.run(&[&["simulate", "--port", "0", "--for", "10ms"][..], args].concat());
        assert_eq!(code, 2, "{args:?}: {stdout}{stderr}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{args:?}: {stderr}");
    };
    check(&["--data", "nowhere"], &["nowhere is no folder"]);
    check(&["--data", "macro"], &["holds no bars"]);
    check(&["--data", "bars", "--from", "2024-01-03"], &["goes from 2024-01-01T00:00:00Z to 2024-01-03T00:00:00Z"]);
    check(&["--data", "bars", "--from", "soon"], &["or a date is expected"]);
    check(&["--speed", "0"], &["from 1 to 100000"]);
}
