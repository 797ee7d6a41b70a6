//! Shows many processes that share one login and one renewal, with an authorization server on loopback.
//!
//! `cargo run --example demo` asks you to approve the sign-in on a web page. With `-- --auto`, or without a terminal, the
//! demo approves it. The login is in a temporary folder.

use issuer::{Endpoint, Fault, Interval, Issuer};
use std::collections::HashSet;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const CALLERS: usize = 16;
/// The lifetime of the demo's access tokens. Real ones live for about ten days.
const LIFETIME: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(20);

struct Demo {
    program: PathBuf,
    issuer: Issuer,
    home: TempDir,
    /// The counted event, the actual count and the expected count.
    rows: Vec<(&'static str, u64, u64)>,
}

fn main() -> ExitCode {
    let by_hand = stderr().is_terminal() && !std::env::args().any(|argument| argument == "--auto");
    let program = build();
    let issuer = Issuer::builder().set(|s| {
        s.interval = Interval::Number(1);
        s.access_token_lifetime = LIFETIME;
    });
    let issuer = issuer.start();
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut demo = Demo { program, issuer, home, rows: Vec::new() };
    demo.one_login(by_hand);
    demo.one_refresh();
    demo.killed_caller();
    if demo.print_table() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds the programs, which cargo does not build for an example. Returns the path of `codex-credential`.
fn build() -> PathBuf {
    let status = Command::new("cargo").args(["build", "--quiet", "--bins"]).status();
    assert!(status.is_ok_and(|status| status.success()), "codex-credential builds");
    let example = std::env::current_exe().expect("the example's path");
    let target = example.ancestors().nth(3).expect("target/PROFILE/examples/demo");
    target.join("debug").join(format!("codex-credential{}", std::env::consts::EXE_SUFFIX))
}

impl Demo {
    fn get(&self) -> Child {
        let mut command = Command::new(&self.program);
        command.args(["get", "--format", "token", "--wait", "2m"]);
        command.env("CODEX_HOME", self.home.path());
        command.env("CODEX_CREDENTIAL_ISSUER", self.issuer.url());
        for variable in ["CODEX_CREDENTIAL_CLIENT_ID", "CODEX_REFRESH_TOKEN_URL_OVERRIDE"] {
            command.env_remove(variable);
        }
        // CI=true would disable the sign-in.
        command.env("CODEX_CREDENTIAL_INTERACTIVE", "auto");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().expect("codex-credential starts")
    }

    /// Starts many callers at once.
    fn start_callers(&self) -> Vec<Child> {
        (0..CALLERS).map(|_| self.get()).collect()
    }

    fn one_login(&mut self, by_hand: bool) {
        println!("1. {CALLERS} processes ask for a token; nobody is signed in.");
        let callers = self.start_callers();
        let code = self.issuer.wait_for_user_code(PATIENCE).expect("a user code");
        let url = format!("{}/codex/device", self.issuer.url());
        println!("   One of them starts a device login. Open this page and enter this code:\n");
        println!("   {url}\n   {code}\n");
        if by_hand {
            println!("   They wait for your approval.");
        } else {
            self.issuer.approve(&code);
            println!("   (approved by the demo itself)");
        }
        let tokens = answers(callers);
        let counts = self.issuer.counts();
        self.row("user codes issued", counts.user_codes, 1);
        self.row("device logins exchanged for tokens", counts.exchanges, 1);
        self.count_answers(&tokens);
    }

    fn one_refresh(&mut self) {
        println!("2. The token expires; {CALLERS} processes ask at once.");
        wait_for_expiry();
        let before = self.issuer.counts().refreshes;
        let tokens = answers(self.start_callers());
        let refreshes = self.issuer.counts().refreshes - before;
        self.row("refresh requests for an expired token", refreshes, 1);
        self.count_answers(&tokens);
    }

    fn killed_caller(&mut self) {
        println!("3. The token expires again; the caller is killed (SIGKILL) in mid-refresh.");
        wait_for_expiry();
        let before = self.issuer.counts().refreshes;
        self.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_millis(700)), 1);
        let mut caller = self.get();
        let in_flight = self.issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE);
        assert!(in_flight, "the refresh request has started");
        caller.kill().expect("the caller can be killed");
        let killed = caller.wait().expect("the caller has ended");
        assert!(!killed.success());
        let tokens = answers(vec![self.get()]);
        let refreshes = self.issuer.counts().refreshes - before;
        let resent = self.issuer.resent_after_answer();
        let intact = tokens.iter().filter(|token| self.issuer.is_live_access_token(token)).count();
        self.row("refresh requests with their caller killed", refreshes, 1);
        self.row("logins intact after that", intact as u64, 1);
        self.row("refresh tokens sent again after their answer", resent, 0);
    }

    fn count_answers(&mut self, tokens: &[String]) {
        self.row("callers answered", tokens.len() as u64, CALLERS as u64);
        let different: HashSet<_> = tokens.iter().collect();
        self.row("different tokens among them", different.len() as u64, 1);
    }

    fn row(&mut self, what: &'static str, actual: u64, expected: u64) {
        self.rows.push((what, actual, expected));
    }

    /// Prints the counts. Returns whether all are as expected.
    fn print_table(&self) -> bool {
        println!();
        for (what, actual, expected) in &self.rows {
            let verdict = if actual == expected { "" } else { "  <- NOT AS EXPECTED" };
            println!("{what:<46}{actual:>4}{verdict}");
        }
        self.rows.iter().all(|(_, actual, expected)| actual == expected)
    }
}

/// Waits until the stored token has expired.
fn wait_for_expiry() {
    println!("   (waiting {} s for that)", LIFETIME.as_secs());
    thread::sleep(LIFETIME);
}

fn answers(callers: Vec<Child>) -> Vec<String> {
    let outputs = callers.into_iter().map(|caller| caller.wait_with_output().expect("an answer"));
    outputs
        .filter(|output| output.status.success())
        .map(|output| {
            String::from_utf8(output.stdout).expect("a token is ASCII").trim_end().to_owned()
        })
        .collect()
}
