use serde::Serialize;

/// Counts since the start. A request counts when it arrives, with any result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// User codes requested.
    pub user_codes: u64,
    /// Polls.
    pub polls: u64,
    /// Polls that came before 90% of the interval had passed.
    pub early_polls: u64,
    /// Authorization requests that a browser opened.
    pub authorizations: u64,
    /// Authorization codes of a browser that were sent again after they had yielded tokens.
    pub codes_replayed: u64,
    /// Authorization codes sent to the token endpoint.
    pub exchanges: u64,
    /// Authorization codes exchanged for tokens.
    pub exchanges_granted: u64,
    /// Refresh tokens sent to the token endpoint.
    pub refreshes: u64,
    /// Refreshes that succeeded, even if a fault lost the answer.
    pub refreshes_granted: u64,
    /// Refreshes with a token that had already been used.
    pub reuses: u64,
    /// Refreshes that arrived and are not answered yet.
    pub in_flight: u64,
    /// Polls with a device code that had already yielded its tokens.
    pub polls_after_success: u64,
    /// Requests for the server metadata.
    pub discoveries: u64,
    /// Requests for the keys.
    pub keys: u64,
    /// Revocation requests.
    pub revocations: u64,
    /// Requests to the model.
    pub responses: u64,
    /// Requests to the model without a valid access token.
    pub responses_refused: u64,
}

/// One request, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When it arrived, in milliseconds since the start of the server.
    pub at: u64,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The HTTP status; `None` if the connection was closed instead.
    pub status: Option<u16>,
    /// The outcome: `granted`, an error code, or the name of a fault.
    pub outcome: String,
    /// The first 8 hex digits of the SHA-256 of the token or code that was sent.
    pub token: Option<String>,
    /// The `grant_type` that was sent.
    pub grant_type: Option<String>,
    /// The `client_id` that was sent.
    pub client_id: Option<String>,
    /// The `chatgpt-account-id` header.
    pub account_id: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.at as f64 / 1000.0;
        let status = self.status.map_or("---".to_owned(), |s| s.to_string());
        write!(f, "{seconds:9.3} {:4} {} {status}", self.method, self.path)?;
        write!(f, " {}", self.outcome)?;
        for (name, value) in [
            ("grant_type", &self.grant_type),
            ("token", &self.token),
            ("client_id", &self.client_id),
            ("user_agent", &self.user_agent),
        ] {
            if let Some(value) = value {
                write!(f, " {name}={value:?}")?;
            }
        }
        Ok(())
    }
}
