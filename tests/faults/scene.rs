//! The command that a fault hits, and the checks afterwards.

use crate::keyring::Keyring;
use crate::machine::{Machine, OURS, PATIENCE, ada, eventually, files};
use crate::strace::{Call, Fault, Who, calls, disturbed};
use issuer::Tokens;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// A `get` with an expired token.
    Refresh,
    /// The renewal process alone, with an expired token.
    RefreshApart,
    /// A `get` without a login.
    SignIn,
    /// The renewal process alone, without a login.
    SignInApart,
    Store,
    /// `erase` with the access token.
    EraseToken,
    /// `erase` without a token, which removes the login.
    EraseLogin,
    Logout,
    /// From Codex's login to a file of our own, and back.
    MoveOut,
    MoveIn,
    /// From Codex's login to a real keyring, and back.
    MoveToKeyring,
    MoveFromKeyring,
}

impl Act {
    /// A try with a keyring takes many times as long as the others.
    pub fn has_keyring(self) -> bool {
        matches!(self, Self::MoveToKeyring | Self::MoveFromKeyring)
    }

    /// The storage before and after a move.
    fn storages(self) -> (&'static str, &'static str) {
        match self {
            Self::MoveIn => ("file", "codex"),
            Self::MoveToKeyring => ("codex", "keyring"),
            Self::MoveFromKeyring => ("keyring", "codex"),
            _ => ("codex", "file"),
        }
    }
}

/// The outcome of a try that lost nothing it could have kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No process reached the call.
    NotReached,
    NothingLost,
    /// The server's answer was lost on the wire, and the next run reported it.
    AnswerLost,
}

pub struct Scene {
    machine: Machine,
    keyring: Option<Keyring>,
    act: Act,
    tokens: Option<Tokens>,
}

const GET: &str = "get --format token --wait 25s";
const GET_UNASKED: &str = "get --format token --wait 25s --interactive never";

impl Scene {
    pub fn new(act: Act) -> Self {
        let mut machine = Machine::with(|s| s.auto_approve = Some(Duration::ZERO));
        let tokens = match act {
            Act::SignIn | Act::SignInApart => None,
            Act::Refresh | Act::RefreshApart => Some(machine.sign_in(-1)),
            _ => Some(machine.aged_sign_in(7200, 100)),
        };
        let keyring = act.has_keyring().then(|| Keyring::unlocked(&mut machine));
        if let (Act::MoveIn | Act::MoveFromKeyring, (from, _)) = (act, act.storages()) {
            let moved = machine.std_command(&format!("move --to {from}")).output().unwrap();
            assert!(moved.status.success(), "{}", stderr(&moved));
            machine.set("CODEX_CREDENTIAL_STORAGE", from);
        }
        let scene = Self { machine, keyring, act, tokens };
        scene.write_input();
        scene
    }

    /// Returns the system calls of the command. It is traced once.
    pub fn calls(act: Act, who: Who) -> Vec<Call> {
        static KNOWN: Mutex<BTreeMap<(Act, Who), Vec<Call>>> = Mutex::new(BTreeMap::new());
        let trace = || {
            let scene = Self::new(act);
            calls(&scene.command(), &scene.input(), who)
        };
        KNOWN.lock().unwrap().entry((act, who)).or_insert_with(trace).clone()
    }

    /// Runs the command with `fault` at `call`, then checks the result.
    pub fn play(act: Act, who: Who, call: &Call, fault: Fault) -> Result<Outcome, String> {
        let scene = Self::new(act);
        let (output, injected) = disturbed(&scene.command(), &scene.input(), who, call, fault);
        let context = |what| format!("{act:?}, {fault:?} at {} {}: {what}", call.name, call.nth);
        let left = scene.judge(&output, injected).map_err(context);
        if injected > 0 { left } else { left.map(|_| Outcome::NotReached) }
    }

