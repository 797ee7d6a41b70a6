//! HTTP requests to the authorization server. Besides this file, only `certificates`, `headers` and `resolver` use
//! reqwest.
//!
//! Each request blocks its caller: the rest of the program is sequential.

use crate::clock::{Deadline, Stopwatch};
use crate::error::{Error, Kind, Result};
use crate::network::Network;
use crate::oauth::network_error::no_response;
use crate::oauth::proxy::Proxies;
use crate::oauth::resolver::Resolver;
use crate::oauth::{certificates, headers};
use crate::tokens::{BUFFER_SIZE, Secret, to_json};
use crate::trace::{self, Event};
use crate::urls::host;
use bytes::Bytes;
use reqwest::redirect;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Runtime;
use url::form_urlencoded;
use zeroize::Zeroizing;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may send nothing. A response may have replaced a refresh token, so it is awaited while it arrives.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest request, with its response.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// The largest response body we accept, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

const USER_AGENT: &str = concat!("codex-credential/", env!("CARGO_PKG_VERSION"));

/// A response of any status.
#[derive(Debug, Default)]
pub struct Response {
    pub status: u16,
    pub body: Zeroizing<Vec<u8>>,
    /// `Retry-After` (RFC 9110 §10.2.3).
    pub retry_after: Option<Duration>,
    /// Seconds that the server's clock is ahead of this machine's, from `Date`.
    pub date_skew: Option<i64>,
    /// The secrets that the request had, which the server may repeat in an error.
    pub sent: Vec<Secret<String>>,
    /// Whether Cloudflare answered with a bot check (`cf-mitigated`).
    pub is_challenge: bool,
}

#[cfg(test)]
impl Response {
    pub fn of(status: u16, body: &str) -> Self {
        Self { status, body: Zeroizing::new(body.into()), ..Self::default() }
    }
}

/// A request without a complete response.
#[derive(Debug)]
pub enum RequestError {
    /// The request was not sent, so it can be sent again.
    NotSent(Error),
    /// The server may have processed the request, but no response arrived.
    NoResponse(Error),
    /// A response with this status began and did not arrive completely.
    CutOff(u16, Error),
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::NotSent(error)
            | RequestError::NoResponse(error)
            | RequestError::CutOff(_, error) => error,
        }
    }
}

/// Name and value of a parameter.
pub type Field<'a> = (&'a str, &'a str);

pub struct Http {
    client: reqwest::Client,
    /// Uses no proxy: for servers on this machine.
    local: reqwest::Client,
    /// The proxies that `client` uses.
    proxies: Proxies,
    /// Ends all requests.
    deadline: Option<Deadline>,
    runtime: Option<Runtime>,
}

impl Drop for Http {
    fn drop(&mut self) {
        // Do not wait for a name lookup that hangs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// How long a connection is kept for the next request. Servers keep theirs for 5 seconds or longer.
const IDLE: Duration = Duration::from_secs(2);

impl Http {
    /// As [`Http::new`], for a caller that waits for all requests together until `deadline`.
    pub fn within(network: &Network, deadline: &Deadline) -> Result<Self> {
        let mut http = Self::new(network)?;
        http.deadline = Some(*deadline);
        Ok(http)
    }

    /// Creates a client that trusts the platform's certificate authorities and those of `network`.
    /// It takes proxies from the variables and follows no redirects, so that no token reaches another host.
    ///
    /// # Errors
    /// `Usage` if a file has no certificates or a proxy variable cannot be read, `Network` if HTTPS cannot be set up.
    pub fn new(network: &Network) -> Result<Self> {
        Self::with_silence(network, SILENCE)
    }

    fn with_silence(network: &Network, silence: Duration) -> Result<Self> {
        // Fails only if a provider is already installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        certificates::check_platform_file()?;
        let extra_ca = certificates::extra(network)?;
        let builder = || {
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .redirect(redirect::Policy::none())
                // The runtime rests between requests and does not notice that the server has closed a connection.
                .pool_idle_timeout(IDLE)
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(silence)
                .dns_resolver(Resolver)
        };
        let cannot = |error: reqwest::Error| {
            Error::new(Kind::Network, "cannot set up HTTPS")
                .caused_by(error)
                .hint("check SSL_CERT_FILE, SSL_CERT_DIR and the proxy variables")
        };
        let proxies = Proxies::from_variables(network)?;
        let of_url = proxies.clone();
        let proxy = reqwest::Proxy::custom(move |url| of_url.for_url(url.as_str()));
        let client = builder().proxy(proxy).tls_certs_merge(extra_ca).build().map_err(cannot)?;
        // Plain http needs no certificates, and loading the platform's takes longer than a local renewal.
        let local = builder().no_proxy().tls_certs_only([]).build().map_err(cannot)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::new(Kind::Network, "cannot start the network runtime").caused_by(error)
        })?;
        Ok(Self { client, local, proxies, deadline: None, runtime: Some(runtime) })
    }

