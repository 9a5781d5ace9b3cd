//! Settings and the doctor.

use serde_json::Value;

use crate::bench::{Bench, Ran};
use crate::market::sessions;

#[test]
fn the_manual_can_be_printed_and_used() {
    let bench = Bench::new();
    let manual = bench.run(&["config", "--default"]);
    assert_eq!(manual.code, 0);
    std::fs::create_dir_all(bench.home()).unwrap();
    std::fs::write(bench.home().join("auspex.toml"), &manual.stdout).unwrap();
    let shown = bench.json(&["config", "--json"]);
    assert_eq!(shown["settings"]["server.port"]["value"], 8000);
    assert_eq!(shown["settings"]["server.port"]["from"], "file");
}

#[test]
fn what_is_in_force_is_shown_with_where_it_comes_from() {
    let bench = Bench::new();
    let output = bench.command(&["config"]).env("PORT", "9001").env("FRED_API_KEY", "hush").output().unwrap();
    let ran = Ran::of(output);
    assert!(ran.stdout.contains("port = 9001  # PORT"), "{}", ran.stdout);
    assert!(ran.stdout.contains("fred_api_key = \"***\"") && !ran.stdout.contains("hush"), "{}", ran.stdout);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let bench = Bench::new();
    let mut command = bench.command(&["train"]);
    command.env("PORT", "many").env("AUSPEX__LOG__LEVEL", "loud").env("DATABASE_URL", "postgres://u:hush@db/a");
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, 2);
    for said in ["server.port (PORT)", "log.level", "PostgreSQL"] {
        assert!(ran.stderr.contains(said), "{said} is not in {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
}

#[test]
fn a_dotenv_file_is_read() {
    let bench = Bench::new();
    bench.write(".env", "PORT=9002\n");
    assert_eq!(bench.json(&["config", "--json"])["settings"]["server.port"]["value"], 9002);
}

fn outcome<'a>(report: &'a Value, check: &str) -> &'a str {
    let found = report.as_array().unwrap().iter().find(|finding| finding["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} in {report}"))["outcome"].as_str().unwrap()
}

#[test]
fn the_doctor_looks_at_everything() {
    let bench = Bench::new();
    let free = ["doctor", "--json"];
    let doctor = |port: u16| Ran::of(bench.command(&free).env("PORT", port.to_string()).output().unwrap());
    let report = |ran: &Ran| serde_json::from_str::<Value>(&ran.stdout).unwrap();

    let nothing = doctor(0);
    assert_eq!(nothing.code, 0, "{}", nothing.stdout);
    assert_eq!(outcome(&report(&nothing), "home"), "warn");
    assert_eq!(outcome(&report(&nothing), "database"), "warn");

    bench.write("data/a.csv", sessions("AAPL", 1, "2020-01-01T00:00:00Z", 60));
    assert_eq!(bench.run(&["import", "bars", "data"]).code, 0);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let whole = doctor(0);
    let whole = report(&whole);
    for check in ["home", "settings", "port", "database", "data", "sessions", "clock", "models", "ledger", "calendar"] {
        assert_eq!(outcome(&whole, check), "ok", "{check} in {whole}");
    }
    let busy = doctor(taken.local_addr().unwrap().port());
    assert_eq!(busy.code, 1);
    assert_eq!(outcome(&report(&busy), "port"), "fail");
}
