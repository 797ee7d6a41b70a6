//! An authorization server that follows the RFCs, and this program as its client.

use crate::client::{ClientRegistration, Endpoints, Standard};
use crate::device_authorization::DeviceAuthorization;
use crate::error::{Error, Kind, Result};
use crate::oauth::device::{PollResponse, device_authorization, lost};
use crate::oauth::http::{Field, Http, RequestError, Response};
use crate::oauth::response::without_secrets;
use crate::oauth::token_endpoint::TokenOutcome;
use crate::tokens::Secret;
use crate::urls::host;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The longest lifetime of a device code we accept, in seconds.
const LONGEST_LIFETIME: u64 = 24 * 3600;

pub struct StandardServer<'a> {
    pub http: &'a Http,
    pub client: &'a ClientRegistration,
    pub standard: &'a Standard,
    /// Those of the profile; discovered ones where the profile has none.
    pub endpoints: Endpoints,
    /// Whether the client secret is sent in the body instead of the header.
    pub secret_in_body: bool,
}

impl StandardServer<'_> {
    /// Posts a form with client authentication (RFC 6749 §2.3.1).
    fn post(&self, url: &str, fields: &[Field]) -> Result<Response, RequestError> {
        let client_id = self.client.client_id.as_str();
        let secret = self.standard.secret().map_err(RequestError::NotSent)?;
        let mut fields = fields.to_vec();
        // Some servers look for the client id only in the body, even if the header has it.
        fields.push(("client_id", client_id));
        match &secret {
            Some(secret) if !self.secret_in_body => {
                return self.http.post_form_with_basic_auth((client_id, secret), url, &fields);
            }
            Some(secret) => fields.push(("client_secret", secret.expose())),
            None => {}
        }
        self.http.post_form(url, &fields)
    }

    fn token_endpoint(&self) -> Result<&str> {
        self.endpoints.token.as_deref().ok_or_else(|| self.no_endpoint("token_endpoint"))
    }

    fn no_endpoint(&self, name: &str) -> Error {
        let what = format!("{} does not publish its {name}", host(&self.client.issuer));
        Error::new(Kind::Configuration, what)
            .hint(format!("if the server has one, set {name} in the profile"))
    }

    /// Renews with a refresh token (RFC 6749 §6). The scope stays the one that was granted.
    pub fn refresh(&self, refresh_token: &Secret<String>) -> TokenOutcome {
        let url = match self.token_endpoint() {
            Ok(url) => url,
            Err(error) => return TokenOutcome::NotProcessed(error),
        };
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose().as_str()),
        ];
        fields.extend(self.audience());
        TokenOutcome::of(self.post(url, &fields), url, |response| {
            (400..500).contains(&response.status)
                && response.error_code().as_deref() == Some("invalid_grant")
        })
    }

    /// Returns the form fields that name the resource server, if the profile has one (RFC 8707).
    fn audience(&self) -> impl Iterator<Item = Field<'_>> {
        let fields = [("audience", &self.standard.audience), ("resource", &self.standard.resource)];
        fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Revokes a token (RFC 7009) and returns the host that confirmed it.
    pub fn revoke(&self, token: &Secret<String>, token_type_hint: &str) -> Result<String> {
        let url = self.endpoints.revocation.as_deref();
        let url = url.ok_or_else(|| self.no_endpoint("revocation_endpoint"))?;
        let fields = [("token", token.expose().as_str()), ("token_type_hint", token_type_hint)];
        let response = self.post(url, &fields)?;
        let is_revoked = (200..300).contains(&response.status);
        if is_revoked { Ok(host(url).to_owned()) } else { Err(request_error(&response, url)) }
    }

    /// Requests a device code and a user code (RFC 8628 §3.1).
    ///
    /// # Errors
    /// `DeviceLoginDisabled` if the server does not offer device authorization to this client.
    pub fn start(&self) -> Result<DeviceAuthorization> {
        let url = self.endpoints.device_authorization.as_deref().ok_or_else(|| {
            let mut error = self.no_endpoint("device_authorization_endpoint");
            error.kind = Kind::DeviceLoginDisabled;
            error
        })?;
        self.token_endpoint()?;
        let scope = self.standard.scope.as_deref().map(|scope| ("scope", scope));
        let fields: Vec<_> = scope.into_iter().chain(self.audience()).collect();
        let response = self.post(url, &fields)?;
        if !(200..300).contains(&response.status) {
            return Err(request_error(&response, url));
        }
        device_authorization(self.client, &response, url, None, LONGEST_LIFETIME)
    }

    /// Asks once whether the user has approved (RFC 8628 §3.4).
    pub fn poll(&self, authorization: &DeviceAuthorization) -> PollResponse {
        let url = match self.token_endpoint() {
            Ok(url) => url,
            Err(error) => return PollResponse::Failed(error),
        };
        let device_code = authorization.device_code.expose().as_str();
        match self.post(url, &[("grant_type", GRANT_TYPE), ("device_code", device_code)]) {
            Ok(response) => poll_response(&response, url),
            // The device code can be used once, and this response used it.
            Err(RequestError::CutOff(200..300, error)) => PollResponse::Failed(lost(&error)),
            Err(RequestError::NotSent(error)) if error.kind == Kind::Configuration => {
                PollResponse::Failed(error)
            }
            Err(RequestError::NotSent(_)) => PollResponse::Unavailable,
            Err(RequestError::NoResponse(_) | RequestError::CutOff(..)) => PollResponse::NoResponse,
        }
    }
}

