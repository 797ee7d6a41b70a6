use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    account::Account,
    answer::Answer,
    authorize::{self, Authorization},
    device::{self, Devices},
    faults::{Endpoint, Fault, Faults},
    jwt,
    keys::Keys,
    log::{Counts, Entry},
    mcp, messages, page, random,
    request::Request,
    responses, revoke,
    settings::{CLIENT_ID, Settings},
    standard,
    store::{Grant, TokenStore, Tokens},
    token,
};

/// The whole state of the server. Each request is processed atomically while the state is locked.
pub(crate) struct State {
    pub issuer: String,
    pub settings: Settings,
    pub accounts: Vec<Account>,
    pub counts: Counts,
    pub log: Vec<Entry>,
    pub faults: Faults,
    pub devices: Devices,
    pub authorizations: Vec<Authorization>,
    pub tokens: TokenStore,
    pub keys: Keys,
    /// Whether the current poll came too early.
    is_early: bool,
}

impl State {
    pub fn new(issuer: String, settings: Settings, accounts: Vec<Account>) -> Self {
        Self {
            issuer,
            settings,
            accounts,
            counts: Counts::default(),
            log: Vec::new(),
            faults: Faults::default(),
            devices: Devices::default(),
            authorizations: Vec::new(),
            tokens: TokenStore::default(),
            keys: Keys::new(),
            is_early: false,
        }
    }

    /// Counts an arriving request and picks its fault.
    pub fn arrive(&mut self, request: &Request, endpoint: Endpoint) -> Option<Fault> {
        match endpoint {
            Endpoint::UserCode => self.counts.user_codes += 1,
            Endpoint::DeviceToken => {
                self.counts.polls += 1;
                self.is_early = self.devices.is_early_poll(request);
                self.counts.early_polls += u64::from(self.is_early);
            }
            Endpoint::Exchange => self.counts.exchanges += 1,
            Endpoint::Refresh => {
                self.counts.refreshes += 1;
                self.counts.in_flight += 1;
                if let Some(token) = request.get("refresh_token") {
                    self.tokens.note_sent(token);
                }
            }
            Endpoint::Revoke => self.counts.revocations += 1,
            Endpoint::Discovery => self.counts.discoveries += 1,
            Endpoint::Keys => self.counts.keys += 1,
            Endpoint::Responses | Endpoint::Messages => self.counts.responses += 1,
        }
        self.faults.next(endpoint)
    }

    pub fn process(&mut self, request: &Request, endpoint: Option<Endpoint>) -> Answer {
        let answer = match (endpoint, request.path.as_str(), request.method.as_str()) {
            (Some(Endpoint::Discovery), ..) => standard::discovery(self, request),
            (Some(Endpoint::Keys), ..) => Ok(standard::keys(self)),
            (_, "/device_authorization", "POST") => standard::device_authorization(self, request),
            (Some(Endpoint::DeviceToken), "/token", _) => {
                standard::poll(self, request, self.is_early)
            }
            (Some(Endpoint::Refresh), "/token", _) => standard::refresh(self, request),
            (Some(Endpoint::Exchange), "/token", _) => standard::exchange(self, request),
            (_, "/revoke", "POST") => standard::revoke(self, request),
            (_, "/introspect", "POST") => standard::introspect(self, request),
            (Some(Endpoint::UserCode), ..) => device::user_code(self, request),
            (Some(Endpoint::DeviceToken), ..) => device::poll(self, request),
            (Some(Endpoint::Exchange), ..) => token::exchange(self, request),
            (Some(Endpoint::Refresh), ..) => token::refresh(self, request),
            (Some(Endpoint::Revoke), ..) => revoke::revoke(self, request),
            (Some(Endpoint::Responses), ..) => responses::responses(self, request),
            (Some(Endpoint::Messages), ..) => messages::messages(self, request),
            (None, "/oauth/token" | "/token", "POST") => token::unsupported(request),
            (None, "/oauth/authorize" | "/authorize", "GET") => authorize::ask(self, request),
            (None, "/oauth/authorize" | "/authorize", "POST") => authorize::decide(self, request),
            (None, "/mcp", "POST") => mcp::answer(self, request),
            (None, "/codex/device", "GET") => Ok(page::ask_code()),
            (None, "/codex/device", "POST") => page::submit(self, request),
            // Codex tries a WebSocket first and continues at once without one on this status.
            (None, "/v1/responses", "GET") => {
                Err(Answer::error(426, "upgrade_required", "WebSockets are not supported"))
            }
            _ => Ok(Answer::not_found()),
        };
        let is_standard =
            matches!(request.path.as_str(), "/device_authorization" | "/token" | "/revoke");
        let error_status = self.settings.standard.error_status.filter(|_| is_standard);
        answer.unwrap_or_else(|refusal| Answer {
            status: error_status.unwrap_or(refusal.status),
            ..refusal
        })
    }

