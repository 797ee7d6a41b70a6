//! Other hosts' credentials: what git stores with us for hosts that are not ours. This program keeps them as any storage
//! helper does (`gitcredentials(7)`), and never interprets a secret.

use crate::answer::credential::Credential;
use crate::clock::{self, Deadline};
use crate::error::Result;
use crate::folders::Folders;
use crate::storage::host_credentials::{
    GitStorage, HostCredentials, SecretBytes, StoredCredential,
};
use crate::tokens::{Fingerprint, Secret};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct OtherHosts {
    pub storage: GitStorage,
    pub keyring_timeout: Duration,
}

impl OtherHosts {
    /// Returns the best match for `request`: one with a secret before one without, one for the whole host before one
    /// with a path, then the latest.
    pub fn get(&self, request: &Credential, deadline: &Deadline) -> Result<Option<Credential>> {
        let Some(host) = self.host_credentials(request)? else { return Ok(None) };
        let now = clock::now();
        let credentials = host.read(deadline)?;
        let matching = credentials.iter().filter(|stored| matches(request, stored));
        let answers = matching.filter_map(|stored| Some((stored, answer(request, stored, now)?)));
        let best = answers
            .min_by_key(|(stored, answer)| (answer.secret().is_none(), stored.path.is_some()));
        Ok(best.map(|(_, answer)| answer))
    }

    /// Stores `given` and replaces the credential of the same path and username. A secret that `get` returned earlier
    /// is ignored, because it may be outdated by now.
    pub fn store(&self, given: &Credential, deadline: &Deadline) -> Result<()> {
        let now = clock::now();
        let Some(new) = to_store(given, now) else { return Ok(()) };
        let Some(host) = self.host_credentials(given)? else { return Ok(()) };
        host.change(deadline, |stored| with_new(stored, &new, now)).map(drop)
    }

    /// Removes every match. A credential whose secret differs from a secret in `request` does not match. Returns whether
    /// there was a match.
    pub fn erase(&self, request: &Credential, deadline: &Deadline) -> Result<bool> {
        let Some(host) = self.host_credentials(request)? else { return Ok(false) };
        let is_erased = |stored: &StoredCredential| {
            matches(request, stored)
                && agrees(exposed(request.password.as_ref()), stored.password.as_ref())
                && agrees(exposed(request.credential.as_ref()), stored.credential.as_ref())
        };
        host.change(deadline, |stored| {
            let rest: Vec<_> = stored.iter().filter(|one| !is_erased(one)).cloned().collect();
            (rest.len() < stored.len()).then_some(rest)
        })
    }

    /// Returns the store of the host in `request`; `None` without a host, or with storage `none`.
    fn host_credentials(&self, request: &Credential) -> Result<Option<HostCredentials>> {
        let (Some(protocol), Some(host)) = (&request.protocol, &request.host) else {
            return Ok(None);
        };
        let folders = Folders::of_user()?;
        Ok(HostCredentials::new(self.storage, &folders, self.keyring_timeout, (protocol, host)))
    }
}

/// Compares as git does: what the request names must be equal, everything else may have any value.
fn matches(request: &Credential, stored: &StoredCredential) -> bool {
    agrees(request.path.as_deref(), stored.path.as_ref())
        && agrees(request.username.as_deref(), stored.username.as_ref())
}

fn agrees(requested: Option<&[u8]>, stored: Option<&SecretBytes>) -> bool {
    requested.is_none_or(|requested| stored.is_some_and(|stored| stored.bytes() == requested))
}

fn exposed(secret: Option<&Secret<Vec<u8>>>) -> Option<&[u8]> {
    secret.map(|secret| secret.expose().as_slice())
}

fn is_expired(stored: &StoredCredential, now: i64) -> bool {
    stored.password_expiry_utc.is_some_and(|expiry| expiry <= now)
}

