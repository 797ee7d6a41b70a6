//! The authorization request that a browser opens (RFC 6749 §4.1, RFC 8252), and its answer: at the listener of
//! [`crate::oauth::callback`], or pasted by the user.

use crate::account::AccountRules;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::oauth::codex;
use crate::oauth::error_code::Meaning;
use crate::oauth::pkce::{METHOD, Pkce, random_text};
use crate::oauth::response::printable;
use crate::oauth::server::Server;
use crate::pending_sign_in::{
    AuthorizationCode, AuthorizationRequest, PendingSignIn, SignInRequest,
};
use crate::tokens::{Secret, is_valid_token};
use crate::urls::host;
use crate::verification::Verification;
use url::{Url, form_urlencoded};

/// How long the user has, in seconds.
const LIFETIME: i64 = 10 * 60;

/// Creates an authorization request. The user opens its page, and the browser brings the answer to `redirect_uri`.
///
/// # Errors
/// `Configuration` if the server has no authorization endpoint.
pub fn start(
    server: &Server,
    redirect_uri: String,
    requires_iss: bool,
    workspace: Option<&str>,
) -> Result<PendingSignIn> {
    let pkce = Pkce::new()?;
    let state = random_text()?;
    let nonce = server.standard.map(|_| random_text()).transpose()?;
    let page = server.authorization_endpoint()?;
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", &*server.client.client_id),
        ("redirect_uri", &*redirect_uri),
        ("code_challenge", &*pkce.code_challenge),
        ("code_challenge_method", METHOD),
        ("state", &*state),
    ];
    match server.standard {
        None => {
            fields.extend(codex::AUTHORIZATION_PARAMETERS);
            fields.extend(workspace.map(|id| ("allowed_workspace_id", id)));
        }
        Some(standard) => {
            fields.extend(standard.scope.as_deref().map(|scope| ("scope", scope)));
            fields.extend(nonce.as_deref().map(|nonce| ("nonce", nonce)));
            fields.extend(server.audience());
            server.add_parameters(&mut fields);
        }
    }
    let mut page = Url::parse(page).expect("an endpoint URL");
    page.query_pairs_mut().extend_pairs(fields);
    Ok(PendingSignIn {
        issuer: server.client.issuer.clone(),
        client_id: server.client.client_id.clone(),
        verification: Verification {
            reason: None,
            verification_uri: page.into(),
            verification_uri_complete: None,
            user_code: None,
            expires_at: clock::now() + LIFETIME,
        },
        request: Some(SignInRequest::Browser(AuthorizationRequest {
            redirect_uri,
            state,
            nonce,
            code_verifier: pkce.code_verifier,
            requires_iss,
        })),
        rules: AccountRules::default(),
        approval: None,
    })
}

/// The answer to an authorization request (RFC 6749 §4.1.2).
#[derive(Debug)]
pub enum Answer {
    Code(AuthorizationCode),
    /// The user or the server refused.
    Refused(Error),
}

/// An address or a code that the user pasted.
#[derive(Debug)]
pub enum Pasted {
    Answer(Answer),
    /// The beginning of an address, or nothing.
    Incomplete,
    /// Something else, with what it is.
    Other(&'static str),
}

/// Reads the query of an address that a browser was sent to. Returns `None` if it is no answer to `request` of `issuer`:
/// without its `state`, from another issuer (RFC 9207), or with a parameter twice.
pub fn answer(query: &str, request: &AuthorizationRequest, issuer: &str) -> Option<Answer> {
    let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let get = |name: &str| -> Option<Option<&str>> {
        let mut values = parameters.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| &**value);
        values.next().is_none().then_some(value)
    };
    let is_ours = get("state")? == Some(&request.state);
    let is_of_issuer = match get("iss")? {
        Some(iss) => iss.trim_end_matches('/') == issuer.trim_end_matches('/'),
        None => !request.requires_iss,
    };
    if !is_ours || !is_of_issuer {
        return None;
    }
    match (get("code")?, get("error")?) {
        (Some(code), None) => code_for(code, request),
        (None, Some(error)) => {
            let description = parameters.iter().find(|(name, _)| name == "error_description");
            let description = description.map(|(_, text)| printable(text));
            Some(Answer::Refused(refused(&printable(error), description, issuer)))
        }
        _ => None,
    }
}

fn code_for(code: &str, request: &AuthorizationRequest) -> Option<Answer> {
    let code = Some(code).filter(|code| !code.is_empty() && is_valid_token(code))?;
    Some(Answer::Code(AuthorizationCode {
        authorization_code: Secret::from(code),
        code_verifier: request.code_verifier.clone(),
    }))
}