    /// Returns the request's client id if it is known.
    pub fn client_id<'r>(&self, request: &'r Request) -> Result<&'r str, Answer> {
        let client_id = request.require("client_id")?;
        match &self.settings.client_id {
            Some(known) if known != client_id => {
                Err(Answer::error(400, "invalid_client", "unknown client"))
            }
            _ => Ok(client_id),
        }
    }

    /// Grants tokens without a sign-in.
    pub fn grant(&mut self, account: &Account, lifetime: i64) -> Tokens {
        let client_id = self.settings.client_id.clone();
        let client_id = client_id.unwrap_or_else(|| CLIENT_ID.to_owned());
        let grant = self.tokens.new_grant(account, &client_id);
        self.issue(&grant, lifetime)
    }

    pub fn issue(&mut self, grant: &Grant, lifetime: i64) -> Tokens {
        let refresh_lifetime = self.refresh_token_lifetime();
        Tokens {
            id_token: self.id_token(grant),
            access_token: self.issue_access_token(grant, lifetime),
            refresh_token: self.tokens.issue_refresh_token(grant, refresh_lifetime),
            account_id: grant.account.account_id.clone(),
        }
    }

    pub fn id_token(&self, grant: &Grant) -> String {
        let ahead = self.settings.clock_ahead;
        jwt::id_token(&self.issuer, &grant.account, &grant.client_id, ahead)
    }

    pub fn issue_access_token(&mut self, grant: &Grant, lifetime: i64) -> String {
        let padding = self.settings.token_padding;
        let Grant { account, client_id, .. } = grant;
        let ahead = self.settings.clock_ahead;
        let age = seconds(self.settings.access_token_age);
        let life = jwt::Life { age: age - ahead, left: lifetime + ahead };
        let token = jwt::access_token(&self.issuer, account, client_id, &life, padding);
        self.tokens.add_access_token(&token, grant, lifetime);
        token
    }

    pub fn access_token_lifetime(&self) -> i64 {
        seconds(self.settings.access_token_lifetime)
    }

    pub fn refresh_token_lifetime(&self) -> i64 {
        seconds(self.settings.refresh_token_lifetime)
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 2)
}

/// The state that the server shares with its handles, and a condition variable for its changes.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    started: Instant,
}

impl Shared {
    pub fn new(state: State) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new(), started: Instant::now() }
    }

    /// Locks the state. A test that panicked with the lock must not make others fail.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` on the state and wakes all waiting threads.
    pub fn change<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let result = f(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `f` returns a value.
    pub fn wait<T>(&self, patience: Duration, mut f: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            let found = f(&state);
            let left = patience.saturating_sub(start.elapsed());
            if found.is_some() || left.is_zero() {
                return found;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Logs a request that is about to be answered or dropped.
    pub fn finish(
        &self,
        request: &Request,
        endpoint: Option<Endpoint>,
        status: Option<u16>,
        outcome: String,
    ) {
        let arrived = request.arrived.saturating_duration_since(self.started);
        let entry = Entry {
            at: arrived.as_millis() as u64,
            method: request.method.to_string(),
            path: request.path.clone(),
            status,
            outcome,
            token: request.token().map(random::fingerprint),
            grant_type: request.get("grant_type").map(str::to_owned),
            client_id: request.get("client_id").map(str::to_owned),
            account_id: request.named("chatgpt-account-id").map(str::to_owned),
            user_agent: request.user_agent(),
            content_type: request.content_type(),
        };
        self.change(|state| {
            state.log.push(entry);
            if endpoint == Some(Endpoint::Refresh) {
                state.counts.in_flight -= 1;
            }
        });
    }
}
