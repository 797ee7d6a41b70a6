//! The error for a request without a response: the network, a certificate or the proxy failed.

use crate::error::{Error, Kind};
use crate::oauth::tls::{TlsFailure, tls_failure};
use crate::urls::host;
use hyper_util::client::proxy::matcher::Matcher;

/// The proxies of the environment, read as reqwest reads them.
pub struct Proxies(Matcher);

impl Proxies {
    pub fn of_environment() -> Self {
        Self(Matcher::from_system())
    }

    /// Returns host and port of the proxy for `url`, without its user and password. Plain http uses no proxy, because
    /// it is allowed only for servers on this machine.
    pub fn host_for(&self, url: &str) -> Option<String> {
        let target = url.parse().ok().filter(|_| !url.starts_with("http://"))?;
        let proxy = self.0.intercept(&target)?;
        let authority = proxy.uri().authority()?.as_str();
        Some(authority.rsplit('@').next().unwrap_or(authority).to_owned())
    }
}

/// Returns the error for a request to `url` that failed with `failed`. `proxy` is the proxy that failed to connect us.
pub fn no_response(
    url: &str,
    failed: impl std::error::Error + Send + Sync + 'static,
    proxy: Option<&str>,
) -> Error {
    let host = host(url);
    let error = |what: String| Error::new(Kind::Network, what);
    if let Some(TlsFailure { what, hint, is_complete }) = tls_failure(&failed) {
        let error = error(format!("no answer from {host}: {what}")).hint(hint);
        return if is_complete { error } else { error.caused_by(failed) };
    }
    let Some(proxy) = proxy else {
        return error(format!("no answer from {host}"))
            .caused_by(failed)
            .hint("check the network, and HTTPS_PROXY if you need a proxy; then try again");
    };
    // The proxy's response to CONNECT (RFC 9110 §9.3.6), as hyper-util words it.
    match innermost(&failed).strip_prefix("tunnel error: ") {
        Some("proxy authorization required") => {
            error(format!("the proxy {proxy} requires a user and a password (407)"))
                .hint("add them to the variable: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT")
        }
        Some(_) => error(format!("the proxy {proxy} refused to connect to {host}"))
            .hint("allow the host in the proxy, or add it to NO_PROXY"),
        None => error(format!("no answer from the proxy {proxy}"))
            .caused_by(failed)
            .hint("check HTTPS_PROXY and ALL_PROXY, or add the host to NO_PROXY"),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
