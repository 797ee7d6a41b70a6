//! The standard dialect: RFC 8414 and OpenID Connect Discovery, RFC 8628, RFC 6749 §4.1 and §6, RFC 7009, RFC 7662.

use serde_json::{Value, json};

use crate::{
    answer::Answer,
    authorize,
    device::{self, Decision},
    jwt, random,
    request::{Encoding, Request},
    settings::TokenForm,
    state::State,
    store::{Grant, Refusal},
};

pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// RFC 6749 §5.2.
fn refused(status: u16, code: &str, description: &str) -> Answer {
    let body = json!({ "error": code, "error_description": description });
    Answer::json(status, &body, code).no_store()
}

fn invalid_grant(description: &str) -> Answer {
    refused(400, "invalid_grant", description)
}

/// `GET /.well-known/oauth-authorization-server`, `GET /.well-known/openid-configuration`
pub(crate) fn discovery(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    let standard = &state.settings.standard;
    let is_openid = request.path.ends_with("openid-configuration");
    if !(if is_openid { standard.openid_discovery } else { standard.oauth_discovery }) {
        return Err(Answer::not_found());
    }
    let url = &state.issuer;
    let mut document = json!({
        "issuer": standard.issuer.as_ref().unwrap_or(url),
        "device_authorization_endpoint": format!("{url}/device_authorization"),
        "token_endpoint": format!("{url}/token"),
        "revocation_endpoint": format!("{url}/revoke"),
        "introspection_endpoint": format!("{url}/introspect"),
        "jwks_uri": format!("{url}/jwks"),
        "grant_types_supported": ["authorization_code", DEVICE_CODE, "refresh_token"],
        "token_endpoint_auth_methods_supported":
            [if standard.secret_in_body { "client_secret_post" } else { "client_secret_basic" }, "none"],
    });
    if standard.lists_pkce {
        document["code_challenge_methods_supported"] = json!(["plain", "S256"]);
    }
    authorize::metadata(state, &mut document);
    for (name, value) in &standard.more_metadata {
        document[name] = value.clone();
    }
    for name in &standard.not_discovered {
        document.as_object_mut().expect("an object").remove(name);
    }
    Ok(Answer::json(200, &document, "told"))
}

/// `GET /jwks`
pub(crate) fn keys(state: &State) -> Answer {
    Answer::json(200, &state.keys.public(), "told")
}

/// Returns the client id if the client is known and authenticates (RFC 6749 §2.3).
fn client(state: &State, request: &Request) -> Result<String, Answer> {
    let refused = |why| refused(401, "invalid_client", why);
    request.require_encoding(Encoding::Form)?;
    let standard = &state.settings.standard;
    let (client_id, secret) = match request.basic() {
        Some((id, secret)) if !standard.secret_in_body => (id, Some(secret)),
        Some(_) => return Err(refused("the secret belongs in the body")),
        None if standard.secret_in_body => (
            request.require("client_id")?.to_owned(),
            request.get("client_secret").map(str::to_owned),
        ),
        None => (request.require("client_id")?.to_owned(), None),
    };
    if state.settings.client_id.as_ref().is_some_and(|known| *known != client_id) {
        return Err(refused("unknown client"));
    }
    match secret == standard.client_secret {
        true => Ok(client_id),
        false => Err(refused("wrong or missing secret")),
    }
}

/// Returns the PKCE challenge of a request (RFC 7636 §4.3), with Keycloak's text where one is missing.
fn challenge(request: &Request, is_required: bool) -> Result<Option<String>, Answer> {
    let missing = |name| refused(400, "invalid_request", &format!("Missing parameter: {name}"));
    let challenge = request.get("code_challenge").map(str::to_owned);
    match (request.get("code_challenge_method"), &challenge) {
        (Some("S256"), Some(_)) => Ok(challenge),
        (None, None) if !is_required => Ok(None),
        (Some("S256"), None) => Err(missing("code_challenge")),
        _ => Err(missing("code_challenge_method")),
    }
}

