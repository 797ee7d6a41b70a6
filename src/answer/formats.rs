//! The formats of an answer. No format contains a refresh token.

use crate::answer::credential::Credential;
use crate::answer::docker;
use crate::clock;
use crate::login::Login;
use crate::tokens::Secret;
use serde_json::{Value, json};
use std::io::{self, Write};

/// The variable for the token. `CODEX_ACCESS_TOKEN` would sign Codex out: Codex expects another kind of token in it.
pub const TOKEN_VARIABLE: &str = "CODEX_CREDENTIAL_TOKEN";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// git-credential attributes
    #[default]
    Git,
    /// the bare access token
    Token,
    /// one JSON object
    Json,
    /// an HTTP header line, for curl -H @-
    Header,
    /// one JSON object of HTTP headers, for Codex's MCP servers
    Headers,
    /// NAME=value lines, for env files
    Env,
    /// a credential for kubectl, in the version that kubectl asks for
    ExecCredential,
    /// Bazel's JSON; selected by the request.
    #[value(skip)]
    Bazel,
    /// Docker's JSON; selected by the program's name.
    #[value(skip)]
    Docker,
}

impl Format {
    /// Writes a credential of another host. Only git's format has all of its attributes.
    pub fn write_other(self, output: &mut impl Write, credential: &Credential) -> io::Result<()> {
        if self == Self::Git { credential.write(output) } else { self.write_nothing(output) }
    }

    /// Writes the empty answer.
    pub fn write_nothing(self, output: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Bazel => writeln!(output, "{{}}"),
            _ => Ok(()),
        }
    }

    /// Writes the access token of `login`. `request` is the request in git's or Bazel's protocol, `server_url` the one in
    /// Docker's; `exec_info` is `$KUBERNETES_EXEC_INFO`, and `git_username` the user name that the profile gives to git.
    pub fn write(
        self,
        output: &mut impl Write,
        request: &Credential,
        server_url: &str,
        login: &Login,
        exec_info: Option<&str>,
        git_username: Option<&str>,
    ) -> io::Result<()> {
        let token = login.access_token.expose();
        match self {
            Self::Git => git(output, request, login, git_username),
            Self::Token => writeln!(output, "{token}"),
            Self::Json => writeln!(output, "{}", json_object(login)),
            Self::Header => writeln!(output, "Authorization: Bearer {token}"),
            Self::Headers => writeln!(output, "{}", json!({ "Authorization": bearer(token) })),
            Self::Env => env(output, login),
            Self::Bazel => {
                let mut answer = json!({ "headers": { "Authorization": [bearer(token)] } });
                if let Some(end) = login.lifetime().expires_at {
                    answer["expires"] = clock::rfc3339(end).into();
                }
                writeln!(output, "{answer}")
            }
            Self::Docker => docker::write(output, server_url, login),
            Self::ExecCredential => {
                let mut answer = json!({
                    "apiVersion": api_version(exec_info),
                    "kind": "ExecCredential",
                    "status": { "token": token },
                });
                if let Some(end) = login.lifetime().expires_at {
                    answer["status"]["expirationTimestamp"] = clock::rfc3339(end).into();
                }
                writeln!(output, "{answer}")
            }
        }
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Writes a user name and a password, which git sends as Basic; a Bearer token where git can send one and the server does
/// not refuse it.
fn git(
    output: &mut impl Write,
    request: &Credential,
    login: &Login,
    git_username: Option<&str>,
) -> io::Result<()> {
    let token = Some(Secret::new(login.access_token.expose().clone().into_bytes()));
    let mut answer = Credential {
        protocol: request.protocol.clone(),
        host: request.host.clone(),
        path: request.path.clone(),
        password_expiry_utc: login.lifetime().expires_at,
        ..Credential::default()
    };
    let is_basic = git_username.is_some() || request.schemes.exclude_bearer();
    if request.authtype_capable && !is_basic {
        answer.authtype_capable = true;
        answer.authtype = Some("Bearer".into());
        answer.credential = token;
        answer.ephemeral = true;
    } else {
        let name = || git_username.map_or_else(|| login.username(), str::to_owned).into();
        answer.username = Some(request.username.clone().unwrap_or_else(name));
        answer.password = token;
    }
    answer.write(output)
}

fn json_object(login: &Login) -> Value {
    let account = login.account();
    let end = login.lifetime().expires_at;
    json!({
        "access_token": login.access_token.expose(),
        "token_type": "Bearer",
        "expires_at": end.map(clock::rfc3339),
        "expires_in": end.map(|end| (end - clock::now()).max(0)),
        "account_id": account.account_id,
        "email": account.email,
        "plan": account.plan,
    })
}

/// Writes values without quotes, which some readers of env files do not remove.
fn env(output: &mut impl Write, login: &Login) -> io::Result<()> {
    let end = login.lifetime().expires_at.map(clock::rfc3339);
    let lines = [
        (TOKEN_VARIABLE, Some(login.access_token.expose().as_str())),
        ("CODEX_CREDENTIAL_EXPIRES_AT", end.as_deref()),
        ("CODEX_CREDENTIAL_ACCOUNT_ID", login.account().account_id.as_deref()),
    ]
    .map(|(name, value)| (name, value.map(str::to_owned)));
    for (name, value) in lines {
        if let Some(value) = value {
            let is_safe = |c: char| c.is_ascii_alphanumeric() || "-._~+/=:".contains(c);
            if !value.chars().all(is_safe) {
                let text = format!("{name} contains a character that env files do not allow");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            writeln!(output, "{name}={value}")?;
        }
    }
    Ok(())
}

/// Returns the version that kubectl asks for. kubectl rejects every other version.
fn api_version(exec_info: Option<&str>) -> String {
    let info: Option<Value> = exec_info.and_then(|info| serde_json::from_str(info).ok());
    let version = info.as_ref().and_then(|info| info["apiVersion"].as_str());
    version.unwrap_or("client.authentication.k8s.io/v1").to_owned()
}
