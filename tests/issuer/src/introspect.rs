use std::io;

use base64::prelude::*;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Uri,
    body::Bytes,
    client::conn::http1,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpStream;

/// Another server's introspection endpoint (RFC 7662), on loopback, and how the model authenticates there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// `http://127.0.0.1:PORT/…`.
    pub url: String,
    /// The client id of the model there.
    pub client_id: String,
    /// The client secret of the model there.
    pub client_secret: String,
}

/// Whether that server calls the token active. A server that cannot be reached does not.
pub(crate) async fn is_active(at: &Introspection, token: &str) -> bool {
    ask(at, token).await.is_ok_and(|answer| answer["active"] == true)
}

async fn ask(at: &Introspection, token: &str) -> io::Result<Value> {
    let url: Uri = at.url.parse().map_err(io::Error::other)?;
    let authority = url.authority().ok_or(io::ErrorKind::InvalidInput)?;
    let stream = TcpStream::connect(authority.as_str()).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);

    // RFC 6749 §2.3.1: both are form-encoded before they are joined.
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(&at.client_id), encoded(&at.client_secret));
    let request = hyper::Request::builder()
        .method(Method::POST)
        .uri(url.path())
        .header(HOST, authority.as_str())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(AUTHORIZATION, format!("Basic {}", BASE64_STANDARD.encode(pair)))
        .body(Full::new(Bytes::from(format!("token={}", encoded(token)))))
        .map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    let body = Limited::new(answer.into_body(), 64 << 10);
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    serde_json::from_slice(&body).map_err(io::Error::other)
}
