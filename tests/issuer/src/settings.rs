use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::introspect::Introspection;
use crate::{account::Account, authorize, keys::Signing};

/// The client id of Codex, the only one accepted unless [`Settings::client_id`] says otherwise.
pub const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";

pub(crate) const DEFAULT_CODE_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The form of `interval` in the user code response, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// `"5"`, like the real server.
    Text(u64),
    /// `5`.
    Number(u64),
    /// No member. The default of RFC 8628, 5 s, applies.
    Absent,
}

impl Interval {
    pub(crate) fn duration(self) -> Duration {
        match self {
            Self::Text(seconds) | Self::Number(seconds) => Duration::from_secs(seconds),
            Self::Absent => Duration::from_secs(5),
        }
    }

    pub(crate) fn to_json(self) -> Option<Value> {
        match self {
            Self::Text(seconds) => Some(seconds.to_string().into()),
            Self::Number(seconds) => Some(seconds.into()),
            Self::Absent => None,
        }
    }
}

/// The behavior of the server. It can be changed at any time for later requests.
///
/// In JSON (`POST /_issuer/settings`) durations are seconds, and absent members keep their value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The accepted client id. `None` accepts any, and each token is valid only for the client it was granted to.
    pub client_id: Option<String>,
    /// Whether device authorization is offered. If not, the user code endpoint answers 404.
    pub device_login: bool,
    /// Lifetime of user codes. The user code response has `expires_in` unless this is the default of 15 minutes.
    #[serde(with = "seconds")]
    pub code_lifetime: Duration,
    /// The interval in the user code response.
    pub interval: Interval,
    /// The member with the user code in the user code response. Some servers use `usercode`.
    pub user_code_member: String,
    /// The status of a poll before the user decides: 403 or 404.
    pub pending_status: u16,
    /// Approve every code with the first account at the first poll after this long.
    #[serde(with = "seconds::option")]
    pub auto_approve: Option<Duration>,
    /// Lifetime of access tokens, in whole seconds.
    #[serde(with = "seconds")]
    pub access_token_lifetime: Duration,
    /// Lifetime of refresh tokens, in whole seconds.
    #[serde(with = "seconds")]
    pub refresh_token_lifetime: Duration,
    /// Whether a refresh replaces the refresh token. If not, it can be reused, and responses repeat it.
    pub rotation: bool,
    /// Whether the reuse of a refresh token revokes all tokens of the same sign-in.
    pub reuse_revokes_family: bool,
    /// Whether refresh responses have an `id_token`.
    pub refresh_answers_id_token: bool,
    /// Whether refresh responses have an `access_token`.
    pub refresh_answers_access_token: bool,
    /// Whether refresh responses have a `refresh_token`. If not, the one that was sent stays valid.
    pub refresh_answers_refresh_token: bool,
    /// Bytes added to the claims of an access token, to reach a realistic size.
    pub token_padding: usize,
    /// How long ago access tokens were issued, by their `iat`.
    pub access_token_age: Duration,
    /// The server that the model asks about access tokens, instead of its own list.
    pub introspection: Option<Introspection>,
    /// Seconds that this server's clock is ahead, in `Date` and in tokens.
    pub clock_ahead: i64,
    /// `Date` in responses instead of that clock's time; the empty text sends none.
    pub date: Option<String>,
    /// The redirect URIs of all clients. A loopback address without a port allows any port.
    pub redirect_uris: Vec<String>,
    /// Whether the answer of the authorization endpoint has `iss` (RFC 9207).
    pub answers_iss: bool,
    /// Settings of the standard dialect.
    pub standard: Standard,
}

/// The form of access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenForm {
    /// Nothing can be read from it.
    Opaque,
    /// A signed JWT.
    Jwt,
}

