//! Credentials of hosts that are not ours. Here this program is what git calls a storage helper: it keeps what it is
//! given, and understands none of it (`gitcredentials(7)`).

use crate::answer::credential::Credential;
use crate::clock::{self, Deadline};
use crate::error::Result;
use crate::folders::Folders;
use crate::storage::host_credentials::{Entry, GitStorage, HostCredentials};
use crate::storage::keyring::KeyringTimeouts;
use crate::storage::secret_bytes::SecretBytes;
use crate::tokens::{Fingerprint, Secret};

#[derive(Clone, Copy, Debug)]
pub struct OtherHosts {
    pub storage: GitStorage,
    /// For the keyring.
    pub patience: KeyringTimeouts,
}

impl OtherHosts {
    /// The best match: one whose secret can be handed out now, rather for the whole host where no path is asked for,
    /// rather a later one.
    pub fn get(&self, asked: &Credential, deadline: &Deadline) -> Result<Option<Credential>> {
        let Some(bucket) = self.bucket(asked)? else { return Ok(None) };
        let now = clock::now();
        let entries = bucket.read(deadline)?;
        let matching = entries.iter().filter(|entry| matches(asked, entry));
        let answers = matching.filter_map(|entry| Some((entry, answer(asked, entry, now)?)));
        let best =
            answers.min_by_key(|(entry, answer)| (!has_secret(answer), entry.path.is_some()));
        Ok(best.map(|(_, answer)| answer))
    }

    /// Keeps what is given in the place of what was kept for the same path and user. Callers give what they were once
    /// given, maybe long ago, and that is passed over.
    pub fn store(&self, given: &Credential, deadline: &Deadline) -> Result<()> {
        let now = clock::now();
        let Some(entry) = entry(given, now) else { return Ok(()) };
        let Some(bucket) = self.bucket(given)? else { return Ok(()) };
        bucket.change(deadline, |stored| keep(stored, &entry, now)).map(drop)
    }

    /// Removes every match, and of those that differ in a secret that is named, none. True if there was one.
    pub fn erase(&self, named: &Credential, deadline: &Deadline) -> Result<bool> {
        let Some(bucket) = self.bucket(named)? else { return Ok(false) };
        let is_meant = |entry: &Entry| {
            matches(named, entry)
                && is_named(secret(named.password.as_ref()), entry.password.as_ref())
                && is_named(secret(named.credential.as_ref()), entry.credential.as_ref())
        };
        bucket.change(deadline, |stored| {
            let rest: Vec<Entry> =
                stored.iter().filter(|entry| !is_meant(entry)).cloned().collect();
            (rest.len() < stored.len()).then_some(rest)
        })
    }

    fn bucket(&self, about: &Credential) -> Result<Option<HostCredentials>> {
        let (Some(protocol), Some(host)) = (&about.protocol, &about.host) else { return Ok(None) };
        let folders = Folders::of_user()?;
        Ok(HostCredentials::open(self.storage, &folders, self.patience, (protocol, host)))
    }
}

/// As git compares: what is asked for has to be there, and be the same; what is not asked for may be anything.
fn matches(asked: &Credential, entry: &Entry) -> bool {
    is_named(asked.path.as_deref(), entry.path.as_ref())
        && is_named(asked.username.as_deref(), entry.username.as_ref())
}

fn is_named(asked: Option<&[u8]>, stored: Option<&SecretBytes>) -> bool {
    asked.is_none_or(|asked| stored.is_some_and(|stored| stored.bytes() == asked))
}

fn secret(secret: Option<&Secret<Vec<u8>>>) -> Option<&[u8]> {
    secret.map(|secret| secret.expose().as_slice())
}

fn has_secret(answer: &Credential) -> bool {
    answer.secret().is_some()
}

fn is_over(entry: &Entry, now: i64) -> bool {
    entry.password_expiry_utc.is_some_and(|end| end <= now)
}

