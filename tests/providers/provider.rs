//! An identity provider of another project on loopback, with a log of the requests of programs.

use crate::browser;
use crate::machine::{PATIENCE, eventually};
use base64::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The public and the confidential client at each provider.
pub const PUBLIC: &str = "public";
pub const CONFIDENTIAL: (&str, &str) = ("confidential", "the-secret-of-a-client");
/// The client of the gateway, which introspects tokens.
pub const GATEWAY: (&str, &str) = ("gateway", "the-secret-of-the-gateway");

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    OidcProvider,
    Django,
    /// Opaque tokens, and nothing that says who signed in.
    Authlib,
    /// A public client cannot revoke its tokens, and a bad refresh token gets an empty 400.
    Glewlwyd,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::OidcProvider => "oidc-provider",
            Self::Django => "django",
            Self::Authlib => "authlib",
            Self::Glewlwyd => "glewlwyd",
        }
    }

    pub fn scope(self) -> &'static str {
        match self {
            Self::OidcProvider => "openid email profile offline_access",
            Self::Django => "openid email models",
            Self::Authlib => "models offline_access",
            Self::Glewlwyd => "openid models",
        }
    }

    fn server(self) -> Command {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/providers");
        match self {
            Self::OidcProvider => {
                let mut node = Command::new("node");
                node.arg(format!("{folder}/oidc-provider/server.mjs"));
                node
            }
            Self::Django | Self::Authlib => {
                let variable = if self == Self::Django { "REAL_DJANGO" } else { "REAL_AUTHLIB" };
                let mut python = Command::new(std::env::var_os(variable).unwrap());
                python.arg(format!("{folder}/{}/server.py", self.name()));
                python
            }
            Self::Glewlwyd => {
                let mut python = Command::new("python3");
                python.arg(format!("{folder}/glewlwyd/server.py"));
                python.env("GLEWLWYD", std::env::var_os("REAL_GLEWLWYD").unwrap());
                python
            }
        }
    }
}

/// The endpoints, from the first line that the provider's server prints.
#[derive(Deserialize)]
pub struct Endpoints {
    pub issuer: String,
    /// Of the providers whose pages a browser opens.
    pub authorization_endpoint: Option<String>,
    pub device_authorization_endpoint: String,
    pub token_endpoint: String,
    pub revocation_endpoint: String,
    pub introspection_endpoint: String,
    pub jwks_uri: String,
    pub userinfo_endpoint: String,
}

/// One request of a program, from a line that the provider's server prints.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    pub endpoint: String,
    pub grant_type: Option<String>,
    /// The SHA-256 of the refresh token in the request.
    pub refresh_token: Option<String>,
    /// The access token in the response.
    pub access_token: Option<String>,
    pub status: u16,
    pub error: Option<String>,
}

pub struct Provider {
    pub kind: Kind,
    pub endpoints: Endpoints,
    log: Arc<Mutex<Vec<Entry>>>,
    server: Child,
}

