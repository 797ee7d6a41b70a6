//! Reads a response: its tokens, its error code, and the error to show.

use crate::account::Claims;
use crate::clock;
use crate::error::{Error, Kind};
use crate::login::FURTHEST_BEHIND;
use crate::oauth::error_code::Meaning;
use crate::oauth::http::Response;
use crate::tokens::{Secret, TokenResponse, is_valid_token, wipe};
use crate::urls::host;
use crate::visible::visible;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

impl Response {
    /// Whether the status is 2xx and the body does not say otherwise: GitHub sends errors with status 200.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && !self.is_error_with_success_status()
    }

    /// Whether the body has an error code and nothing that was asked for. Reads no secret.
    fn is_error_with_success_status(&self) -> bool {
        #[derive(Deserialize)]
        struct Members {
            error: Option<Value>,
            access_token: Option<IgnoredAny>,
            refresh_token: Option<IgnoredAny>,
            device_code: Option<IgnoredAny>,
        }
        serde_json::from_slice::<Members>(&self.body).is_ok_and(|members| {
            let wanted = [&members.access_token, &members.refresh_token, &members.device_code];
            let code = members.error.as_ref().and_then(|it| it.as_str().or(it["code"].as_str()));
            code.is_some_and(|code| !code.is_empty()) && wanted.iter().all(|it| it.is_none())
        })
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Returns the error code: `error` (RFC 6749 §5.2), or one of the places where auth.openai.com has it.
    pub fn error_code(&self) -> Option<String> {
        self.first_text(&["/error/code", "/error", "/detail/code", "/code"])
    }

    /// Returns what the server says about the error, as it can be shown.
    fn error_message(&self) -> Option<String> {
        let places =
            ["/error_description", "/error/message", "/detail/message", "/message", "/detail"];
        self.first_text(&places).map(|text| self.without_secrets(&text))
    }

    fn first_text(&self, pointers: &[&str]) -> Option<String> {
        let json = self.json()?;
        let texts = pointers.iter().filter_map(|pointer| json.pointer(pointer)?.as_str());
        texts.map(str::trim).find(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Returns ` (text)` with the server's message, if it says more than the code.
    pub fn description(&self) -> String {
        let message =
            self.error_message().filter(|message| self.error_code().as_ref() != Some(message));
        message.map(|message| format!(" ({message})")).unwrap_or_default()
    }

    /// Returns at most 200 characters of a server's text, without what we sent and without words of more than 40 characters:
    /// the server may repeat a secret.
    fn without_secrets(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // A shorter value may be a part of a common word.
        for secret in self.sent.iter().filter(|secret| secret.expose().len() >= 4) {
            text = text.replace(secret.expose(), "...");
        }
        let words = text.split_whitespace().map(|word| if word.len() > 40 { "..." } else { word });
        printable(&words.collect::<Vec<_>>().join(" "))
    }

    /// Returns the tokens of a successful response (RFC 6749 §5.1), or `None` if it has no access or refresh token.
    pub fn tokens(&self) -> Option<TokenResponse> {
        let mut json = self.json()?;
        let tokens = self.tokens_in(&json);
        wipe(&mut json);
        tokens
    }

    fn tokens_in(&self, json: &Value) -> Option<TokenResponse> {
        let token = |name| {
            let token = json.get(name)?.as_str()?;
            (!token.is_empty() && is_valid_token(token)).then(|| Secret::from(token))
        };
        let now = clock::now();
        let (id_token, access_token) = (token("id_token"), token("access_token"));
        let mut tokens = access_token.iter().chain(&id_token);
        let iat = tokens.find_map(|token| {
            let claims = Claims::from_jwt(token.expose())?;
            // A token that expires before it is issued says nothing about a clock.
            claims.iat.filter(|iat| claims.exp.is_none_or(|exp| *iat <= exp))
        });
        // A lifetime of 0 says nothing, as in other clients: no server means it.
        let lifetime = seconds(&json["expires_in"]).filter(|seconds| *seconds != 0);
        let tokens = TokenResponse {
            // A token response without an access token says nothing about the stored one.
            skew: access_token.is_some().then(|| skew(self.date_skew, iat, now)),
            id_token,
            access_token,
            refresh_token: token("refresh_token"),
            issued_at: Some(now),
            expires_at: lifetime.and_then(|lifetime| now.checked_add(lifetime)),
            account: None,
        };
        (tokens.access_token.is_some() || tokens.refresh_token.is_some()).then_some(tokens)
    }

    fn is_web_page(&self) -> bool {
        self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Whether a bot check in front of the server answered.
    fn is_bot_check(&self) -> bool {
        let has_challenge =
            || String::from_utf8_lossy(&self.body).contains("/cdn-cgi/challenge-platform/");
        self.is_challenge || (self.is_web_page() && has_challenge())
    }

    /// Whether the server rejects every request from this country or region.
    fn is_region_block(&self) -> bool {
        self.error_code().as_deref() == Some("unsupported_country_region_territory")
    }

    /// Whether the endpoint itself answered what we sent. False for web pages, bot checks and region blocks.
    pub fn is_from_endpoint(&self) -> bool {
        !self.is_web_page() && !self.is_bot_check() && !self.is_region_block()
    }

    /// Whether the server says that the same request can succeed later.
    pub fn is_transient(&self) -> bool {
        let meaning = self.error_code().map(|code| Meaning::of(&code));
        matches!(meaning, Some(Meaning::Temporary | Meaning::SlowDown))
    }

    /// Whether the server does not have the endpoint, or does not answer this client there, and will not later (4xx).
    pub fn is_refusal(&self) -> bool {
        let is_temporary = matches!(self.status, 408 | 429);
        let is_from_server = !self.is_bot_check() && !self.is_region_block();
        (400..500).contains(&self.status) && !is_temporary && is_from_server
    }

    /// Returns the error to show for an unsuccessful or unexpected response from `url`.
    pub fn error(&self, url: &str) -> Error {
        let (host, status) = (host(url), self.status);
        let error = |text: String| Error::new(Kind::Server, text).retry_after(self.retry_after);
        match (status, self.error_code()) {
            _ if self.is_bot_check() => {
                error(format!("a bot check in front of {host} answered instead ({status})"))
                    .hint("it depends on the network: try again later, from another network, or without a VPN")
            }
            _ if self.is_region_block() => {
                error(format!("{host} does not serve the country or region of this network ({status})"))
                    .hint("the login is unchanged; use a network or proxy in a country that is served")
            }
            (429, _) => error(format!("{host} asks for fewer requests (429)"))
                .hint("the next call after a pause tries again"),
            (500.., _) => {
                error(format!("{host} has an internal problem ({status})")).hint("try again later")
            }
            (300..400, _) => error(format!("{host} redirects to another address ({status})"))
                .hint("tokens are not sent to other addresses; check for a proxy or a sign-in page of this network"),
            (_, Some(code)) => {
                let code = self.without_secrets(&code);
                error(format!("{host} answered {status}: {code}{}", self.description()))
            }
            (_, None) if let Some(message) = self.error_message() => {
                error(format!("{host} answered {status}: {message}"))
            }
            (_, None) => {
                let what = if self.is_web_page() { "a web page" } else { "something unexpected" };
                error(format!("{host} answered with {what} ({status})"))
                    .hint("a proxy, a bot check or the sign-in page of this network may have answered instead")
            }
        }
    }
}

/// How far `Date` and `iat` may differ, in seconds: some servers date tokens back a little.
const DATE_TOLERANCE: u64 = 60;

/// Returns how many seconds the server's clock is ahead of this machine's, for a token that the server issued at `iat`.
///
/// A clock that is ahead makes the token expire sooner here, so the token's own `iat` suffices. One that is behind makes it
/// last longer here than its `exp` says. `Date`, which a proxy may have set, must then agree with `iat`.
fn skew(date_skew: Option<i64>, iat: Option<i64>, now: i64) -> i64 {
    let Some(by_token) = iat.map(|iat| iat.saturating_sub(now)) else { return 0 };
    let is_behind = |skew: &i64| {
        (-FURTHEST_BEHIND..0).contains(skew) && skew.abs_diff(by_token) <= DATE_TOLERANCE
    };
    if by_token >= 0 {
        by_token
    } else {
        date_skew.filter(is_behind).map_or(0, |skew| skew.max(by_token))
    }
}

/// Reads a number of seconds, which some servers send as text or with a fraction.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
pub(super) fn seconds(value: &Value) -> Option<i64> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    seconds.filter(|seconds| seconds.is_finite()).map(|seconds| seconds as i64)
}

/// Returns at most 200 characters of a server's text, safe on a terminal.
pub(super) fn printable(text: &str) -> String {
    visible(text).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(body: &str) -> Response {
        Response::of(400, body)
    }

    #[test]
    fn date_counts_only_where_the_new_token_agrees() {
        const NOW: i64 = 1_800_000_000;
        const HOUR: i64 = 3600;
        // The skew by `Date`, the token's `iat` relative to now, and the skew that counts.
        for (date, iat, expected) in [
            (Some(0), 0, 0),
            (Some(HOUR), HOUR, HOUR),
            (Some(-HOUR), -HOUR, -HOUR),
            (Some(-8 * HOUR), -8 * HOUR, -8 * HOUR),
            (Some(-300), -330, -300),
            (Some(-330), -300, -300),
            (None, HOUR, HOUR),
            (None, -HOUR, 0),
            (Some(0), -HOUR, 0),
            (Some(-HOUR), 0, 0),
            (Some(-HOUR), -2 * HOUR, 0),
            (Some(-27 * 365 * 24 * HOUR), 0, 0),
            (Some(-27 * 365 * 24 * HOUR), -27 * 365 * 24 * HOUR, 0),
            (Some(72 * 365 * 24 * HOUR), 0, 0),
            (Some(-25 * HOUR), -25 * HOUR, 0),
            (Some(i64::MIN), i64::MIN, 0),
        ] {
            assert_eq!(skew(date, Some(NOW.saturating_add(iat)), NOW), expected, "{date:?} {iat}");
        }
        assert_eq!(skew(Some(-HOUR), None, NOW), 0, "a token without iat");
    }

    #[test]
    fn error_code_is_found_in_each_place() {
        for body in [
            r#"{"error":{"code":"x"}}"#,
            r#"{"error":"x"}"#,
            r#"{"detail":{"code":"x"}}"#,
            r#"{"code":"x"}"#,
            r#"{"error":{"code":null},"code":"x"}"#,
        ] {
            assert_eq!(response(body).error_code().as_deref(), Some("x"), "{body}");
        }
        assert_eq!(response("<html>").error_code(), None);
    }

    #[test]
    fn message_of_the_server_is_shown_from_each_place() {
        for body in [
            r#"{"error":"x","error_description":"no more"}"#,
            r#"{"error":{"code":"x","message":"no more"}}"#,
            r#"{"detail":{"code":"x","message":"no more"}}"#,
            r#"{"code":"x","message":"no more"}"#,
            r#"{"error":"x","detail":"no more"}"#,
        ] {
            let text = response(body).error("https://a.example/token").text();
            assert_eq!(text, "a.example answered 400: x (no more)", "{body}");
        }
        let text = response(r#"{"detail":"no more"}"#).error("https://a.example/token").text();
        assert_eq!(text, "a.example answered 400: no more");
    }

    #[test]
    fn secret_that_the_server_repeats_is_removed_from_an_error() {
        let body = r#"{"error":"x","message":"unknown token 'rt_1'"}"#;
        let response = Response { sent: vec!["rt_1".into()], ..response(body) };
        let text = response.error("https://a.example/token").text();
        assert_eq!(text, "a.example answered 400: x (unknown token '...')");
    }

    #[test]
    fn text_of_a_server_is_shown_without_secrets_and_with_visible_control_characters() {
        let sent = vec![Secret::from("short-secret"), Secret::from("is")];
        let response = Response { sent, ..response("{}") };
        let token = "rt_0123456789012345678901234567890123456789";
        let text = format!("the token {token} of 'short-secret' is used");
        assert_eq!(response.without_secrets(&text), "the token ... of '...' is used");
        assert_eq!(response.without_secrets("a\u{1b}[2J\u{202e}b\nc"), r"a\u{1b}[2J\u{202e}b c");
    }

    #[test]
    fn seconds_are_read_from_any_form_of_a_number() {
        for (value, expected) in [
            ("3600", Some(3600)),
            ("3600.0", Some(3600)),
            (r#"" 3600.5 ""#, Some(3600)),
            ("-1", Some(-1)),
            ("0", Some(0)),
            ("1e300", Some(i64::MAX)),
            (r#""inf""#, None),
            (r#""soon""#, None),
            (r#""""#, None),
            ("null", None),
            ("[3600]", None),
        ] {
            let value: Value = serde_json::from_str(value).unwrap();
            assert_eq!(seconds(&value), expected, "{value}");
        }
    }

    #[test]
    fn lifetime_of_zero_says_nothing_and_a_negative_one_has_ended() {
        let end = |lifetime: &str| {
            let body = format!(r#"{{"access_token":"a","expires_in":{lifetime}}}"#);
            let tokens = Response::of(200, &body).tokens().unwrap();
            tokens.expires_at.map(|end| end - tokens.issued_at.unwrap())
        };
        assert_eq!(end("3600.9"), Some(3600));
        assert_eq!(end("-5"), Some(-5));
        for lifetime in ["0", "\"0\"", "null", "\"\"", "1e300"] {
            assert_eq!(end(lifetime), None, "{lifetime}");
        }
    }

    #[test]
    fn error_with_a_success_status_is_no_success() {
        for (body, is_success) in [
            (r#"{"error":"authorization_pending","interval":5}"#, false),
            (r#"{"error":{"code":"x"}}"#, false),
            (r#"{"error":"x","access_token":"a"}"#, true),
            (r#"{"error":"","scope":""}"#, true),
            (r#"{"error":null}"#, true),
            (r#"{"code":"x"}"#, true),
            ("", true),
            ("<html>", true),
        ] {
            assert_eq!(Response::of(200, body).is_success(), is_success, "{body}");
        }
    }
}
