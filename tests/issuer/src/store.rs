use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::{account::Account, jwt::now, random};

/// What one login grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// A JWT that lives an hour.
    pub id_token: String,
    /// A JWT.
    pub access_token: String,
    /// Opaque, `rt_…`.
    pub refresh_token: String,
    /// `chatgpt_account_id`, as in the tokens.
    pub account_id: String,
}

/// Who was granted what to whom; all tokens that descend from one login share the `family`.
#[derive(Clone)]
pub(crate) struct Grant {
    pub family: u64,
    pub account: Account,
    pub client_id: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Live,
    Spent,
    Invalidated,
}

struct RefreshToken {
    grant: Grant,
    expires: i64,
    state: State,
}

struct AccessToken {
    family: u64,
    expires: i64,
    invalidated: bool,
}

/// Why a refresh token was refused.
pub(crate) enum Refusal {
    Reused { family: u64 },
    Expired,
    Invalidated,
}

/// Every token ever issued or sent.
#[derive(Default)]
pub(crate) struct TokenStore {
    refresh: HashMap<String, RefreshToken>,
    access: HashMap<String, AccessToken>,
    families: u64,
    sent: HashMap<String, u64>,
    /// Spent refresh tokens whose successor has reached the client.
    answered: HashSet<String>,
    resent_after_answer: u64,
}

impl TokenStore {
    pub fn new_grant(&mut self, account: &Account, client_id: &str) -> Grant {
        self.families += 1;
        Grant { family: self.families, account: account.clone(), client_id: client_id.to_owned() }
    }

    pub fn issue_refresh_token(&mut self, grant: &Grant, lifetime: i64) -> String {
        let token = format!("rt_{}", random::unique());
        let record =
            RefreshToken { grant: grant.clone(), expires: now() + lifetime, state: State::Live };
        self.refresh.insert(token.clone(), record);
        token
    }

    pub fn add_access_token(&mut self, token: &str, grant: &Grant, lifetime: i64) {
        let record =
            AccessToken { family: grant.family, expires: now() + lifetime, invalidated: false };
        self.access.insert(token.to_owned(), record);
    }

    /// The grant behind a refresh token that is good to use.
    pub fn redeem(&self, token: &str) -> Result<Grant, Refusal> {
        let record = self.refresh.get(token).ok_or(Refusal::Invalidated)?;
        match record.state {
            State::Spent => Err(Refusal::Reused { family: record.grant.family }),
            State::Invalidated => Err(Refusal::Invalidated),
            State::Live if record.expires <= now() => Err(Refusal::Expired),
            State::Live => Ok(record.grant.clone()),
        }
    }

    pub fn spend(&mut self, token: &str) {
        if let Some(record) = self.refresh.get_mut(token) {
            record.state = State::Spent;
        }
    }

    pub fn is_live_refresh_token(&self, token: &str) -> bool {
        self.redeem(token).is_ok()
    }

    pub fn is_live_access_token(&self, token: &str) -> bool {
        self.check_access_token(token).is_ok()
    }

    /// Fails with the error code a resource server would name.
    pub fn check_access_token(&self, token: &str) -> Result<(), &'static str> {
        match self.access.get(token) {
            None => Err("invalid_token"),
            Some(record) if record.invalidated => Err("token_revoked"),
            Some(record) if record.expires <= now() => Err("token_expired"),
            Some(_) => Ok(()),
        }
    }

    pub fn invalidate_refresh_token(&mut self, token: &str) -> bool {
        let record = self.refresh.get_mut(token);
        record.map(|r| r.state = State::Invalidated).is_some()
    }

    pub fn expire_refresh_token(&mut self, token: &str) -> bool {
        let record = self.refresh.get_mut(token);
        record.map(|r| r.expires = now()).is_some()
    }

    pub fn invalidate_access_token(&mut self, token: &str) -> bool {
        let record = self.access.get_mut(token);
        record.map(|r| r.invalidated = true).is_some()
    }

    /// Spent tokens stay spent: sending one again is reuse, whatever became of the family.
    pub fn revoke_family(&mut self, family: u64) {
        for record in self.refresh.values_mut() {
            if record.grant.family == family && record.state == State::Live {
                record.state = State::Invalidated;
            }
        }
        for record in self.access.values_mut() {
            record.invalidated |= record.family == family;
        }
    }

    /// Notes that a client has sent this refresh token.
    pub fn note_sent(&mut self, token: &str) {
        *self.sent.entry(token.to_owned()).or_default() += 1;
        if self.answered.contains(token) {
            self.resent_after_answer += 1;
        }
    }

    /// Notes that the answer which replaced this refresh token went out in full.
    pub fn note_answered(&mut self, token: String) {
        self.answered.insert(token);
    }

    pub fn times_sent(&self, token: &str) -> u64 {
        self.sent.get(token).copied().unwrap_or_default()
    }

    pub fn resent_after_answer(&self) -> u64 {
        self.resent_after_answer
    }
}
