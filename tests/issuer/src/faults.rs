use std::{collections::HashMap, collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{answer::Answer, settings::seconds};

/// Where a [`Fault`] strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /api/accounts/deviceauth/usercode`, `POST /device_authorization`
    UserCode,
    /// `POST /api/accounts/deviceauth/token`, `POST /token` with a device code
    DeviceToken,
    /// `POST /oauth/token` with an authorization code
    Exchange,
    /// `POST /oauth/token` or `POST /token` with a refresh token
    Refresh,
    /// `POST /oauth/revoke`, `POST /revoke`
    Revoke,
    /// What is under `/.well-known`
    Discovery,
    /// `GET /jwks`
    Keys,
    /// `POST /v1/responses`, and where ChatGPT has it: `/backend-api/codex/responses`
    Responses,
    /// `POST /v1/messages`
    Messages,
}

/// A way to fail. A request is always read first, since the body says which endpoint it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Answers this and processes nothing. The body is called JSON unless a header says otherwise.
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
    /// Processes nothing and closes the connection without a byte.
    Drop,
    /// Waits, then processes and answers. Like a real server, it processes even if the client has hung up meanwhile.
    DelayBefore(#[serde(with = "seconds")] Duration),
    /// Processes (a refresh token is spent from then on), waits, then answers.
    DelayAfter(#[serde(with = "seconds")] Duration),
    /// Processes, then closes the connection without a byte.
    LoseReply,
    /// Processes, sends half of the body, then closes the connection.
    Truncate,
    /// Processes nothing and sends JSON that never ends, until the client hangs up.
    Endless,
    /// Processes, and spreads the body evenly over this long.
    SlowBody(#[serde(with = "seconds")] Duration),
    /// Processes nothing and answers 200 with a web page, like a captive portal.
    NotJson,
    /// Processes nothing and answers 307 with this `Location`, which asks to send method and body there again.
    Redirect(String),
}

impl Fault {
    /// [`Fault::Status`] without further headers.
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

    /// The answer given in place of processing the request.
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

/// The faults still to come, in order, for each endpoint.
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
