//! A home folder with a profile for an identity provider, where the tests run the real program.

use crate::machine::PATIENCE;
use crate::provider::{CONFIDENTIAL, Kind, PUBLIC, Provider};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const PROFILE: &str = "company";

pub struct Home {
    folder: TempDir,
    /// The folder of the logins, which two homes may share.
    state: PathBuf,
}

impl Home {
    pub fn new(provider: &Provider) -> Self {
        Self::with(provider, "")
    }

    /// Creates a home with `more` lines in the profile.
    pub fn with(provider: &Provider, more: &str) -> Self {
        Self::of_client(provider, PUBLIC, more)
    }

    pub fn of_confidential_client(provider: &Provider) -> Self {
        let home = Self::of_client(provider, CONFIDENTIAL.0, "");
        let file = home.path("secret");
        fs::write(&file, CONFIDENTIAL.1).unwrap();
        let line = format!("client_secret_file = \"{}\"\n", file.display());
        home.configure(provider, CONFIDENTIAL.0, &line);
        home
    }

    /// Creates a home whose profile signs in with a browser, with `more` lines in the profile.
    pub fn with_browser(provider: &Provider, more: &str) -> Self {
        let endpoint = provider.endpoints.authorization_endpoint.as_ref().unwrap();
        let (client, lines) = match provider.kind {
            // It grants refresh tokens only with this prompt.
            Kind::OidcProvider => (PUBLIC, "parameters = { prompt = \"consent\" }\n".to_owned()),
            _ => ("browser", format!("authorization_endpoint = {endpoint:?}\n")),
        };
        Self::of_client(provider, client, &format!("sign_in = \"browser\"\n{lines}{more}"))
    }

    fn of_client(provider: &Provider, client_id: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Self { state: folder.path().join("state"), folder };
        for name in ["state", "runtime", "config/codex-credential", "codex"] {
            fs::create_dir_all(home.path(name)).unwrap();
        }
        home.configure(provider, client_id, more);
        home
    }

    /// Creates a second home with the same profile and the same folder of logins.
    pub fn beside(&self, provider: &Provider) -> Self {
        Self { state: self.state.clone(), ..Self::new(provider) }
    }

    fn configure(&self, provider: &Provider, client_id: &str, more: &str) {
        let endpoints = &provider.endpoints;
        let scope = provider.kind.scope();
        let profile = format!(
            "[profiles.{PROFILE}]\n\
             issuer = {:?}\n\
             client_id = {client_id:?}\n\
             scope = {scope:?}\n\
             hosts = [\"gateway.example\"]\n\
             storage = \"file\"\n",
            endpoints.issuer
        );
        let endpoint_lines = match provider.kind {
            Kind::OidcProvider | Kind::Glewlwyd => String::new(),
            Kind::Authlib => format!(
                "device_authorization_endpoint = {:?}\n\
                 token_endpoint = {:?}\n\
                 revocation_endpoint = {:?}\n",
                endpoints.device_authorization_endpoint,
                endpoints.token_endpoint,
                endpoints.revocation_endpoint
            ),
            // Django's discovery lacks the endpoints of device authorization and revocation.
            Kind::Django => format!(
                "device_authorization_endpoint = {:?}\n\
                 token_endpoint = {:?}\n\
                 revocation_endpoint = {:?}\n\
                 userinfo_endpoint = {:?}\n",
                endpoints.device_authorization_endpoint,
                endpoints.token_endpoint,
                endpoints.revocation_endpoint,
                endpoints.userinfo_endpoint
            ),
        };
        let profile = [profile.as_str(), more, &endpoint_lines].concat();
        fs::write(self.path("config/codex-credential/config.toml"), profile).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets the environment of a program in this home. From the test process it has only PATH.
    pub fn set_environment(&self, command: &mut Command) {
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.folder.path()).env("XDG_STATE_HOME", &self.state);
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("XDG_RUNTIME_DIR", self.path("runtime"));
        command.env("CODEX_HOME", self.path("codex"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(program());
        self.set_environment(&mut command);
        command.args(["--profile", PROFILE, "--error-format", "json"]);
        command.args(line.split_whitespace());
        command
    }

    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs `get`, which succeeds. Returns the token.
    pub fn token(&self) -> String {
        token_of(self.run("get --format token --wait 60s"))
    }

    /// Reports with `erase` that a resource server rejected `token`, long after the last rejection, so that the next `get`
    /// renews.
    pub fn reject(&self, token: &str) {
        for path in self.files_with("").into_iter().filter(|path| path.ends_with("rejected")) {
            // Listed twice where one folder is in the other.
            let _ = fs::remove_file(path);
        }
        let mut erase = self.command("erase").stdin(Stdio::piped()).spawn().unwrap();
        let request = format!("protocol=https\nhost=gateway.example\npassword={token}\n\n");
        erase.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
        assert!(erase.wait().unwrap().success());
    }

    /// Returns the files of this home that contain `text`.
    pub fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        search(&self.state, text, &mut found);
        search(self.folder.path(), text, &mut found);
        found
    }

    pub fn start_login(&self, more: &str) -> Login {
        let mut child = self.command(&format!("login --json {more}")).spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Login { events, errors: child.stderr.take().unwrap(), child }
    }

    /// Signs in as `account` on the provider's pages. Returns the token.
    pub fn sign_in(&self, provider: &Provider, account: &str) -> String {
        let mut login = self.start_login("");
        let code = login.event("code");
        provider.decide(invitation(&code), account, "approve");
        login.event("approved");
        assert_eq!(login.end().0, 0);
        self.token()
    }
}

/// A running `login --json`.
pub struct Login {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
    errors: ChildStderr,
}

impl Login {
    /// Returns the next event except `pending`, which must have this name.
    pub fn event(&mut self, name: &str) -> Value {
        for line in self.events.by_ref() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if event["event"] != "pending" {
                assert_eq!(event["event"], name, "{event}");
                return event;
            }
        }
        let mut text = String::new();
        self.errors.read_to_string(&mut text).unwrap();
        panic!("no event {name}: {text}");
    }

    /// Waits for the end. Returns the exit code and the error on standard error.
    pub fn end(mut self) -> (i32, Value) {
        for line in self.events {
            let line = line.unwrap();
            assert!(line.contains("\"pending\""), "one more event: {line}");
        }
        let mut text = String::new();
        self.errors.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code().unwrap(), error(&text))
    }
}

/// Returns the verification URL and the user code of a `code` event.
pub fn invitation(event: &Value) -> [&str; 2] {
    ["verification_uri", "user_code"].map(|name| event[name].as_str().unwrap())
}

/// Returns the last line that is a JSON object.
pub fn error(text: &str) -> Value {
    text.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default()
}

/// Returns the exit code and the error kind.
pub fn outcome(output: &Output) -> (i32, String) {
    let kind = error(&String::from_utf8_lossy(&output.stderr))["kind"].clone();
    (output.status.code().unwrap(), kind.as_str().unwrap_or_default().to_owned())
}

pub fn token_of(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Waits until `token` is inactive at the provider.
pub fn wait_for_expiry(provider: &Provider, token: &str) {
    let start = Instant::now();
    while provider.is_active(token) {
        assert!(start.elapsed() < 2 * PATIENCE, "the token does not expire");
        thread::sleep(Duration::from_millis(200));
    }
}

pub fn program() -> &'static str {
    assert_cmd::cargo::cargo_bin!("codex-credential").to_str().unwrap()
}

fn search(folder: &Path, text: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, text, found);
        } else if fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
        {
            found.push(path);
        }
    }
}
