//! The environment of the renewal process: only the variables that it uses. It outlives its caller, whose environment may
//! hold secrets.

use std::ffi::OsStr;
use std::process::Command;

/// Prefixes of variables that this program, its libraries and the system read.
const PREFIXES: [&str; 14] = [
    "CODEX_CREDENTIAL_",
    "XDG_",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSL_CERT_",
    "LC_",
    "LANG",
    // The dynamic linker, and builds that measure coverage.
    "LD_",
    "DYLD_",
    "LLVM_PROFILE_FILE",
    "RUST_",
    // Windows.
    "SYSTEM",
    "APPDATA",
    "LOCALAPPDATA",
    "USER",
];

const NAMES: [&str; 13] = [
    "HOME",
    "PATH",
    "TMPDIR",
    "TEMP",
    "TMP",
    "TZ",
    "CODEX_CA_CERTIFICATE",
    "CODEX_REFRESH_TOKEN_URL_OVERRIDE",
    "CODEX_REVOKE_TOKEN_URL_OVERRIDE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// Removes every other variable from the environment of `command`.
pub fn reduce(command: &mut Command) {
    command.env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| is_kept(name)));
}

/// Ignores case: proxy variables come in both, and Windows has none.
fn is_kept(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
