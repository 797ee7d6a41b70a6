use serde_json::{Value, json};

use crate::{
    answer::Answer,
    authorize,
    device::Decision,
    random,
    request::{Encoding, Request},
    state::State,
    store::{Grant, Refusal},
};

fn invalid_grant(message: &str) -> Answer {
    Answer::error(400, "invalid_grant", message)
}

/// `POST /oauth/token`, `grant_type=authorization_code`
pub(crate) fn exchange(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    request.require_encoding(Encoding::Form)?;
    let client_id = state.client_id(request)?;
    let code = request.require("code")?;
    let redirect_uri = request.require("redirect_uri")?;
    let verifier = request.require("code_verifier")?;
    match authorize::redeem(state, request, client_id) {
        Ok((grant, _)) => return Ok(granted(state, &grant)),
        Err(Some(why)) => return Err(invalid_grant(why)),
        // The code of a device authorization.
        Err(None) => {}
    }

    if redirect_uri != format!("{}/deviceauth/callback", state.issuer) {
        return Err(invalid_grant("redirect_uri does not match"));
    }
    let device = state
        .devices
        .by_authorization_code(code)
        .filter(|device| device.client_id == client_id)
        .ok_or_else(|| invalid_grant("unknown code"))?;
    let Decision::Approved(account) = device.decision.clone() else {
        return Err(invalid_grant("unknown code"));
    };
    if device.authorization.used {
        return Err(invalid_grant("the code has been used"));
    }
    if random::s256(verifier) != device.authorization.challenge() {
        return Err(invalid_grant("code_verifier does not match"));
    }
    device.authorization.used = true;

    let grant = state.tokens.new_grant(&account, client_id);
    state.counts.exchanges_granted += 1;
    Ok(granted(state, &grant))
}

/// Returns the response with the tokens of a new login.
fn granted(state: &mut State, grant: &Grant) -> Answer {
    let lifetime = state.access_token_lifetime();
    let tokens = state.issue(grant, lifetime);
    let mut body = token_response(lifetime);
    body["id_token"] = json!(tokens.id_token);
    body["access_token"] = json!(tokens.access_token);
    body["refresh_token"] = json!(tokens.refresh_token);
    Answer::granted(&body).no_store()
}

/// `POST /oauth/token`, `grant_type=refresh_token`
pub(crate) fn refresh(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    let client_id = state.client_id(request)?;
    let sent = request.require("refresh_token")?;
    let grant = state.tokens.redeem(sent).map_err(|refusal| {
        if let Refusal::Reused { family } = refusal {
            state.counts.reuses += 1;
            if state.settings.reuse_revokes_family {
                state.tokens.revoke_family(family);
            }
        }
        refused(&refusal)
    })?;
    if grant.client_id != client_id {
        return Err(invalid_grant("the token was granted to another client"));
    }

    state.counts.refreshes_granted += 1;
    let settings = state.settings.clone();
    let lifetime = state.access_token_lifetime();
    let mut body = token_response(lifetime);
    if settings.refresh_answers_id_token {
        body["id_token"] = json!(state.id_token(&grant));
    }
    if settings.refresh_answers_access_token {
        body["access_token"] = json!(state.issue_access_token(&grant, lifetime));
    }
    let rotates = settings.rotation && settings.refresh_answers_refresh_token;
    if rotates {
        state.tokens.spend(sent);
        let lifetime = state.refresh_token_lifetime();
        let successor = state.tokens.issue_refresh_token(&grant, lifetime);
        body["refresh_token"] = json!(successor);
    } else if settings.refresh_answers_refresh_token {
        body["refresh_token"] = json!(sent);
    }
    Ok(Answer { spends: rotates.then(|| sent.to_owned()), ..Answer::granted(&body).no_store() })
}

/// `POST /oauth/token` with another grant type, none, or a malformed body.
pub(crate) fn unsupported(request: &Request) -> Result<Answer, Answer> {
    let grant_type = request.require("grant_type")?;
    let message = format!("{grant_type} is not supported");
    Err(Answer::error(400, "unsupported_grant_type", &message))
}

fn refused(refusal: &Refusal) -> Answer {
    let (code, message) = match refusal {
        Refusal::Reused { .. } => (
            "refresh_token_reused",
            "Your refresh token has already been used to generate a new access token.",
        ),
        Refusal::Expired => ("refresh_token_expired", "Your refresh token has expired."),
        Refusal::Invalidated => {
            ("refresh_token_invalidated", "Your refresh token has been invalidated.")
        }
    };
    Answer::error(401, code, message)
}

fn token_response(lifetime: i64) -> Value {
    json!({
        "token_type": "Bearer",
        "expires_in": lifetime,
        "scope": "openid profile email offline_access",
    })
}
