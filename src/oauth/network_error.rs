//! Why no answer came, in words: the network, a certificate, or the proxy in between.

use crate::error::{Error, Kind};
use crate::oauth::tls::{Complaint, complaint};
use crate::urls::host;
use hyper_util::client::proxy::matcher::Matcher;

/// Which way requests leave, by the same reading of the environment as reqwest's.
pub struct Route(Matcher);

impl Route {
    pub fn of_environment() -> Self {
        Self(Matcher::from_system())
    }

    /// The host and port of the proxy that `url` is asked through; none for servers on this machine by plain http. Never
    /// its user and password.
    pub fn proxy(&self, url: &str) -> Option<String> {
        let target = url.parse().ok().filter(|_| !url.starts_with("http://"))?;
        let proxy = self.0.intercept(&target)?;
        let authority = proxy.uri().authority()?.as_str();
        Some(authority.rsplit('@').next().unwrap_or(authority).to_owned())
    }
}

/// `proxy` is the one that was to connect us.
pub fn unanswered(
    url: &str,
    failed: impl std::error::Error + Send + Sync + 'static,
    proxy: Option<&str>,
) -> Error {
    let host = host(url);
    let error = |what: String| Error::new(Kind::Network, what);
    if let Some(Complaint { what, hint }) = complaint(&failed) {
        return error(format!("no answer from {host}: {what}")).hint(hint).caused_by(failed);
    }
    let Some(proxy) = proxy else {
        return error(format!("no answer from {host}")).caused_by(failed).hint(
            "check the network, and the proxy variables if there is a proxy; then try again",
        );
    };
    // What a proxy answers to CONNECT (RFC 9110, section 9.3.6); the words are hyper-util's.
    match innermost(&failed).strip_prefix("tunnel error: ") {
        Some("proxy authorization required") => error(format!(
            "the proxy {proxy} asks for a user and a password (407)"
        ))
        .hint(
            "give them in the variable that names it: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
        ),
        Some(_) => error(format!("the proxy {proxy} did not connect us to {host}"))
            .hint("have it allow that host, or name the host in NO_PROXY to ask without a proxy"),
        None => error(format!("no answer from the proxy {proxy}")).caused_by(failed).hint(
            "check HTTPS_PROXY and ALL_PROXY; hosts that NO_PROXY names are asked without a proxy",
        ),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