    /// Chooses the client for `url`. Plain http is allowed only for loopback, see [`crate::urls::is_secure`].
    fn client(&self, url: &str) -> &reqwest::Client {
        if url.starts_with("http://") { &self.local } else { &self.client }
    }

    pub fn post_json(&self, url: &str, fields: &[Field]) -> Result<Response, RequestError> {
        let body: BTreeMap<_, _> = fields.iter().copied().collect();
        let request = self.client(url).post(url).header("content-type", "application/json");
        let response = self.send(url, request.body(Bytes::from_owner(to_json(&body))))?;
        Ok(Response { sent: secrets(fields).collect(), ..response })
    }

    /// Posts a form, with the client's id and secret in the header if `basic_auth` has them (RFC 6749 §2.3.1).
    pub fn post_form(
        &self,
        url: &str,
        fields: &[Field],
        basic_auth: Option<(&str, &Secret<String>)>,
    ) -> Result<Response, RequestError> {
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(BUFFER_SIZE));
        let form = Zeroizing::new(form.extend_pairs(fields).finish().into_bytes());
        let request = self.client(url).post(url);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let mut request = request.body(Bytes::from_owner(form));
        if let Some((client_id, secret)) = basic_auth {
            let encoded = |text: &str| -> String {
                form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            let secret = Secret::new(encoded(secret.expose()));
            request = request.basic_auth(encoded(client_id), Some(secret.expose()));
        }
        let secret = basic_auth.map(|(_, secret)| secret.clone());
        let response = self.send(url, request)?;
        Ok(Response { sent: secrets(fields).chain(secret).collect(), ..response })
    }

    pub fn get(&self, url: &str) -> Result<Response, RequestError> {
        self.send(url, self.client(url).get(url))
    }

    /// Gets `url` with an access token (RFC 6750 §2.1), in the workspace `account_id` of ChatGPT if there is one.
    pub fn get_with_token(
        &self,
        token: &Secret<String>,
        account_id: Option<&str>,
        url: &str,
    ) -> Result<Response, RequestError> {
        let request = self.client(url).get(url).bearer_auth(token.expose());
        let id = account_id.map(|id| ("chatgpt-account-id", id));
        self.send(url, id.into_iter().fold(request, |request, (name, id)| request.header(name, id)))
    }

    fn send(&self, url: &str, request: reqwest::RequestBuilder) -> Result<Response, RequestError> {
        let watch = Stopwatch::start();
        let timeout = self.deadline.map_or(LONGEST, |it| it.remaining().min(LONGEST));
        let request = request.header("accept", "application/json").timeout(timeout);
        let request = request.build().map_err(|error| self.failed(url, error))?;
        let (method, target) = (request.method().clone(), request.url().clone());
        let result = self.execute(url, request);
        trace::tell(|| Event::Request {
            method: method.as_str(),
            host: host(url),
            path: target.path(),
            status: match &result {
                Ok(Response { status, .. }) | Err(RequestError::CutOff(status, _)) => Some(*status),
                Err(_) => None,
            },
            ms: watch.ms(),
        });
        result
    }

