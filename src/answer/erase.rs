//! `erase`: rejects an access token, or removes the login here. `logout` also revokes the login at the server.

use crate::answer::credential::Credential;
use crate::answer::other_hosts::OtherHosts;
use crate::answer::target::Target;
use crate::audit::{self, Action};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::tokens::Fingerprint;
use crate::ui::{self, time_left};

/// Erases what `request` names. With a token, rejects the stored token if it is the same one, and the next `get` renews
/// the login. Without a token, removes the login. A request without a host erases nothing.
pub fn erase(
    profile: &Profile,
    other_hosts: &OtherHosts,
    request: &Credential,
    deadline: &Deadline,
) -> Result<()> {
    match Target::of(profile, request) {
        Target::OurHost => {}
        Target::ApiKey | Target::OtherHosts => {
            return other_hosts.erase(request, deadline).map(drop);
        }
        Target::Nothing if request.secret().is_some() => {
            return Err(Error::new(Kind::BadInput, "the request names no protocol and host"));
        }
        Target::Default | Target::Nothing => return Ok(()),
    }
    let matches = |login: &Login| {
        let is_named = |name: &Vec<u8>| login.account().is_named(&String::from_utf8_lossy(name));
        profile.matches_account(login) && request.username.as_ref().is_none_or(is_named)
    };
    let Some(login) = profile.storage.load()?.filter(matches) else { return Ok(()) };
    match request.secret() {
        Some(secret) => reject(profile, &login, &Fingerprint::of(secret)),
        // A misspelled password must not remove the login.
        None if request.unknown_attributes > 0 => {
            let what = "the request has no password, but an unknown attribute or a password before the url; \
                        nothing was removed";
            Err(Error::new(Kind::BadInput, what).run(
                "to reject a token, send it as password= or credential=; to remove the login",
                "codex-credential erase",
            ))
        }
        None => remove(profile, &login, &matches, deadline),
    }
}

/// Removes the login that `matches`. Waits for a running renewal, so that its result is removed too.
fn remove(
    profile: &Profile,
    login: &Login,
    matches: &dyn Fn(&Login) -> bool,
    deadline: &Deadline,
) -> Result<()> {
    // The default account may have changed while this process waited.
    let is_same = |stored: &Login| stored.account().is_same_as(&login.account()) && matches(stored);
    if profile.storage.hold(deadline)?.remove(&is_same, deadline)? {
        audit::note(profile, Action::Removal, Some(login), None);
    }
    Ok(())
}

/// Records that a resource server rejected the token with this fingerprint, if `login` still has that token. The next
/// `get` renews the login.
///
/// A token that is rejected soon after the last one was is not at fault: another one would be rejected as well. It is kept,
/// so that a server that rejects every token does not cost a renewal for each request.
pub fn reject(profile: &Profile, login: &Login, token: &Fingerprint) -> Result<()> {
    if !login.has_token(token) {
        return Ok(());
    }
    let Some(login_dir) = profile.storage.login_dir()? else { return Ok(()) };
    login_dir.create()?;
    let now = clock::now();
    let last = login_dir.rejected().last()?;
    if let Some(last) = last.as_ref().filter(|last| last.token != *token && now < last.next_at()) {
        let left = time_left(last.next_at() - now);
        ui::say("the server rejects new tokens too, so the token is kept");
        ui::line(&format!(
            "hint: check that {} may use this server; the token is renewed for a rejection again in {left}",
            login.username()
        ));
        return Ok(());
    }
    login_dir.rejected().count(last.as_ref(), token.clone())?;
    audit::note(profile, Action::Rejection, Some(login), None);
    Ok(())
}
