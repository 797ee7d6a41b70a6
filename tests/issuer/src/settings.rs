use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::introspect::Introspection;
use crate::{account::Account, keys::Signing};

/// The client id of Codex, the only one accepted unless [`Settings::client_id`] says otherwise.
pub const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";

pub(crate) const DEFAULT_CODE_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How the usercode answer spells `interval`, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// `"5"`, as the real server does.
    Text(u64),
    /// `5`.
    Number(u64),
    /// No member at all; polls are then measured against the 5 s of RFC 8628.
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

/// What the server does; may be changed at any time, for the requests that come after.
///
/// In JSON (`POST /_issuer/settings`) durations are seconds and members left out keep their value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The one client id accepted; `None` accepts any, and holds each token to the client it was granted to.
    pub client_id: Option<String>,
    /// Off: the usercode endpoint answers 404.
    pub device_login: bool,
    /// How long a user code lives. The usercode answer carries `expires_in` unless this is the default of 15 minutes.
    #[serde(with = "seconds")]
    pub code_lifetime: Duration,
    /// What the usercode answer says about polling.
    pub interval: Interval,
    /// The name of the user code in the usercode answer; also seen in the wild: `usercode`.
    pub user_code_member: String,
    /// The status of a poll before a person decided: 403, or 404 as has also been seen.
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
    /// Off: a refresh token may be used again and again, and refresh answers repeat it.
    pub rotation: bool,
    /// A spent refresh token that comes back kills everything granted by the same login.
    pub reuse_revokes_family: bool,
    /// Refresh answers carry an `id_token`.
    pub refresh_answers_id_token: bool,
    /// Refresh answers carry an `access_token`.
    pub refresh_answers_access_token: bool,
    /// Refresh answers carry a `refresh_token`; without it the one that was sent stays good.
    pub refresh_answers_refresh_token: bool,
    /// Bytes added to the claims of an access token, to reach a realistic size.
    pub token_padding: usize,
    /// How long ago access tokens were issued, by their `iat`.
    pub access_token_age: Duration,
    /// The model goes by what another server says of an access token, and not by its own list.
    pub introspection: Option<Introspection>,
    /// How far this server's clock is ahead of the right time, in seconds: in `Date` and in the tokens.
    pub clock_ahead: i64,
    /// What the dialect of the standards has beside.
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

/// What the server does at `/device_authorization`, `/token`, `/revoke` and under `/.well-known`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Standard {
    /// `/.well-known/oauth-authorization-server` is there.
    pub oauth_discovery: bool,
    /// `/.well-known/openid-configuration` is there.
    pub openid_discovery: bool,
    /// What the documents call the issuer, in place of what it is.
    pub issuer: Option<String>,
    /// Members that the documents leave out.
    pub not_discovered: Vec<String>,
    /// How long the documents may be kept, in seconds; nothing is said without.
    pub max_age: Option<u64>,
    /// The client's secret; public clients have none.
    pub client_secret: Option<String>,
    /// The secret is taken from the body, not from the header.
    pub secret_in_body: bool,
    /// So many polls to come are answered `slow_down`; early ones are in any case.
    pub slow_down: u32,
    /// The answer to a device authorization has the URL with the code in it.
    pub verification_uri_complete: bool,
    /// The form of access tokens.
    pub access_tokens: TokenForm,
    /// Token answers carry `expires_in`.
    pub answers_expires_in: bool,
    /// Sign-ins, and refreshes as far as they do, carry an `id_token`.
    pub answers_id_token: bool,
    /// Claims laid over those of ID tokens.
    pub id_token_claims: serde_json::Map<String, Value>,
    /// How tokens are signed.
    pub signing: Signing,
    /// As token answers have it.
    pub token_type: String,
    /// Refreshes bring tokens of this account, whoever signed in.
    pub refresh_as: Option<Account>,
}

impl Default for Standard {
    fn default() -> Self {
        Self {
            oauth_discovery: true,
            openid_discovery: true,
            issuer: None,
            not_discovered: Vec::new(),
            max_age: None,
            client_secret: None,
            secret_in_body: false,
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
            standard: Standard::default(),
        }
    }
}

impl Settings {
    /// These settings with the members of a JSON object laid over them.
    pub(crate) fn merged(&self, changes: &Value) -> Result<Self, String> {
        let mut merged = serde_json::to_value(self).map_err(|e| e.to_string())?;
        let changes = changes.as_object().ok_or("not a JSON object")?;
        for (name, value) in changes {
            merged[name] = value.clone();
        }
        serde_json::from_value(merged).map_err(|e| e.to_string())
    }
}

/// Durations as seconds in JSON, with fractions.
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
