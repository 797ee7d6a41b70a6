//! What an answer says: its error code, where it has one, and how to speak of it.

use crate::clock;
use crate::error::{Error, Kind};
use crate::oauth::http::Response;
use crate::tokens::{Secret, TokenResponse, is_plain, wipe};
use crate::urls::host;
use serde_json::Value;

impl Response {
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The error code: `error` (RFC 6749, section 5.2), `error.code` or `code` (auth.openai.com).
    pub fn error_code(&self) -> Option<String> {
        let json = self.json()?;
        let code = [json.pointer("/error/code"), json.get("error"), json.get("code")];
        code.into_iter().flatten().find_map(Value::as_str).map(str::to_owned)
    }

    /// The tokens of a successful answer; `None` when there is no access or refresh token in it.
    pub fn tokens(&self) -> Option<TokenResponse> {
        let mut json = self.json()?;
        let tokens = self.granted(&json);
        wipe(&mut json);
        tokens
    }

    fn granted(&self, json: &Value) -> Option<TokenResponse> {
        let token = |name| {
            let token = json.get(name)?.as_str()?;
            (!token.is_empty() && is_plain(token)).then(|| Secret::from(token))
        };
        let now = clock::now();
        let lifetime = number(&json["expires_in"]).and_then(|seconds| i64::try_from(seconds).ok());
        let tokens = TokenResponse {
            id_token: token("id_token"),
            access_token: token("access_token"),
            refresh_token: token("refresh_token"),
            issued_at: Some(now),
            expires_at: lifetime.and_then(|lifetime| now.checked_add(lifetime)),
            skew: self.skew,
            account: None,
        };
        (tokens.access_token.is_some() || tokens.refresh_token.is_some()).then_some(tokens)
    }

    /// A web page, for people.
    pub fn is_page(&self) -> bool {
        self.body.trim_ascii_start().starts_with(b"<")
    }

    /// What stands before the server wants to see a browser.
    fn is_bot_check(&self) -> bool {
        let page = || String::from_utf8_lossy(&self.body).contains("/cdn-cgi/challenge-platform/");
        self.is_challenge || (self.is_page() && page())
    }

    /// Whether the server turns down where the request comes from, whoever it is that asks.
    fn is_of_region(&self) -> bool {
        self.error_code().as_deref() == Some("unsupported_country_region_territory")
    }

    /// Whether the server itself answers the request, and not where it came from.
    pub fn is_to_the_request(&self) -> bool {
        !self.is_page() && !self.is_bot_check() && !self.is_of_region()
    }

    /// The answer as a failure of the server's, in words.
    pub fn error(&self, url: &str) -> Error {
        let (host, status) = (host(url), self.status);
        let error = |text: String| Error::new(Kind::Server, text).retry_after(self.retry_after);
        match (status, self.error_code()) {
            _ if self.is_bot_check() => {
                error(format!("a bot check in front of {host} answered in its place ({status})"))
                    .hint("it goes by the network: try in a while, or from another one, or without a VPN")
            }
            _ if self.is_of_region() => {
                error(format!("{host} does not serve the country or region of this network ({status})"))
                    .hint("the login is as it was; it goes on from a network, or by a proxy, that is served")
            }
            (429, _) => error(format!("{host} asks for fewer requests (429)"))
                .hint("it will be tried again by itself after a pause"),
            (500.., _) => {
                error(format!("{host} is in trouble ({status})")).hint("try again in a while")
            }
            (300..400, _) => error(format!("{host} redirects to another address ({status})"))
                .hint("tokens are not sent on; is a proxy or a sign-in page in between?"),
            (_, Some(code)) => error(format!("{host} answered {status}: {}", without_secrets(&code))),
            (_, None) if self.is_page() => {
                error(format!("a web page came in place of the answer of {host} ({status})"))
                    .hint("has this network, or a proxy, a sign-in page of its own? open any page in a browser")
            }
            (200..300, None) => {
                error(format!("{host} answered {status}, but not with what was asked for"))
                    .hint("a proxy may have answered in its place, or changed the answer")
            }
            (_, None) => {
                error(format!("{host} answered {status} without a reason it can be read from"))
                    .hint("a proxy or a bot check may have answered in its place")
            }
        }
    }
}

/// A number, or a string of one, as some servers have it.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Text from outside, made safe for a terminal and short: error codes, descriptions and URLs are of these characters (RFC
/// 6749, section 5.2).
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|&c| c == ' ' || c.is_ascii_graphic()).take(200).collect()
}

/// As [`printable`], of a server that may give back what it was sent: a word too long for one may be a secret.
pub(super) fn without_secrets(text: &str) -> String {
    let words = text.split_whitespace().map(|word| if word.len() > 40 { "..." } else { word });
    printable(&words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn reply(body: &str) -> Response {
        Response { status: 400, body: Zeroizing::new(body.into()), ..Response::default() }
    }

    #[test]
    fn the_error_code_is_found_in_each_of_its_places() {
        for body in [r#"{"error":{"code":"x"}}"#, r#"{"error":"x"}"#, r#"{"code":"x"}"#] {
            assert_eq!(reply(body).error_code().as_deref(), Some("x"), "{body}");
        }
        assert_eq!(reply("<html>").error_code(), None);
    }

    #[test]
    fn what_a_server_says_is_no_place_for_a_secret_or_for_control_of_the_terminal() {
        let token = "rt_0123456789012345678901234567890123456789";
        let text = format!("the token {token} is spent");
        assert_eq!(without_secrets(&text), "the token ... is spent");
        assert_eq!(without_secrets("a\u{1b}[2J\u{202e}b\nc"), "a[2Jb c");
    }

    #[test]
    fn a_token_that_could_break_a_protocol_line_is_no_token() {
        assert!(reply(r#"{"access_token":"a\npassword=b"}"#).tokens().is_none());
        assert!(reply(r#"{"access_token":"a b"}"#).tokens().is_none());
        assert!(reply(r#"{"access_token":"a"}"#).tokens().is_some());
    }
}