/// As [`client`], for a request that must also have the required parameters.
fn client_with_parameters(state: &State, request: &Request) -> Result<String, Answer> {
    let client_id = client(state, request)?;
    for (name, value) in &state.settings.standard.required_parameters {
        if request.get(name) != Some(value) {
            return Err(refused(400, "invalid_request", &format!("Missing parameter: {name}")));
        }
    }
    Ok(client_id)
}

/// `POST /device_authorization` (RFC 8628 §3.1)
pub(crate) fn device_authorization(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    let client_id = client_with_parameters(state, request)?;
    if !state.settings.device_login {
        return Err(refused(400, "unauthorized_client", "no device grant for this client"));
    }
    let scope = request.get("scope").unwrap_or_default();
    if scope.split(' ').any(|word| word == "forbidden") {
        return Err(refused(400, "invalid_scope", "not granted to this client"));
    }
    let challenge = challenge(request, state.settings.standard.requires_pkce)?;
    let page = format!("{}/codex/device", state.issuer);
    let settings = &state.settings;
    let (lifetime, interval) = (settings.code_lifetime, settings.interval);
    let with_complete = settings.standard.verification_uri_complete;
    let mut device = device::new_device(settings, &client_id);
    device.challenge = challenge;
    let mut body = json!({
        "device_code": device.id,
        "user_code": device.user_code,
        "verification_uri": page,
        "expires_in": lifetime.as_secs_f64().ceil() as u64,
    });
    if interval.to_json().is_some() {
        body["interval"] = json!(interval.duration().as_secs());
    }
    if with_complete {
        body["verification_uri_complete"] = json!(format!("{page}?user_code={}", device.user_code));
    }
    state.devices.add(device);
    Ok(Answer::granted(&body).no_store())
}

/// `POST /token` with a device code (RFC 8628 §3.4). Only one poll succeeds.
pub(crate) fn poll(state: &mut State, request: &Request, is_early: bool) -> Result<Answer, Answer> {
    let client_id = client_with_parameters(state, request)?;
    let code = request.require("device_code")?;
    let account = state.accounts[0].clone();
    let auto_approve = state.settings.auto_approve;
    let standard = &mut state.settings.standard;
    let slow_down = standard.slow_down > 0 || is_early;
    let device = state.devices.by_id(code).filter(|device| device.client_id == client_id);
    let device = device.ok_or_else(|| invalid_grant("unknown device code"))?;
    let verifier = request.get("code_verifier").map(random::s256);
    if verifier != device.challenge {
        return Err(invalid_grant("PKCE verification failed"));
    }
    if device.authorization.used {
        if let Some(family) = device.family {
            state.tokens.revoke_family(family);
        }
        state.counts.polls_after_success += 1;
        return Err(invalid_grant("the device code has been used"));
    }
    if device.is_expired() && device.decision != Decision::Denied {
        return Err(refused(400, "expired_token", "the code has expired"));
    }
    if slow_down {
        standard.slow_down = standard.slow_down.saturating_sub(1);
        device.slow_down();
        return Err(refused(400, "slow_down", "too fast"));
    }
    device.approve_after(auto_approve, &account);
    match device.decision.clone() {
        Decision::Pending => {
            Err(refused(400, "authorization_pending", "the user has not decided yet"))
        }
        Decision::Denied => {
            // Like other servers, tell the denial once.
            device.authorization.used = true;
            Err(refused(400, "access_denied", "the user denied the sign-in"))
        }
        Decision::Approved(account) => {
            device.authorization.used = true;
            let grant = state.tokens.new_grant(&account, &client_id);
            device.family = Some(grant.family);
            state.counts.exchanges_granted += 1;
            Ok(granted(state, &grant, None))
        }
    }
}

/// `POST /token` with an authorization code (RFC 6749 §4.1.3)
pub(crate) fn exchange(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    let client_id = client(state, request)?;
    let (grant, nonce) = authorize::redeem(state, request, &client_id)
        .map_err(|why| invalid_grant(why.unwrap_or("unknown code")))?;
    Ok(granted(state, &grant, nonce))
}

