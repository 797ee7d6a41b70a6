use serde_json::{Value, json};

/// The answer of an endpoint, before a fault changes it.
pub(crate) struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The outcome in the log.
    pub outcome: String,
    /// The refresh token that must never be sent again after this answer.
    pub spends: Option<String>,
}

impl Answer {
    pub fn new(status: u16, content_type: &'static str, body: String, outcome: &str) -> Self {
        Self {
            status,
            content_type,
            headers: Vec::new(),
            body,
            outcome: outcome.to_owned(),
            spends: None,
        }
    }

    pub fn json(status: u16, body: &Value, outcome: &str) -> Self {
        Self::new(status, "application/json", body.to_string(), outcome)
    }

    /// Server-sent events. The data of each repeats its name.
    pub fn stream(events: &[(&str, Value)]) -> Self {
        let event = |(name, data): &(&str, Value)| {
            let mut data = data.clone();
            data["type"] = json!(name);
            format!("event: {name}\ndata: {data}\n\n")
        };
        Self::new(200, "text/event-stream", events.iter().map(event).collect(), "answered")
    }

    pub fn granted(body: &Value) -> Self {
        Self::json(200, body, "granted")
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({ "error": { "code": code, "message": message } });
        Self::json(status, &body, code)
    }

    pub fn invalid_request(message: &str) -> Self {
        Self::error(400, "invalid_request", message)
    }

    pub fn not_found() -> Self {
        Self::error(404, "not_found", "no such endpoint")
    }

    /// Forbids caching of tokens (RFC 6749 §5.1).
    pub fn no_store(mut self) -> Self {
        self.headers.push(("Cache-Control".into(), "no-store".into()));
        self
    }
}
