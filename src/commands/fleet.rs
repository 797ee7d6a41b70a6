//! `fleet status`: shows what the hosts that share a login did. Changes nothing in etcd.

use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::shared::{FleetStatus, HostAction};
use crate::ui::time_left;
use serde_json::{Value, json};
use std::fmt::Write;

/// Returns the report as text or as a JSON object.
///
/// # Errors
/// `Usage` when the storage of the profile is not shared.
pub fn status(profile: &Profile, as_json: bool) -> Result<String> {
    let Some(fleet) = profile.storage.shared().status()? else {
        let what = format!("the login in {} is not shared", profile.storage.describe()?);
        return Err(Error::new(Kind::Usage, what)
            .hint("to share a login with other hosts, see docs/fleet.md"));
    };
    let login = profile.storage.load()?;
    let login = login.as_ref();
    Ok(if as_json { format!("{}\n", json(&fleet, login)) } else { text(&fleet, login) })
}

fn text(fleet: &FleetStatus, login: Option<&Login>) -> String {
    let now = clock::now();
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        writeln!(text, "{name:<12}{value}").expect("writing to a string does not fail");
    };
    let who =
        |action: &HostAction| format!("{}, {} ago", action.host.name, time_left(now - action.at));
    match &fleet.last {
        Some(last) => {
            line("generation", &fleet.generation.to_string());
            line("renewed by", &who(last));
        }
        None => line("generation", "none: nobody is signed in"),
    }
    if let Some(login) = login {
        let time = |at: Option<i64>| at.map_or("unknown".into(), clock::rfc3339);
        line("valid until", &time(login.lifetime().expires_at));
        line("renews at", &time(login.renew_at()));
    }
    if let Some(lock) = &fleet.lock {
        line("locked by", &who(lock));
    }
    if let Some(intent) = &fleet.intent {
        line("unanswered", &format!("the refresh request of {}", who(intent)));
    }
    if let Some(verification) = &fleet.pending {
        let left = time_left(verification.expires_at - now);
        line("pending", &format!("{} ({left} left)", verification.instruction()));
    }
    text
}

fn json(fleet: &FleetStatus, login: Option<&Login>) -> Value {
    let action = |action: &HostAction| {
        json!({
            "host": action.host.name, "id": action.host.id, "at": clock::rfc3339(action.at),
        })
    };
    let time = |at: Option<i64>| at.map(clock::rfc3339);
    json!({
        "generation": fleet.generation,
        "age": fleet.last.as_ref().map(|last| clock::now() - last.at),
        "renewed": fleet.last.as_ref().map(action),
        "expires_at": time(login.and_then(|login| login.lifetime().expires_at)),
        "renews_at": time(login.and_then(Login::renew_at)),
        "lock": fleet.lock.as_ref().map(action),
        "unanswered": fleet.intent.as_ref().map(action),
        "pending": fleet.pending,
    })
}
