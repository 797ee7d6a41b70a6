//! A device authorization (RFC 8628), as a record that outlives the process that polls for it.

use crate::account::AccountRules;
use crate::client::ClientRegistration;
use crate::tokens::Secret;
use crate::verification::Verification;
use serde::{Deserialize, Serialize};

/// A pending device authorization (RFC 8628 §3.2), in the form of its record on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAuthorization {
    pub issuer: String,
    pub client_id: String,
    pub device_code: Secret<String>,
    /// Sent with each poll, if the request had its challenge (RFC 7636 §4.5).
    pub code_verifier: Option<Secret<String>>,
    #[serde(flatten)]
    pub verification: Verification,
    /// Between two polls, in seconds.
    pub interval: u64,
    /// The rules of the request that started it.
    pub rules: AccountRules,
    /// The answer to the user's approval. A code that has one is exchanged, and not polled for again.
    pub approval: Option<AuthorizationCode>,
}

impl DeviceAuthorization {
    /// Whether a sign-in with this issuer and client can continue it at `now`, in seconds since the epoch.
    pub fn is_usable(&self, client: &ClientRegistration, now: i64) -> bool {
        self.issuer == client.issuer
            && self.client_id == client.client_id
            && self.verification.expires_at > now
    }
}

/// The authorization code of an approved device authorization, with its PKCE verifier (RFC 7636).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCode {
    pub authorization_code: Secret<String>,
    pub code_verifier: Secret<String>,
}
