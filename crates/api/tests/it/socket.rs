//! A socket's client.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::app::TestApp;

/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl TestApp {
    pub(crate) async fn socket(&self, path: &str) -> Socket {
        let (socket, _) = connect_async(format!("ws://{}{path}", self.address)).await.unwrap();
        Socket(socket)
    }
}

impl Socket {
    pub(crate) async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn ping(&mut self) {
        self.0.send(Message::Ping(Vec::new().into())).await.unwrap();
    }

    /// Sends bytes past the protocol.
    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        let MaybeTlsStream::Plain(stream) = self.0.get_mut() else { panic!("tests speak in the clear") };
        stream.write_all(bytes).await.unwrap();
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("expected a message and not {other:?}"),
        }
    }

    /// The next message, which must be of a type.
    pub(crate) async fn expect(&mut self, r#type: &str) -> Value {
        let message = self.hear().await;
        assert_eq!(message["type"], r#type, "{message}");
        message
    }

    /// The next message of a type; others before it are left unheard.
    pub(crate) async fn await_type(&mut self, r#type: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["type"] == r#type {
                return message;
            }
        }
    }

    /// The code and reason of the end, which must be next.
    pub(crate) async fn expect_close(&mut self) -> (u16, String) {
        match self.next().await {
            Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("expected the end and not {other:?}"),
        }
    }

    /// The code of the end; what is said before it is left unheard.
    pub(crate) async fn await_close(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.unwrap().code.into();
            }
        }
    }

    /// The next message, or the code of the end; without a code when the connection was cut.
    pub(crate) async fn message_or_end(&mut self) -> Result<Value, Option<u16>> {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something comes in time") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    async fn next(&mut self) -> Message {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something is said in time");
            match next.expect("the connection is open").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                other => return other,
            }
        }
    }
}
