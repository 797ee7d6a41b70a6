//! What the renewing process gets of its caller's environment: what it has a use for, and nothing else. It lives on
//! after the caller, who may have been given tokens and passwords of any kind in any variable.

use std::ffi::OsStr;
use std::process::Command;

/// Begin the names of what this program, its libraries and the system's own read.
const KEPT: [&str; 14] = [
    "CODEX_CREDENTIAL_",
    "XDG_",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSL_CERT_",
    "LC_",
    "LANG",
    // Of the dynamic linker, and of what is built to be measured.
    "LD_",
    "DYLD_",
    "LLVM_PROFILE_FILE",
    "RUST_",
    // Where Windows keeps its own.
    "SYSTEM",
    "APPDATA",
    "LOCALAPPDATA",
    "USER",
];

const KEPT_WHOLE: [&str; 13] = [
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

/// Takes from `command` all that it has no use for.
pub fn reduce(command: &mut Command) {
    command.env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| is_kept(name)));
}

/// Proxies are named in either case, and on Windows everything is.
fn is_kept(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    KEPT_WHOLE.contains(&name.as_str()) || KEPT.iter().any(|kept| name.starts_with(kept))
}