impl Provider {
    /// Starts the server with more environment variables.
    pub fn start(kind: Kind, variables: &[(&str, &str)]) -> Self {
        let mut command = kind.server();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).envs(variables.iter().copied());
        let mut server = command.spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let first = lines.next().expect("a first line").unwrap();
        let endpoints = serde_json::from_str(&first).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        thread::spawn({
            let log = log.clone();
            move || {
                for line in lines.map_while(Result::ok) {
                    log.lock().unwrap().push(serde_json::from_str(&line).expect(&line));
                }
            }
        });
        Self { kind, endpoints, log, server }
    }

    /// Returns the requests so far. Sends a marker request and waits for its line, so that no earlier line is missing.
    pub fn log(&self) -> Vec<Entry> {
        let mark = |entry: &Entry| entry.grant_type.as_deref() == Some("mark");
        let marks = || self.log.lock().unwrap().iter().filter(|entry| mark(entry)).count();
        let before = marks();
        let form = [("grant_type", "mark"), ("client_id", PUBLIC)];
        assert!(post(&self.endpoints.token_endpoint, None, &form).0 >= 400);
        eventually(|| marks() > before);
        let log = self.log.lock().unwrap();
        log.iter().filter(|entry| !mark(entry)).cloned().collect()
    }

    /// Returns the requests with this grant type.
    pub fn requests(&self, grant_type: &str) -> Vec<Entry> {
        let mut log = self.log();
        log.retain(|entry| entry.grant_type.as_deref() == Some(grant_type));
        log
    }

    /// Counts the refresh requests that were granted, refused, and sent with a token that had been sent before.
    pub fn refreshes(&self) -> Refreshes {
        let requests = self.requests("refresh_token");
        let different: HashSet<_> = requests.iter().map(|entry| &entry.refresh_token).collect();
        Refreshes {
            granted: requests.iter().filter(|entry| entry.status == 200).count(),
            refused: requests.iter().filter(|entry| entry.status != 200).count(),
            reused: requests.len() - different.len(),
        }
    }

    /// Returns the access tokens that were granted to device codes, in order.
    pub fn granted(&self) -> Vec<String> {
        self.granted_to(DEVICE_CODE)
    }

    /// Returns the access tokens that were granted for this grant type, in order.
    pub fn granted_to(&self, grant_type: &str) -> Vec<String> {
        self.requests(grant_type).into_iter().filter_map(|entry| entry.access_token).collect()
    }

    pub fn revocations(&self) -> usize {
        let revoked = |entry: &&Entry| entry.endpoint == "revocation" && entry.status == 200;
        self.log().iter().filter(revoked).count()
    }

    /// Returns whether introspection calls the access token active.
    pub fn is_active(&self, token: &str) -> bool {
        let answer =
            post(&self.endpoints.introspection_endpoint, Some(GATEWAY), &[("token", token)]);
        assert_eq!(answer.0, 200);
        answer.1["active"] == true
    }

    /// Signs in on the provider's pages as `account` (`ada` or `bob`) and approves or denies.
    pub fn decide(&self, authorization: [&str; 2], account: &str, decision: &str) {
        if matches!(self.kind, Kind::Authlib | Kind::Glewlwyd) {
            // What their pages send.
            let origin = self.endpoints.issuer.trim_end_matches("/api/oidc");
            let form =
                [("user_code", authorization[1]), ("account", account), ("decision", decision)];
            assert_eq!(post(&format!("{origin}/decide"), None, &form).0, 200);
            return;
        }
        let node = Command::new("node");
        let message = browser::decide(node, self.kind.name(), authorization, account, decision);
        println!("{}: {message}", self.kind.name());
    }

    /// As [`Provider::decide`], on the page of an authorization request. Returns the heading of the program's own page.
    pub fn decide_on(&self, page: &str, account: &str, decision: &str) -> String {
        let node = Command::new("node");
        browser::decide(node, self.kind.name(), [page, "-"], account, decision)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Refreshes {
    pub granted: usize,
    pub refused: usize,
    pub reused: usize,
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

/// Posts a form, with the credentials of `client` if given. Returns the status and the JSON body.
pub fn post(url: &str, client: Option<(&str, &str)>, form: &[(&str, &str)]) -> (u16, Value) {
    let mut request = agent().post(url);
    if let Some((id, secret)) = client {
        let pair = BASE64_STANDARD.encode(format!("{id}:{secret}"));
        request = request.header("Authorization", format!("Basic {pair}"));
    }
    read(request.send_form(form.iter().copied()))
}

pub fn get(url: &str) -> (u16, Value) {
    read(agent().get(url).call())
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder();
    config.http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into()
}

/// Returns the status and the JSON body, or null if the body is not JSON.
fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut answer = answer.unwrap();
    let body = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&body).unwrap_or_default())
}
