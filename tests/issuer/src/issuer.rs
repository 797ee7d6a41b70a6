use std::{sync::Arc, time::Duration};

use crate::{
    account::Account,
    builder::{Builder, Server},
    device::Decision,
    faults::{Endpoint, Fault},
    log::{Counts, Entry},
    settings::Settings,
    state::State,
    store::Tokens,
};

/// A running server. Clones are handles of the same server, which stops when the last one is dropped.
#[derive(Clone)]
pub struct Issuer {
    pub(crate) server: Arc<Server>,
}

impl Issuer {
    /// Starts a server on a free port with the default [`Settings`].
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Returns a builder for a server with other settings.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Returns the default accounts: two workspaces of one user, and another user.
    pub fn accounts() -> Vec<Account> {
        Account::examples()
    }

    /// Returns the issuer, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url.clone()
    }

    /// Changes settings for later requests: `issuer.set(|s| s.device_login = false)`.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.change(|state| change(&mut state.settings));
    }

    /// Returns the current settings.
    pub fn settings(&self) -> Settings {
        self.read(|state| state.settings.clone())
    }

    /// Sets whether the reuse of a refresh token revokes its successors too. Off by default.
    pub fn reuse_revokes_family(&self, yes: bool) {
        self.set(|settings| settings.reuse_revokes_family = yes);
    }

    /// Returns the pending user codes, oldest first.
    pub fn user_codes(&self) -> Vec<String> {
        self.read(|state| {
            let pending = state.devices.iter().filter(|device| device.is_pending());
            pending.map(|device| device.user_code.clone()).collect()
        })
    }

    /// Waits for a pending user code, and returns the oldest one.
    pub fn wait_for_user_code(&self, patience: Duration) -> Option<String> {
        self.server.shared.wait(patience, |state| {
            let pending = state.devices.iter().find(|device| device.is_pending());
            pending.map(|device| device.user_code.clone())
        })
    }

    /// Approves a pending code as the first account. Panics if it is not pending.
    #[track_caller]
    pub fn approve(&self, user_code: &str) {
        let account = self.read(|state| state.accounts[0].clone());
        self.approve_as(user_code, &account);
    }

    /// Approves a pending code. Panics if it is not pending.
    #[track_caller]
    pub fn approve_as(&self, user_code: &str, account: &Account) {
        self.decide(user_code, Decision::Approved(account.clone()));
    }

    /// Denies a pending code. Panics if it is not pending.
    #[track_caller]
    pub fn deny(&self, user_code: &str) {
        self.decide(user_code, Decision::Denied);
    }

    #[track_caller]
    fn decide(&self, user_code: &str, decision: Decision) {
        let decided = self.change(|state| state.devices.decide(user_code, decision));
        assert!(decided, "{user_code} is not a pending user code");
    }

    /// Makes a pending code expire. Panics if it is not pending.
    #[track_caller]
    pub fn expire_user_code(&self, user_code: &str) {
        let expired = self.change(|state| state.devices.expire(user_code));
        assert!(expired, "{user_code} is not a pending user code");
    }

    /// Grants tokens without a sign-in. With a negative lifetime the access token has expired; the refresh token is valid.
    pub fn grant(&self, account: &Account, lifetime_secs: i64) -> Tokens {
        self.change(|state| state.grant(account, lifetime_secs))
    }

    /// Makes the server refuse this refresh token with `refresh_token_invalidated`.
    #[track_caller]
    pub fn invalidate_refresh_token(&self, token: &str) {
        let known = self.change(|state| state.tokens.invalidate_refresh_token(token));
        assert!(known, "not a refresh token of this issuer");
    }

    /// Makes the server refuse this refresh token with `refresh_token_expired`.
    #[track_caller]
    pub fn expire_refresh_token(&self, token: &str) {
        let known = self.change(|state| state.tokens.expire_refresh_token(token));
        assert!(known, "not a refresh token of this issuer");
    }

    /// Makes the model reject this access token, although it has not expired.
    #[track_caller]
    pub fn invalidate_access_token(&self, token: &str) {
        let known = self.change(|state| state.tokens.invalidate_access_token(token));
        assert!(known, "not an access token of this issuer");
    }

    /// Whether a refresh with this token would succeed.
    pub fn is_live_refresh_token(&self, token: &str) -> bool {
        self.read(|state| state.tokens.is_live_refresh_token(token))
    }

    /// Whether the model accepts this access token.
    pub fn is_live_access_token(&self, token: &str) -> bool {
        self.read(|state| state.tokens.is_live_access_token(token))
    }

    /// Returns how often this refresh token was sent, with any result.
    pub fn times_sent(&self, refresh_token: &str) -> u64 {
        self.read(|state| state.tokens.times_sent(refresh_token))
    }

    /// Returns the number of refreshes with a token whose successor had been sent completely. It must stay 0.
    pub fn resent_after_answer(&self) -> u64 {
        self.read(|state| state.tokens.resent_after_answer())
    }

    /// Returns the counts.
    pub fn counts(&self) -> Counts {
        self.read(|state| state.counts)
    }

    /// Returns all answered or dropped requests, in the order of their answers.
    pub fn log(&self) -> Vec<Entry> {
        self.read(|state| state.log.clone())
    }

    /// Waits until the log has more than `seen` entries, and returns the new ones.
    pub fn wait_for_log(&self, seen: usize, patience: Duration) -> Vec<Entry> {
        let newer = self.server.shared.wait(patience, |state| {
            let newer = state.log.get(seen..)?;
            (!newer.is_empty()).then(|| newer.to_vec())
        });
        newer.unwrap_or_default()
    }

    /// Waits until the counts satisfy the condition. Returns false after `patience`.
    pub fn wait_until(&self, wanted: impl Fn(&Counts) -> bool, patience: Duration) -> bool {
        let shared = &self.server.shared;
        shared.wait(patience, |state| wanted(&state.counts).then_some(())).is_some()
    }

    /// Queues a fault for the next `count` requests to an endpoint; `u32::MAX` means until cleared.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault, times: u32) {
        self.change(|state| state.faults.put(endpoint, fault, times));
    }

    /// Removes all queued faults.
    pub fn clear_faults(&self) {
        self.change(|state| state.faults.clear());
    }

    fn read<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        f(&self.server.shared.lock())
    }

    fn change<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        self.server.shared.change(f)
    }
}
