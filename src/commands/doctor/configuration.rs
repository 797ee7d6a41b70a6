//! Checks the program, its configuration file and the environment variables that change what it does.

use crate::commands::doctor::report::Report;
use crate::error::Result;
use crate::profile::Profile;
use crate::urls::host;
use std::ffi::OsString;
use std::path::Path;

/// The variables that change which servers or files are used. `doctor` shows their names, not their values.
const VARIABLES: [&str; 17] = [
    "CODEX_HOME",
    "CODEX_CREDENTIAL_CONFIG",
    "CODEX_CREDENTIAL_PROFILE",
    "CODEX_CREDENTIAL_ISSUER",
    "CODEX_CREDENTIAL_CLIENT_ID",
    "CODEX_CREDENTIAL_STORAGE",
    "CODEX_CREDENTIAL_GIT_STORAGE",
    "CODEX_CREDENTIAL_INTERACTIVE",
    "CODEX_CREDENTIAL_TRACE",
    "CODEX_REFRESH_TOKEN_URL_OVERRIDE",
    "CODEX_REVOKE_TOKEN_URL_OVERRIDE",
    "CODEX_CA_CERTIFICATE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "CI",
];

pub fn check(
    report: &mut Report,
    profile: &Result<Profile>,
    variable: &dyn Fn(&str) -> Option<OsString>,
) {
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    let version = env!("CODEX_CREDENTIAL_VERSION");
    report.ok("program", format!("codex-credential {version} for {system} on {machine}"));
    check_variables(report, variable);
    match profile {
        Err(error) => report.fail("config", error),
        Ok(profile) => {
            let file = profile.config_file.as_ref().map(|file| file.display().to_string());
            let none = || "no configuration file; none is needed".into();
            report.ok("config", file.unwrap_or_else(none));
            let (name, storage) = (&profile.name, profile.storage_kind().name());
            let issuer = host(&profile.client.issuer);
            report.ok("profile", format!("{name}: issuer {issuer}, storage {storage}"));
        }
    }
}

fn check_variables(report: &mut Report, variable: &dyn Fn(&str) -> Option<OsString>) {
    let is_set = |name: &&&str| variable(name).is_some_and(|value| !value.is_empty());
    let set: Vec<&str> = VARIABLES.iter().filter(is_set).copied().collect();
    let found =
        if set.is_empty() { "none is set".into() } else { format!("set: {}", set.join(", ")) };
    report.ok("variables", found);
    for name in ["SSL_CERT_FILE", "CODEX_CA_CERTIFICATE"] {
        if let Some(file) = variable(name).filter(|file| !file.is_empty())
            && !Path::new(&file).is_file()
        {
            let found = format!("{name} names {}, which is not a file", file.display());
            report.warn("variables", found, format!("correct or unset {name}"));
        }
    }
}
