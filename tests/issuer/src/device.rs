use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    account::Account,
    answer::Answer,
    random,
    request::{Encoding, Request},
    settings::{DEFAULT_CODE_LIFETIME, Settings},
    state::State,
};

/// The user's decision about a device authorization.
#[derive(Clone, PartialEq)]
pub(crate) enum Decision {
    Pending,
    Approved(Account),
    Denied,
}

/// The authorization code of a device authorization. The server keeps both PKCE values until the user approves.
#[derive(Clone)]
pub(crate) struct AuthorizationCode {
    pub code: String,
    pub verifier: String,
    pub used: bool,
}

impl AuthorizationCode {
    pub fn challenge(&self) -> String {
        random::s256(&self.verifier)
    }
}

pub(crate) struct Device {
    pub user_code: String,
    pub client_id: String,
    /// The PKCE challenge of the request (RFC 7636 §4.3), in the standard dialect.
    pub challenge: Option<String>,
    pub decision: Decision,
    pub authorization: AuthorizationCode,
    /// The tokens it was exchanged for.
    pub family: Option<u64>,
    pub id: String,
    expires: Instant,
    created: Instant,
    interval: Duration,
    last_poll: Option<Instant>,
}

impl Device {
    pub fn is_expired(&self) -> bool {
        Instant::now() >= self.expires
    }

    /// RFC 8628 §3.5: five more seconds for all later polls.
    pub fn slow_down(&mut self) {
        self.interval += Duration::from_secs(5);
    }

    pub fn approve_after(&mut self, after: Option<Duration>, account: &Account) {
        if self.is_pending() && after.is_some_and(|after| self.created.elapsed() >= after) {
            self.decision = Decision::Approved(account.clone());
        }
    }

    pub fn is_pending(&self) -> bool {
        self.decision == Decision::Pending && !self.is_expired()
    }
}

/// All device authorizations, oldest first.
#[derive(Default)]
pub(crate) struct Devices(Vec<Device>);

impl Devices {
    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.0.iter()
    }

    pub fn add(&mut self, device: Device) {
        self.0.push(device);
    }

    pub fn by_id(&mut self, id: &str) -> Option<&mut Device> {
        self.0.iter_mut().find(|device| device.id == id)
    }

    /// Finds a code in any case, with or without the hyphen.
    pub fn by_user_code(&mut self, typed: &str) -> Option<&mut Device> {
        let plain = |code: &str| code.replace(['-', ' '], "").to_uppercase();
        let typed = plain(typed.trim());
        self.0.iter_mut().find(|d| plain(&d.user_code) == typed)
    }

    pub fn by_authorization_code(&mut self, code: &str) -> Option<&mut Device> {
        self.0.iter_mut().find(|d| d.authorization.code == code)
    }

    /// Records the user's decision. Returns false if no such code is pending.
    pub fn decide(&mut self, user_code: &str, decision: Decision) -> bool {
        let device = self.by_user_code(user_code).filter(|d| d.is_pending());
        device.map(|d| d.decision = decision).is_some()
    }

    /// Makes a code expire. Returns false if it is not pending.
    pub fn expire(&mut self, user_code: &str) -> bool {
        let device = self.by_user_code(user_code).filter(|d| d.is_pending());
        device.map(|d| d.expires = Instant::now()).is_some()
    }

    /// Whether less than 90% of the interval has passed since the last poll.
    pub fn is_early_poll(&mut self, request: &Request) -> bool {
        let id = request.get("device_auth_id").or_else(|| request.get("device_code"));
        let Some(device) = self.0.iter_mut().find(|d| Some(d.id.as_str()) == id) else {
            return false;
        };
        let last = device.last_poll.replace(request.arrived);
        last.is_some_and(|last| {
            request.arrived.saturating_duration_since(last) < device.interval.mul_f64(0.9)
        })
    }
}

pub(crate) fn new_device(settings: &Settings, client_id: &str) -> Device {
    let created = Instant::now();
    Device {
        id: format!("deviceauth_{}", random::unique()),
        user_code: random::user_code(),
        client_id: client_id.to_owned(),
        challenge: None,
        decision: Decision::Pending,
        authorization: AuthorizationCode {
            code: format!("ac_{}", random::unique()),
            verifier: random::base64url(random::bytes::<32>()),
            used: false,
        },
        family: None,
        expires: created + settings.code_lifetime,
        created,
        interval: settings.interval.duration(),
        last_poll: None,
    }
}

/// `POST /api/accounts/deviceauth/usercode`
pub(crate) fn user_code(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    if !state.settings.device_login {
        return Err(Answer::not_found());
    }
    request.require_encoding(Encoding::Json)?;
    let client_id = state.client_id(request)?;
    let settings = &state.settings;
    let device = new_device(settings, client_id);
    let mut body = json!({ "device_auth_id": device.id });
    body[&settings.user_code_member] = json!(device.user_code);
    if let Some(interval) = settings.interval.to_json() {
        body["interval"] = interval;
    }
    if settings.code_lifetime != DEFAULT_CODE_LIFETIME {
        body["expires_in"] = json!(settings.code_lifetime.as_secs_f64().ceil() as u64);
    }
    state.devices.add(device);
    Ok(Answer::granted(&body).no_store())
}

/// `POST /api/accounts/deviceauth/token`
///
/// Polls of an approved device authorization get the same answer until its code is exchanged.
pub(crate) fn poll(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    request.require_encoding(Encoding::Json)?;
    let id = request.require("device_auth_id")?;
    let user_code = request.require("user_code")?;
    let mut devices = state.devices.0.iter_mut();
    let device = devices
        .find(|d| d.id == id && d.user_code == user_code && !d.authorization.used)
        .ok_or_else(|| Answer::error(404, "unknown_device", "unknown device code"))?;
    if device.is_expired() && device.decision != Decision::Denied {
        return Err(Answer::error(403, "expired_token", "the code has expired"));
    }
    device.approve_after(state.settings.auto_approve, &state.accounts[0]);
    match device.decision {
        Decision::Pending => Err(Answer::error(
            state.settings.pending_status,
            "authorization_pending",
            "the user has not decided yet",
        )),
        Decision::Denied => Err(Answer::error(403, "access_denied", "the user denied the sign-in")),
        Decision::Approved(_) => {
            let authorization = &device.authorization;
            let body = json!({
                "authorization_code": authorization.code,
                "code_challenge": authorization.challenge(),
                "code_verifier": authorization.verifier,
            });
            Ok(Answer::granted(&body).no_store())
        }
    }
}
