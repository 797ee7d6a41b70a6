//! Requests to the authorization server. The only home of reqwest and tokio: the rest of the program is
//! plain, sequential code.

use crate::error::{Error, Kind, Result};
use reqwest::redirect;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the whole of one request, the answer's body included.
const TIMEOUT: Duration = Duration::from_secs(30);
/// No answer of an authorization server comes near this; in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

const USER_AGENT: &str = concat!("codex-credential/", env!("CARGO_PKG_VERSION"));

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Zeroizing<Vec<u8>>,
    /// From `Retry-After` (RFC 9110, section 10.2.3).
    pub retry_after: Option<Duration>,
}

/// A request without an answer.
#[derive(Debug)]
pub enum Failure {
    /// It never left: sending it again does no harm.
    NotSent(Error),
    /// It may have been processed, but no complete answer arrived.
    NoAnswer(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent(error) | Failure::NoAnswer(error) => error,
        }
    }
}

pub struct Http {
    /// By the proxies of the environment.
    client: reqwest::Client,
    /// For servers on this machine, which no proxy needs to see.
    local: reqwest::Client,
    runtime: Option<Runtime>,
}

impl Drop for Http {
    fn drop(&mut self) {
        // A name lookup that hangs is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Http {
    /// A client that trusts the platform's certificate authorities and those in the PEM file `extra_ca`, takes
    /// its proxies from the environment, and follows no redirects: a token is sent to the host that was named.
    pub fn new(extra_ca: Option<&Path>) -> Result<Self> {
        // Fails only when a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let extra_ca = extra_ca.map(certificates).transpose()?.unwrap_or_default();
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TIMEOUT);
            extra_ca.iter().cloned().fold(builder, reqwest::ClientBuilder::add_root_certificate)
        };
        let cannot = |error: reqwest::Error| {
            Error::new(Kind::Network, format!("cannot set up HTTPS: {}", causes(&error)))
                .hint("check SSL_CERT_FILE, SSL_CERT_DIR and the proxy variables")
        };
        let client = builder().build().map_err(cannot)?;
        let local = builder().no_proxy().build().map_err(cannot)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::new(Kind::Network, format!("cannot start the network runtime: {error}"))
        })?;
        Ok(Self { client, local, runtime: Some(runtime) })
    }

    /// Plain http is for loopback alone; see `profile.rs`.
    fn client(&self, url: &str) -> &reqwest::Client {
        if url.starts_with("http://") { &self.local } else { &self.client }
    }

    pub fn post_json(&self, url: &str, body: &Value) -> Result<Reply, Failure> {
        let body = serde_json::to_vec(body).expect("a JSON value serializes");
        let request = self.client(url).post(url).header("content-type", "application/json");
        self.send(url, request.body(body))
    }

    pub fn post_form(&self, url: &str, body: &impl Serialize) -> Result<Reply, Failure> {
        self.send(url, self.client(url).post(url).form(body))
    }

    fn send(&self, url: &str, request: reqwest::RequestBuilder) -> Result<Reply, Failure> {
        let request = request.header("accept", "application/json");
        let runtime = self.runtime.as_ref().expect("taken only when dropped");
        runtime.block_on(async {
            let response = request.send().await.map_err(|error| failure(url, &error))?;
            let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
            let body = body(response).await.map_err(|error| match error {
                BodyError::Http(error) => {
                    Failure::NoAnswer(unreachable_host(url, &causes(&error.without_url())))
                }
                BodyError::TooLong => Failure::NoAnswer(Error::new(
                    Kind::Server,
                    format!("{} sent an answer of more than {BODY_LIMIT} bytes", host(url)),
                )),
            })?;
            Ok(Reply { status, body, retry_after })
        })
    }
}

enum BodyError {
    Http(reqwest::Error),
    TooLong,
}

async fn body(mut response: reqwest::Response) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Http)? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(BodyError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failure(url: &str, error: &reqwest::Error) -> Failure {
    let sent = !(error.is_connect() || error.is_builder());
    let text = unreachable_host(url, &causes(error));
    if sent { Failure::NoAnswer(text) } else { Failure::NotSent(text) }
}

fn unreachable_host(url: &str, cause: &str) -> Error {
    let hint = if cause.contains("certificate") {
        "if a company's proxy stands in between, CODEX_CA_CERTIFICATE names a file of its certificates"
    } else {
        "check the network, and the proxy variables if there is a proxy; then try again"
    };
    Error::new(Kind::Network, format!("no answer from {}: {cause}", host(url))).hint(hint)
}

/// The innermost cause says what happened; what reqwest wraps around it repeats the URL.
fn causes(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The host and port of `url`, for messages.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let value = response.headers().get("retry-after")?.to_str().ok()?.trim().to_owned();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(&value).ok()?;
    let at = at.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    Some(Duration::from_secs(at.saturating_sub(crate::clock::now().try_into().ok()?)))
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>> {
    let unusable = |why: String| {
        let path: PathBuf = path.into();
        Error::new(Kind::Usage, format!("cannot use the certificates in {}: {why}", path.display()))
            .hint("CODEX_CA_CERTIFICATE names a file of PEM certificates")
    };
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(causes(&error)))?;
    if certificates.is_empty() {
        return Err(unusable("there are none in it".into()));
    }
    Ok(certificates)
}