fn refused(code: &str, description: Option<String>, issuer: &str) -> Error {
    let why = description.map_or_else(String::new, |text| format!(" ({text})"));
    let what = format!("{} refused the sign-in: {code}{why}", host(issuer));
    match Meaning::of(code) {
        Meaning::Denied => {
            Error::new(Kind::Denied, format!("the sign-in was denied in the browser{why}"))
                .run("to try again", "codex-credential login")
        }
        Meaning::Temporary => Error::new(Kind::Server, what).hint("try again later"),
        Meaning::Misconfigured(hint) => Error::new(Kind::Configuration, what).hint(hint),
        _ => Error::new(Kind::Configuration, what)
            .hint("ask the issuer's administrator whether this client may sign in with a browser"),
    }
}

/// Reads the address of the page that the browser could not load, or the code alone, with blanks and line breaks anywhere. A
/// code without `state` is bound to this sign-in by its PKCE challenge.
pub fn pasted(text: &str, request: &AuthorizationRequest, issuer: &str) -> Pasted {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let text = text.trim_matches(['"', '\'', '<', '>']);
    let Some((_, query)) = text.split_once('?') else {
        let is_beginning = text.is_empty() || text.contains("://");
        let code = || code_for(text, request).map(Pasted::Answer);
        return if is_beginning { None } else { code() }.unwrap_or(Pasted::Incomplete);
    };
    let query = query.split('#').next().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    match pairs.find(|(name, _)| name == "state") {
        Some((_, state)) if !request.state.starts_with(&*state) => {
            Pasted::Other("an address of another sign-in")
        }
        _ => answer(query, request, issuer).map_or(Pasted::Incomplete, Pasted::Answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://id.example";
    const ADDRESS: &str =
        "http://127.0.0.1:8000/callback?code=c0de&state=the-state&iss=https%3A%2F%2Fid.example";

    fn request(requires_iss: bool) -> AuthorizationRequest {
        AuthorizationRequest {
            redirect_uri: "http://127.0.0.1:8000/callback".into(),
            state: "the-state".into(),
            nonce: None,
            code_verifier: "verifier".into(),
            requires_iss,
        }
    }

    fn query(query: &str, requires_iss: bool) -> Option<Result<String, Kind>> {
        Some(match answer(query, &request(requires_iss), ISSUER)? {
            Answer::Code(code) => Ok(code.authorization_code.expose().clone()),
            Answer::Refused(error) => Err(error.kind),
        })
    }

    #[test]
    fn only_an_answer_with_the_state_from_the_issuer_counts() {
        let iss = "iss=https%3A%2F%2Fid.example";
        for (text, requires_iss, expected) in [
            ("code=a&state=the-state", false, Some(Ok("a".to_owned()))),
            (&format!("code=a&state=the-state&{iss}"), true, Some(Ok("a".to_owned()))),
            ("error=access_denied&state=the-state", false, Some(Err(Kind::Denied))),
            ("error=server_error&state=the-state", false, Some(Err(Kind::Server))),
            ("error=invalid_scope&state=the-state", false, Some(Err(Kind::Configuration))),
            ("code=a&state=the-state", true, None),
            ("code=a&state=the-state&iss=https%3A%2F%2Fevil.example", false, None),
            (&format!("code=a&state=the-state&{iss}&{iss}"), true, None),
            ("code=a&state=other", false, None),
            ("code=a&state=other&state=the-state", false, None),
            ("code=a&code=b&state=the-state", false, None),
            ("code=a&error=access_denied&state=the-state", false, None),
            ("code=&state=the-state", false, None),
            ("code=a%0Ab&state=the-state", false, None),
            ("error=access_denied&state=", false, None),
            ("code=a", false, None),
            ("", false, None),
        ] {
            assert_eq!(query(text, requires_iss), expected, "{text}");
        }
    }

    #[test]
    fn every_beginning_of_a_pasted_address_is_incomplete() {
        let code_of = |text: &str| match pasted(text, &request(true), ISSUER) {
            Pasted::Answer(Answer::Code(code)) => Some(code.authorization_code.expose().clone()),
            Pasted::Incomplete => None,
            other => panic!("{text}: {other:?}"),
        };
        for end in "http://".len()..ADDRESS.len() {
            assert_eq!(code_of(&ADDRESS[..end]), None, "{}", &ADDRESS[..end]);
        }
        let wrapped = format!("  <{}\r\n {} > \n", &ADDRESS[..40], &ADDRESS[40..]);
        for text in [ADDRESS, &wrapped, &ADDRESS[22..], "c0de", " c0\nde "] {
            assert_eq!(code_of(text).as_deref(), Some("c0de"), "{text}");
        }
        assert_eq!(code_of(" \n"), None);
    }

    #[test]
    fn address_of_another_sign_in_is_named() {
        let other = ADDRESS.replace("the-state", "another");
        assert!(matches!(pasted(&other, &request(true), ISSUER), Pasted::Other(_)));
    }
}
