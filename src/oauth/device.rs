//! What both dialects share of a device authorization (RFC 8628): its response, its polls and their pace.

use crate::account::AccountRules;
use crate::client::ClientRegistration;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::oauth::error_code::Meaning;
use crate::oauth::http::Response;
use crate::oauth::response::seconds;
use crate::pending_sign_in::{AuthorizationCode, DeviceCode, PendingSignIn, SignInRequest};
use crate::tokens::{Secret, TokenResponse};
use crate::urls::host;
use crate::verification::{Verification, is_user_code, is_web_page};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Lifetime of a device code, if the response has none, and pause between two polls (RFC 8628 §3.2), in seconds.
/// RFC 8628 requires a lifetime; some servers omit it.
pub(super) const CODE_LIFETIME: u64 = 15 * 60;
const INTERVAL: u64 = 5;

/// The device authorization response (RFC 8628 §3.2), with the names of other servers for its members.
#[derive(Deserialize)]
struct DeviceAuthorizationResponse {
    #[serde(alias = "device_auth_id")]
    device_code: Secret<String>,
    #[serde(alias = "usercode")]
    user_code: Value,
    // Some servers send both names, so they are no aliases.
    #[serde(default)]
    verification_uri: Value,
    #[serde(default)]
    verification_url: Value,
    #[serde(default)]
    verification_uri_complete: Value,
    #[serde(default)]
    verification_url_complete: Value,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    interval: Value,
}

/// Reads the successful response of `url`. `page` is the verification URL of a server that sends none.
pub(super) fn device_authorization(
    client: &ClientRegistration,
    response: &Response,
    url: &str,
    page: Option<String>,
    longest_lifetime: u64,
    code_verifier: Option<Secret<String>>,
) -> Result<PendingSignIn> {
    let unusable = || {
        Error::new(Kind::Server, format!("{} did not send a user code", host(url)))
            .hint("a proxy, a bot check or a sign-in page may have answered instead")
    };
    let code: DeviceAuthorizationResponse =
        serde_json::from_slice(&response.body).map_err(|_| unusable())?;
    let user_code = match code.user_code {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return Err(unusable()),
    };
    let web_page = |names: [Value; 2]| {
        names.iter().filter_map(Value::as_str).find_map(|page| absolute(page, url))
    };
    let complete = web_page([code.verification_uri_complete, code.verification_url_complete])
        .filter(|_| page.is_none());
    let page = page.or_else(|| web_page([code.verification_uri, code.verification_url]));
    let (Some(verification_uri), true) = (page, is_user_code(&user_code)) else {
        return Err(unusable());
    };
    let lifetime = seconds(&code.expires_in).filter(|lifetime| *lifetime > 0);
    let lifetime = lifetime.map_or(CODE_LIFETIME, i64::cast_unsigned).min(longest_lifetime);
    let interval = seconds(&code.interval).filter(|interval| *interval >= 0);
    Ok(PendingSignIn {
        issuer: client.issuer.clone(),
        client_id: client.client_id.clone(),
        verification: Verification {
            reason: None,
            verification_uri,
            verification_uri_complete: complete,
            user_code: Some(user_code),
            expires_at: clock::now() + lifetime.cast_signed(),
        },
        request: Some(SignInRequest::DeviceCode(DeviceCode {
            device_code: code.device_code,
            code_verifier,
            interval: interval.map_or(INTERVAL, i64::cast_unsigned),
        })),
        rules: AccountRules::default(),
        approval: None,
    })
}

/// Returns the address of a page that `endpoint` names, absolute or, against RFC 8628 §3.2, by its path alone. `None` if it
/// cannot be shown.
fn absolute(page: &str, endpoint: &str) -> Option<String> {
    let is_path = page.starts_with('/') && !page.starts_with("//") && !page.contains('\\');
    let page = if is_path {
        let host_at = endpoint.find("://")? + 3;
        let path_at = endpoint[host_at..].find('/').map_or(endpoint.len(), |at| host_at + at);
        format!("{}{page}", &endpoint[..path_at])
    } else {
        page.to_owned()
    };
    is_web_page(&page).then_some(page)
}

/// What the user's approval brought.
#[derive(Debug)]
pub enum Approval {
    /// An authorization code to exchange (auth.openai.com).
    Code(AuthorizationCode),
    /// The tokens (RFC 8628).
    Tokens(Box<TokenResponse>),
}

/// What one poll led to (RFC 8628 §3.5).
#[derive(Debug)]
pub enum PollResponse {
    /// `authorization_pending`
    AuthorizationPending,
    Approved(Approval),
    /// Denied, expired or not understood: polling ends.
    Failed(Error),
    /// The server does not know the device code. If the response to an earlier poll was lost, that poll succeeded.
    UnknownCode(Error),
    /// `slow_down`
    SlowDown,
    /// Status 429, with the pause of `Retry-After`.
    TooManyRequests(Option<Duration>),
    /// The poll was not sent, or the server failed (5xx). The device code stays valid.
    Unavailable,
    /// The poll was sent, and no response arrived.
    NoResponse,
}