/// What may be told of `entry`; `None` where that would help nobody. Of an expired one that is the refresh token, with
/// which another helper gets a new one.
fn answer(asked: &Credential, entry: &Entry, now: i64) -> Option<Credential> {
    let bytes = |value: &Option<SecretBytes>| value.as_ref().map(|value| value.bytes().to_vec());
    let secret = |value: &Option<SecretBytes>| bytes(value).map(Secret::new);
    let mut answer = Credential {
        username: bytes(&entry.username),
        oauth_refresh_token: secret(&entry.oauth_refresh_token),
        ..Credential::default()
    };
    if is_over(entry, now) {
        return answer.oauth_refresh_token.is_some().then_some(answer);
    }
    if asked.authtype_capable && entry.credential.is_some() {
        answer.authtype_capable = true;
        answer.authtype = bytes(&entry.authtype);
        answer.credential = secret(&entry.credential);
    } else {
        answer.password = Some(secret(&entry.password)?);
    }
    answer.password_expiry_utc = entry.password_expiry_utc;
    if asked.state_capable {
        answer.state_capable = true;
        answer.state = answer.secret().map(mark);
    }
    Some(answer)
}

/// What goes along with a secret that is handed out, so that it is known when it comes back.
fn mark(secret: &[u8]) -> Vec<u8> {
    Fingerprint::of(secret).prefix(16).into()
}

/// What of `given` is worth keeping: all that another `get` needs, as long as it is good, if it is not what this
/// program has handed out.
fn entry(given: &Credential, now: i64) -> Option<Entry> {
    let value = |bytes: Option<&[u8]>| bytes.map(SecretBytes::from);
    let mut entry = Entry {
        path: value(given.path.as_deref()),
        username: value(given.username.as_deref()),
        password_expiry_utc: given.password_expiry_utc,
        oauth_refresh_token: value(secret(given.oauth_refresh_token.as_ref())),
        ..Entry::default()
    };
    if given.authtype_capable && given.authtype.is_some() && given.credential.is_some() {
        entry.authtype = value(given.authtype.as_deref());
        entry.credential = value(secret(given.credential.as_ref()));
    }
    if given.username.is_some() {
        entry.password = value(secret(given.password.as_ref()));
    }
    let was_handed_out = given.secret().is_some_and(|secret| given.state == Some(mark(secret)));
    let is_complete = entry.credential.is_some() || entry.password.is_some();
    let is_wanted = !given.ephemeral && !was_handed_out && !is_over(&entry, now);
    (is_complete && is_wanted).then_some(entry)
}

/// The entries with `given` among them, the latest first; `None` where there is nothing to change.
fn keep(stored: &[Entry], given: &Entry, now: i64) -> Option<Vec<Entry>> {
    let is_same = |entry: &&Entry| (&entry.path, &entry.username) == (&given.path, &given.username);
    let mut given = given.clone();
    if let Some(known) = stored.iter().find(is_same) {
        if (&known.password, &known.credential) == (&given.password, &given.credential) {
            // Whoever gives a secret back may have forgotten what came with it.
            given.password_expiry_utc = given.password_expiry_utc.or(known.password_expiry_utc);
            let refresh_token = given.oauth_refresh_token.or(known.oauth_refresh_token.clone());
            given.oauth_refresh_token = refresh_token;
            if given == *known {
                return None;
            }
        } else if is_older(&given, known) {
            return None;
        }
    }
    let is_of_use = |entry: &&Entry| !is_over(entry, now) || entry.oauth_refresh_token.is_some();
    let others = stored.iter().filter(|entry| !is_same(entry)).filter(is_of_use);
    Some([given.clone()].iter().chain(others).cloned().collect())
}

/// An old token that comes back ends before the one that took its place.
fn is_older(given: &Entry, known: &Entry) -> bool {
    matches!((given.password_expiry_utc, known.password_expiry_utc), (Some(given), Some(known)) if given < known)
}
