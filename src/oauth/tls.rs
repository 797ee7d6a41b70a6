//! Explains TLS failures: the wrong certificate, the wrong time, or a server that does not speak TLS.

use crate::clock::rfc3339;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error as Tls};
use std::error::Error;
use std::io;

/// What is wrong with TLS, and what may help.
pub struct TlsFailure {
    pub what: String,
    pub hint: &'static str,
    /// Whether `what` leaves nothing for the text of the underlying error to add.
    pub is_complete: bool,
}

/// Returns the TLS failure that caused `error`, if TLS is the cause.
pub fn tls_failure(error: &(dyn Error + 'static)) -> Option<TlsFailure> {
    let failure =
        |what: &str, hint| Some(TlsFailure { what: what.to_owned(), hint, is_complete: false });
    match innermost(error)? {
        Tls::InvalidCertificate(error) => Some(of_certificate(error)),
        Tls::InvalidMessage(_) => failure(
            "the server does not speak TLS",
            "another program may listen there; check the host, the port, and http:// or https:// of the proxy",
        ),
        _ => failure(
            "TLS failed",
            "try again; codex-credential doctor checks each step of the connection",
        ),
    }
}

fn of_certificate(error: &CertificateError) -> TlsFailure {
    use CertificateError as C;
    const CLOCK: &str = "check this machine's clock with `date`; if it is right, the server must renew its certificate";
    let (what, hint) = match error {
        C::NotValidForName | C::NotValidForNameContext { .. } => (
            "the certificate is for another host".to_owned(),
            "another server may have answered; check the host name, the DNS and the proxy",
        ),
        C::ExpiredContext { time, not_after } => (validity("expired at", *not_after, *time), CLOCK),
        C::NotValidYetContext { time, not_before } => {
            (validity("is valid from", *not_before, *time), CLOCK)
        }
        C::Expired | C::NotValidYet => {
            ("the certificate is expired or not yet valid".to_owned(), CLOCK)
        }
        _ => (
            "this machine does not trust the certificate's authority".to_owned(),
            "behind a company's proxy, set CODEX_CA_CERTIFICATE to a file with its certificates",
        ),
    };
    let is_complete = matches!(error, C::ExpiredContext { .. } | C::NotValidYetContext { .. });
    TlsFailure { what, hint, is_complete }
}

fn validity(verb: &str, limit: UnixTime, now: UnixTime) -> String {
    let [limit, now] =
        [limit, now].map(|time| rfc3339(time.as_secs().try_into().unwrap_or(i64::MAX)));
    format!("the certificate {verb} {limit}, and this machine's clock shows {now}")
}

/// Finds the TLS error in the chain. `io::Error::source` skips the error it wraps, so `get_ref` is needed.
fn innermost<'a>(mut error: &'a (dyn Error + 'static)) -> Option<&'a Tls> {
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
