//! The error for a request without a response: the network, a certificate or the proxy failed.

use crate::clock::rfc3339;
use crate::error::{Error, Kind};
use crate::oauth::proxy::without_password;
use crate::urls::host;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error as Tls};
use std::io;
use url::Url;

type Cause = dyn std::error::Error + 'static;

/// Returns the error for a request to `url` that failed with `failed`. `proxy` is the proxy that failed to connect us.
pub fn no_response(
    url: &str,
    failed: impl std::error::Error + Send + Sync + 'static,
    proxy: Option<&Url>,
) -> Error {
    let host = host(url);
    let error = |what: String| Error::new(Kind::Network, what);
    if let Some(failure) = tls_error(&failed) {
        let (what, hint) = tls_failure(failure);
        return error(format!("no answer from {host}: {what}")).hint(hint);
    }
    let proxy = proxy.map(without_password);
    let Some(proxy) = proxy.as_ref().map(|proxy| crate::urls::host(proxy.as_str())) else {
        return error(format!("no answer from {host}"))
            .caused_by(failed)
            .hint("check the network, and HTTPS_PROXY if you need a proxy; then try again");
    };
    // The proxy's response to CONNECT (RFC 9110 §9.3.6), as hyper-util words it.
    let innermost = std::iter::successors(Some(&failed as &Cause), |cause| cause.source()).last();
    let innermost = innermost.map(ToString::to_string).unwrap_or_default();
    match innermost.strip_prefix("tunnel error: ") {
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

/// Finds the TLS error in the chain. `io::Error::source` skips the error it wraps, so `get_ref` is needed.
fn tls_error(mut error: &Cause) -> Option<&Tls> {
    loop {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        error = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => wrapped,
            None => error.source()?,
        };
    }
}

/// Returns what is wrong with TLS, and what may help.
fn tls_failure(error: &Tls) -> (String, &'static str) {
    use CertificateError as C;
    const CLOCK: &str = "check this machine's clock with `date`; if it is right, the server must renew its certificate";
    match error {
        Tls::InvalidMessage(_) => (
            format!("the server does not speak TLS ({error})"),
            "another program may listen there; check the host, the port, and http:// or https:// of the proxy",
        ),
        Tls::InvalidCertificate(error) => match error {
            C::NotValidForName | C::NotValidForNameContext { .. } => (
                format!("the certificate is for another host ({error})"),
                "another server may have answered; check the host name, the DNS and the proxy",
            ),
            C::ExpiredContext { time, not_after } => {
                (validity("expired at", *not_after, *time), CLOCK)
            }
            C::NotValidYetContext { time, not_before } => {
                (validity("is valid from", *not_before, *time), CLOCK)
            }
            C::Expired | C::NotValidYet => {
                ("the certificate is expired or not yet valid".into(), CLOCK)
            }
            _ => (
                format!("this machine does not trust the certificate's authority ({error})"),
                "behind a company's proxy, set CODEX_CA_CERTIFICATE to a file with its certificates",
            ),
        },
        _ => (
            format!("TLS failed ({error})"),
            "check the proxy and this machine's clock, then try again",
        ),
    }
}

fn validity(verb: &str, limit: UnixTime, now: UnixTime) -> String {
    let [limit, now] =
        [limit, now].map(|time| rfc3339(time.as_secs().try_into().unwrap_or(i64::MAX)));
    format!("the certificate {verb} {limit}, and this machine's clock shows {now}")
}
