//! Small JSON files in a login directory or a sign-in directory. Each is replaced whole and read without a lock.

use crate::account::Account;
use crate::clock;
use crate::error::{Error, Result};
use crate::storage::files::{read_own, remove, replace};
use crate::tokens::Fingerprint;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use std::path::PathBuf;

/// In seconds.
const DAY: i64 = 24 * 3600;

pub struct Record<T> {
    path: PathBuf,
    content: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Record<T> {
    pub fn new(path: PathBuf) -> Self {
        Self { path, content: PhantomData }
    }

    /// Returns the content. A record that cannot be parsed, such as one of another version, counts as none.
    pub fn load(&self) -> Result<Option<T>> {
        let bytes = read_own(&self.path)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub fn save(&self, content: &T) -> Result<()> {
        let json = serde_json::to_vec(content).expect("records serialize");
        replace(&self.path, &json)
    }

    /// Removes the record, if there is one.
    pub fn remove(&self) -> Result<()> {
        remove(&self.path).map(drop)
    }
}

/// How the last renewal, or the last sign-in, failed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    pub error: Error,
    /// Differs from one failure to the next.
    pub id: String,
    /// Failures in a row.
    pub count: u32,
    /// Seconds since the epoch.
    pub at: i64,
    /// No request is sent before, in seconds since the epoch.
    pub not_before: i64,
}

/// A refresh token that its issuer refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidToken {
    pub refresh_token: Fingerprint,
    /// The token endpoint that refused it.
    pub url: String,
    pub client_id: String,
    /// The message for the user.
    pub reason: String,
}

/// A refresh token that its issuer refused without a reason that we know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    pub refresh_token: Fingerprint,
    /// Refusals in a row.
    pub count: u32,
}

/// The access token that a resource server rejected last, or the refresh token of the last `store` that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    pub token: Fingerprint,
    /// Seconds since the epoch.
    pub at: i64,
    /// Rejections, each within a day of the one before.
    pub count: u32,
}

impl Record<Rejected> {
    /// Returns the last rejection. A clock that was set back forgets what it has seen.
    pub fn last(&self) -> Result<Option<Rejected>> {
        let now = clock::now();
        Ok(self.load()?.filter(|last| (0..=now).contains(&last.at)))
    }

    /// Records that `token` was rejected after `last`.
    pub fn count(&self, last: Option<&Rejected>, token: Fingerprint) -> Result<()> {
        let at = clock::now();
        let last = last.filter(|last| at - last.at < DAY);
        let count = last.map_or(1, |last| last.count.saturating_add(1));
        self.save(&Rejected { token, at, count })
    }
}

impl Rejected {
    /// Returns when another rejection costs another request, in seconds since the epoch: half a minute later, and twice as
    /// long after each further rejection, up to an hour.
    pub fn next_at(&self) -> i64 {
        self.at + (30 << self.count.saturating_sub(1).min(7)).min(3600)
    }
}

/// The last sign-in that ended with a login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// Differs from one sign-in to the next.
    pub id: String,
    pub account: Account,
}
