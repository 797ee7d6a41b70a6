//! Generated responses of an authorization server: tokens, claims, endpoints, device authorizations.

use crate::fuzzed::{
    assert_one_line, assert_one_line_without_secret, bytes_of, for_each, json_of, nearly, odd_text,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use codex_credential::account::Claims;
use codex_credential::client::{ClientAuth, ClientRegistration, Endpoints, Standard};
use codex_credential::lifetime::Lifetime;
use codex_credential::login::Login;
use codex_credential::network::Network;
use codex_credential::oauth::client_auth::ClientAuthentication;
use codex_credential::oauth::device::{Approval, PollResponse, Polling};
use codex_credential::oauth::discovery::discover;
use codex_credential::oauth::http::{Http, Response};
use codex_credential::oauth::server::Server;
use codex_credential::pending_sign_in::{PendingSignIn, SignInRequest};
use codex_credential::tokens::{Secret, is_valid_token};
use codex_credential::urls::is_secure;
use issuer::{Endpoint, Fault, Issuer};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use std::time::Duration;

#[test]
fn lifetime_with_any_numbers_is_consistent() {
    let attack = attack!(Servers, "lives of tokens, by any numbers");
    for_each(
        &attack,
        4000,
        &any::<(Option<i64>, Option<i64>, i64, i64, u8)>(),
        |(issued_at, expires_at, min_validity, now, jitter)| {
            let life = Lifetime { issued_at, expires_at };
            let covers = life.covers(min_validity, now);
            assert!(!covers || expires_at.is_none_or(|end| end > now));
            let due = life.renew_at(jitter);
            assert!(due.is_none_or(|due| Some(due) <= expires_at));
        },
    );
}

const CLAIMS: &[&str] = &[
    "exp",
    "iat",
    "iss",
    "sub",
    "email",
    "preferred_username",
    "https://api.openai.com/profile",
    "https://api.openai.com/auth",
    "chatgpt_account_id",
    "chatgpt_user_id",
    "user_id",
    "chatgpt_plan_type",
];

const BODY: &[&str] = &[
    "access_token",
    "refresh_token",
    "id_token",
    "expires_in",
    "token_type",
    "error",
    "code",
    "message",
    "error_description",
    "device_auth_id",
    "user_code",
    "usercode",
    "interval",
    "authorization_code",
    "code_verifier",
    "device_code",
    "verification_uri",
    "verification_uri_complete",
];

fn login(access_token: &str) -> Login {
    let by = ClientRegistration { issuer: "https://a.example".into(), client_id: "c".into() };
    let reply = json!({"access_token": "a"}).to_string().into_bytes();
    let reply = Response { status: 200, body: reply.into(), ..Response::default() };
    let login = Login::from_response(&reply.tokens().unwrap(), &by).unwrap();
    Login { access_token: Secret::from(access_token).into(), skew: i64::MIN, ..login }
}

#[test]
fn token_with_any_claims_is_read() {
    let attack = attack!(Servers, "claims of any form in a token");
    for_each(&attack, 1000, &bytes_of(CLAIMS), |claims| {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let _ = Claims::from_jwt(&token);
        let login = login(&token);
        let _ = (login.renew_at(), login.lifetime().covers(300, 0));
        let account = login.account();
        assert!(!account.username().contains(char::is_control));
        let end = login.lifetime().expires_at.map(codex_credential::clock::rfc3339);
        assert!(end.is_none_or(|end| end.ends_with('Z')));
    });
}

#[test]
fn token_with_any_text_is_read() {
    let attack = attack!(Servers, "any text for a token");
    for_each(&attack, 1000, &odd_text(), |token| {
        let _ = Claims::from_jwt(&token);
        let _ = login(&token).account();
    });
}

#[test]
fn token_response_is_valid_tokens_or_an_error() {
    let attack = attack!(Servers, "answers of the token endpoint of any form");
    for_each(&attack, 1000, &(100..=999_u16, bytes_of(BODY)), |(status, body)| {
        let reply = Response { status, body: body.into(), ..Response::default() };
        assert_one_line_without_secret(&reply.error("https://a.example/oauth/token"));
        let grant = reply.tokens();
        let tokens = grant
            .iter()
            .flat_map(|grant| [&grant.access_token, &grant.refresh_token, &grant.id_token]);
        for token in tokens.flatten() {
            assert!(is_valid_token(token.expose()) && !token.expose().is_empty());
        }
    });
}

fn poll(server: &Server, pending: &PendingSignIn) -> PollResponse {
    let Some(SignInRequest::DeviceCode(request)) = &pending.request else { unreachable!() };
    server.poll(request, pending.verification.user_code.as_ref().unwrap())
}

/// Sends the responses by HTTP, in both dialects.
#[test]
fn device_authorization_response_is_a_code_or_an_error() {
    let attack = attack!(Servers, "replies to a device login of any form, in both dialects");
    let issuer = Issuer::start();
    let http = Http::new(&Network::default()).unwrap();
    let client = ClientRegistration { issuer: issuer.url(), client_id: issuer::CLIENT_ID.into() };
    let url = |path: &str| Some(format!("{}{path}", issuer.url()).parse().unwrap());
    let endpoints = Endpoints {
        device_authorization_endpoint: url("/device_authorization"),
        token_endpoint: url("/token"),
        ..Endpoints::default()
    };
    let standard = Standard::default();
    let client_auth = &ClientAuthentication::fixed(ClientAuth::Basic);
    let (http, client, supports_pkce) = (&http, &client, true);
    let server =
        Server { http, client, standard: Some(&standard), endpoints, client_auth, supports_pkce };
    let endpoints = Endpoints {
        device_authorization_endpoint: url("/api/accounts/deviceauth/usercode"),
        token_endpoint: url("/oauth/token"),
        ..Endpoints::default()
    };
    let codex = Server { http, client, standard: None, endpoints, client_auth, supports_pkce };
    let pending = codex.start().unwrap();
    let pending_by_standard = server.start().unwrap();
    let strategy = (select(&[200_u16, 200, 200, 400, 401, 403, 404, 429, 500][..]), json_of(BODY));
    for_each(&attack, 150, &strategy, |(code, body)| {
        for endpoint in [Endpoint::UserCode, Endpoint::DeviceToken] {
            issuer.fault(endpoint, Fault::status(code, body.to_string()), 2);
        }
        for started in [codex.start(), server.start()] {
            match started {
                Ok(pending) => {
                    let prompt = &pending.verification;
                    let user_code = prompt.user_code.as_ref().unwrap();
                    assert!((1..=64).contains(&user_code.len()));
                    assert!(!user_code.contains(char::is_control));
                    assert!(prompt.verification_uri.starts_with("http"));
                }
                Err(error) => assert_one_line_without_secret(&error),
            }
        }
        let mut pace = Polling::new(5);
        for poll in [poll(&codex, &pending), poll(&server, &pending_by_standard)] {
            match pace.next_step(poll) {
                Err(error) => assert_one_line_without_secret(&error),
                Ok(None) => assert!(pace.pause() >= Duration::from_secs(1)),
                Ok(Some(Approval::Tokens(tokens))) => {
                    assert!(is_valid_token(tokens.access_token.unwrap().expose()));
                }
                Ok(Some(Approval::Code(_))) => {}
            }
        }
    });
}

const METADATA: &[&str] = &[
    "issuer",
    "device_authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "token_endpoint_auth_methods_supported",
];

#[test]
fn issuer_metadata_is_https_endpoints_or_an_error() {
    let attack = attack!(Servers, "discovery of any form");
    let issuer = Issuer::start();
    let http = Http::new(&Network::default()).unwrap();
    let endpoint = |path: &str| format!("{}{path}", issuer.url());
    let good = json!({
        "issuer": issuer.url(),
        "device_authorization_endpoint": endpoint("/device_authorization"),
        "token_endpoint": endpoint("/token"),
    });
    for_each(&attack, 300, &nearly(&good, METADATA), |document| {
        issuer.fault(Endpoint::Discovery, Fault::status(200, document.to_string()), 2);
        let found = discover(&http, &issuer.url());
        issuer.clear_faults();
        match found {
            Ok(found) => {
                let endpoints = found.endpoints;
                let named = [
                    endpoints.device_authorization_endpoint,
                    endpoints.token_endpoint,
                    endpoints.revocation_endpoint,
                    endpoints.jwks_uri,
                    endpoints.userinfo_endpoint,
                ];
                assert!(named.iter().flatten().all(|url| is_secure(url)), "{named:?}");
            }
            // The error may show the issuer's public metadata.
            Err(error) => assert_one_line(&error),
        }
    });
}
