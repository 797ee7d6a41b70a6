//! What is done when the fault comes, and how it is judged afterwards.

use crate::keyring::Keyring;
use crate::machine::{Machine, OURS, PATIENCE, ada, eventually, files};
use crate::strace::{Call, Fault, Who, calls, disturbed};
use issuer::Tokens;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// A caller finds the token expired.
    Refresh,
    /// The renewing process of that caller.
    RefreshApart,
    /// A caller finds no login.
    DeviceLogin,
    /// The renewing process of that caller.
    DeviceLoginApart,
    Store,
    /// With the token that was refused.
    EraseToken,
    /// With none: the login.
    EraseLogin,
    Logout,
    /// From Codex's login to a file of our own, and back.
    MoveOut,
    MoveIn,
    /// To a real keyring, and back.
    MoveToKeyring,
    MoveFromKeyring,
}

impl Act {
    /// A try with a keyring of its own takes many times as long as another.
    pub fn has_keyring(self) -> bool {
        matches!(self, Self::MoveToKeyring | Self::MoveFromKeyring)
    }

    /// Where the login is before and after a move.
    fn places(self) -> (&'static str, &'static str) {
        match self {
            Self::MoveIn => ("file", "codex"),
            Self::MoveToKeyring => ("codex", "keyring"),
            Self::MoveFromKeyring => ("keyring", "codex"),
            _ => ("codex", "file"),
        }
    }
}

/// What a fault left, where nothing was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It never came to that call.
    NotStruck,
    AllWell,
    /// The server's answer never reached this machine, and the next run said so.
    CutOff,
}

