use std::{collections::HashMap, io, time::Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt, Limited};
use hyper::{
    Method,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, USER_AGENT},
};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::{answer::Answer, faults::Endpoint, standard::DEVICE_CODE};

const BODY_LIMIT: usize = 8 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Form,
    Other,
}

/// A complete request.
pub(crate) struct Request {
    pub method: Method,
    pub path: String,
    pub encoding: Encoding,
    pub body: Bytes,
    pub arrived: Instant,
    /// Whether the introspection endpoint called the access token active, if it was asked.
    pub active: Option<bool>,
    headers: HeaderMap,
    parameters: Option<HashMap<String, String>>,
}

impl Request {
    pub async fn read(request: hyper::Request<Incoming>) -> io::Result<Self> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, BODY_LIMIT);
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let encoding = encoding(&head.headers);
        Ok(Self {
            parameters: match (&head.method, head.uri.query()) {
                (&Method::GET, Some(query)) => parameters(Encoding::Form, query.as_bytes()),
                _ => parameters(encoding, &body),
            },
            method: head.method,
            path: head.uri.path().to_owned(),
            headers: head.headers,
            encoding,
            body,
            arrived: Instant::now(),
            active: None,
        })
    }

    /// Returns a parameter of the body, or of the query of a GET request, if it could be parsed.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.as_ref()?.get(name).map(String::as_str)
    }

    /// Returns a parameter, or the answer to a request without it.
    pub fn require(&self, name: &str) -> Result<&str, Answer> {
        if self.parameters.is_none() {
            return Err(Answer::invalid_request("the parameters cannot be read"));
        }
        self.get(name).ok_or_else(|| Answer::invalid_request(&format!("{name} is missing")))
    }

    pub fn require_encoding(&self, encoding: Encoding) -> Result<(), Answer> {
        match self.encoding == encoding {
            true => Ok(()),
            false => Err(Answer::invalid_request("wrong content type")),
        }
    }

    pub fn named(&self, header: &str) -> Option<&str> {
        self.headers.get(header)?.to_str().ok()
    }

    /// Returns client id and secret from the header (RFC 6749 §2.3.1).
    pub fn basic(&self) -> Option<(String, String)> {
        let value = self.named("authorization")?.strip_prefix("Basic ")?;
        let pair = String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok()?;
        let (id, secret) = pair.split_once(':')?;
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8().map(|text| text.into_owned()).ok()
        };
        Some((decoded(id)?, decoded(secret)?))
    }

    pub fn user_agent(&self) -> Option<String> {
        self.header(USER_AGENT)
    }

    pub fn content_type(&self) -> Option<String> {
        self.header(CONTENT_TYPE)
    }

    pub fn bearer(&self) -> Option<&str> {
        let value = self.headers.get(AUTHORIZATION)?.to_str().ok()?;
        value.strip_prefix("Bearer ")
    }

    /// Returns the access token for the model. Claude Code sends a key in both headers.
    pub fn access_token(&self) -> Option<&str> {
        self.bearer().or_else(|| self.headers.get("x-api-key")?.to_str().ok())
    }

    /// Whether the model answers with events.
    pub fn wants_stream(&self) -> bool {
        // With a ChatGPT login, Codex compresses its requests, which we cannot read. It expects a stream.
        let body: Result<Value, _> = serde_json::from_slice(&self.body);
        body.map_or(true, |body| body["stream"].as_bool().unwrap_or_default())
    }

    /// Returns the token or code that the request is about.
    pub fn token(&self) -> Option<&str> {
        ["refresh_token", "code", "token", "device_auth_id", "device_code"]
            .iter()
            .find_map(|name| self.get(name))
            .or_else(|| self.access_token())
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        if self.method == Method::GET {
            return match self.path.as_str() {
                "/jwks" => Some(Endpoint::Keys),
                path if path.starts_with("/.well-known/") => Some(Endpoint::Discovery),
                _ => None,
            };
        }
        if self.method != Method::POST {
            return None;
        }
        match (self.path.as_str(), self.get("grant_type")) {
            ("/device_authorization", _) => Some(Endpoint::UserCode),
            ("/token", Some(DEVICE_CODE)) => Some(Endpoint::DeviceToken),
            ("/token", Some("refresh_token")) => Some(Endpoint::Refresh),
            ("/token", Some("authorization_code")) => Some(Endpoint::Exchange),
            ("/revoke", _) => Some(Endpoint::Revoke),
            ("/api/accounts/deviceauth/usercode", _) => Some(Endpoint::UserCode),
            ("/api/accounts/deviceauth/token", _) => Some(Endpoint::DeviceToken),
            ("/oauth/token", Some("authorization_code")) => Some(Endpoint::Exchange),
            ("/oauth/token", Some("refresh_token")) => Some(Endpoint::Refresh),
            ("/oauth/revoke", _) => Some(Endpoint::Revoke),
            ("/v1/responses" | "/backend-api/codex/responses", _) => Some(Endpoint::Responses),
            ("/v1/messages", _) => Some(Endpoint::Messages),
            _ => None,
        }
    }

    fn header(&self, name: HeaderName) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }
}

fn encoding(headers: &HeaderMap) -> Encoding {
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let media_type = value.and_then(|v| v.split(';').next()).map(str::trim);
    match media_type {
        Some("application/json") => Encoding::Json,
        Some("application/x-www-form-urlencoded") => Encoding::Form,
        _ => Encoding::Other,
    }
}

/// Returns the string members of a JSON object or the fields of a form. `None` if it is neither or repeats a name.
fn parameters(encoding: Encoding, body: &[u8]) -> Option<HashMap<String, String>> {
    let mut parameters = HashMap::new();
    match encoding {
        Encoding::Json => {
            let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
                return None;
            };
            for (name, value) in members {
                if let Value::String(value) = value {
                    parameters.insert(name, value);
                }
            }
        }
        Encoding::Form => {
            for (name, value) in form_urlencoded::parse(body).into_owned() {
                // RFC 6749 §3.2: no parameter more than once.
                if parameters.insert(name, value).is_some() {
                    return None;
                }
            }
        }
        Encoding::Other => return None,
    }
    Some(parameters)
}
