//! The server as a process: how it starts, answers and ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::{Bench, block_on};
use crate::market::hours;

/// A process that listens.
pub(crate) struct Listening {
    child: Child,
    pub(crate) url: String,
    /// Goes on reading what it logs, so that it never waits for us.
    _reader: std::thread::JoinHandle<()>,
}

/// A client over plain HTTP; that it could do TLS must be said all the same.
pub(crate) fn http() -> reqwest::Client {
    // The first to come chooses; to come second is no failure.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

impl Listening {
    /// Starts a command and waits until it says where it listens, on `stdout` or else in its log.
    pub(crate) fn start(bench: &Bench, args: &[&str], on_stdout: bool) -> Self {
        let mut child = bench.start(args);
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (told, other): (Box<dyn std::io::Read + Send>, Box<dyn std::io::Read + Send>) =
            if on_stdout { (Box::new(stdout), Box::new(stderr)) } else { (Box::new(stderr), Box::new(stdout)) };
        std::thread::spawn(move || BufReader::new(other).lines().for_each(drop));
        let (sender, receiver) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(told).lines().map_while(Result::ok) {
                if let Some(at) = line.find("http://") {
                    let end = line[at..].find([' ', ',']).map_or(line.len(), |end| at + end);
                    let _ = sender.send(line[at..end].to_owned());
                }
            }
        });
        let url = receiver.recv_timeout(Duration::from_secs(30)).expect("it says where it listens");
        Self { child, url, _reader: reader }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        block_on(async {
            let response = http().get(format!("{}{path}", self.url)).send().await.unwrap();
            let status = response.status().as_u16();
            (status, response.json().await.unwrap_or(Value::Null))
        })
    }

    /// Asks until the answer is what one wants.
    pub(crate) fn wait_for(&self, path: &str, seconds: u64, wanted: impl Fn(u16, &Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let (status, body) = self.get(path);
            if wanted(status, &body) {
                return body;
            }
            assert!(begun.elapsed() < Duration::from_secs(seconds), "{path} still says {status} {body}");
            // Whoever asks all the time takes the processor from whom it asks.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to end and gives its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_empty_home_says_what_to_do_next_and_takes_up_imports() {
    let bench = Bench::new();
    bench.write("btc.csv", hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 300));
    bench.write("home/auspex.toml", "[engine]\nrefresh_s = 1\n");
    let server = Listening::start(&bench, &["serve", "--port", "0"], false);
    let (_, health) = server.get("/api/health");
    assert!(health.to_string().contains("auspex import"), "{health}");
    assert_eq!(bench.run(&["import", "bars", "btc.csv"]).code, 0);
    let price = |_: u16, body: &Value| {
        body["assets"].as_array().is_some_and(|assets| {
            assets.iter().any(|asset| asset["symbol"] == "BTC" && asset["current_price"].is_number())
        })
    };
    let summary = server.wait_for("/api/market/summary?class=crypto&limit=5", 20, price);
    let btc = summary["assets"].as_array().unwrap().iter().find(|asset| asset["symbol"] == "BTC").unwrap();
    assert_eq!(btc["stale"], true);
    // Nobody else may write forecasts here meanwhile.
    let second = bench.run(&["train"]);
    assert!(second.code == 1 && second.stderr.contains("another auspex process"), "{}", second.stderr);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_port_that_is_taken_is_a_clear_error() {
    let bench = Bench::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = bench.run(&["serve", "--port", &port]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("failed to listen") && ran.stderr.contains("--port"), "{}", ran.stderr);
}
