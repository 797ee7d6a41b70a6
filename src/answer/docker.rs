//! The parts of Docker's credential helper protocol that docker-credential-helpers fixes: the program's name, the
//! input, the texts of errors, and the answer.

use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::programs::DOCKER_NAME;
use serde::{Deserialize, Serialize};
use std::env::consts::EXE_SUFFIX;
use std::ffi::OsStr;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;

pub const NOT_FOUND: &str = "credentials not found in native keychain";
const NO_SERVER_URL: &str = "no credentials server URL";
const NO_USERNAME: &str = "no credentials username";

/// The longest input, in bytes.
const LIMIT: u64 = 64 * 1024;

/// Tells whether `program`, as in `argv[0]`, is Docker's name for this program.
pub fn is_name(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or_default();
    if cfg!(windows) {
        let name = name.to_ascii_lowercase();
        return name.strip_suffix(EXE_SUFFIX).unwrap_or(&name) == DOCKER_NAME;
    }
    name == DOCKER_NAME
}

/// Reads the server URL of `get` and `erase`: the lines of the input, joined and trimmed.
///
/// # Errors
/// `BadInput` when there is none.
pub fn server_url(input: impl BufRead) -> Result<String> {
    let text = read(input)?;
    let lines: String = text.lines().collect();
    match lines.trim() {
        "" => Err(Error::new(Kind::BadInput, NO_SERVER_URL)),
        url => Ok(url.to_owned()),
    }
}

/// Checks the input of `store` and drops the secret in it.
///
/// # Errors
/// `BadInput` when it is not JSON, or has no server URL or no user name.
pub fn check_store(input: impl BufRead) -> Result<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        #[serde(rename = "ServerURL", default)]
        server_url: String,
        #[serde(default)]
        username: String,
    }
    let bad = |what: &str| Err(Error::new(Kind::BadInput, what));
    match serde_json::from_str::<Input>(&read(input)?) {
        Err(_) => bad("the credentials to store are not JSON"),
        Ok(input) if input.server_url.is_empty() => bad(NO_SERVER_URL),
        Ok(input) if input.username.is_empty() => bad(NO_USERNAME),
        Ok(_) => Ok(()),
    }
}

fn read(input: impl BufRead) -> Result<String> {
    let mut bytes = Vec::new();
    let read = input.take(LIMIT + 1).read_to_end(&mut bytes);
    let bad = |why: &str| Error::new(Kind::BadInput, format!("cannot read the input: {why}"));
    match read {
        Err(error) => Err(bad(&error.to_string())),
        Ok(length) if length as u64 > LIMIT => Err(bad("it is longer than 64 KiB")),
        Ok(_) => String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8")),
    }
}

/// Writes the answer to `get`.
pub(super) fn write(output: &mut impl Write, server_url: &str, login: &Login) -> io::Result<()> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer<'a> {
        #[serde(rename = "ServerURL")]
        server_url: &'a str,
        username: &'a str,
        secret: &'a str,
    }
    let (username, secret) = (&login.username(), login.access_token.expose());
    serde_json::to_writer(&mut *output, &Answer { server_url, username, secret })?;
    writeln!(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_with_or_without_a_folder_is_recognized() {
        for name in [
            DOCKER_NAME,
            "/usr/bin/docker-credential-codex-credential",
            "./docker-credential-codex-credential",
        ] {
            assert!(is_name(name.as_ref()), "{name}");
        }
        for name in
            ["codex-credential", "docker-credential-codex-credential.sh", "docker-credential-", ""]
        {
            assert!(!is_name(name.as_ref()), "{name}");
        }
    }
}
