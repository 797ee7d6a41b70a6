//! The environment of the renewal process: only the variables that it reads. It outlives its caller, whose environment may
//! hold secrets.

use std::ffi::{OsStr, OsString};
use std::process::Command;

/// The variables that this program, its libraries and the system read, in upper case.
const NAMES: [&str; 33] = [
    "CODEX_CREDENTIAL_AUDIT",
    "CODEX_CREDENTIAL_CLIENT_ID",
    "CODEX_CREDENTIAL_CONFIG",
    "CODEX_CREDENTIAL_GIT_STORAGE",
    "CODEX_CREDENTIAL_ISSUER",
    "CODEX_CREDENTIAL_STORAGE",
    "CODEX_CREDENTIAL_TRACE",
    "CODEX_CA_CERTIFICATE",
    "CODEX_REFRESH_TOKEN_URL_OVERRIDE",
    "CODEX_REVOKE_TOKEN_URL_OVERRIDE",
    "HOME",
    "PATH",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_LIBRARY_PATH",
    // Windows.
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "APPDATA",
    "LOCALAPPDATA",
    "USERNAME",
    "USERPROFILE",
];

/// Those that name one path, which may be relative. The renewal process has another working folder.
const PATHS: [&str; 5] = [
    "CODEX_CREDENTIAL_CONFIG",
    "CODEX_CREDENTIAL_TRACE",
    "CODEX_CA_CERTIFICATE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// Removes every other variable from the environment of `command`.
pub fn reduce(command: &mut Command) {
    command.env_clear();
    command.envs(std::env::vars_os().filter_map(|(name, value)| kept(name, value)));
}

/// Proxy variables come in lower case too. Windows ignores case.
fn kept(name: OsString, value: OsString) -> Option<(OsString, OsString)> {
    let is_in = |names: &[&str]| {
        names.iter().any(|known| {
            let ignores_case = cfg!(windows) || known.ends_with("_PROXY");
            name == OsStr::new(known) || (ignores_case && name.eq_ignore_ascii_case(known))
        })
    };
    if !is_in(&NAMES) {
        return None;
    }
    let value = match std::path::absolute(&value) {
        Ok(path) if is_in(&PATHS) => path.into(),
        _ => value,
    };
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_value(name: &str, value: &str) -> Option<OsString> {
        kept(name.into(), value.into()).map(|(_, value)| value)
    }

    #[test]
    fn only_exact_names_are_kept() {
        for name in ["HOME", "https_proxy", "Https_Proxy", "CODEX_CREDENTIAL_STORAGE"] {
            assert_eq!(kept_value(name, "x"), Some("x".into()), "{name}");
        }
        for name in [
            "SYSTEM_ACCESSTOKEN",
            "LANGCHAIN_API_KEY",
            "LC_PASSWORD",
            "USER_TOKEN",
            "XDG_TOKEN",
            "home",
            "username",
            "CODEX_CREDENTIAL_TOKEN",
            "CODEX_ACCESS_TOKEN",
            "RUST_SECRET",
            "HOME2",
            "",
        ] {
            assert_eq!(kept_value(name, "x"), None, "{name}");
        }
    }

    #[test]
    fn relative_paths_become_absolute() {
        let path = kept_value("SSL_CERT_FILE", "certificates/ca.pem").unwrap();
        assert!(std::path::Path::new(&path).is_absolute());
        assert_eq!(kept_value("SSL_CERT_FILE", ""), Some("".into()));
    }
}
