//! What an issuer says of itself (RFC 8414; OpenID Connect Discovery 1.0), kept for as long as it says, an hour where it
//! does not.

use crate::client::Endpoints;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::oauth::http::{Http, Response};
use crate::oauth::response::printable;
use crate::urls::host;
use crate::urls::is_secure;
use serde::{Deserialize, Serialize};

/// Seconds. No request costs more than the first minutes of it save, and no endpoint moves unseen for longer than
/// a day.
const SHORTEST: i64 = 5 * 60;
const DEFAULT: i64 = 3600;
const LONGEST: i64 = 24 * 3600;

/// The members this program uses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Metadata {
    issuer: String,
    device_authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    jwks_uri: Option<String>,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// A document, and what it takes to ask whether it is still the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Discovered {
    pub metadata: Metadata,
    pub url: String,
    etag: Option<String>,
    /// Seconds since the epoch.
    asked_at: i64,
    fresh_for: i64,
}

impl Discovered {
    /// At `now`, seconds since the epoch by a clock that may have been set meanwhile.
    pub fn is_fresh(&self, now: i64) -> bool {
        (self.asked_at..self.asked_at.saturating_add(self.fresh_for)).contains(&now)
    }

    pub fn is_of(&self, issuer: &str) -> bool {
        self.metadata.issuer == issuer
    }

    fn of(url: &str, reply: &Response, metadata: Metadata) -> Self {
        let fresh_for = reply.max_age.unwrap_or(DEFAULT).clamp(SHORTEST, LONGEST);
        let (url, etag) = (url.to_owned(), reply.etag.clone());
        Self { metadata, url, etag, asked_at: clock::now(), fresh_for }
    }
}

impl Metadata {
    pub fn endpoints(&self) -> Endpoints {
        Endpoints {
            device_authorization: self.device_authorization_endpoint.clone(),
            token: self.token_endpoint.clone(),
            revocation: self.revocation_endpoint.clone(),
            jwks: self.jwks_uri.clone(),
            userinfo: self.userinfo_endpoint.clone(),
        }
    }

    /// Whether a client's secret has to go into the body. (What RFC 6749 prefers is the header.)
    pub fn wants_secret_in_body(&self) -> bool {
        self.token_endpoint_auth_methods_supported.as_ref().is_some_and(|methods| {
            let has = |method: &str| methods.iter().any(|offered| offered == method);
            has("client_secret_post") && !has("client_secret_basic")
        })
    }

    /// RFC 8414, section 3.3: exactly what was asked for, or it speaks for somebody else.
    fn check(&self, issuer: &str, url: &str) -> Result<()> {
        if self.issuer != issuer {
            let other = printable(&self.issuer);
            let what = format!("{url} speaks for the issuer {other:?}, not for {issuer:?}");
            return Err(Error::new(Kind::Configuration, what)
                .hint("issuer has to be written exactly as the server has it, to the last slash"));
        }
        let Endpoints { device_authorization, token, revocation, jwks, userinfo } =
            self.endpoints();
        let named = [device_authorization, token, revocation, jwks, userinfo];
        for endpoint in named.into_iter().flatten() {
            if !is_secure(&endpoint) {
                let what =
                    format!("{url} names an endpoint without https: {}", printable(&endpoint));
                return Err(Error::new(Kind::Server, what).hint("no token is sent there"));
            }
        }
        Ok(())
    }
}

/// Where it may be told: RFC 8414, section 3.1, puts the path behind, OpenID in front.
fn addresses(issuer: &str) -> [String; 2] {
    let plain = issuer.trim_end_matches('/');
    let path_at =
        plain.find("://").and_then(|at| plain[at + 3..].find('/').map(|path| at + 3 + path));
    let (origin, path) = plain.split_at(path_at.unwrap_or(plain.len()));
    [
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{plain}/.well-known/openid-configuration"),
    ]
}

/// Asks the issuer, or asks it whether `known` still holds. Where there is no answer, what is known goes on to hold.
///
/// # Errors
/// `Configuration` when the server is not the issuer that was asked for, or tells nothing.
pub fn discover(http: &Http, issuer: &str, known: Option<Discovered>) -> Result<Discovered> {
    if let Some(known) = known.filter(|known| known.is_of(issuer)) {
        return match http.get(&known.url, known.etag.as_deref()) {
            Ok(reply) if reply.status == 304 => {
                let etag = reply.etag.clone().or(known.etag);
                let again = Discovered::of(&known.url, &reply, known.metadata);
                Ok(Discovered { etag, ..again })
            }
            Ok(reply) if reply.status == 200 => read(&reply, issuer, &known.url),
            Ok(reply) if (400..500).contains(&reply.status) => ask(http, issuer),
            _ => Ok(known),
        };
    }
    ask(http, issuer)
}

fn ask(http: &Http, issuer: &str) -> Result<Discovered> {
    let mut last = None;
    for url in addresses(issuer) {
        let reply = http.get(&url, None)?;
        match reply.status {
            200 => match read(&reply, issuer, &url) {
                Ok(discovered) => return Ok(discovered),
                // A page for people in its place is no word of the issuer.
                Err(error) if error.kind == Kind::Server => last = Some(error),
                Err(error) => return Err(error),
            },
            400..500 if reply.status != 429 => {}
            _ => last = Some(reply.error(&url)),
        }
    }
    Err(last.unwrap_or_else(|| {
        let what = format!("{} does not tell its endpoints (no discovery)", host(issuer));
        Error::new(Kind::Configuration, what).hint(
            "check issuer, or give token_endpoint and device_authorization_endpoint in the profile",
        )
    }))
}

fn read(reply: &Response, issuer: &str, url: &str) -> Result<Discovered> {
    let metadata: Metadata = serde_json::from_slice(&reply.body).map_err(|_| {
        let what = format!("{url} is not the description of an authorization server");
        Error::new(Kind::Server, what)
            .hint("a proxy or a sign-in page may have answered in its place")
    })?;
    metadata.check(issuer, url)?;
    Ok(Discovered::of(url, reply, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_issuer_goes_behind_for_oauth_and_in_front_for_openid() {
        assert_eq!(
            addresses("https://a.example/realms/x/"),
            [
                "https://a.example/.well-known/oauth-authorization-server/realms/x",
                "https://a.example/realms/x/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            addresses("https://a.example"),
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn a_document_is_fresh_for_minutes_at_least_and_a_day_at_most() {
        let metadata: Metadata = serde_json::from_str(r#"{"issuer":"https://a.example"}"#).unwrap();
        for (max_age, fresh_for) in
            [(Some(0), SHORTEST), (None, DEFAULT), (Some(600), 600), (Some(1 << 40), LONGEST)]
        {
            let reply = Response { max_age, ..Response::default() };
            let discovered = Discovered::of("https://a.example", &reply, metadata.clone());
            let at = discovered.asked_at;
            assert!(discovered.is_fresh(at + fresh_for - 1), "{max_age:?}");
            assert!(!discovered.is_fresh(at + fresh_for), "{max_age:?}");
            assert!(!discovered.is_fresh(at - 1), "the clock was set back");
        }
    }
}