/// Returns what `get` answers with `stored`; `None` where the caller could not use it. For an expired credential,
/// returns only its refresh token, so that another helper can get a new one.
fn answer(request: &Credential, stored: &StoredCredential, now: i64) -> Option<Credential> {
    let mut answer = Credential {
        username: to_bytes(stored.username.as_ref()),
        oauth_refresh_token: to_secret(stored.oauth_refresh_token.as_ref()),
        ..Credential::default()
    };
    if is_expired(stored, now) {
        return answer.oauth_refresh_token.is_some().then_some(answer);
    }
    if request.authtype_capable && stored.credential.is_some() {
        answer.authtype_capable = true;
        answer.authtype = to_bytes(stored.authtype.as_ref());
        answer.credential = to_secret(stored.credential.as_ref());
    } else {
        answer.password = Some(to_secret(stored.password.as_ref())?);
    }
    answer.password_expiry_utc = stored.password_expiry_utc;
    if request.state_capable {
        answer.state_capable = true;
        answer.state = answer.secret().map(state_of);
    }
    Some(answer)
}

fn to_bytes(value: Option<&SecretBytes>) -> Option<Vec<u8>> {
    value.map(|value| value.bytes().to_vec())
}

fn to_secret(value: Option<&SecretBytes>) -> Option<Secret<Vec<u8>>> {
    to_bytes(value).map(Secret::new)
}

/// Returns the `state` of an answer with `secret`. git passes it to `store`, which recognizes the secret by it.
fn state_of(secret: &[u8]) -> Vec<u8> {
    Fingerprint::of(secret).prefix(16).into()
}

/// Returns what to store of `given`; `None` for an incomplete, ephemeral or expired credential, and for one that an
/// earlier `get` answered with.
fn to_store(given: &Credential, now: i64) -> Option<StoredCredential> {
    let is_own_answer = given.secret().is_some_and(|secret| given.state == Some(state_of(secret)));
    if given.ephemeral || is_own_answer {
        return None;
    }
    let new = usable_parts(given);
    let is_complete = new.credential.is_some() || new.password.is_some();
    (is_complete && !is_expired(&new, now)).then_some(new)
}

/// A `credential` needs its authtype, and a password its username.
fn usable_parts(given: &Credential) -> StoredCredential {
    let value = |bytes: Option<&[u8]>| bytes.map(SecretBytes::from);
    let mut parts = StoredCredential {
        path: value(given.path.as_deref()),
        username: value(given.username.as_deref()),
        password_expiry_utc: given.password_expiry_utc,
        oauth_refresh_token: value(exposed(given.oauth_refresh_token.as_ref())),
        ..StoredCredential::default()
    };
    if given.authtype_capable && given.authtype.is_some() && given.credential.is_some() {
        parts.authtype = value(given.authtype.as_deref());
        parts.credential = value(exposed(given.credential.as_ref()));
    }
    if given.username.is_some() {
        parts.password = value(exposed(given.password.as_ref()));
    }
    parts
}

/// Returns `stored` with `new` at the front, and without expired credentials. `None` where nothing changes.
fn with_new(
    stored: &[StoredCredential],
    new: &StoredCredential,
    now: i64,
) -> Option<Vec<StoredCredential>> {
    let is_same =
        |one: &&StoredCredential| (&one.path, &one.username) == (&new.path, &new.username);
    let new = match stored.iter().find(is_same) {
        Some(old) => replacement(old, new)?,
        None => new.clone(),
    };
    let is_useful =
        |one: &&StoredCredential| !is_expired(one, now) || one.oauth_refresh_token.is_some();
    let others = stored.iter().filter(|one| !is_same(one)).filter(is_useful);
    Some([new.clone()].iter().chain(others).cloned().collect())
}

/// Returns what replaces `old`; `None` where `old` stays.
fn replacement(old: &StoredCredential, new: &StoredCredential) -> Option<StoredCredential> {
    let mut new = new.clone();
    if (&old.password, &old.credential) != (&new.password, &new.credential) {
        return (!expires_before(&new, old)).then_some(new);
    }
    // A caller that returns a known secret may omit what belongs to it.
    new.password_expiry_utc = new.password_expiry_utc.or(old.password_expiry_utc);
    new.oauth_refresh_token = new.oauth_refresh_token.or(old.oauth_refresh_token.clone());
    (new != *old).then_some(new)
}

/// A token that expires before the stored one is an older token.
fn expires_before(new: &StoredCredential, old: &StoredCredential) -> bool {
    matches!((new.password_expiry_utc, old.password_expiry_utc), (Some(new), Some(old)) if new < old)
}
