//! What the user needs to approve a sign-in: a page, and with a device code its user code (RFC 8628 §3.3).

use crate::urls::is_plain;
use crate::visible::without_hidden;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

/// Every text in it can be shown, also when it was read from a file or from etcd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Why the user is asked, unless the reason is only that nobody is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "without_hidden")]
    pub reason: Option<String>,
    #[serde(deserialize_with = "web_page")]
    pub verification_uri: String,
    /// `verification_uri` with the user code filled in, if the server offers it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_web_page"
    )]
    pub verification_uri_complete: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "user_code")]
    pub user_code: Option<String>,
    /// Seconds since the Unix epoch; RFC 3339 in JSON.
    #[serde(with = "crate::clock::as_rfc3339")]
    pub expires_at: i64,
}

impl Verification {
    /// Says where to sign in: `sign in at URL with the code CODE`.
    pub fn instruction(&self) -> String {
        let code = self.user_code.as_ref().map(|code| format!(" with the code {code}"));
        format!("sign in at {}{}", self.verification_uri, code.unwrap_or_default())
    }
}

/// Whether `code` fits on one line of a terminal and in a one-line error.
pub fn is_user_code(code: &str) -> bool {
    (1..=64).contains(&code.len())
        && code.chars().all(|c| c == ' ' || c.is_ascii_graphic())
        && code.trim().len() == code.len()
}

/// Whether `url` can be shown on one line and opened in a browser, and names the host that the browser will open.
pub fn is_web_page(url: &str) -> bool {
    let is_page = |url: &Url| {
        ["https", "http"].contains(&url.scheme())
            && url.username().is_empty()
            && url.password().is_none()
    };
    Url::parse(url).is_ok_and(|parsed| is_page(&parsed) && is_plain(url, &parsed))
}

fn web_page<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let url = String::deserialize(from)?;
    if is_web_page(&url) { Ok(url) } else { Err(D::Error::custom("not the URL of a web page")) }
}

fn optional_web_page<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::deserialize(from)?.filter(|url: &String| is_web_page(url)))
}

fn user_code<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let code = Option::deserialize(from)?;
    let is_shown = code.as_ref().is_none_or(|code: &String| is_user_code(code));
    if is_shown { Ok(code) } else { Err(D::Error::custom("not a user code")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const HIDDEN: [&str; 9] = [
        "\u{1b}[2J",
        "\n",
        "\u{9b}2J",
        "\u{202e}",
        "\u{2066}",
        "\u{200f}",
        "\u{61c}",
        "\u{200b}",
        "\u{feff}",
    ];

    #[test]
    fn page_that_cannot_be_shown_or_opened_is_refused() {
        for url in ["https://a.example/device?user_code=A-B", "http://127.0.0.1:1/codex/device"] {
            assert!(is_web_page(url), "{url}");
        }
        for url in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://a.example@evil.example/",
            "https://a.example\\@evil.example/",
            "https:evil.example",
            "https:///evil.example",
            "https://a.example/ b",
            "https://b\u{fc}cher.example/",
            "https://\u{430}.example/",
            "https://0x7f000001/",
            "",
        ] {
            assert!(!is_web_page(url), "{url}");
        }
        for hidden in HIDDEN {
            for url in
                [format!("https://a.example/{hidden}"), format!("https://a{hidden}.example/")]
            {
                assert!(!is_web_page(&url), "{url:?}");
            }
        }
    }

    #[test]
    fn record_with_a_text_that_cannot_be_shown_is_not_read() {
        let good = json!({
            "reason": "why", "verification_uri": "https://a.example/", "user_code": "A-B",
            "verification_uri_complete": "https://a.example/?c=A-B", "expires_at": "2030-01-01T00:00:00Z",
        });
        let read = |value: &Value| serde_json::from_value::<Verification>(value.clone());
        assert_eq!(json!(read(&good).unwrap()), good);
        for member in ["reason", "verification_uri", "user_code"] {
            for hidden in HIDDEN {
                let mut bad = good.clone();
                bad[member] = format!("{}{hidden}", good[member].as_str().unwrap()).into();
                assert!(read(&bad).is_err(), "{bad}");
            }
        }
        let mut bad = good.clone();
        bad["verification_uri_complete"] = "https://a.example/\u{202e}".into();
        assert_eq!(read(&bad).unwrap().verification_uri_complete, None);
    }
}
