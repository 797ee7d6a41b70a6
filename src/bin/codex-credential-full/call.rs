//! What a call means: its profile, how long it waits, and who can be asked.

use codex_credential::answer::credential::Credential;
use codex_credential::answer::other_hosts::OtherHosts;
use codex_credential::answer::target::Target;
use codex_credential::cli::{self, ProfileOptions};
use codex_credential::clock::Deadline;
use codex_credential::error::Result;
use codex_credential::profile::{Profile, ProfileSelection};
use codex_credential::renewal::caller::Caller;
use codex_credential::storage::keyring::KeyringTimeouts;
use codex_credential::ui::Interactive;
use codex_credential::ui::screen::{PromptOptions, Screen};
use std::ffi::OsString;
use std::time::Duration;

/// Where a person is asked: as long as a device code lives.
pub const PERSONS_PATIENCE: Duration = Duration::from_secs(15 * 60);

#[expect(clippy::disallowed_methods, reason = "the environment comes in here")]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A keyring is not waited for longer than the caller waits for us.
fn patience(wait: Option<Duration>) -> KeyringTimeouts {
    wait.map_or_else(KeyringTimeouts::default, KeyringTimeouts::of)
}

pub fn asked(whose: &ProfileOptions, wait: Option<Duration>) -> ProfileSelection {
    ProfileSelection {
        profile: whose.profile.clone(),
        config: whose.config.clone(),
        account: whose.account.clone(),
        host: None,
        keyring_timeouts: patience(wait),
    }
}

pub fn profile(whose: &ProfileOptions, wait: Option<Duration>) -> Result<Profile> {
    Profile::of(variable, asked(whose, wait))
}

/// The profile for a request, which may name a host, and a user of ours.
pub fn profile_for(
    whose: &ProfileOptions,
    wait: Option<Duration>,
    request: &Credential,
) -> Result<Profile> {
    let host = request.host.clone();
    let profile = Profile::of(variable, ProfileSelection { host, ..asked(whose, wait) })?;
    match &request.username {
        Some(name) if Target::of(&profile, request) == Target::Token => {
            profile.for_username(&String::from_utf8_lossy(name))
        }
        _ => Ok(profile),
    }
}

/// Where the credentials of other hosts are kept.
pub fn foreign(profile: &Profile, wait: Option<Duration>) -> OtherHosts {
    OtherHosts { storage: profile.other_hosts_storage, keyring_timeouts: patience(wait) }
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

pub fn extras(extras: &cli::PromptOptions) -> PromptOptions {
    PromptOptions { qr: extras.qr, open: extras.open }
}
