//! Authorization server metadata (RFC 8414, OpenID Connect Discovery 1.0) and its cache.

use crate::client::Endpoints;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::oauth::http::{Http, Response};
use crate::oauth::response::printable;
use crate::urls::host;
use serde::{Deserialize, Serialize};

/// Bounds of `max-age` and its value if the response has none, in seconds.
const SHORTEST_MAX_AGE: i64 = 5 * 60;
const DEFAULT_MAX_AGE: i64 = 3600;
const LONGEST_MAX_AGE: i64 = 24 * 3600;

/// The members that this program uses (RFC 8414 §2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerMetadata {
    issuer: String,
    #[serde(flatten)]
    pub endpoints: Endpoints,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Metadata with what is needed to revalidate it (RFC 9111 §4.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CachedMetadata {
    pub metadata: ServerMetadata,
    pub url: String,
    etag: Option<String>,
    /// Seconds since the epoch.
    fetched_at: i64,
    /// In seconds.
    max_age: i64,
}

impl CachedMetadata {
    /// Whether the metadata can be used without a request at `now` (seconds since the epoch). False if the clock was
    /// set back behind the last fetch.
    pub fn is_fresh(&self, now: i64) -> bool {
        (self.fetched_at..self.fetched_at.saturating_add(self.max_age)).contains(&now)
    }

    pub fn is_for(&self, issuer: &str) -> bool {
        self.metadata.issuer == issuer
    }

    fn new(url: &str, response: &Response, metadata: ServerMetadata) -> Self {
        let max_age =
            response.max_age.unwrap_or(DEFAULT_MAX_AGE).clamp(SHORTEST_MAX_AGE, LONGEST_MAX_AGE);
        let (url, etag) = (url.to_owned(), response.etag.clone());
        Self { metadata, url, etag, fetched_at: clock::now(), max_age }
    }
}

impl ServerMetadata {
    /// Whether the server takes the client secret only in the body. RFC 6749 §2.3.1 prefers the header.
    pub fn needs_secret_in_body(&self) -> bool {
        self.token_endpoint_auth_methods_supported.as_ref().is_some_and(|methods| {
            let has = |name: &str| methods.iter().any(|method| method == name);
            has("client_secret_post") && !has("client_secret_basic")
        })
    }
}

/// Returns the well-known URLs: RFC 8414 §3.1 puts the issuer's path last, OpenID Connect puts it first.
fn well_known_urls(issuer: &str) -> [String; 2] {
    let issuer = issuer.trim_end_matches('/');
    let path_at =
        issuer.find("://").and_then(|at| issuer[at + 3..].find('/').map(|path| at + 3 + path));
    let (origin, path) = issuer.split_at(path_at.unwrap_or(issuer.len()));
    [
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{issuer}/.well-known/openid-configuration"),
    ]
}

/// Gets the issuer's metadata, or revalidates `cached`. If the issuer cannot be reached, `cached` stays in use.
///
/// # Errors
/// `Configuration` if the metadata is for another issuer or the issuer publishes none.
pub fn discover(
    http: &Http,
    issuer: &str,
    cached: Option<CachedMetadata>,
) -> Result<CachedMetadata> {
    if let Some(cached) = cached.filter(|cached| cached.is_for(issuer)) {
        return match http.get(&cached.url, cached.etag.as_deref()) {
            Ok(response) if response.status == 304 => {
                let etag = response.etag.clone().or(cached.etag);
                let revalidated = CachedMetadata::new(&cached.url, &response, cached.metadata);
                Ok(CachedMetadata { etag, ..revalidated })
            }
            Ok(response) if response.status == 200 => read(&response, issuer, &cached.url),
            Ok(response) if (400..500).contains(&response.status) => fetch(http, issuer),
            _ => Ok(cached),
        };
    }
    fetch(http, issuer)
}

fn fetch(http: &Http, issuer: &str) -> Result<CachedMetadata> {
    let mut last_error = None;
    for url in well_known_urls(issuer) {
        let response = http.get(&url, None)?;
        match response.status {
            200 => match read(&response, issuer, &url) {
                Ok(metadata) => return Ok(metadata),
                // A web page at the first URL does not mean that the second has no metadata.
                Err(error) if error.kind == Kind::Server => last_error = Some(error),
                Err(error) => return Err(error),
            },
            400..500 if response.status != 429 => {}
            _ => last_error = Some(response.error(&url)),
        }
    }
    Err(last_error.unwrap_or_else(|| {
        let what = format!("{} does not publish its endpoints (no discovery)", host(issuer));
        Error::new(Kind::Configuration, what).hint(
            "check issuer, or set token_endpoint and device_authorization_endpoint in the profile",
        )
    }))
}

fn read(response: &Response, issuer: &str, url: &str) -> Result<CachedMetadata> {
    let metadata: ServerMetadata = serde_json::from_slice(&response.body).map_err(|error| {
        let why = printable(&error.to_string());
        let what = format!("{url} did not send the metadata of an authorization server ({why})");
        Error::new(Kind::Server, what).hint("a proxy or a sign-in page may have answered instead")
    })?;
    // Compared exactly (RFC 8414 §3.3).
    if metadata.issuer != issuer {
        let found = printable(&metadata.issuer);
        let what = format!("{url} is for the issuer {found:?}, not for {issuer:?}");
        return Err(Error::new(Kind::Configuration, what).hint(
            "write issuer in the profile exactly as the server does, including a final slash",
        ));
    }
    Ok(CachedMetadata::new(url, response, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_of_the_issuer_is_last_for_oauth_and_first_for_openid() {
        assert_eq!(
            well_known_urls("https://a.example/realms/x/"),
            [
                "https://a.example/.well-known/oauth-authorization-server/realms/x",
                "https://a.example/realms/x/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            well_known_urls("https://a.example"),
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn metadata_is_fresh_for_at_least_minutes_and_at_most_a_day() {
        let metadata: ServerMetadata =
            serde_json::from_str(r#"{"issuer":"https://a.example"}"#).unwrap();
        for (max_age, fresh_for) in [
            (Some(0), SHORTEST_MAX_AGE),
            (None, DEFAULT_MAX_AGE),
            (Some(600), 600),
            (Some(1 << 40), LONGEST_MAX_AGE),
        ] {
            let response = Response { max_age, ..Response::default() };
            let cached = CachedMetadata::new("https://a.example", &response, metadata.clone());
            let at = cached.fetched_at;
            assert!(cached.is_fresh(at + fresh_for - 1), "{max_age:?}");
            assert!(!cached.is_fresh(at + fresh_for), "{max_age:?}");
            assert!(!cached.is_fresh(at - 1), "the clock was set back");
        }
    }
}