    fn line(&self) -> String {
        let valid = json!({"at_least": 300});
        let line = match self.act {
            Act::Refresh | Act::SignIn => GET,
            Act::RefreshApart => return self.machine.renewal_process(&json!({"renew": valid})),
            Act::SignInApart => {
                let sign_in =
                    json!({"sign_in": {"unless": valid, "reason": null, "way": "device"}});
                return self.machine.renewal_process(&sign_in);
            }
            Act::Store => "store",
            Act::EraseToken | Act::EraseLogin => "erase",
            Act::Logout => "logout",
            Act::MoveOut => "move --to file",
            Act::MoveToKeyring => "move --to keyring",
            Act::MoveIn | Act::MoveFromKeyring => "move --to codex",
        };
        line.to_owned()
    }

    fn command(&self) -> Command {
        self.machine.std_command(&self.line())
    }

    fn input(&self) -> PathBuf {
        self.machine.path("input")
    }

    fn run_again(&self) -> Output {
        self.command().stdin(File::open(self.input()).unwrap()).output().unwrap()
    }

    fn write_input(&self) {
        let secret = match self.act {
            Act::Store => self.machine.issuer.grant(&ada(), 7200).access_token,
            Act::EraseToken => self.tokens.as_ref().unwrap().access_token.clone(),
            Act::EraseLogin => String::new(),
            _ => return fs::write(self.input(), "").unwrap(),
        };
        let password = if secret.is_empty() { secret } else { format!("password={secret}\n") };
        let input = OURS.replace("\n\n", "\n") + &password;
        fs::write(self.input(), input).unwrap();
    }

    fn run(&self, line: &str) -> Output {
        self.machine.std_command(line).output().unwrap()
    }

    fn judge(&self, output: &Output, injected: usize) -> Result<Outcome, String> {
        let said = stderr(output);
        // An injected error also reaches tokio's eventfd, which no disk fault can fail.
        let is_tokio = said.contains("/tokio-");
        ensure(!said.contains("internal error") || is_tokio, || said.clone())?;
        eventually(|| self.machine.renewers().is_empty());
        ensure(self.machine.issuer.wait_until(|c| c.in_flight == 0, PATIENCE), || {
            "in flight".into()
        })?;
        self.is_whole()?;
        let left = match self.act {
            Act::EraseLogin | Act::Logout => self.is_removed_or_not(&said),
            Act::MoveOut | Act::MoveIn | Act::MoveToKeyring | Act::MoveFromKeyring => {
                self.is_moved_or_not(self.act.storages())
            }
            _ => self.is_answered(injected),
        }?;
        self.is_tidy()?;
        Ok(left)
    }

