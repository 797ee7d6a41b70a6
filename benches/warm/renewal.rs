//! Compares a renewal over TLS with curl sending the same request.

use crate::logins;
use crate::measure::median;
use issuer::{Account, Authority, Issuer, Tokens};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

const ROUNDS: usize = 60;

struct Machine {
    issuer: Issuer,
    home: TempDir,
}

pub fn table(program: &Path) -> String {
    let machine = Machine::new();
    let mut pairs = Vec::new();
    for round in 0..ROUNDS {
        // Alternate which program runs first.
        let pair = if round % 2 == 0 {
            let ours = machine.get(program);
            (ours, machine.curl())
        } else {
            let curl = machine.curl();
            (machine.get(program), curl)
        };
        pairs.push(pair);
    }
    assert_eq!(
        machine.issuer.counts().refreshes_granted,
        2 * ROUNDS as u64,
        "each call renews once"
    );
    let of = |what: fn(&(f64, f64)) -> f64| median(pairs.iter().map(what));
    format!(
        "| a renewal over TLS, {ROUNDS} pairs | ms |\n|---|---:|\n\
         | `get` with an expired token, from its start to its answer | {:.1} |\n\
         | `curl`, the same request | {:.1} |\n\
         | difference, pair by pair | {:.1} |\n",
        of(|pair| pair.0),
        of(|pair| pair.1),
        of(|pair| pair.0 - pair.1)
    )
}

impl Machine {
    fn new() -> Self {
        let authority = Authority::new();
        let day = Duration::from_secs(86_400);
        let today = SystemTime::now() - day..SystemTime::now() + day;
        let certificate = authority.certificate("localhost", today);
        let issuer = Issuer::builder().certificate(certificate).token_padding(500).start();
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("authority.pem"), authority.pem()).unwrap();
        Self { issuer, home }
    }

    fn grant(&self) -> Tokens {
        let ada: Account = Issuer::accounts().swap_remove(0);
        self.issuer.grant(&ada, -1)
    }

    /// Runs `get` with an expired token. Returns the time in milliseconds.
    fn get(&self, program: &Path) -> f64 {
        logins::write(self.home.path(), &self.grant());
        let mut command = Command::new(program);
        command.args(["get", "--format", "token"]).env_clear();
        command.env("HOME", self.home.path()).env("CODEX_CREDENTIAL_ISSUER", self.issuer.url());
        command.env("CODEX_CA_CERTIFICATE", self.home.path().join("authority.pem"));
        time(command)
    }

    /// Sends the refresh request with curl. Returns the time in milliseconds.
    fn curl(&self) -> f64 {
        let tokens = self.grant();
        let body = json!({ "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
            "grant_type": "refresh_token", "refresh_token": tokens.refresh_token });
        let file = self.home.path().join("body");
        fs::write(&file, body.to_string()).unwrap();
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--show-error",
            "--fail",
            "--header",
            "Content-Type: application/json",
        ]);
        command.arg("--cacert").arg(self.home.path().join("authority.pem"));
        command.arg("--data").arg(format!("@{}", file.display()));
        command.arg(format!("{}/oauth/token", self.issuer.url()));
        time(command)
    }
}

/// Runs the command. Returns its time in milliseconds.
fn time(mut command: Command) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let begin = Instant::now();
    let status = command.status();
    let time = begin.elapsed().as_secs_f64() * 1e3;
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
    time
}
