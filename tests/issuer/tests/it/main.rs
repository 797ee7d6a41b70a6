//! The server over HTTP, as its clients use it: one test for each rule.

mod authorize;
mod command;
mod control;
mod device;
mod exchange;
mod faults;
mod introspect;
mod messages;
mod page;
mod refresh;
mod responses;
mod revoke;
mod standard;

use std::time::Duration;

use issuer::{CLIENT_ID, Issuer};
use serde_json::{Value, json};
use ureq::{Agent, Body, http::Response};

/// Longer than any test needs.
const PATIENCE: Duration = Duration::from_secs(10);

struct Reply {
    status: u16,
    headers: ureq::http::HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }

    /// Returns status and error code.
    fn error(&self) -> (u16, String) {
        let code = self.json()["error"]["code"].as_str().map(str::to_owned);
        (self.status, code.unwrap_or_default())
    }
}

/// Uses one connection per request and follows no redirects.
fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(PATIENCE))
        .build();
    config.into()
}

fn read(response: Result<Response<Body>, ureq::Error>) -> Result<Reply, ureq::Error> {
    let (head, mut body) = response?.into_parts();
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, text: body.read_to_string()? })
}

fn try_post(url: &str, body: Value) -> Result<Reply, ureq::Error> {
    read(agent().post(url).send_json(body))
}

fn post(url: &str, body: Value) -> Reply {
    try_post(url, body).expect("an answer")
}

fn post_form(url: &str, fields: &[(&str, &str)]) -> Reply {
    let fields = fields.iter().copied();
    read(agent().post(url).send_form(fields)).expect("an answer")
}

fn get(url: &str) -> Reply {
    read(agent().get(url).call()).expect("an answer")
}

fn user_code(issuer: &Issuer) -> Reply {
    let url = issuer.url() + "/api/accounts/deviceauth/usercode";
    post(&url, json!({ "client_id": CLIENT_ID }))
}

fn poll(issuer: &Issuer, login: &Reply) -> Reply {
    let url = issuer.url() + "/api/accounts/deviceauth/token";
    let (id, code) = (login.member("device_auth_id"), login.member("user_code"));
    post(&url, json!({ "device_auth_id": id, "user_code": code }))
}

fn try_refresh(issuer: &Issuer, token: &str) -> Result<Reply, ureq::Error> {
    let url = issuer.url() + "/oauth/token";
    let body =
        json!({ "client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": token });
    try_post(&url, body)
}

fn refresh(issuer: &Issuer, token: &str) -> Reply {
    try_refresh(issuer, token).expect("an answer")
}

fn ask_model(issuer: &Issuer, access_token: &str) -> Reply {
    let request = agent().post(issuer.url() + "/v1/responses");
    let request = request.header("Authorization", format!("Bearer {access_token}"));
    read(request.send_json(json!({ "model": "any", "stream": true }))).expect("an answer")
}

/// Grants an expired access token and a valid refresh token.
fn expired_login(issuer: &Issuer) -> issuer::Tokens {
    issuer.grant(&Issuer::accounts()[0], -60)
}