    /// Checks that every file is complete before the next run repairs anything.
    fn is_whole(&self) -> Result<(), String> {
        for path in files(self.machine.codex_home()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // The journal is written in two steps, and can be read after each byte.
            let is_document = !is_temporary(&path)
                && !["lock", "write", "journal", "input", "auth.lock", "auth.json.lock"]
                    .contains(&name.as_str());
            let bytes = fs::read(&path).unwrap_or_default();
            let is_json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).is_ok();
            let is_whole = match name.as_str() {
                // One complete line for each event.
                "audit.log" => {
                    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
                    lines.all(|line| line.ends_with(b"\n") && is_json(line))
                }
                _ => is_json(&bytes),
            };
            ensure(!is_document || is_whole, || format!("{name} is incomplete"))?;
        }
        let exists = self.machine.path("auth.json").exists();
        let must_exist =
            matches!(self.act, Act::Refresh | Act::RefreshApart | Act::Store | Act::EraseToken);
        ensure(exists || !must_exist, || "the login was removed".into())
    }

    /// Checks that the next `get` has a token, or reports an answer that was lost on the wire.
    fn is_answered(&self, injected: usize) -> Result<Outcome, String> {
        let issuer = &self.machine.issuer;
        let is_sign_in = matches!(self.act, Act::SignIn | Act::SignInApart);
        let line = if is_sign_in { GET } else { GET_UNASKED };
        let answer = self.run(line);
        if answer.status.success() {
            let token = String::from_utf8_lossy(&answer.stdout).trim_end().to_owned();
            ensure(issuer.is_live_access_token(&token), || "the token is not valid".into())?;
            ensure(issuer.resent_after_answer() == 0, || "a spent token was sent again".into())?;
            return Ok(Outcome::NothingLost);
        }
        let (said, counts) = (stderr(&answer), issuer.counts());
        let granted = counts.refreshes_granted + counts.exchanges_granted;
        // Each killed process can have lost one answer.
        let was_injected = (1..=injected as u64).contains(&granted);
        let was_told = said.contains("cut off before its answer arrived") && was_injected;
        ensure(answer.status.code() == Some(3) && was_told, || said)?;
        if is_sign_in {
            let again = self.run(GET);
            ensure(again.status.success(), || format!("after the report: {}", stderr(&again)))?;
            return Ok(Outcome::AnswerLost);
        }
        let sent = issuer.times_sent(&self.tokens.as_ref().unwrap().refresh_token);
        // Once by each process whose answer was lost, and once by the process that reported it.
        ensure(sent <= injected as u64 + 1, || format!("the token was sent {sent} times"))?;
        self.run(GET_UNASKED);
        ensure(issuer.counts().refreshes == counts.refreshes, || {
            "the token was sent again".into()
        })?;
        let login = self.run("login --wait 25s");
        ensure(login.status.success(), || stderr(&login))?;
        let again = self.run(GET_UNASKED);
        ensure(again.status.success() && stderr(&again).is_empty(), || stderr(&again))?;
        Ok(Outcome::AnswerLost)
    }

    /// Checks that `get` agrees with the file, and that running the command again removes it.
    fn is_removed_or_not(&self, said: &str) -> Result<Outcome, String> {
        let exists = self.machine.path("auth.json").exists();
        let answer = self.run(GET_UNASKED);
        ensure(answer.status.success() == exists, || stderr(&answer))?;
        let again = self.run_again();
        ensure(again.status.success(), || stderr(&again))?;
        ensure(!self.machine.path("auth.json").exists(), || "the login is still there".into())?;
        let answer = self.run(GET_UNASKED);
        ensure(answer.status.code() == Some(3), || stderr(&answer))?;
        let refresh_token = &self.tokens.as_ref().unwrap().refresh_token;
        let is_live = self.machine.issuer.is_live_refresh_token(refresh_token);
        let may_live = self.act == Act::EraseLogin || said.contains("not ended at the server");
        ensure(!is_live || may_live, || {
            "the login was not revoked, and no message says so".into()
        })?;
        Ok(Outcome::NothingLost)
    }

    /// Checks that one storage has the login, and that running the command again completes the move.
    fn is_moved_or_not(&self, (from, to): (&str, &str)) -> Result<Outcome, String> {
        let answers = || {
            [from, to].map(|storage| {
                let mut get = self.machine.std_command(GET_UNASKED);
                get.env("CODEX_CREDENTIAL_STORAGE", storage);
                get.output().unwrap().status.success()
            })
        };
        ensure(answers() != [false, false], || "no storage has the login".into())?;
        let again = self.run_again();
        let is_done = again.status.success() || stderr(&again).contains("nothing to move");
        ensure(is_done, || stderr(&again))?;
        ensure(answers() == [false, true], || format!("{:?}", answers()))?;
        let refresh_token = &self.tokens.as_ref().unwrap().refresh_token;
        let is_live = self.machine.issuer.is_live_refresh_token(refresh_token);
        ensure(is_live, || "the login was revoked".into()).map(|()| Outcome::NothingLost)
    }

    /// Checks that the next renewal leaves no temporary file, journal or pending sign-in.
    fn is_tidy(&self) -> Result<(), String> {
        // A running renewal keeps its journal until it ends.
        eventually(|| self.machine.renewers().is_empty());
        let storages = ["codex", "file", "keyring"];
        let reachable = if self.keyring.is_some() { &storages[..] } else { &storages[..2] };
        for storage in reachable {
            let line = self.machine.renewal_process(&json!({"renew": "not_due"}));
            let mut renewal = self.machine.std_command(&line);
            renewal.env("CODEX_CREDENTIAL_STORAGE", storage).output().unwrap();
        }
        for path in files(self.machine.codex_home()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_remainder =
                is_temporary(&path) || ["journal", "pending"].contains(&name.as_str());
            ensure(!is_remainder, || format!("{} is left", path.display()))?;
        }
        Ok(())
    }
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with(".codex-credential-tmp-")
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
