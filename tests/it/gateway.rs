//! A machine with a profile `company`, for a gateway whose issuer implements OAuth as the RFCs specify.

use crate::machine::{Machine, PATIENCE};
use assert_cmd::Command;
use issuer::{Account, Settings};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use tempfile::TempDir;

pub const HOST: &str = "gateway.example";
pub const REQUEST: &str = "protocol=https\nhost=gateway.example\n\n";

pub struct Gateway {
    pub machine: Machine,
    pub home: TempDir,
}

impl Gateway {
    pub fn new() -> Self {
        Self::with("", |_| {})
    }

    /// Creates a machine with `more` lines in the profile's table and changed settings of the issuer.
    pub fn with(more: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let mut machine = Machine::with(|s| {
            s.client_id = Some("gateway-cli".into());
            change(s);
        });
        let home = tempfile::tempdir().unwrap();
        let folder = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
        for (variable, name) in
            [("HOME", ""), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state")]
        {
            machine.set(variable, &folder(name));
        }
        let gateway = Self { machine, home };
        gateway.configure(more);
        gateway
    }

    pub fn config(&self) -> PathBuf {
        self.home.path().join("config/codex-credential/config.toml")
    }

    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// Replaces the configuration with the profile and `more` lines in its table.
    pub fn configure(&self, more: &str) {
        let issuer = self.machine.issuer.url();
        let table = format!(
            "[profiles.company]\nissuer = \"{issuer}\"\nclient_id = \"gateway-cli\"\nhosts = [\"{HOST}\"]\n\
             scope = \"openid email offline_access\"\n{more}\n"
        );
        self.write_config(&table);
    }

    pub fn write_config(&self, text: &str) {
        fs::create_dir_all(self.config().parent().unwrap()).unwrap();
        fs::write(self.config(), text).unwrap();
    }

    pub fn command(&self, line: &str) -> Command {
        self.machine.command(&format!("{line} --profile company"))
    }

    pub fn start(&self, line: &str) -> Child {
        self.machine.start(&format!("{line} --profile company"))
    }

    /// Signs in as the first account and returns the access token.
    pub fn sign_in(&self) -> String {
        let login = self.start("login --wait 60s");
        self.machine.approve_next();
        let output = login.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.token()
    }

    /// Signs in as `account`. Returns the exit code and the standard error of `login`.
    pub fn sign_in_as(&self, account: &Account, more: &str) -> (Option<i32>, String) {
        let login = self.start(&format!("login --wait 60s {more}"));
        let code = self.machine.issuer.wait_for_user_code(PATIENCE).unwrap();
        self.machine.issuer.approve_as(&code, account);
        let output = login.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    pub fn token(&self) -> String {
        let output = self.command("get --format token --wait 20s").assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap().trim_end().to_owned()
    }

    /// Reports that the resource server rejected `token`, long after the last rejection.
    pub fn erase(&self, token: &str) {
        for path in crate::machine::files(&self.state()) {
            if path.ends_with("rejected") {
                fs::remove_file(path).unwrap();
            }
        }
        let erase = format!("protocol=https\nhost={HOST}\npassword={token}\n\n");
        self.machine.command("erase").write_stdin(erase).assert().success();
    }

    /// Returns the paths of the stored logins.
    pub fn logins(&self) -> Vec<PathBuf> {
        let files = crate::machine::files(&self.state());
        files.into_iter().filter(|file| file.ends_with("login")).collect()
    }
}

pub fn read(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
