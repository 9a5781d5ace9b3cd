//! An exchange on loopback: answers and messages are scripts of the tests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use url::Url;

/// A server that ends with its test.
pub(super) struct Server {
    url: Url,
    task: JoinHandle<()>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) query: HashMap<String, String>,
}

impl Asked {
    pub(super) fn number(&self, name: &str) -> i64 {
        self.query[name].parse().unwrap()
    }
}

/// An answer.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

pub(super) fn ok(body: impl Into<String>) -> Answered {
    Answered { status: 200, headers: Vec::new(), body: body.into() }
}

pub(super) fn status(status: u16, body: &str) -> Answered {
    Answered { status, headers: Vec::new(), body: body.to_owned() }
}

impl Answered {
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

impl Server {
    /// Answers requests; the script is told how many came before.
    pub(super) async fn rest(script: impl Fn(usize, &Asked) -> Answered + Send + Sync + 'static) -> Self {
        let (script, asked) = (Arc::new(script), Arc::new(Mutex::new(Vec::new())));
        let log = Arc::clone(&asked);
        let mut server = Self::start(move |_, stream| answer(stream, Arc::clone(&script), Arc::clone(&log))).await;
        server.asked = asked;
        server
    }

    /// Gives each connection to the script, with its number.
    pub(super) async fn start<F>(script: impl Fn(usize, TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/binance", listener.local_addr().unwrap()).parse().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for n in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(script(n, stream));
            }
        });
        Self { url, task, asked: Arc::default() }
    }

    pub(super) fn url(&self) -> Url {
        self.url.clone()
    }

    pub(super) fn stream_url(&self) -> Url {
        self.url.as_str().replace("http", "ws").parse().unwrap()
    }

    /// The requests for a path so far.
    pub(super) fn asked(&self, path: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.path == path).cloned().collect()
    }
}

async fn answer(mut stream: TcpStream, script: Arc<impl Fn(usize, &Asked) -> Answered>, log: Arc<Mutex<Vec<Asked>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap();
    let url = Url::parse(&format!("http://x{target}")).unwrap();
    let path = url.path().strip_prefix("/binance/api/v3/").expect("the prefix of the address is kept").to_owned();
    let asked = Asked { path, query: url.query_pairs().into_owned().collect() };
    let nth = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    let Answered { status, headers, body } = script(nth, &asked);
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let text = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    let _ = stream.write_all(text.as_bytes()).await;
}

/// Refuses an upgrade.
pub(super) async fn refuse(mut stream: TcpStream, status: u16, headers: &str) {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head).await;
    let text = format!("HTTP/1.1 {status} X\r\n{headers}content-length: 4\r\n\r\nsaid");
    let _ = stream.write_all(text.as_bytes()).await;
}

/// A stream of the exchange, seen from its side.
pub(super) struct Socket(pub(super) WebSocketStream<TcpStream>);

impl Socket {
    #[expect(clippy::result_large_err, reason = "the library's callback wants this type")]
    pub(super) async fn accept(stream: TcpStream, simulated: bool) -> Self {
        let callback = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(request.uri().path(), "/binance/stream");
            assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("auspex/"));
            if simulated {
                let run = HeaderValue::from_static("run;0;1");
                response.headers_mut().insert("x-auspex-simulated", run);
            }
            Ok(response)
        };
        Self(accept_hdr_async(stream, callback).await.unwrap())
    }

    /// Takes requests until so many streams are subscribed to, and says yes to each. Their names, request by request.
    pub(super) async fn subscribed(&mut self, n_streams: usize) -> Vec<Vec<String>> {
        let mut requests: Vec<Vec<String>> = Vec::new();
        while requests.iter().map(Vec::len).sum::<usize>() < n_streams {
            let (id, streams) = self.request().await;
            requests.push(streams);
            self.say(&format!(r#"{{"result":null,"id":{id}}}"#)).await;
        }
        requests
    }

    /// The next request to subscribe.
    pub(super) async fn request(&mut self) -> (i64, Vec<String>) {
        let text = loop {
            if let Message::Text(text) = self.0.next().await.unwrap().unwrap() {
                break text;
            }
        };
        let request: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(request["method"], "SUBSCRIBE");
        let streams = request["params"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
        (request["id"].as_i64().unwrap(), streams.collect())
    }

    pub(super) async fn say(&mut self, text: &str) {
        let _ = self.0.send(Message::text(text)).await;
    }

    /// Answers what comes until the other side is gone.
    pub(super) async fn idle(&mut self) {
        while let Some(Ok(_)) = self.0.next().await {}
    }
}
