//! `fleet status`: the hosts that share the login, by what they left in the storage. Changes nothing.

use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::shared::{FleetStatus, HostAction};
use crate::ui::time_left;
use serde_json::{Value, json};
use std::fmt::Write;

pub struct Status {
    fleet: FleetStatus,
    login: Option<Login>,
}

impl Status {
    /// # Errors
    /// `Usage` where the login is shared with no other host.
    pub fn of(profile: &Profile) -> Result<Self> {
        let Some(shared) = profile.storage.shared() else {
            let what = format!("the login is kept in {}", profile.storage.describe()?);
            return Err(Error::new(Kind::Usage, format!("{what}, which no other host shares"))
                .hint("docs/fleet.md tells how hosts share one"));
        };
        Ok(Self { fleet: shared.status()?, login: profile.storage.load()? })
    }

    pub fn text(&self) -> String {
        let now = clock::now();
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            writeln!(text, "{name:<12}{value}").expect("a string takes all");
        };
        let told =
            |deed: &HostAction| format!("{}, {} ago", deed.host.name, time_left(now - deed.at));
        match &self.fleet.last {
            Some(last) => {
                line("generation", &last.generation.to_string());
                line("renewed by", &told(last));
            }
            None => line("generation", "none: nobody is signed in"),
        }
        if let Some(login) = &self.login {
            let time = |at: Option<i64>| at.map_or("unknown".into(), clock::rfc3339);
            line("valid until", &time(login.lifetime().expires_at));
            line("renews at", &time(login.renew_at()));
        }
        if let Some(lock) = &self.fleet.lock {
            line("renews now", &told(lock));
        }
        if let Some(intent) = &self.fleet.intent {
            line("no answer", &format!("to the request of {}", told(intent)));
        }
        if let Some(verification) = &self.fleet.pending {
            let (uri, code) = (&verification.verification_uri, &verification.user_code);
            let left = time_left(verification.expires_at - now);
            line("pending", &format!("sign in at {uri} with the code {code} ({left} left)"));
        }
        for deed in &self.fleet.hosts {
            line("host", &format!("{} (generation {})", told(deed), deed.generation));
        }
        text
    }

    pub fn json(&self) -> Value {
        let fleet = &self.fleet;
        let deed = |deed: &HostAction| {
            json!({
                "host": deed.host.name, "id": deed.host.id, "generation": deed.generation,
                "at": clock::rfc3339(deed.at),
            })
        };
        let time = |at: Option<i64>| at.map(clock::rfc3339);
        let login = self.login.as_ref();
        json!({
            "generation": fleet.last.as_ref().map(|last| last.generation),
            "age": fleet.last.as_ref().map(|last| clock::now() - last.at),
            "renewed": fleet.last.as_ref().map(deed),
            "expires_at": time(login.and_then(|login| login.lifetime().expires_at)),
            "renews_at": time(login.and_then(Login::renew_at)),
            "lock": fleet.lock.as_ref().map(deed),
            "unanswered": fleet.intent.as_ref().map(deed),
            "pending": fleet.pending,
            "hosts": fleet.hosts.iter().map(deed).collect::<Vec<_>>(),
        })
    }
}
