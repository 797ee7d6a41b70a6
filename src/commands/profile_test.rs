//! `profile test`: asks the issuer for a device code and checks the storage.

use crate::clock::Deadline;
use crate::error::Result;
use crate::profile::Profile;
use crate::renewal::server::AuthorizationServer;
use crate::values::EndpointUrl;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::time::Duration;

const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The result of each check, by name.
pub struct ProfileTest(Vec<Check>);

type Check = (&'static str, Result<String>);

impl ProfileTest {
    pub fn of(profile: &Profile) -> Self {
        let mut checks = vec![("profile", Ok(profile.name.clone()))];
        match AuthorizationServer::new(profile) {
            Ok(server) => check_server(&server, &mut checks),
            Err(error) => checks.push(("network", Err(error))),
        }
        checks.push(("hosts", Ok(hosts(profile))));
        checks.push(("storage", storage(profile)));
        Self(checks)
    }

    /// Returns the report and the exit code, which is that of the first failure.
    pub fn report(&self, as_json: bool) -> (String, u8) {
        let mut failures = self.0.iter().filter_map(|(_, result)| result.as_ref().err());
        let code = failures.next().map_or(0, |error| error.kind.exit_code());
        if as_json {
            let member = |(name, result): &Check| {
                let value = match result {
                    Ok(found) => json!({ "ok": true, "found": found }),
                    Err(error) => json!({ "ok": false, "error": error }),
                };
                ((*name).to_owned(), value)
            };
            let object: Map<String, Value> = self.0.iter().map(member).collect();
            return (format!("{}\n", Value::from(object)), code);
        }
        let mut text = String::new();
        for (name, result) in &self.0 {
            let found = match result {
                Ok(found) => found.clone(),
                Err(error) => {
                    let hint = error.hint.as_ref().map(|hint| format!(" ({hint})"));
                    format!("FAILED: {}{}", error.text(), hint.unwrap_or_default())
                }
            };
            writeln!(text, "{name:<12}{found}").expect("a string accepts every write");
        }
        (text, code)
    }
}

fn check_server(server: &AuthorizationServer, checks: &mut Vec<Check>) {
    if server.profile.standard.is_some() {
        let (endpoints, discovered) = match server.endpoints() {
            Ok((endpoints, discovered)) => (endpoints, discovered.map(str::to_owned)),
            Err(error) => return checks.push(("discovery", Err(error))),
        };
        let not_needed = || "not needed: the profile has the endpoints".to_owned();
        checks.push(("discovery", Ok(discovered.unwrap_or_else(not_needed))));
        let mut check = |name, endpoint: Option<EndpointUrl>, without: &str| {
            checks.push((name, Ok(endpoint.map_or_else(|| without.to_owned(), String::from))));
        };
        check("tokens", endpoints.token_endpoint, "no endpoint");
        check(
            "revocation",
            endpoints.revocation_endpoint,
            "no endpoint: logout cannot revoke a login",
        );
        check("userinfo", endpoints.userinfo_endpoint, "no endpoint");
        check("keys", endpoints.jwks_uri, "no URL: ID tokens are not stored");
    }
    // Only a real request shows that this client gets a device code. The code expires unused.
    let offered = |uri: String| format!("offered, at {uri}");
    checks.push((
        "device",
        server.start().map(|pending| offered(pending.verification.verification_uri)),
    ));
}

fn hosts(profile: &Profile) -> String {
    if profile.settings.hosts.is_empty() {
        return "none: only requests with --profile get its tokens".into();
    }
    profile.settings.hosts.join(" ")
}

/// Checks that a login could be written.
pub(super) fn storage(profile: &Profile) -> Result<String> {
    let storage = &profile.storage;
    storage.sign_in_dir().create()?;
    let described = storage.describe()?;
    if storage.shared().read_only_error()?.is_some() {
        return Ok(format!("{described} can be read; this host does not write there"));
    }
    storage.hold(&Deadline::after(LOCK_TIMEOUT))?.probe()?;
    Ok(format!("{described} can be written"))
}
