//! A pending sign-in, as a record that outlives the process that waits for the user.

use crate::account::AccountRules;
use crate::client::ClientRegistration;
use crate::tokens::Secret;
use crate::verification::Verification;
use serde::{Deserialize, Serialize};

/// A sign-in that waits for the user's approval, in the form of its record on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingSignIn {
    pub issuer: String,
    pub client_id: String,
    #[serde(flatten)]
    pub verification: Verification,
    /// `None` in what is shown to hosts that cannot finish the sign-in.
    pub request: Option<SignInRequest>,
    /// The rules of the caller that started it.
    pub rules: AccountRules,
    /// The answer to the user's approval. A code that was received is exchanged, and no other one is waited for.
    pub approval: Option<AuthorizationCode>,
}

/// What this program needs to get the tokens. Only this program knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInRequest {
    DeviceCode(DeviceCode),
    Browser(AuthorizationRequest),
}

/// An authorization request that a browser on this machine, or a pasted address, answers (RFC 6749 §4.1.1, RFC 8252).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Where the browser brings the answer, with its port.
    pub redirect_uri: String,
    pub state: String,
    /// What the ID token repeats (OpenID Connect Core 1.0 §3.1.2.1), from a server that sends verifiable ones.
    pub nonce: Option<String>,
    pub code_verifier: Secret<String>,
    /// Whether the answer has to name the issuer (RFC 9207).
    pub requires_iss: bool,
}

/// A device authorization (RFC 8628 §3.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCode {
    pub device_code: Secret<String>,
    /// Sent with each poll, if the request had its challenge (RFC 7636 §4.5).
    pub code_verifier: Option<Secret<String>>,
    /// Between two polls, in seconds.
    pub interval: u64,
}

impl PendingSignIn {
    /// Whether a sign-in with this issuer and client can continue it at `now`, in seconds since the epoch.
    pub fn is_usable(&self, client: &ClientRegistration, now: i64) -> bool {
        self.issuer == client.issuer
            && self.client_id == client.client_id
            && self.verification.expires_at > now
    }
}

/// An authorization code with its PKCE verifier (RFC 7636).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCode {
    pub authorization_code: Secret<String>,
    pub code_verifier: Secret<String>,
}
