//! What an answer says: its error code, where it has one, and how to speak of it.

use super::http::{Reply, host};
use crate::clock;
use crate::error::{Error, Kind};
use crate::tokens::{Grant, Secret};
use serde_json::Value;

impl Reply {
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
    pub fn grant(&self) -> Option<Grant> {
        let json = self.json()?;
        let token = |name| {
            let token = json.get(name)?.as_str()?;
            // A token is printed on one line and sent in a header; what could break out of either is none.
            let plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
            plain.then(|| Secret::from(token))
        };
        let now = clock::now();
        let lifetime = number(&json["expires_in"]).and_then(|seconds| i64::try_from(seconds).ok());
        let grant = Grant {
            id_token: token("id_token"),
            access_token: token("access_token"),
            refresh_token: token("refresh_token"),
            issued_at: Some(now),
            expires_at: lifetime.and_then(|lifetime| now.checked_add(lifetime)),
            skew: self.skew,
            account: None,
        };
        (grant.access_token.is_some() || grant.refresh_token.is_some()).then_some(grant)
    }

    /// The answer as a failure of the server's, in words.
    pub fn error(&self, url: &str) -> Error {
        let (host, status) = (host(url), self.status);
        let error = |text: String| Error::new(Kind::Server, text);
        match (status, self.error_code()) {
            (429, _) => error(format!("{host} asks for fewer requests (429)"))
                .hint("it will be tried again by itself after a pause"),
            (500.., _) => {
                error(format!("{host} is in trouble ({status})")).hint("try again in a while")
            }
            (300..400, _) => error(format!("{host} redirects to another address ({status})"))
                .hint("tokens are not sent on; is a proxy or a sign-in page in between?"),
            (_, Some(code)) => error(format!("{host} answered {status}: {}", printable(&code))),
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

/// Text from outside, made safe for a terminal and short.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn reply(body: &str) -> Reply {
        Reply { status: 400, body: Zeroizing::new(body.into()), ..Reply::default() }
    }

    #[test]
    fn the_error_code_is_found_in_each_of_its_places() {
        for body in [r#"{"error":{"code":"x"}}"#, r#"{"error":"x"}"#, r#"{"code":"x"}"#] {
            assert_eq!(reply(body).error_code().as_deref(), Some("x"), "{body}");
        }
        assert_eq!(reply("<html>").error_code(), None);
    }

    #[test]
    fn a_token_that_could_break_a_protocol_line_is_no_token() {
        assert!(reply(r#"{"access_token":"a\npassword=b"}"#).grant().is_none());
        assert!(reply(r#"{"access_token":"a b"}"#).grant().is_none());
        assert!(reply(r#"{"access_token":"a"}"#).grant().is_some());
    }
}