/// Returns the error of an error response (RFC 6749 §5.2): `Configuration` if only another setting helps.
fn request_error(response: &Response, url: &str) -> Error {
    let hint = match response.error_code().as_deref() {
        Some("invalid_client") => {
            "check client_id, and client_secret_file if the client has a secret"
        }
        Some("unauthorized_client" | "unsupported_grant_type") => {
            let what = format!("{} does not allow device authorization to this client", host(url));
            return Error::new(Kind::DeviceLoginDisabled, what).hint(
                "ask its administrator to allow the device code grant, or use another client_id",
            );
        }
        Some("invalid_scope") => "check scope: the server does not grant it to this client",
        Some("invalid_target") => "check audience and resource: the server does not know them",
        _ => return response.error(url),
    };
    let json = response.json();
    let description = json.as_ref().and_then(|json| json["error_description"].as_str());
    let description = description.map(|text| format!(" ({})", without_secrets(text)));
    let text = response.error(url).text();
    let what = format!("{text}{}", description.unwrap_or_default());
    Error::new(Kind::Configuration, what).hint(hint)
}

/// RFC 8628 §3.5.
fn poll_response(response: &Response, url: &str) -> PollResponse {
    match (response.status, response.error_code().as_deref()) {
        (200..300, _) => match response.tokens().filter(|tokens| tokens.access_token.is_some()) {
            Some(tokens) => PollResponse::Tokens(tokens),
            None if response.json().is_some() => PollResponse::Failed(lost(&response.error(url))),
            // A web page does not come from the token endpoint.
            None => PollResponse::Unavailable,
        },
        (_, Some("authorization_pending")) => PollResponse::AuthorizationPending,
        (_, Some("slow_down")) => PollResponse::SlowDown,
        (_, Some("invalid_grant" | "device_not_found")) => {
            PollResponse::UnknownCode(unknown_code(url))
        }
        (_, code) => PollResponse::of_error(response).unwrap_or_else(|| match code {
            Some(_) => PollResponse::Failed(request_error(response, url)),
            None => PollResponse::Unavailable,
        }),
    }
}

fn unknown_code(url: &str) -> Error {
    let what =
        format!("{} does not know the device code: it was denied, used or has expired", host(url));
    Error::new(Kind::LoginExpired, what).run("to get a new one", "codex-credential login")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(status: u16, body: &str) -> PollResponse {
        poll_response(&Response::of(status, body), "https://a.example/token")
    }

    fn error(status: u16, code: &str) -> PollResponse {
        poll(status, &format!(r#"{{"error":"{code}"}}"#))
    }

    fn failure(status: u16, code: &str) -> Kind {
        match error(status, code) {
            PollResponse::Failed(error) => error.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_poll_response_is_recognized() {
        let tokens = r#"{"access_token":"a","token_type":"bearer"}"#;
        assert!(matches!(poll(200, tokens), PollResponse::Tokens(_)));
        assert!(matches!(poll(200, "{}"), PollResponse::Failed(_)));
        assert!(matches!(error(400, "authorization_pending"), PollResponse::AuthorizationPending));
        assert!(matches!(error(400, "slow_down"), PollResponse::SlowDown));
        assert!(matches!(error(404, "device_not_found"), PollResponse::UnknownCode(_)));
        assert!(matches!(error(400, "invalid_grant"), PollResponse::UnknownCode(_)));
        assert_eq!(failure(400, "access_denied"), Kind::Denied);
        assert_eq!(failure(400, "expired_token"), Kind::LoginExpired);
        assert_eq!(failure(401, "invalid_client"), Kind::Configuration);
        for (status, body) in [(200, "<html>"), (400, ""), (403, "<html>"), (502, "{}"), (307, "")]
        {
            assert!(matches!(poll(status, body), PollResponse::Unavailable), "{status} {body}");
        }
    }
}