impl PollResponse {
    /// Returns what an error response means in both dialects, if it means the same in both.
    pub(super) fn of_error(response: &Response) -> Option<Self> {
        match (response.status, response.error_code().map(|code| Meaning::of(&code))) {
            (_, Some(Meaning::Denied)) => Some(Self::Failed(denied())),
            (_, Some(Meaning::CodeExpired)) => Some(Self::Failed(expired())),
            (429, _) => Some(Self::TooManyRequests(response.retry_after)),
            (300..400 | 500.., _) => Some(Self::Unavailable),
            _ => (!response.is_from_endpoint()).then_some(Self::Unavailable),
        }
    }
}

/// The pace of polling. Each failed poll doubles the pause, up to a minute, until the server responds.
#[derive(Clone, Debug)]
pub struct Polling {
    interval: Duration,
    pause: Duration,
    /// A poll was sent whose response is not known.
    has_unknown: bool,
}

/// RFC 8628 §3.5: `slow_down` adds 5 seconds for this and all later polls.
const SLOW_DOWN: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// In seconds. No device code lives longer.
const LONGEST_INTERVAL: u64 = 24 * 3600;

impl Polling {
    /// Starts polling every `interval` seconds, at least one and at most a day.
    pub fn new(interval: u64) -> Self {
        let interval = Duration::from_secs(interval.clamp(1, LONGEST_INTERVAL));
        Self { interval, pause: interval, has_unknown: false }
    }

    /// Continues after a process that was killed while it polled.
    pub fn after_unknown(self) -> Self {
        Self { has_unknown: true, ..self }
    }

    fn back_off(&self) -> Duration {
        self.pause.saturating_mul(2).min(LONGEST_PAUSE.max(self.interval))
    }

    /// Returns the pause before the next poll.
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// Returns what the approval brought, or `None` if there is another poll after the pause. Sends nothing and does not
    /// wait.
    pub fn next_step(&mut self, response: PollResponse) -> Result<Option<Approval>> {
        self.pause = match response {
            PollResponse::Approved(approval) => return Ok(Some(approval)),
            PollResponse::UnknownCode(error) if self.has_unknown => return Err(lost(&error)),
            PollResponse::Failed(error) | PollResponse::UnknownCode(error) => return Err(error),
            PollResponse::AuthorizationPending => self.interval,
            PollResponse::SlowDown => {
                self.interval += SLOW_DOWN;
                self.interval
            }
            PollResponse::TooManyRequests(Some(pause)) => pause.max(self.interval),
            PollResponse::NoResponse => {
                self.has_unknown = true;
                self.back_off()
            }
            PollResponse::TooManyRequests(None) | PollResponse::Unavailable => self.back_off(),
        };
        Ok(None)
    }
}

/// The user approved, but the tokens did not arrive. Another poll could make the server revoke them.
pub(super) fn lost(error: &Error) -> Error {
    let what = format!(
        "the sign-in was approved, but the token response did not arrive ({})",
        error.text()
    );
    Error::new(Kind::LoginRequired, what).sign_in_again()
}

fn denied() -> Error {
    Error::new(Kind::Denied, "the sign-in was denied in the browser")
        .run("to try again", "codex-credential login")
}

pub fn expired() -> Error {
    Error::new(Kind::LoginExpired, "the device code expired before it was approved")
        .run("to get a new one", "codex-credential login")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(polling: &mut Polling, response: PollResponse) -> u64 {
        assert!(polling.next_step(response).unwrap().is_none());
        polling.pause().as_secs()
    }

    #[test]
    fn failed_polls_double_the_pause_until_the_server_responds() {
        let mut polling = Polling::new(5);
        assert_eq!(pause(&mut polling, PollResponse::AuthorizationPending), 5);
        assert_eq!(pause(&mut polling, PollResponse::Unavailable), 10);
        assert_eq!(pause(&mut polling, PollResponse::TooManyRequests(None)), 20);
        let seven = Some(Duration::from_secs(7));
        assert_eq!(pause(&mut polling, PollResponse::TooManyRequests(seven)), 7);
        assert_eq!(pause(&mut polling, PollResponse::TooManyRequests(Some(Duration::ZERO))), 5);
        assert_eq!(pause(&mut polling, PollResponse::AuthorizationPending), 5);
        for _ in 0..10 {
            pause(&mut polling, PollResponse::Unavailable);
        }
        assert_eq!(pause(&mut polling, PollResponse::Unavailable), 60);
    }

    #[test]
    fn interval_of_the_server_is_kept_between_a_second_and_a_day() {
        assert_eq!(pause(&mut Polling::new(0), PollResponse::AuthorizationPending), 1);
        let mut polling = Polling::new(u64::MAX);
        let endless = PollResponse::TooManyRequests(Some(Duration::MAX));
        for response in [PollResponse::Unavailable, PollResponse::SlowDown, endless] {
            pause(&mut polling, response);
        }
        assert_eq!(pause(&mut polling, PollResponse::Unavailable), LONGEST_INTERVAL + 5);
    }
}
