//! A server on the loopback address that answers as a test says, on the path and query of a request.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use url::Url;

/// An answer: status, headers besides the usual, body.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }
}

/// The value of a parameter of a request.
pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A server, and everything it was asked. Ends when it is dropped.
pub(crate) struct Loopback {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Url>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Loopback {
    pub(crate) fn serve(answer: impl Fn(&Url) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, ends) = (Arc::<Mutex<Vec<Url>>>::default(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (asked, ends) = (Arc::clone(&asked), Arc::clone(&ends));
            move || {
                for stream in listener.incoming() {
                    if ends.load(Ordering::SeqCst) {
                        return;
                    }
                    let mut stream = stream.unwrap();
                    let Some(url) = request(&stream) else { continue };
                    asked.lock().unwrap().push(url.clone());
                    write(&mut stream, answer(&url));
                }
            }
        });
        Self { address, asked, ends, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> Url {
        format!("http://{}/", self.address).parse().unwrap()
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Url> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        // A test that fails inside the server says so here.
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) && !std::thread::panicking() {
            panic!("the server panicked");
        }
    }
}

fn request(stream: &TcpStream) -> Option<Url> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    // The head of a GET ends with an empty line.
    while !lines.next()?.ok()?.is_empty() {}
    let path = first.split(' ').nth(1)?;
    format!("http://loopback{path}").parse().ok()
}

fn write(stream: &mut TcpStream, reply: Reply) {
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&reply.body));
}
