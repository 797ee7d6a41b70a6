//! What the user needs to approve a device authorization (RFC 8628 §3.3).

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Why the user is asked, unless the reason is only that nobody is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub verification_uri: String,
    /// `verification_uri` with the user code filled in, if the server offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_uri_complete: Option<String>,
    pub user_code: String,
    /// Seconds since the Unix epoch; RFC 3339 in JSON.
    #[serde(with = "crate::clock::as_rfc3339")]
    pub expires_at: i64,
}
