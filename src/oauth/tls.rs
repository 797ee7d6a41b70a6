//! Why TLS did not come about, in words: whose certificate it is, the time, or something else than TLS.

use crate::clock::rfc3339;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error as Tls};
use std::error::Error;
use std::io;

/// And what may help.
pub struct Complaint {
    pub what: String,
    pub hint: &'static str,
}

/// What TLS complains of, if that is what `error` comes from.
pub fn complaint(error: &(dyn Error + 'static)) -> Option<Complaint> {
    let complaint = |what: &str, hint| Some(Complaint { what: what.to_owned(), hint });
    match innermost(error)? {
        Tls::InvalidCertificate(error) => Some(of_certificate(error)),
        Tls::InvalidMessage(_) => complaint(
            "what answers there does not speak TLS",
            "is something else in its place? is the proxy's address right, http:// or https://?",
        ),
        _ => complaint("TLS failed", "try again; `doctor` looks at each step of the way"),
    }
}

fn of_certificate(error: &CertificateError) -> Complaint {
    use CertificateError as C;
    const CLOCK: &str = "is this machine's clock right? `date` shows it; if it is, the server has to renew its certificate";
    let (what, hint) = match error {
        C::NotValidForName | C::NotValidForNameContext { .. } => (
            "the certificate is another server's".to_owned(),
            "another server answers in its place: check the name, the DNS and the proxy",
        ),
        C::ExpiredContext { time, not_after } => (at(*time, "was good until", *not_after), CLOCK),
        C::NotValidYetContext { time, not_before } => {
            (at(*time, "is good from", *not_before), CLOCK)
        }
        C::Expired | C::NotValidYet => ("the certificate is of another time".to_owned(), CLOCK),
        _ => (
            "the certificate is by an authority that this machine does not trust".to_owned(),
            "if a company's proxy stands in between, CODEX_CA_CERTIFICATE names a file of its certificates",
        ),
    };
    Complaint { what, hint }
}

fn at(now: UnixTime, verb: &str, then: UnixTime) -> String {
    let [now, then] =
        [now, then].map(|time| rfc3339(time.as_secs().try_into().unwrap_or(i64::MAX)));
    format!("the certificate {verb} {then}, and this machine's clock says {now}")
}

/// An `io::Error` does not give what it wraps as its source.
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
