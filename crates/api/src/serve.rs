//! From a listener to a server, and back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Method, header};
use axum::middleware;
use axum::routing::any;
use engine::Engine;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::{info, warn};

use crate::connection;
use crate::door::{self, Door};
use crate::problem::{Kind, Problem};
use crate::settings::ApiSettings;
use crate::state::ApiState;
use crate::{openapi, routes};

/// Listens on an address, with small send buffers (slow clients shall not be handed what is old) and the port free again
/// at once after a restart.
///
/// # Errors
/// When the address cannot be had.
pub fn bind(address: SocketAddr, settings: &ApiSettings) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(settings.sockets.send_buffer_bytes)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// All routes. [`ApiState::run`] must run beside them.
pub fn router(state: ApiState) -> Router {
    let settings = state.settings().clone();
    let (router, document) = routes::all().split_for_parts();
    let router = router.merge(openapi::routes(document)).with_state(state);
    let door = Arc::new(Door::new(&settings));
    let router = router.layer(middleware::from_fn_with_state(door, door::pass));
    match cors(&settings.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

/// Answers every request with 503 `/problems/not-ready`, and `/livez`, until there is what it takes to [`serve`].
pub async fn serve_while<T>(listener: &TcpListener, settings: &ApiSettings, opening: impl Future<Output = T>) -> T {
    let not_ready = || async { Problem::new(Kind::NotReady).detail("the server is starting").retry_after(1) };
    let router = Router::new().route("/livez", any(routes::alive)).fallback(not_ready);
    let token = CancellationToken::new();
    let opening = async {
        let opened = opening.await;
        token.cancel();
        opened
    };
    let answering = async {
        // Who has not said what it wants by then is not waited for.
        let enough = async {
            token.cancelled().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        tokio::select! {
            () = connection::answer(listener, router, settings, &token) => {}
            () = enough => {}
        }
    };
    tokio::join!(opening, answering).0
}

/// Serves until `token` is cancelled; then sockets are closed with 1012, open requests end, and it returns.
///
/// # Errors
/// When the listener has no address, or the follower of events died.
pub async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    settings: ApiSettings,
    token: CancellationToken,
) -> io::Result<()> {
    let drain = settings.drain_timeout();
    let address = listener.local_addr()?;
    let state = ApiState::new(engine, settings);
    // Whatever ends first ends the other.
    let ending = token.child_token();
    let follower = tokio::spawn(state.clone().run(ending.clone()));
    let _end_the_follower = ending.clone().drop_guard();
    info!(%address, "listening on {address}");
    let serving = connection::answer(&listener, router(state.clone()), state.settings(), &ending);
    tokio::pin!(serving, follower);
    let out_of_time = async {
        ending.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    let died = tokio::select! {
        () = &mut serving => false,
        ended = &mut follower, if !ending.is_cancelled() => {
            let died = !ending.is_cancelled();
            if let Err(error) = ended {
                warn!(%error, "the follower of events ended");
            }
            ending.cancel();
            if tokio::time::timeout(drain, &mut serving).await.is_err() {
                warn!("gave up on requests that did not end");
            }
            died
        }
        () = out_of_time => {
            warn!("gave up on requests that did not end");
            false
        }
    };
    state.sockets().close();
    if tokio::time::timeout(drain, state.sockets().wait()).await.is_err() {
        warn!("gave up on {} sockets that did not close", state.sockets().len());
    }
    match died {
        true => Err(io::Error::other("the follower of events died")),
        false => Ok(()),
    }
}

fn cors(origins: &[String]) -> Option<CorsLayer> {
    let listed = || origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let allowed = match origins {
        [] => return None,
        origins if origins.iter().any(|origin| origin == "*") => AllowOrigin::any(),
        _ => AllowOrigin::list(listed()),
    };
    let methods = [Method::GET, Method::POST, Method::DELETE];
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods(methods)
            .allow_headers([header::CONTENT_TYPE, header::ACCEPT]),
    )
}