pub struct Scene {
    machine: Machine,
    /// Ends with the scene.
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
            Act::DeviceLogin | Act::DeviceLoginApart => None,
            Act::Refresh | Act::RefreshApart => Some(machine.sign_in(-1)),
            _ => Some(machine.aged_sign_in(7200, 100)),
        };
        let keyring = act.has_keyring().then(|| Keyring::unlocked(&mut machine));
        if let (Act::MoveIn | Act::MoveFromKeyring, (from, _)) = (act, act.places()) {
            let moved = machine.std_command(&format!("move --to {from}")).output().unwrap();
            assert!(moved.status.success(), "{}", stderr(&moved));
            machine.set("CODEX_CREDENTIAL_STORAGE", from);
        }
        let scene = Self { machine, keyring, act, tokens };
        scene.write_input();
        scene
    }

    /// The calls at which something can be done to it; traced once.
    pub fn calls(act: Act, who: Who) -> Vec<Call> {
        static KNOWN: Mutex<BTreeMap<(Act, Who), Vec<Call>>> = Mutex::new(BTreeMap::new());
        let trace = || {
            let scene = Self::new(act);
            calls(&scene.command(), &scene.input(), who)
        };
        KNOWN.lock().unwrap().entry((act, who)).or_insert_with(trace).clone()
    }

    /// Plays it with `fault` at `call`, and judges what is left.
    pub fn play(act: Act, who: Who, call: &Call, fault: Fault) -> Result<Left, String> {
        let scene = Self::new(act);
        let (output, struck) = disturbed(&scene.command(), &scene.input(), who, call, fault);
        let context = |what| format!("{act:?}, {fault:?} at {} {}: {what}", call.name, call.nth);
        let left = scene.judge(&output, struck).map_err(context);
        if struck > 0 { left } else { left.map(|_| Left::NotStruck) }
    }

    fn line(&self) -> &'static str {
        match self.act {
            Act::Refresh | Act::DeviceLogin => GET,
            Act::RefreshApart => "renew --apart --min-validity 300s",
            Act::DeviceLoginApart => "renew --apart --min-validity 300s --may-sign-in",
            Act::Store => "store",
            Act::EraseToken | Act::EraseLogin => "erase",
            Act::Logout => "logout",
            Act::MoveOut => "move --to file",
            Act::MoveToKeyring => "move --to keyring",
            Act::MoveIn | Act::MoveFromKeyring => "move --to codex",
        }
    }

    fn command(&self) -> Command {
        self.machine.std_command(self.line())
    }

    fn input(&self) -> PathBuf {
        self.machine.path("input")
    }

    fn once_more(&self) -> Output {
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

    fn judge(&self, output: &Output, struck: usize) -> Result<Left, String> {
        let said = stderr(output);
        // An injected error reaches tokio's eventfd, too, which no disk can fail.
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
                self.is_in_one_place(self.act.places())
            }
            _ => self.is_answered(struck),
        }?;
        self.is_tidy()?;
        Ok(left)
    }

    /// Every file is complete, before anybody mends anything.
    fn is_whole(&self) -> Result<(), String> {
        for path in files(self.machine.codex_home()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // The journal is written in two steps, and understood after each byte of them.
            let is_document = !is_temporary(&path)
                && !["lock", "write", "journal", "input", "auth.lock", "auth.json.lock"]
                    .contains(&name.as_str());
            let bytes = fs::read(&path).unwrap_or_default();
            let is_json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).is_ok();
            let is_whole = match name.as_str() {
                // A line for each event, the last one ended, too.
                "audit.log" => {
                    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
                    lines.all(|line| line.ends_with(b"\n") && is_json(line))
                }
                _ => is_json(&bytes),
            };
            ensure(!is_document || is_whole, || format!("{name} is half-written"))?;
        }
        let is_there = self.machine.path("auth.json").exists();
        let has_to_be =
            matches!(self.act, Act::Refresh | Act::RefreshApart | Act::Store | Act::EraseToken);
        ensure(is_there || !has_to_be, || "the login is gone".into())
    }

    /// The next `get` has a token, or says that the answer was lost on the wire.
    fn is_answered(&self, struck: usize) -> Result<Left, String> {
        let issuer = &self.machine.issuer;
        let is_sign_in = matches!(self.act, Act::DeviceLogin | Act::DeviceLoginApart);
        let line = if is_sign_in { GET } else { GET_UNASKED };
        let answer = self.run(line);
        if answer.status.success() {
            let token = String::from_utf8_lossy(&answer.stdout).trim_end().to_owned();
            ensure(issuer.is_live_access_token(&token), || "the token is dead".into())?;
            ensure(issuer.resent_after_answer() == 0, || "a spent token was sent again".into())?;
            return Ok(Left::AllWell);
        }
        let (said, counts) = (stderr(&answer), issuer.counts());
        let granted = counts.refreshes_granted + counts.exchanges_granted;
        // Each process that was killed can have taken an answer with it.
        let was_struck = (1..=struck as u64).contains(&granted);
        let was_told = said.contains("cut off before its answer arrived") && was_struck;
        ensure(answer.status.code() == Some(3) && was_told, || said)?;
        if is_sign_in {
            let again = self.run(GET);
            ensure(again.status.success(), || format!("told, and then: {}", stderr(&again)))?;
            return Ok(Left::CutOff);
        }
        let sent = issuer.times_sent(&self.tokens.as_ref().unwrap().refresh_token);
        // Once by each process whose answer was cut off, and once by the one that says so.
        ensure(sent <= struck as u64 + 1, || format!("the token was sent {sent} times"))?;
        self.run(GET_UNASKED);
        ensure(issuer.counts().refreshes == counts.refreshes, || "it was sent once more".into())?;
        let login = self.run("login --wait 25s");
        ensure(login.status.success(), || stderr(&login))?;
        let again = self.run(GET_UNASKED);
        ensure(again.status.success() && stderr(&again).is_empty(), || stderr(&again))?;
        Ok(Left::CutOff)
    }

    /// The login is there or not; and the same once more ends what was begun.
    fn is_removed_or_not(&self, said: &str) -> Result<Left, String> {
        let is_there = self.machine.path("auth.json").exists();
        let answer = self.run(GET_UNASKED);
        ensure(answer.status.success() == is_there, || stderr(&answer))?;
        let again = self.once_more();
        ensure(again.status.success(), || stderr(&again))?;
        ensure(!self.machine.path("auth.json").exists(), || "it is still there".into())?;
        let answer = self.run(GET_UNASKED);
        ensure(answer.status.code() == Some(3), || stderr(&answer))?;
        let refresh_token = &self.tokens.as_ref().unwrap().refresh_token;
        let is_live = self.machine.issuer.is_live_refresh_token(refresh_token);
        let may_live = self.act == Act::EraseLogin || said.contains("not ended at the server");
        ensure(!is_live || may_live, || "it lives on at the server, and nobody was told".into())?;
        Ok(Left::AllWell)
    }

    /// It can be read in one place at least; and the same once more ends what was begun.
    fn is_in_one_place(&self, (from, to): (&str, &str)) -> Result<Left, String> {
        let answers = || {
            [from, to].map(|place| {
                let mut get = self.machine.std_command(GET_UNASKED);
                get.env("CODEX_CREDENTIAL_STORAGE", place);
                get.output().unwrap().status.success()
            })
        };
        ensure(answers() != [false, false], || "it is nowhere".into())?;
        let again = self.once_more();
        let is_done = again.status.success() || stderr(&again).contains("nothing to move");
        ensure(is_done, || stderr(&again))?;
        ensure(answers() == [false, true], || format!("{:?}", answers()))?;
        let refresh_token = &self.tokens.as_ref().unwrap().refresh_token;
        let is_live = self.machine.issuer.is_live_refresh_token(refresh_token);
        ensure(is_live, || "it was ended".into()).map(|()| Left::AllWell)
    }

    /// After the next renewal, nothing is left of the one that was disturbed.
    fn is_tidy(&self) -> Result<(), String> {
        // One that still runs has its journal until it ends.
        eventually(|| self.machine.renewers().is_empty());
        let storages = ["codex", "file", "keyring"];
        let reachable = if self.keyring.is_some() { &storages[..] } else { &storages[..2] };
        for storage in reachable {
            let mut renewal = self.machine.std_command("renew --apart");
            renewal.env("CODEX_CREDENTIAL_STORAGE", storage).output().unwrap();
        }
        for path in files(self.machine.codex_home()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_rest = is_temporary(&path) || ["journal", "pending"].contains(&name.as_str());
            ensure(!is_rest, || format!("{} is left", path.display()))?;
        }
        Ok(())
    }
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with(".codex-credential-")
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
