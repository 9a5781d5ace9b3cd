use super::*;

fn check(file: &str, environment: &[(&str, &str)], overrides: &Overrides) -> Result<Settings, Complaints> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auspex.toml");
    std::fs::write(&path, file).unwrap();
    let environment: Vec<_> = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    load_from(&path, &environment, overrides)
}

fn ok(file: &str, environment: &[(&str, &str)]) -> Settings {
    check(file, environment, &Overrides::default()).unwrap()
}

fn complaints(file: &str, environment: &[(&str, &str)]) -> Vec<String> {
    check(file, environment, &Overrides::default()).unwrap_err().0
}

#[test]
fn the_manual_holds_every_default() {
    let settings = load_from(Path::new("/nowhere"), &[], &Overrides::default()).unwrap();
    // Those two are set through [server] and [bench].
    let api = ApiSettings { drain_timeout_ms: 10_000, recompute: false, ..ApiSettings::default() };
    assert_eq!(settings.api, api);
    let (ours, theirs) = (settings.engine(ChainId::live()), engine::Settings::new(ChainId::live()));
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    assert!(settings.leaves.iter().all(|leaf| leaf.from == From::Default));
    assert_eq!(
        settings.leaves.iter().count(),
        DEFAULT.lines().filter(|l| l.contains(" = ") && !l.starts_with('#')).count()
    );
}

#[test]
fn each_layer_overrides_the_one_before() {
    let file = "[server]\nport = 1000\nhost = \"127.0.0.2\"\n";
    assert_eq!(ok(file, &[]).server.port, 1000);
    assert_eq!(ok(file, &[("API_PORT", "1001")]).server.port, 1001);
    assert_eq!(ok(file, &[("PORT", "1002"), ("API_PORT", "1001")]).server.port, 1002);
    assert_eq!(ok(file, &[("PORT", "1002"), ("AUSPEX__SERVER__PORT", "1003")]).server.port, 1003);
    let flags = Overrides { port: Some(1004), ..Overrides::default() };
    let settings = check(file, &[("AUSPEX__SERVER__PORT", "1003")], &flags).unwrap();
    assert_eq!((settings.server.port, settings.server.host.as_str()), (1004, "127.0.0.2"));
}

#[test]
fn earlier_names_keep_their_meaning() {
    let settings = ok("", &[("CACHE_TTL", "2.5"), ("WS_HEARTBEAT_INTERVAL", "20"), ("LOG_LEVEL", "WARNING")]);
    assert_eq!(settings.api.ready_max_age_ms, 2500);
    assert_eq!(settings.api.sockets.heartbeat_ms, 20_000);
    assert_eq!(settings.log.level, "warn");
    assert_eq!(ok("", &[("DEBUG", "true")]).log.level, "debug");
    assert_eq!(ok("", &[("DEBUG", "True"), ("LOG_LEVEL", "ERROR")]).log.level, "error");
    assert_eq!(ok("", &[("DATABASE_URL", "sqlite:///tmp/x.db")]).storage.path(), Ok(Some("/tmp/x.db".into())));
    let rates = ok("", &[("RATE_LIMIT_REQUESTS", "7"), ("RATE_LIMIT_WINDOW", "30")]).api.rates;
    assert_eq!((rates.requests, rates.window_s), (7, 30));
    assert_eq!(ok("", &[("REDIS_URL", "redis://localhost")]).unused, ["REDIS_URL"]);
    assert_eq!(ok("", &[("PORT", "")]).server.port, 8000);
}

#[test]
fn all_complaints_come_at_once_each_with_its_key() {
    let found = complaints(
        "[server]\nport = \"high\"\nspeed = 3\n[engine]\nseed = -1\nmax_rows = 5\n[api]\ntrusted_hosts = []\n",
        &[
            ("AUSPEX__LOG__FORMAT", "xml"),
            ("AUSPEX__ENGINE__TIMEFRAMES", "1h,2h"),
            ("AUSPEX__BENCH__RECOMPUTE", "maybe"),
            ("DATABASE_URL", "postgres://me:secret@db/auspex"),
        ],
    );
    let text = found.join("\n");
    for key in ["server.port", "server.speed", "engine.seed", "AUSPEX__BENCH__RECOMPUTE"] {
        assert!(text.contains(key), "{key} is not in {text}");
    }
    assert!(!text.contains("secret"), "{text}");

    let found = complaints(
        "[engine]\nmax_rows = 5\n[api]\ntrusted_hosts = []\n",
        &[("AUSPEX__ENGINE__TIMEFRAMES", "1h,2h"), ("DATABASE_URL", "postgres://me:secret@db/auspex")],
    );
    let text = found.join("\n");
    assert_eq!(found.len(), 4, "{text}");
    for key in ["engine.max_rows", "engine.timeframes[1]", "storage.url (DATABASE_URL)", "api.trusted_hosts"] {
        assert!(text.contains(key), "{key} is not in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn secrets_are_never_shown() {
    let settings = ok("", &[("FRED_API_KEY", "abcdef")]);
    let leaf = settings.leaves.iter().find(|leaf| leaf.key == "sources.fred_api_key").unwrap();
    assert_eq!(shown(leaf), "\"***\"");
    assert_eq!(shown(ok("", &[]).leaves.iter().find(|l| l.key == "sources.fred_api_key").unwrap()), "\"\"");
}