/// The behavior of `/device_authorization`, `/token`, `/revoke` and `/.well-known`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Standard {
    /// Whether `/.well-known/oauth-authorization-server` exists.
    pub oauth_discovery: bool,
    /// Whether `/.well-known/openid-configuration` exists.
    pub openid_discovery: bool,
    /// The issuer in the metadata, instead of the real one.
    pub issuer: Option<String>,
    /// Members that the metadata omits.
    pub not_discovered: Vec<String>,
    /// The client secret. Public clients have none.
    pub client_secret: Option<String>,
    /// Whether the client secret is expected in the body instead of the header.
    pub secret_in_body: bool,
    /// Members that the metadata has in addition.
    pub more_metadata: serde_json::Map<String, Value>,
    /// Parameters that device and token requests must have, with their values.
    pub required_parameters: BTreeMap<String, String>,
    /// The status of error responses, instead of the one that fits the error.
    pub error_status: Option<u16>,
    /// Whether the metadata lists PKCE (RFC 7636).
    pub lists_pkce: bool,
    /// Whether a device authorization without a PKCE challenge is refused. One with a challenge is always held to it.
    pub requires_pkce: bool,
    /// The number of further polls that are answered with `slow_down`, besides early ones.
    pub slow_down: u32,
    /// Whether the device authorization response has `verification_uri_complete`.
    pub verification_uri_complete: bool,
    /// The form of access tokens.
    pub access_tokens: TokenForm,
    /// Whether token responses have `expires_in`.
    pub answers_expires_in: bool,
    /// Whether token responses have an `id_token`. For refreshes, `refresh_answers_id_token` must be set too.
    pub answers_id_token: bool,
    /// Claims that replace those of ID tokens.
    pub id_token_claims: serde_json::Map<String, Value>,
    /// How tokens are signed.
    pub signing: Signing,
    /// `token_type` of token responses.
    pub token_type: String,
    /// The account of the tokens of a refresh, instead of the one that signed in.
    pub refresh_as: Option<Account>,
}

impl Default for Standard {
    fn default() -> Self {
        Self {
            oauth_discovery: true,
            openid_discovery: true,
            issuer: None,
            not_discovered: Vec::new(),
            client_secret: None,
            secret_in_body: false,
            more_metadata: serde_json::Map::new(),
            required_parameters: BTreeMap::new(),
            error_status: None,
            lists_pkce: false,
            requires_pkce: false,
            slow_down: 0,
            verification_uri_complete: true,
            access_tokens: TokenForm::Opaque,
            answers_expires_in: true,
            answers_id_token: true,
            id_token_claims: serde_json::Map::new(),
            signing: Signing::Es256,
            token_type: "bearer".into(),
            refresh_as: None,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            client_id: Some(CLIENT_ID.into()),
            device_login: true,
            code_lifetime: DEFAULT_CODE_LIFETIME,
            interval: Interval::Text(5),
            user_code_member: "user_code".into(),
            pending_status: 403,
            auto_approve: None,
            access_token_lifetime: Duration::from_secs(10 * DAY),
            refresh_token_lifetime: Duration::from_secs(90 * DAY),
            rotation: true,
            reuse_revokes_family: false,
            refresh_answers_id_token: true,
            refresh_answers_access_token: true,
            refresh_answers_refresh_token: true,
            token_padding: 256,
            access_token_age: Duration::ZERO,
            introspection: None,
            clock_ahead: 0,
            date: None,
            redirect_uris: authorize::default_redirect_uris(),
            answers_iss: true,
            standard: Standard::default(),
        }
    }
}

impl Settings {
    /// Returns these settings with members replaced by those of a JSON object.
    pub(crate) fn merged(&self, changes: &Value) -> Result<Self, String> {
        let mut merged = serde_json::to_value(self).map_err(|e| e.to_string())?;
        let changes = changes.as_object().ok_or("not a JSON object")?;
        for (name, value) in changes {
            merged[name] = value.clone();
        }
        serde_json::from_value(merged).map_err(|e| e.to_string())
    }
}

/// For serde: durations as seconds, possibly with a fraction.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(duration.as_secs_f64())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
    }

    pub mod option {
        use super::{Deserialize, Deserializer, Duration, Error, Serializer};

        pub fn serialize<S: Serializer>(d: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
            match d {
                Some(duration) => super::serialize(duration, to),
                None => to.serialize_none(),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
            Option::<f64>::deserialize(d)?
                .map(|seconds| Duration::try_from_secs_f64(seconds).map_err(D::Error::custom))
                .transpose()
        }
    }
}
