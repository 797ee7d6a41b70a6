//! The device login by the standard (RFC 8628): the successful poll itself brings the tokens.

use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::oauth::codex::expired;
use crate::oauth::device::{DeviceAuthorization, Poll, is_code};
use crate::oauth::http::{Failure, Response};
use crate::oauth::response::number;
use crate::oauth::standard::{Server, refusal};
use crate::tokens::Secret;
use crate::urls::host;
use crate::verification::Verification;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Where the answer does not say, in seconds: section 3.2 has a default for the second alone.
const CODE_LIFETIME: u64 = 15 * 60;
const INTERVAL: u64 = 5;
/// Nobody waits longer for a person, in seconds.
const LONGEST_LIFETIME: u64 = 24 * 3600;

#[derive(Deserialize)]
struct Started {
    device_code: Secret<String>,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    #[serde(alias = "verification_url_complete")]
    verification_uri_complete: Option<String>,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    interval: Value,
}

impl Server<'_> {
    /// Asks for a device code and a user code (section 3.1).
    ///
    /// # Errors
    /// `DeviceLoginDisabled` when the server does not offer the device login to this client.
    pub fn start(&self) -> Result<DeviceAuthorization> {
        let url = self.endpoints.device_authorization.as_deref().ok_or_else(|| {
            let mut error = self.without("device_authorization_endpoint");
            error.kind = Kind::DeviceLoginDisabled;
            error
        })?;
        self.token_endpoint()?;
        let scope = self.standard.scope.as_deref().map(|scope| ("scope", scope));
        let fields: Vec<_> = scope.into_iter().chain(self.meant_for()).collect();
        let reply = self.post(url, &fields)?;
        if !(200..300).contains(&reply.status) {
            return Err(refusal(&reply, url));
        }
        self.pending(&reply).ok_or_else(|| {
            Error::new(Kind::Server, format!("{} did not send a user code", host(url)))
                .hint("a proxy or a sign-in page may have answered in its place")
        })
    }

    fn pending(&self, reply: &Response) -> Option<DeviceAuthorization> {
        let started: Started = serde_json::from_slice(&reply.body).ok()?;
        // Shown on a terminal and in one-line errors, and maybe opened.
        if !is_code(&started.user_code) || !is_page(&started.verification_uri) {
            return None;
        }
        let lifetime = number(&started.expires_in).unwrap_or(CODE_LIFETIME).min(LONGEST_LIFETIME);
        Some(DeviceAuthorization {
            issuer: self.client.issuer.clone(),
            client_id: self.client.client_id.clone(),
            device_code: started.device_code,
            verification: Verification {
                reason: None,
                verification_uri: started.verification_uri,
                verification_uri_complete: started
                    .verification_uri_complete
                    .filter(|url| is_page(url)),
                user_code: started.user_code,
                expires_at: clock::now() + lifetime.cast_signed(),
            },
            interval: number(&started.interval).unwrap_or(INTERVAL),
            is_needed: true,
            approval: None,
        })
    }

    /// Asks once whether the login is approved (sections 3.4 and 3.5).
    pub fn poll(&self, pending: &DeviceAuthorization) -> Poll {
        let url = match self.token_endpoint() {
            Ok(url) => url,
            Err(error) => return Poll::Refused(error),
        };
        let fields =
            [("grant_type", GRANT_TYPE), ("device_code", pending.device_code.expose().as_str())];
        match self.post(url, &fields) {
            Ok(reply) => answer(&reply, url),
            // It was a success, and the code is good for one.
            Err(Failure::CutOff(200..300, error)) => Poll::Lost(error),
            Err(Failure::NotSent(error)) if error.kind == Kind::Configuration => {
                Poll::Refused(error)
            }
            Err(Failure::NotSent(_)) => Poll::Trouble,
            Err(Failure::NoAnswer(_) | Failure::CutOff(..)) => Poll::Unknown,
        }
    }
}

fn answer(reply: &Response, url: &str) -> Poll {
    match (reply.status, reply.error_code().as_deref()) {
        (200..300, _) => match reply.tokens().filter(|tokens| tokens.access_token.is_some()) {
            Some(tokens) => Poll::Granted(tokens),
            None if reply.json().is_some() => Poll::Lost(reply.error(url)),
            // A page for people: not this server's answer.
            None => Poll::Trouble,
        },
        (_, Some("authorization_pending")) => Poll::DeviceAuthorization,
        (_, Some("slow_down")) => Poll::SlowDown,
        (_, Some("access_denied")) => Poll::Refused(
            Error::new(Kind::Denied, "the login was denied in the browser")
                .run("to try again", "codex-credential login"),
        ),
        (_, Some("expired_token")) => Poll::Refused(expired()),
        (_, Some("invalid_grant" | "device_not_found")) => Poll::Gone(unknown(url)),
        (429, _) => Poll::TooFast(reply.retry_after),
        (300..400 | 500.., _) | (_, None) => Poll::Trouble,
        _ => Poll::Refused(refusal(reply, url)),
    }
}

/// What a server says of a code that it knows no more does not tell why.
fn unknown(url: &str) -> Error {
    let what =
        format!("{} knows the device code no more: it was denied, used, or has expired", host(url));
    Error::new(Kind::LoginExpired, what).run("for a fresh one", "codex-credential login")
}

fn is_page(url: &str) -> bool {
    let scheme = Url::parse(url).map(|url| url.scheme().to_owned());
    let is_line = !url.contains(|c: char| c.is_control() || c.is_whitespace());
    is_line && scheme.is_ok_and(|scheme| ["https", "http"].contains(&scheme.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn poll(status: u16, body: &str) -> Poll {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        answer(&Response { status, body, ..Response::default() }, "https://a.example/token")
    }

    #[test]
    fn each_answer_to_a_poll_is_told_from_the_others() {
        let error = |code: &str| format!(r#"{{"error":"{code}"}}"#);
        assert!(matches!(poll(400, &error("authorization_pending")), Poll::DeviceAuthorization));
        assert!(matches!(poll(400, &error("slow_down")), Poll::SlowDown));
        assert!(
            matches!(poll(400, &error("access_denied")), Poll::Refused(e) if e.kind == Kind::Denied)
        );
        assert!(
            matches!(poll(400, &error("expired_token")), Poll::Refused(e) if e.kind == Kind::LoginExpired)
        );
        assert!(matches!(poll(404, &error("device_not_found")), Poll::Gone(_)));
        assert!(matches!(poll(400, &error("invalid_grant")), Poll::Gone(_)));
        assert!(
            matches!(poll(401, &error("invalid_client")), Poll::Refused(e) if e.kind == Kind::Configuration)
        );
        assert!(matches!(
            poll(200, r#"{"access_token":"a","token_type":"bearer"}"#),
            Poll::Granted(_)
        ));
        assert!(matches!(poll(200, "{}"), Poll::Lost(_)));
        for (status, body) in [(200, "<html>"), (400, ""), (403, "<html>"), (502, "{}"), (307, "")]
        {
            assert!(matches!(poll(status, body), Poll::Trouble), "{status} {body}");
        }
    }

    #[test]
    fn only_a_page_is_shown_or_opened() {
        assert!(is_page("https://a.example/device?user_code=A-B"));
        for url in
            ["file:///etc/passwd", "javascript:alert(1)", "https://a.example/\u{1b}[2J", "x y", ""]
        {
            assert!(!is_page(url), "{url}");
        }
    }
}
