use std::{collections::HashMap, collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{answer::Answer, settings::seconds};

/// Where a [`Fault`] applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /api/accounts/deviceauth/usercode`, `POST /device_authorization`
    UserCode,
    /// `POST /api/accounts/deviceauth/token`, `POST /token` with a device code
    DeviceToken,
    /// `POST /oauth/token` or `POST /token` with an authorization code
    Exchange,
    /// `POST /oauth/token` or `POST /token` with a refresh token
    Refresh,
    /// `POST /oauth/revoke`, `POST /revoke`
    Revoke,
    /// `GET /.well-known/…`
    Discovery,
    /// `GET /jwks`
    Keys,
    /// `POST /v1/responses`, and ChatGPT's path `/backend-api/codex/responses`
    Responses,
    /// `POST /v1/messages`
    Messages,
}

/// A failure. The request is always read first, because its body determines the endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Does not process the request, and sends this response. Its content type is JSON unless a header sets another.
    Status {
        /// The HTTP status.
        code: u16,
        /// The body, as is.
        #[serde(default)]
        body: String,
        /// More headers, such as `Retry-After`.
        #[serde(default)]
        headers: Vec<(String, String)>,
    },
    /// Does not process the request, and closes the connection without a byte.
    Drop,
    /// Waits, then processes and answers. Like a real server, it processes even if the client has hung up.
    DelayBefore(#[serde(with = "seconds")] Duration),
    /// Processes the request (a refresh token is used up then), waits, then answers.
    DelayAfter(#[serde(with = "seconds")] Duration),
    /// Processes the request, then closes the connection without a byte.
    LoseReply,
    /// Processes the request, sends half of the body, then closes the connection.
    Truncate,
    /// Does not process the request, and sends JSON until the client hangs up.
    Endless,
    /// Processes the request, and sends the body evenly over this duration.
    SlowBody(#[serde(with = "seconds")] Duration),
    /// Does not process the request, and answers 200 with a web page, like a captive portal.
    NotJson,
    /// Does not process the request, and answers 307 with this `Location`.
    Redirect(String),
}

impl Fault {
    /// Creates a [`Fault::Status`] without headers.
    pub fn status(code: u16, body: impl Into<String>) -> Self {
        Self::Status { code, body: body.into(), headers: Vec::new() }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Drop => "drop",
            Self::DelayBefore(_) => "delay_before",
            Self::DelayAfter(_) => "delay_after",
            Self::LoseReply => "lose_reply",
            Self::Truncate => "truncate",
            Self::Endless => "endless",
            Self::SlowBody(_) => "slow_body",
            Self::NotJson => "not_json",
            Self::Redirect(_) => "redirect",
        }
    }

    /// Returns the answer that replaces the processing of the request.
    pub(crate) fn instead(&self) -> Option<Answer> {
        let mut answer = match self {
            Self::Status { code, body, .. } => {
                Answer::new(*code, "application/json", body.clone(), "")
            }
            Self::Endless => Answer::new(200, "application/json", String::new(), ""),
            Self::NotJson => {
                let page = "<!doctype html><title>Welcome</title><p>Please sign in to the network.";
                Answer::new(200, "text/html; charset=utf-8", page.to_owned(), "")
            }
            Self::Redirect(_) => Answer::new(307, "text/plain", String::new(), ""),
            _ => return None,
        };
        match self {
            Self::Status { headers, .. } => answer.headers.clone_from(headers),
            Self::Redirect(url) => answer.headers.push(("Location".into(), url.clone())),
            _ => {}
        }
        Some(answer)
    }
}

/// The queued faults of each endpoint.
#[derive(Default)]
pub(crate) struct Faults(HashMap<Endpoint, VecDeque<(Fault, u32)>>);

impl Faults {
    pub fn put(&mut self, endpoint: Endpoint, fault: Fault, times: u32) {
        if times > 0 {
            self.0.entry(endpoint).or_default().push_back((fault, times));
        }
    }

    pub fn next(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let queue = self.0.get_mut(&endpoint)?;
        let (fault, times) = queue.front_mut()?;
        let fault = fault.clone();
        if *times < u32::MAX {
            *times -= 1;
            if *times == 0 {
                queue.pop_front();
            }
        }
        Some(fault)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}
