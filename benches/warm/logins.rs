//! A home with one login in each storage, and the environment variables for it.

use issuer::{Account, Issuer, Tokens};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Ten days in seconds: the token is not due for renewal.
const LIFETIME: i64 = 864_000;
/// Bytes that bring an access token to its usual size.
const PADDING: usize = 500;

pub struct Logins {
    issuer: Issuer,
    home: TempDir,
    /// The runtime directory, in memory as in a login session.
    runtime: TempDir,
}

impl Logins {
    /// Creates a home with Codex's login in auth.json.
    pub fn new() -> Self {
        let issuer = Issuer::builder().token_padding(PADDING).start();
        let home = tempfile::tempdir().unwrap();
        let runtime = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::set_permissions(runtime.path(), Permissions::from_mode(0o700)).unwrap();
        let ada: Account = Issuer::accounts().swap_remove(0);
        let [a, b] = [(); 2].map(|()| issuer.grant(&ada, LIFETIME));
        // Codex's refresh token is a JWT as well.
        write(home.path(), &Tokens { refresh_token: b.access_token, ..a });
        Self { issuer, home, runtime }
    }

    pub fn auth_json(&self) -> PathBuf {
        self.path(".codex/auth.json")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        vec![
            ("HOME".into(), text(self.home.path())),
            ("PATH".into(), std::env::var("PATH").unwrap_or_default()),
            ("XDG_RUNTIME_DIR".into(), text(self.runtime.path())),
        ]
    }

    /// Creates a profile for each storage of this program and signs in. Returns the storages that work on this machine.
    pub fn sign_in(&self, program: &Path) -> Vec<&'static str> {
        self.issuer.set(|settings| {
            settings.auto_approve = Some(Duration::ZERO);
            settings.access_token_lifetime = Duration::from_secs(LIFETIME.unsigned_abs());
            settings.client_id = None;
        });
        let profile = |storage: &&str| {
            let issuer = self.issuer.url();
            format!(
                "[profiles.{storage}]\nissuer = {issuer:?}\nclient_id = {storage:?}\nstorage = {storage:?}\n"
            )
        };
        let config: Vec<String> = ["file", "memory", "keyring"].iter().map(profile).collect();
        fs::write(self.config(), config.concat()).unwrap();
        let mut storages = vec!["file", "memory", "keyring"];
        storages.retain(|storage| self.sign_in_to(program, storage));
        storages
    }

    /// Returns the path of the configuration with the profiles. Codex's login needs no configuration.
    pub fn config(&self) -> PathBuf {
        self.path("profiles.toml")
    }

    fn sign_in_to(&self, program: &Path, storage: &str) -> bool {
        let mut login = Command::new("sh");
        let script = match storage {
            // A keyring that ends after the sign-in: a call with a valid cached token does not need it.
            "keyring" => {
                "exec dbus-run-session -- sh -c 'printf pass | gnome-keyring-daemon --unlock >/dev/null && \"$@\"' -- \"$@\""
            }
            _ => "exec \"$@\"",
        };
        login.args(["-c", script, "--"]).arg(program);
        login.args(["login", "--profile", storage, "--wait", "60s", "--config"]).arg(self.config());
        login.env_clear().envs(self.environment());
        login.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        login.status().is_ok_and(|status| status.success())
    }
}

/// Writes `tokens` as Codex's login in `home`.
pub fn write(home: &Path, tokens: &Tokens) {
    let login = json!({ "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": {
        "id_token": tokens.id_token, "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token, "account_id": tokens.account_id,
    }, "last_refresh": "2026-01-01T00:00:00Z" });
    fs::create_dir_all(home.join(".codex")).unwrap();
    let text = serde_json::to_string_pretty(&login).unwrap();
    fs::write(home.join(".codex/auth.json"), text).unwrap();
}
