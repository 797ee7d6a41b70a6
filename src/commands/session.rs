//! `status --check` and `status --usage`: an authorized request to the server that the access token is for.

use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::chatgpt::{self, Limit, Usage};
use crate::oauth::http::{Http, Response};
use crate::profile::Profile;
use crate::profile::built_in::ISSUER;
use crate::renewal::server::AuthorizationServer;
use crate::storage::codex_config::chatgpt_base_url;
use crate::storage::codex_home::CodexHome;
use crate::ui::time_left;
use crate::urls::host;
use serde_json::{Value, json};

/// Whether a server accepts the session.
#[derive(Debug)]
pub enum Session {
    /// This host accepts the access token.
    Usable(String),
    Refused(Error),
    Unreachable(Error),
    /// There is no server to ask, for this reason.
    NotChecked(String),
}

impl Session {
    /// Asks once. For Codex's login, asks what Codex asks when it starts; for other issuers, the userinfo endpoint.
    pub fn check(profile: &Profile, login: &Login, deadline: &Deadline) -> Self {
        let answer = match check_url(profile, deadline) {
            Ok(url) => ask(profile, login, &url, deadline).map(|response| (url, response)),
            Err(Unknown::NotAsked(reason)) => return Self::NotChecked(reason),
            Err(Unknown::Failed(error)) => Err(error),
        };
        match answer {
            Ok((url, response)) => Self::of(profile, &url, &response),
            Err(error) => Self::of_error(error),
        }
    }

    fn of(profile: &Profile, url: &str, response: &Response) -> Self {
        let error = response.error(url);
        match response.status {
            200..300 => Self::Usable(host(url).to_owned()),
            401 if response.is_from_endpoint() => {
                let error = Error::new(Kind::LoginDead, error.text());
                Self::Refused(error.sign_in_again())
            }
            // The scope of the access token may not cover the endpoint (RFC 6750 §3.1).
            403 if profile.standard.is_some() => Self::NotChecked(error.text()),
            403 if response.is_from_endpoint() => {
                let hint =
                    "ask the administrator of the workspace whether the account may use Codex";
                Self::Refused(Error::new(Kind::Denied, error.text()).hint(hint))
            }
            400..500 if response.is_from_endpoint() && response.status != 429 => {
                Self::NotChecked(error.text())
            }
            _ => Self::Unreachable(error),
        }
    }

    /// What an error of a request, or of the renewal before it, means.
    pub fn of_error(error: Error) -> Self {
        if error.kind.is_temporary() { Self::Unreachable(error) } else { Self::Refused(error) }
    }

    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Refused(error) | Self::Unreachable(error) => Some(error),
            Self::Usable(_) | Self::NotChecked(_) => None,
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usable(_) => 0,
            Self::Refused(error) => error.kind.exit_code(),
            Self::Unreachable(_) | Self::NotChecked(_) => 1,
        }
    }

    fn state(&self) -> &'static str {
        match self {
            Self::Usable(_) => "usable",
            Self::Refused(_) => "refused",
            Self::Unreachable(_) => "unreachable",
            Self::NotChecked(_) => "not checked",
        }
    }

    pub fn text(&self) -> String {
        let why = match self {
            Self::Usable(host) => format!("{host} accepts the access token"),
            Self::Refused(error) | Self::Unreachable(error) => error.text(),
            Self::NotChecked(reason) => reason.clone(),
        };
        format!("{}: {why}", self.state())
    }

    pub fn json(&self) -> Value {
        let message = self.text();
        json!({"state": self.state().replace(' ', "_"), "message": message})
    }
}

/// Why there is no answer.
enum Unknown {
    /// No server can be asked.
    NotAsked(String),
    Failed(Error),
}

/// Asks for the limits of a ChatGPT account.
///
/// # Errors
/// Why they are not known.
pub fn usage(profile: &Profile, login: &Login, deadline: &Deadline) -> Result<Usage, String> {
    let url = chatgpt_url(profile, chatgpt::USAGE_PATH).map_err(|unknown| match unknown {
        Unknown::NotAsked(reason) => reason,
        Unknown::Failed(error) => error.text(),
    })?;
    let response = ask(profile, login, &url, deadline).map_err(|error| error.text())?;
    if !response.is_success() {
        return Err(response.error(&url).text());
    }
    let usage = response.json().and_then(|answer| Usage::of(&answer));
    usage.ok_or_else(|| format!("{} answered in a form that is not known", host(&url)))
}

/// Returns a limit as a line of text.
pub fn limit_text(limit: &Limit) -> String {
    let name = limit.name.as_ref().map(|name| format!("{name}, ")).unwrap_or_default();
    let window = limit.window_seconds.map_or_else(|| "limit".into(), time_left);
    let resets = limit.resets_at.as_deref().and_then(|at| Some((at, clock::parse_rfc3339(at)?)));
    let resets = resets.map(|(at, seconds)| {
        format!(", resets at {at} (in {})", time_left((seconds - clock::now()).max(0)))
    });
    let used = limit.used_percent;
    format!("{name}{window}: {used} % used{}", resets.unwrap_or_default())
}

fn ask(profile: &Profile, login: &Login, url: &str, deadline: &Deadline) -> Result<Response> {
    let http = Http::within(&profile.network(), deadline)?;
    let account_id = login.account().account_id.filter(|_| profile.standard.is_none());
    Ok(http.get_with_token(&login.access_token, account_id.as_deref(), url)?)
}

fn check_url(profile: &Profile, deadline: &Deadline) -> Result<String, Unknown> {
    if profile.standard.is_some() {
        let server = AuthorizationServer::within(profile, deadline).map_err(Unknown::Failed)?;
        let endpoints = server.endpoints().map_err(Unknown::Failed)?.0;
        let url = endpoints.userinfo_endpoint.map(|url| url.to_string());
        let issuer = host(&profile.client.issuer);
        return url.ok_or_else(|| Unknown::NotAsked(format!("{issuer} has no userinfo endpoint")));
    }
    if profile.storage.as_codex().is_some_and(CodexHome::has_personal_access_token) {
        return Ok(format!("{}{}", profile.client.issuer, chatgpt::WHO_AM_I_PATH));
    }
    chatgpt_url(profile, chatgpt::CHECK_PATH)
}

/// Returns a URL of ChatGPT's backend, unless the access token may not be sent there.
fn chatgpt_url(profile: &Profile, path: &str) -> Result<String, Unknown> {
    let not_asked = |reason: &str| Err(Unknown::NotAsked(reason.to_owned()));
    if profile.standard.is_some() {
        return not_asked("only ChatGPT tells the limits of its accounts");
    }
    let configured = profile.codex_settings().map(chatgpt_base_url).transpose();
    let base = match configured.map_err(Unknown::Failed)?.flatten() {
        Some(url) => url,
        None if profile.client.issuer == ISSUER => chatgpt::BASE_URL.to_owned(),
        None => return not_asked("the login is of another issuer than ChatGPT's"),
    };
    if !profile.serves_url(&base) {
        return not_asked(
            "chatgpt_base_url in Codex's config.toml names another host than chatgpt.com",
        );
    }
    Ok(format!("{base}{path}"))
}
