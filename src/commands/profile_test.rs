//! `profile test`: whether a login could be had and kept, found out by asking.

use crate::clock::Deadline;
use crate::error::Result;
use crate::profile::Profile;
use crate::renewal::server::AuthorizationServer;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// What was found, each under its name.
pub struct ProfileTest(Vec<(&'static str, Result<String>)>);

impl ProfileTest {
    pub fn of(profile: &Profile) -> Self {
        let mut found = vec![("profile", Ok(profile.name.clone()))];
        match AuthorizationServer::new(profile) {
            Ok(issuer) => server(&issuer, &mut found),
            Err(error) => found.push(("network", Err(error))),
        }
        found.push(("hosts", Ok(hosts(profile))));
        found.push(("storage", storage(profile)));
        Self(found)
    }

    /// The text or the JSON object of it, and the exit code: that of the first failure.
    pub fn report(&self, as_json: bool) -> (String, u8) {
        let failures = || self.0.iter().filter_map(|(_, found)| found.as_ref().err());
        let code = failures().next().map_or(0, |error| error.kind.exit_code());
        if as_json {
            let member = |(name, found): &(&str, Result<String>)| {
                let value = match found {
                    Ok(found) => json!({ "ok": true, "found": found }),
                    Err(error) => json!({ "ok": false, "error": error }),
                };
                ((*name).to_owned(), value)
            };
            let object: Map<String, Value> = self.0.iter().map(member).collect();
            return (format!("{}\n", Value::from(object)), code);
        }
        let mut text = String::new();
        for (name, found) in &self.0 {
            let found = match found {
                Ok(found) => found.clone(),
                Err(error) => {
                    let hint = error.hint.as_ref().map(|hint| format!(" ({hint})"));
                    format!("FAILED: {}{}", error.text(), hint.unwrap_or_default())
                }
            };
            writeln!(text, "{name:<12}{found}").expect("a string takes all");
        }
        (text, code)
    }
}

fn server(issuer: &AuthorizationServer, found: &mut Vec<(&'static str, Result<String>)>) {
    if issuer.profile.as_standard().is_some() {
        let (endpoints, discovered) = match issuer.endpoints() {
            Ok((endpoints, discovered)) => (endpoints, discovered.map(str::to_owned)),
            Err(error) => return found.push(("discovery", Err(error))),
        };
        let by_profile = || "not needed: the profile gives the endpoints".to_owned();
        found.push(("discovery", Ok(discovered.unwrap_or_else(by_profile))));
        let or = |endpoint: Option<String>, without: &str| {
            Ok(endpoint.unwrap_or_else(|| without.into()))
        };
        found.push(("tokens", or(endpoints.token, "no endpoint is told")));
        found.push((
            "revocation",
            or(endpoints.revocation, "no endpoint is told; logout cannot end a login there"),
        ));
        found.push(("userinfo", or(endpoints.userinfo, "no endpoint is told")));
        found.push(("keys", or(endpoints.jwks, "none are told; ID tokens are not stored")));
    }
    // The code is left to expire: nothing else shows that this client gets one.
    let offered = |uri: String| format!("offered, at {uri}");
    found.push((
        "device",
        issuer.start().map(|pending| offered(pending.verification.verification_uri)),
    ));
}

fn hosts(profile: &Profile) -> String {
    if profile.settings.hosts.is_empty() {
        return "none: its tokens are for those who name the profile".into();
    }
    profile.settings.hosts.join(" ")
}

pub(super) fn storage(profile: &Profile) -> Result<String> {
    let storage = &profile.storage;
    storage.login_dir()?.create()?;
    let login_dir = storage.describe()?;
    if storage.cannot_renew()?.is_some() {
        return Ok(format!("{login_dir} can be read; this host writes nothing there"));
    }
    storage.hold(&Deadline::after(PATIENCE))?.probe()?;
    Ok(format!("{login_dir} can be written"))
}
