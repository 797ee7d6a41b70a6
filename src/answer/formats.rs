//! The forms in which a token is handed out. A refresh token is in none of them.

use crate::answer::credential::Credential;
use crate::answer::docker;
use crate::clock;
use crate::login::Login;
use crate::tokens::Secret;
use serde_json::{Value, json};
use std::io::{self, Write};

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
    /// NAME=value lines, for env files
    Env,
    /// Kubernetes' exec credential, in the version that it asks for
    ExecCredential,
    /// The answer to a request in Bazel's JSON.
    #[value(skip)]
    Bazel,
    /// The answer to Docker.
    #[value(skip)]
    Docker,
}

impl Format {
    /// The answer that is kept for a host that is not ours. Only git's form has all of its attributes.
    pub fn write_foreign(self, output: &mut impl Write, kept: &Credential) -> io::Result<()> {
        if self == Self::Git { kept.write(output) } else { self.write_nothing(output) }
    }

    /// The answer to a request that is not ours.
    pub fn write_nothing(self, output: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Bazel => writeln!(output, "{{}}"),
            _ => Ok(()),
        }
    }

    /// Writes the token of `login` in answer to the request for `credential`, or for Docker's `server_url`.
    /// `exec_info` is `$KUBERNETES_EXEC_INFO`.
    pub fn write(
        self,
        output: &mut impl Write,
        credential: &Credential,
        server_url: &str,
        login: &Login,
        exec_info: Option<&str>,
    ) -> io::Result<()> {
        let token = login.access_token.expose();
        match self {
            Self::Git => git(output, credential, login),
            Self::Token => writeln!(output, "{token}"),
            Self::Json => writeln!(output, "{}", object(login)),
            Self::Header => writeln!(output, "Authorization: Bearer {token}"),
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

fn git(output: &mut impl Write, asked: &Credential, login: &Login) -> io::Result<()> {
    let token = Some(Secret::new(login.access_token.expose().clone().into_bytes()));
    let mut answer = Credential {
        protocol: asked.protocol.clone(),
        host: asked.host.clone(),
        path: asked.path.clone(),
        password_expiry_utc: login.lifetime().expires_at,
        ..Credential::default()
    };
    if asked.authtype_capable {
        answer.authtype_capable = true;
        answer.authtype = Some("Bearer".into());
        answer.credential = token;
        answer.ephemeral = true;
    } else {
        let own = || login.username().into();
        answer.username = Some(asked.username.clone().unwrap_or_else(own));
        answer.password = token;
    }
    answer.write(output)
}

fn object(login: &Login) -> Value {
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

/// Without quotes, which not every reader of such lines takes off.
fn env(output: &mut impl Write, login: &Login) -> io::Result<()> {
    let end = login.lifetime().expires_at.map(clock::rfc3339);
    let lines = [
        ("CODEX_ACCESS_TOKEN", Some(login.access_token.expose().as_str())),
        ("CODEX_ACCESS_TOKEN_EXPIRES_AT", end.as_deref()),
        ("CODEX_ACCOUNT_ID", login.account().account_id.as_deref()),
    ]
    .map(|(name, value)| (name, value.map(str::to_owned)));
    for (name, value) in lines {
        if let Some(value) = value {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~+/=:".contains(c);
            if !value.chars().all(plain) {
                let text = format!("{name} has a character that env files cannot hold");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            writeln!(output, "{name}={value}")?;
        }
    }
    Ok(())
}

/// The version that was asked for: another is an error to kubectl.
fn api_version(exec_info: Option<&str>) -> String {
    let asked: Option<Value> = exec_info.and_then(|info| serde_json::from_str(info).ok());
    let version = asked.as_ref().and_then(|asked| asked["apiVersion"].as_str());
    version.unwrap_or("client.authentication.k8s.io/v1").to_owned()
}
