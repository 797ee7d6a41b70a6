//! The forms in which a token is handed out. A refresh token is in none of them.

use super::credential::{Credential, write_line};
use crate::clock;
use crate::login::Login;
use serde_json::json;
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
}

impl Format {
    pub fn write(
        self,
        output: &mut impl Write,
        asked: &Credential,
        login: &Login,
    ) -> io::Result<()> {
        match self {
            Self::Git => git(output, asked, login),
            Self::Token => writeln!(output, "{}", login.access_token.expose()),
            Self::Json => json(output, login),
        }
    }
}

fn git(output: &mut impl Write, asked: &Credential, login: &Login) -> io::Result<()> {
    let token = login.access_token.expose().as_bytes();
    if asked.authtype_capable {
        write_line(output, "capability[]", b"authtype")?;
        write_line(output, "authtype", b"Bearer")?;
        write_line(output, "credential", token)?;
        write_line(output, "ephemeral", b"1")?;
    }
    let echoed = [("protocol", &asked.protocol), ("host", &asked.host), ("path", &asked.path)];
    for (key, value) in echoed {
        if let Some(value) = value {
            write_line(output, key, value)?;
        }
    }
    if !asked.authtype_capable {
        let account = login.account();
        let own = account.username().as_bytes();
        write_line(output, "username", asked.username.as_deref().unwrap_or(own))?;
        write_line(output, "password", token)?;
    }
    if let Some(end) = login.lifetime().expires_at {
        write_line(output, "password_expiry_utc", end.to_string().as_bytes())?;
    }
    Ok(())
}

fn json(output: &mut impl Write, login: &Login) -> io::Result<()> {
    let account = login.account();
    let end = login.lifetime().expires_at;
    let answer = json!({
        "access_token": login.access_token.expose(),
        "token_type": "Bearer",
        "expires_at": end.map(clock::rfc3339),
        "expires_in": end.map(|end| (end - clock::now()).max(0)),
        "account_id": account.account_id,
        "email": account.email,
        "plan": account.plan,
    });
    writeln!(output, "{answer}")
}