    fn execute(&self, url: &str, request: reqwest::Request) -> Result<Response, RequestError> {
        let runtime = self.runtime.as_ref().expect("taken only when dropped");
        runtime.block_on(async {
            let response = self.client(url).execute(request).await;
            let response = response.map_err(|error| self.failed(url, error))?;
            let head = Response {
                status: response.status().as_u16(),
                retry_after: headers::retry_after(response.headers()),
                date_skew: headers::date_skew(response.headers()),
                is_challenge: headers::text(response.headers(), "cf-mitigated")
                    == Some("challenge"),
                ..Response::default()
            };
            let body = body(url, response).await?;
            Ok(Response { body, ..head })
        })
    }

    fn failed(&self, url: &str, error: reqwest::Error) -> RequestError {
        if error.is_connect() || error.is_builder() {
            let proxy = self.proxies.for_url(url);
            return RequestError::NotSent(no_response(url, error, proxy.as_ref()));
        }
        RequestError::NoResponse(no_response(url, error, None))
    }
}

/// The parameters of our requests that are secrets.
const SECRETS: [&str; 7] = [
    "client_secret",
    "code",
    "code_verifier",
    "device_auth_id",
    "device_code",
    "refresh_token",
    "token",
];

fn secrets<'a>(fields: &'a [Field<'a>]) -> impl Iterator<Item = Secret<String>> {
    let secrets = fields.iter().filter(|(name, _)| SECRETS.contains(name));
    secrets.map(|(_, value)| Secret::from(*value))
}

async fn body(
    url: &str,
    mut response: reqwest::Response,
) -> Result<Zeroizing<Vec<u8>>, RequestError> {
    let status = response.status().as_u16();
    let cut_off = |error| RequestError::CutOff(status, no_response(url, error, None));
    let mut body = Zeroizing::new(Vec::with_capacity(BUFFER_SIZE));
    while let Some(chunk) = response.chunk().await.map_err(cut_off)? {
        if body.len() + chunk.len() > BODY_LIMIT {
            let what = format!("{} sent a response of more than {BODY_LIMIT} bytes", host(url));
            return Err(RequestError::NoResponse(Error::new(Kind::Server, what)));
        }
        body.extend_from_slice(&chunk);
    }
    // JSON may begin with a byte order mark (RFC 8259 §8.1).
    if body.starts_with(b"\xef\xbb\xbf") {
        body.drain(..3);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    /// Starts a server that sends a byte of its response every 10 ms. Returns its URL.
    fn dripping(length: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            while stream.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        url
    }

    #[test]
    fn response_that_drips_in_ends_at_the_deadline() {
        let deadline = Deadline::after(Duration::from_secs(1));
        match Http::within(&Network::default(), &deadline).unwrap().get(&dripping(100_000)) {
            Err(RequestError::CutOff(200, error)) => assert_eq!(error.kind, Kind::Network),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn response_that_drips_in_is_awaited_for_longer_than_a_silent_server() {
        let http = Http::with_silence(&Network::default(), Duration::from_secs(2)).unwrap();
        assert_eq!(http.get(&dripping(250)).unwrap().body.len(), 250);
    }

    #[test]
    fn silent_server_is_not_awaited_for_long() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let http = Http::with_silence(&Network::default(), Duration::from_millis(100)).unwrap();
        match http.get(&url) {
            Err(RequestError::NoResponse(error)) => assert_eq!(error.kind, Kind::Network),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_share_one_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let deadline = Deadline::after(Duration::from_millis(300));
        let http = Http::within(&Network::default(), &deadline).unwrap();
        assert!(matches!(http.get(&url), Err(RequestError::NoResponse(_))));
        assert!(deadline.is_over());
        let watch = Stopwatch::start();
        assert!(http.get(&url).is_err());
        assert!(watch.ms() < 300, "the second request has no time left");
    }
}
