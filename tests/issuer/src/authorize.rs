//! The authorization endpoint (RFC 6749 §4.1), for native apps (RFC 8252) with PKCE (RFC 7636).

use serde_json::Value;

use crate::{
    answer::Answer, device::Decision, page, random, request::Request, state::State, store::Grant,
};

/// An authorization request that the user has opened.
pub(crate) struct Authorization {
    /// Names it in the form of the page.
    id: String,
    client_id: String,
    redirect_uri: String,
    challenge: String,
    state: String,
    pub nonce: Option<String>,
    decision: Decision,
    code: String,
    /// The tokens that the code was exchanged for.
    family: Option<u64>,
}

/// Whether `uri` is registered: exactly, or with any port where a loopback address is registered without one (RFC 8252 §7.3).
fn is_registered(registered: &[String], uri: &str) -> bool {
    registered.iter().any(|known| {
        let with_any_port = || {
            let rest = known.strip_prefix("http://127.0.0.1/")?;
            let (port, path) = uri.strip_prefix("http://127.0.0.1:")?.split_once('/')?;
            Some(port.parse::<u16>().is_ok() && path == rest)
        };
        known == uri || with_any_port().unwrap_or_default()
    })
}

/// `GET /oauth/authorize`, `GET /authorize`: the page that asks the user.
pub(crate) fn ask(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    state.counts.authorizations += 1;
    let redirect_uri = request.require("redirect_uri")?;
    if !is_registered(&state.settings.redirect_uris, redirect_uri) {
        return Err(Answer::invalid_request("redirect_uri is not registered"));
    }
    for (name, expected) in [("response_type", "code"), ("code_challenge_method", "S256")] {
        if request.require(name)? != expected {
            return Err(Answer::invalid_request(&format!("{name} must be {expected}")));
        }
    }
    let challenge = request.require("code_challenge")?;
    let sent = request.require("state")?;
    if challenge.len() != 43 || sent.len() < 16 {
        return Err(Answer::invalid_request("code_challenge or state is too short"));
    }
    let authorization = Authorization {
        id: random::unique(),
        client_id: state.client_id(request)?.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        challenge: challenge.to_owned(),
        state: sent.to_owned(),
        nonce: request.get("nonce").map(str::to_owned),
        decision: Decision::Pending,
        code: format!("ac_{}", random::unique()),
        family: None,
    };
    let client_id = page::escape(&authorization.client_id);
    let text = format!("An app with the client id {client_id} asks for access.");
    let page = page::decision(
        "Allow access?",
        &text,
        &request.path,
        ("request", &authorization.id),
        &state.accounts,
    );
    state.authorizations.push(authorization);
    Ok(page)
}

/// `POST /oauth/authorize`, `POST /authorize`: the user's decision, once. Sends the browser back to the app.
pub(crate) fn decide(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    let id = request.require("request")?;
    let account = request.get("account").map(str::to_owned);
    let account = account.and_then(|id| state.accounts.iter().find(|it| it.account_id == id));
    let decision = match (request.require("decision")?, account) {
        ("approve", Some(account)) => Decision::Approved(account.clone()),
        ("deny", _) => Decision::Denied,
        _ => return Err(Answer::invalid_request("the decision cannot be understood")),
    };
    let issuer = state.issuer.clone();
    let mut open = state.authorizations.iter_mut();
    let authorization = open
        .find(|it| it.id == id && it.decision == Decision::Pending)
        .ok_or_else(|| Answer::invalid_request("unknown or decided request"))?;
    authorization.decision = decision;
    let mut answer = form_urlencoded::Serializer::new(String::new());
    let outcome = if authorization.decision == Decision::Denied {
        answer.append_pair("error", "access_denied");
        answer.append_pair("error_description", "The user denied the request.");
        "denied"
    } else {
        answer.append_pair("code", &authorization.code);
        "approved"
    };
    answer.append_pair("state", &authorization.state);
    if state.settings.answers_iss {
        answer.append_pair("iss", &issuer);
    }
    let location = format!("{}?{}", authorization.redirect_uri, answer.finish());
    let mut redirect = Answer::new(303, "text/plain", String::new(), outcome).no_store();
    redirect.headers.push(("Location".into(), location));
    Ok(redirect)
}

/// Uses a code up. Returns what it grants, and the nonce of its request. A code that is sent twice ends the login
/// (RFC 6749 §4.1.2).
///
/// # Errors
/// Why the code is refused; `None` for a code that this endpoint has not issued.
pub(crate) fn redeem(
    state: &mut State,
    request: &Request,
    client_id: &str,
) -> Result<(Grant, Option<String>), Option<&'static str>> {
    let sent = |name| request.get(name).unwrap_or_default();
    let mut all = state.authorizations.iter_mut();
    let authorization = all.find(|it| it.code == sent("code")).ok_or(None)?;
    if let Some(family) = authorization.family {
        state.tokens.revoke_family(family);
        state.counts.codes_replayed += 1;
        return Err(Some("the code has been used"));
    }
    let Decision::Approved(account) = authorization.decision.clone() else { return Err(None) };
    if authorization.client_id != client_id {
        return Err(Some("the code was issued to another client"));
    }
    if authorization.redirect_uri != sent("redirect_uri") {
        return Err(Some("redirect_uri does not match"));
    }
    if random::s256(sent("code_verifier")) != authorization.challenge {
        return Err(Some("code_verifier does not match"));
    }
    let grant = state.tokens.new_grant(&account, client_id);
    authorization.family = Some(grant.family);
    state.counts.exchanges_granted += 1;
    Ok((grant, authorization.nonce.clone()))
}

/// The parameters that the metadata of the standard dialect has for this endpoint.
pub(crate) fn metadata(state: &State, document: &mut Value) {
    document["authorization_endpoint"] = format!("{}/authorize", state.issuer).into();
    document["response_types_supported"] = vec!["code"].into();
    document["authorization_response_iss_parameter_supported"] = state.settings.answers_iss.into();
}

/// The redirect URIs of Codex, and one for other clients.
pub(crate) fn default_redirect_uris() -> Vec<String> {
    let uris =
        ["127.0.0.1:1455/auth/callback", "127.0.0.1:1457/auth/callback", "127.0.0.1/callback"];
    uris.map(|uri| format!("http://{uri}")).into()
}