/// Returns the response with the tokens of a new login.
fn granted(state: &mut State, grant: &Grant, nonce: Option<String>) -> Answer {
    let lifetime = state.refresh_token_lifetime();
    let refresh_token = state.tokens.issue_refresh_token(grant, lifetime);
    let with_id_token = state.settings.standard.answers_id_token;
    let mut body = tokens(state, grant, with_id_token, nonce);
    body["refresh_token"] = json!(refresh_token);
    Answer::granted(&body).no_store()
}

/// `POST /token` with a refresh token (RFC 6749 §6)
pub(crate) fn refresh(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    let client_id = client_with_parameters(state, request)?;
    let sent = request.require("refresh_token")?;
    let grant = state.tokens.redeem(sent).map_err(|refusal| {
        if let Refusal::Reused { family } = refusal {
            state.counts.reuses += 1;
            if state.settings.reuse_revokes_family {
                state.tokens.revoke_family(family);
            }
        }
        invalid_grant("the refresh token is not valid")
    })?;
    if grant.client_id != client_id {
        return Err(invalid_grant("the token was granted to another client"));
    }
    state.counts.refreshes_granted += 1;
    let grant = match state.settings.standard.refresh_as.clone() {
        Some(account) => Grant { account, ..grant },
        None => grant,
    };
    let with_id_token =
        state.settings.standard.answers_id_token && state.settings.refresh_answers_id_token;
    let mut body = tokens(state, &grant, with_id_token, None);
    let rotates = state.settings.rotation;
    if rotates {
        state.tokens.spend(sent);
        let lifetime = state.refresh_token_lifetime();
        body["refresh_token"] = json!(state.tokens.issue_refresh_token(&grant, lifetime));
    }
    Ok(Answer { spends: rotates.then(|| sent.to_owned()), ..Answer::granted(&body).no_store() })
}

/// Returns access token and ID token.
fn tokens(state: &mut State, grant: &Grant, with_id_token: bool, nonce: Option<String>) -> Value {
    let standard = state.settings.standard.clone();
    let lifetime = state.access_token_lifetime();
    let now = jwt::now() + state.settings.clock_ahead;
    let mut claims = json!({
        "iss": state.issuer, "sub": grant.account.user_id, "jti": random::unique(),
        "iat": now, "exp": now + lifetime, "aud": "https://gateway.example",
    });
    let access_token = match standard.access_tokens {
        TokenForm::Opaque => format!("at_{}", random::unique()),
        TokenForm::Jwt => state.keys.sign(&claims, standard.signing),
    };
    state.tokens.add_access_token(&access_token, grant, lifetime);
    let mut body = json!({ "access_token": access_token, "token_type": standard.token_type });
    if standard.answers_expires_in {
        body["expires_in"] = json!(lifetime);
    }
    if with_id_token {
        claims["exp"] = json!(now + 3600);
        claims["aud"] = json!(grant.client_id);
        claims["email"] = json!(grant.account.email);
        claims["email_verified"] = json!(true);
        claims["preferred_username"] = json!(grant.account.email.split('@').next());
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        for (name, value) in standard.id_token_claims {
            claims[name] = value;
        }
        body["id_token"] = json!(state.keys.sign(&claims, standard.signing));
    }
    body
}

/// `POST /revoke` (RFC 7009)
pub(crate) fn revoke(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    client(state, request)?;
    let token = request.require("token")?;
    let outcome = if let Ok(grant) = state.tokens.redeem(token) {
        state.tokens.revoke_family(grant.family);
        "revoked"
    } else if state.tokens.invalidate_access_token(token) {
        "revoked"
    } else {
        "nothing_to_revoke"
    };
    Ok(Answer::new(200, "text/plain", String::new(), outcome))
}

/// `POST /introspect` (RFC 7662)
pub(crate) fn introspect(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    client(state, request)?;
    let token = request.require("token")?;
    let is_live =
        state.tokens.is_live_access_token(token) || state.tokens.is_live_refresh_token(token);
    Ok(Answer::json(200, &json!({ "active": is_live }), "told"))
}
