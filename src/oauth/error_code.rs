//! What the error codes of authorization servers mean: those of the RFCs, and those of products.

/// What a server says with an error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    AuthorizationPending,
    SlowDown,
    /// The user or the server denied the request.
    Denied,
    /// The device code expired.
    CodeExpired,
    /// The grant that was sent is not valid: a refresh token that was used, revoked or has expired, or such a device code.
    InvalidGrant,
    /// The grant may still be valid, but the server wants the user: for another factor, a consent or a new password.
    UserNeeded,
    /// The device code grant is not allowed to this client.
    GrantNotAllowed,
    /// The client is not known, or its secret was not accepted.
    ClientRefused,
    /// Only another setting helps: the hint.
    Misconfigured(&'static str),
    /// The same request may succeed later.
    Temporary,
    Other,
}

impl Meaning {
    pub fn of(code: &str) -> Self {
        match code {
            // RFC 8628 §3.5.
            "authorization_pending" => Self::AuthorizationPending,
            "slow_down" => Self::SlowDown,
            // `authorization_declined`: Microsoft Entra ID. `admin_policy_enforced`, `org_internal`: Google.
            "access_denied"
            | "authorization_declined"
            | "admin_policy_enforced"
            | "org_internal" => Self::Denied,
            "expired_token" | "code_expired" => Self::CodeExpired,
            // `incorrect_device_code`, `bad_refresh_token`: GitHub. `bad_verification_code`: GitHub and Microsoft Entra ID.
            // `token_inactive`: Ory Hydra. `device_not_found`: Django OAuth Toolkit.
            "invalid_grant"
            | "device_not_found"
            | "incorrect_device_code"
            | "bad_verification_code"
            | "bad_refresh_token"
            | "token_inactive" => Self::InvalidGrant,
            // OpenID Connect Core 1.0 §3.1.2.6, RFC 9470. `mfa_required`: Auth0.
            "interaction_required"
            | "login_required"
            | "consent_required"
            | "account_selection_required"
            | "insufficient_user_authentication"
            | "mfa_required" => Self::UserNeeded,
            // `device_flow_disabled`: GitHub.
            "unauthorized_client" | "unsupported_grant_type" | "device_flow_disabled" => {
                Self::GrantNotAllowed
            }
            // `incorrect_client_credentials`: GitHub.
            "invalid_client" | "incorrect_client_credentials" => Self::ClientRefused,
            "invalid_scope" => {
                Self::Misconfigured("check scope: the server does not grant it to this client")
            }
            "invalid_target" => {
                Self::Misconfigured("check audience and resource: the server does not know them")
            }
            // RFC 6749 §4.1.2.1.
            "temporarily_unavailable" | "server_error" => Self::Temporary,
            _ => Self::Other,
        }
    }
}
