//! What a call means: its profile, how long it waits, and who can be asked.

use codex_credential::cli::{self, Whose};
use codex_credential::clock::Deadline;
use codex_credential::error::Result;
use codex_credential::helper::credential::Credential;
use codex_credential::helper::foreign::Foreign;
use codex_credential::helper::join::Caller;
use codex_credential::helper::meant::{Meant, meant};
use codex_credential::profile::{Asked, Profile};
use codex_credential::storage::keyring::Patience;
use codex_credential::ui::Interactive;
use codex_credential::ui::screen::{Extras, Screen};
use std::ffi::OsString;
use std::time::Duration;

/// Where a person is asked: as long as a device code lives.
pub const PERSONS_PATIENCE: Duration = Duration::from_secs(15 * 60);

#[expect(clippy::disallowed_methods, reason = "the environment comes in here")]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A keyring is not waited for longer than the caller waits for us.
fn patience(wait: Option<Duration>) -> Patience {
    wait.map_or_else(Patience::default, Patience::of)
}

pub fn asked(whose: &Whose, wait: Option<Duration>) -> Asked {
    Asked {
        profile: whose.profile.clone(),
        config: whose.config.clone(),
        account: whose.account.clone(),
        host: None,
        patience: patience(wait),
    }
}

pub fn profile(whose: &Whose, wait: Option<Duration>) -> Result<Profile> {
    Profile::of(variable, asked(whose, wait))
}

/// The profile for a request, which may name a host, and a user of ours.
pub fn profile_for(whose: &Whose, wait: Option<Duration>, request: &Credential) -> Result<Profile> {
    let host = request.host.clone();
    let profile = Profile::of(variable, Asked { host, ..asked(whose, wait) })?;
    match &request.username {
        Some(name) if meant(&profile, request) == Meant::Token => {
            profile.of_user(&String::from_utf8_lossy(name))
        }
        _ => Ok(profile),
    }
}

/// Where the credentials of other hosts are kept.
pub fn foreign(profile: &Profile, wait: Option<Duration>) -> Foreign {
    Foreign { storage: profile.git, patience: patience(wait) }
}

/// `deadline` is for a program that named no time.
pub fn caller(
    wait: &cli::Wait,
    deadline: Deadline,
    interactive: Interactive,
    screen: Screen,
) -> Caller {
    let is_persons = wait.wait.is_none() && screen.asks();
    Caller {
        deadline: if is_persons { Deadline::after(PERSONS_PATIENCE) } else { deadline },
        wait_is_explicit: wait.wait.is_some(),
        may_sign_in: interactive != Interactive::Never,
        screen,
    }
}

pub fn extras(extras: &cli::Extras) -> Extras {
    Extras { qr: extras.qr, open: extras.open }
}
