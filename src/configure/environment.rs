//! The environment variables that a command of ours needs where another program starts it without the user's environment.

use crate::configure::context::Context;
use crate::configure::program::one_line;
use crate::error::{Error, Kind, Result};
use crate::storage::StorageKind;
use crate::storage::codex_config::Store;
use std::path::PathBuf;

/// The variables that choose the login, or the way to its issuer, beside those that the command
/// line and `CODEX_HOME` stand for.
const VARIABLES: [&str; 6] = [
    "CODEX_CREDENTIAL_STORAGE",
    "CODEX_CREDENTIAL_ISSUER",
    "CODEX_CREDENTIAL_CLIENT_ID",
    "CODEX_REFRESH_TOKEN_URL_OVERRIDE",
    "NO_PROXY",
    "no_proxy",
];
const PATHS: [&str; 4] =
    ["XDG_STATE_HOME", "CODEX_CA_CERTIFICATE", "SSL_CERT_FILE", "SSL_CERT_DIR"];
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// A keyring, or a folder in memory, is found by these. systemd sets them itself.
const SESSION: [&str; 2] = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"];

/// Returns the variables of this environment that our command needs, too.
///
/// # Errors
/// `Usage` for one that cannot be written into a file, such as a password.
pub fn variables(context: &Context) -> Result<Vec<(&'static str, String)>> {
    let profile = context.profile;
    let mut found = Vec::new();
    if let Some(file) = &profile.config_file {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        found.push(("CODEX_CREDENTIAL_CONFIG", one_line(&file, "name another file")?));
    }
    for name in VARIABLES.into_iter().chain(PROXIES).chain(PATHS) {
        let Some(value) = context.variable(name) else { continue };
        let path = PathBuf::from(&value);
        let path =
            if PATHS.contains(&name) { std::path::absolute(&path).unwrap_or(path) } else { path };
        let value = one_line(&path, &format!("change {name}"))?;
        if PROXIES.contains(&name) && value.contains('@') {
            let what = format!("{name} has a password, which is not written into a file");
            let hint = match profile.codex_settings().map(|home| home.join(".env")) {
                Some(file) => format!("set {name} in {}, which Codex reads, too", file.display()),
                None => format!("set {name} to a proxy that needs no password"),
            };
            return Err(Error::new(Kind::Usage, what).hint(hint));
        }
        found.push((name, value));
    }
    Ok(found)
}

/// Returns what our command needs beside [`variables`] if it is started outside of the user's session.
pub fn session_variables(context: &Context) -> Result<Vec<(&'static str, String)>> {
    let profile = context.profile;
    let is_in_file = match profile.storage.as_codex() {
        Some(home) => home.config()?.store == Store::File,
        None => profile.storage_kind() == StorageKind::File,
    };
    let names = SESSION.into_iter().filter(|_| !is_in_file);
    let found = names.filter_map(|name| Some((name, PathBuf::from(context.variable(name)?))));
    found.map(|(name, value)| Ok((name, one_line(&value, &format!("change {name}"))?))).collect()
}
