//! The login directory, which protects one login, and the sign-in directory, which protects the sign-ins of one issuer
//! and client. Both lie beside the login, so that all processes that share it meet there, whatever their HOME.
//!
//! Lock order: the sign-in lock, the renewal lock, the storage's own locks. No process waits for an earlier one while it
//! holds a later one.

use crate::account::Account;
use crate::clock::Deadline;
use crate::error::Result;
use crate::pending_sign_in::PendingSignIn;
use crate::private;
use crate::storage::lock::Lock;
use crate::storage::records::{Failure, InvalidToken, Record, Refusals, Rejected, SignedIn};
use crate::tokens::{Fingerprint, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;
#[cfg(unix)]
use std::fs;
use std::path::{Path, PathBuf};

/// The records of one login:
///
/// ```text
/// lock           the renewal lock; empty, never deleted
/// journal        the refresh request in flight, and its answer
/// kept-answer-…  the answer for a login that another login replaced during the request
/// failure        how the last renewal failed
/// invalid-token  the refresh token that the issuer refused for good
/// refusals       how often the issuer refused the refresh token without a known reason
/// spent-tokens   the refresh tokens that this program has renewed with
/// rejected       the access token that a resource server rejected
/// skew           how far the issuer's clock is ahead, in seconds, where the login has no room for it
/// pinned         the account that the login must be of
/// ```
///
/// or of the sign-ins of one issuer and client, whichever account a sign-in brings:
///
/// ```text
/// lock       the sign-in lock; empty, never deleted
/// journal    the exchange in flight, and its answer
/// failure    how the last sign-in failed
/// pending    the sign-in that waits for the user's approval
/// pasted     the address with the answer of a browser elsewhere
/// polled     the device code whose last poll has no known answer
/// signed-in  the last sign-in that ended with a login
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginDir {
    dir: PathBuf,
}

impl LoginDir {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The sign-in directory inside `folder`.
    pub fn of_sign_ins(folder: &Path) -> Self {
        Self { dir: folder.join("sign-in") }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Creates the directory, and makes it private again where others can look into it.
    pub fn create(&self) -> Result<()> {
        private::create_own_dir(&self.dir)?;
        #[cfg(unix)]
        make_private(&self.dir);
        Ok(())
    }

    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// Takes the lock if it is free.
    pub fn try_acquire(&self) -> Result<Option<Lock>> {
        self.create()?;
        Lock::try_acquire(&self.lock())
    }

    /// Takes the lock, unless another process holds it until `deadline`.
    pub fn acquire(&self, deadline: &Deadline) -> Result<Option<Lock>> {
        self.create()?;
        Lock::acquire(&self.lock(), deadline)
    }

    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal")
    }

    fn record<T: Serialize + DeserializeOwned>(&self, name: &str) -> Record<T> {
        Record::new(self.dir.join(name))
    }

    pub fn failure(&self) -> Record<Failure> {
        self.record("failure")
    }

    pub fn invalid_token(&self) -> Record<InvalidToken> {
        self.record("invalid-token")
    }

    pub fn refusals(&self) -> Record<Refusals> {
        self.record("refusals")
    }

    pub fn spent_tokens(&self) -> Record<Vec<Fingerprint>> {
        self.record("spent-tokens")
    }

    pub fn rejected(&self) -> Record<Rejected> {
        self.record("rejected")
    }

    pub fn refused_store(&self) -> Record<Rejected> {
        self.record("refused-store")
    }

    /// Whether a caller has reported `access_token` as rejected by a resource server.
    pub fn has_rejected(&self, access_token: &Secret<String>) -> bool {
        // A record that cannot be read, such as that of another user, must not keep a good token back.
        let rejected = self.rejected().load().ok().flatten();
        rejected.is_some_and(|rejected| rejected.token == access_token.fingerprint())
    }

    pub fn skew(&self) -> Record<i64> {
        self.record("skew")
    }

    pub fn pinned(&self) -> Record<String> {
        self.record("pinned")
    }

    pub fn pending(&self) -> Record<PendingSignIn> {
        self.record("pending")
    }

    pub fn pasted(&self) -> Record<Secret<String>> {
        self.record("pasted")
    }

    pub fn polled(&self) -> Record<Fingerprint> {
        self.record("polled")
    }

    pub fn signed_in(&self) -> Record<SignedIn> {
        self.record("signed-in")
    }

    /// Cancels the pending sign-in, unless it was started for another account than `account`. Returns false if
    /// it goes on.
    pub fn cancel_for(&self, account: &Account) -> Result<bool> {
        let pending = self.pending().load()?;
        let named = pending.and_then(|pending| pending.rules.account);
        let is_for_other = named.is_some_and(|name| !account.is_named(&name));
        if !is_for_other {
            self.cancel()?;
        }
        Ok(!is_for_other)
    }

    /// Cancels the pending sign-in: the process that waits for the approval ends. Returns whether there was one.
    pub fn cancel(&self) -> Result<bool> {
        let pending = self.pending();
        let was_pending = pending.load()?.is_some();
        pending.remove()?;
        self.polled().remove()?;
        self.pasted().remove()?;
        Ok(was_pending)
    }
}

/// Makes the folder private. Ignores errors: we cannot change another owner's folder, and each file in it is 0600.
#[cfg(unix)]
fn make_private(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let is_open = dir
        .symlink_metadata()
        .is_ok_and(|found| found.is_dir() && found.permissions().mode() & 0o077 != 0);
    if is_open {
        let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    }
}
