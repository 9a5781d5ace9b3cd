//! Databases that are not as they should be.

use crate::bench::Bench;
use crate::market::hours;
use crate::replay::{REPLAY, with_data};

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let bench = Bench::new();
    bench.write("btc.csv", hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 10));
    assert_eq!(bench.run(&["import", "bars", "btc.csv"]).code, 0);
    bench.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99999999999999, 'from the future', TRUE, x'00', 0)",
    );
    for args in [&["import", "bars", "btc.csv"][..], &["score"], &["serve", "--port", "0"]] {
        let ran = bench.run(args);
        assert_eq!(ran.code, 1, "{args:?}");
        let errors: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error:")).collect();
        assert!(matches!(errors[..], [line] if line.contains("use a newer auspex")), "{args:?}: {}", ran.stderr);
    }
    let doctor = bench.run(&["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.stdout.contains("use a newer auspex"), "{}", doctor.stdout);
}

#[test]
fn a_file_that_is_no_database_is_an_error() {
    let bench = Bench::new();
    bench.write("home/auspex.db", "this is no database, however long one looks at it".repeat(50));
    let ran = bench.run(&["score"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}

#[test]
fn a_truncated_model_is_found_never_used_and_mended() {
    let bench = with_data();
    let args = [&REPLAY[..], &["--run-id", "model", "--max-rows", "1000"]].concat();
    let ran = bench.command(&args).env("AUSPEX__ENGINE__GATE_MONTHS", "1").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(bench.run(&["doctor"]).code, 0);
    bench.sql("UPDATE models SET artefact = substr(artefact, 1, length(artefact) / 2)");
    let ran = bench.run(&["forecast", "BTC", "--timeframe", "1h"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("naive") && ran.stderr.contains("the baseline is served"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(ran.stderr.contains("damaged") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    let doctor = bench.run(&["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.stdout.contains("models") && doctor.stdout.contains("damaged"), "{}", doctor.stdout);

    // The same training again gives the same bytes.
    let args = [&REPLAY[..], &["--run-id", "again", "--max-rows", "1000"]].concat();
    let ran = bench.command(&args).env("AUSPEX__ENGINE__GATE_MONTHS", "1").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(bench.run(&["doctor"]).code, 0, "what was damaged is mended");
}
