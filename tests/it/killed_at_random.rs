//! Kills the caller with SIGKILL at a random moment of each command, and in some tries also the renewal process. The test
//! makes sixty tries, `.ci/kills` a thousand.

use crate::machine::{Machine, OURS, PATIENCE, ada, eventually, kill};
use fastrand::Rng;
use issuer::{Endpoint, Fault};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Machines that run at the same time, each with its own seed.
const MACHINES: u64 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Get,
    Exec,
    Renew,
    Status,
    Login,
    Store,
    EraseToken,
    EraseLogin,
    Logout,
}

/// Calls that can lose a login occur more often.
const CALLS: [Call; 18] = [
    Call::Get,
    Call::Get,
    Call::Get,
    Call::Get,
    Call::Get,
    Call::Get,
    Call::Exec,
    Call::Exec,
    Call::Renew,
    Call::Renew,
    Call::Status,
    Call::Login,
    Call::Login,
    Call::Store,
    Call::EraseToken,
    Call::EraseToken,
    Call::EraseLogin,
    Call::Logout,
];

impl Call {
    fn line(self) -> &'static str {
        match self {
            Self::Get => "get --interactive never",
            Self::Exec => "exec --interactive never -- true",
            Self::Renew => "renew",
            Self::Status => "status",
            Self::Login => "login --wait 30s",
            Self::Store => "store",
            Self::EraseToken | Self::EraseLogin => "erase",
            Self::Logout => "logout",
        }
    }

    fn ends_the_login(self) -> bool {
        matches!(self, Self::EraseLogin | Self::Logout)
    }
}

/// Counts of all machines.
#[derive(Debug, Default)]
struct Tally {
    tries: AtomicU64,
    /// The call was still running when it was killed.
    killed: AtomicU64,
    /// The renewal process was running.
    renewing: AtomicU64,
    /// The renewal process was killed as well.
    all_killed: AtomicU64,
    /// The renewal process was killed during its request, and the server rotated the refresh token.
    cut_off: AtomicU64,
    /// As `cut_off`, and killed between the end of the answer and the write that records the answer.
    answer_lost: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

struct Victim<'a> {
    machine: Machine,
    random: Rng,
    tally: &'a Tally,
}

impl<'a> Victim<'a> {
    fn new(seed: u64, tally: &'a Tally) -> Self {
        let machine = Machine::with(|s| {
            s.access_token_lifetime = Duration::from_secs(2);
            s.auto_approve = Some(Duration::from_millis(100));
        });
        machine.sign_in(2);
        Self { machine, random: Rng::with_seed(seed), tally }
    }

    fn one_try(&mut self) {
        let call = self.random.choice(CALLS).unwrap();
        self.slow_the_server();
        let is_due = self.random.bool();
        if is_due {
            eventually(|| !self.machine.issuer.is_live_access_token(&self.stored("access_token")));
        }
        let before = self.sent_again();
        let mut caller = self.start(call);
        let longest = match call {
            Call::Login => 1500,
            _ if is_due || call.ends_the_login() => 250,
            _ => 10,
        };
        thread::sleep(Duration::from_micros(self.random.u64(0..longest * 1000)));
        let had_ended = caller.try_wait().unwrap().is_some();
        let was_renewing = !self.machine.renewers().is_empty();
        caller.kill().unwrap();
        caller.wait().unwrap();
        let all = self.random.u8(0..4) == 0;
        if all {
            self.kill_renewers();
            assert!(self.machine.issuer.wait_until(|c| c.in_flight == 0, PATIENCE));
        }
        count(&self.tally.tries);
        for (counter, happened) in [
            (&self.tally.killed, !had_ended),
            (&self.tally.renewing, was_renewing),
            (&self.tally.all_killed, all && was_renewing),
        ] {
            if happened {
                count(counter);
            }
        }
        if call.ends_the_login() {
            return self.sign_in();
        }
        if all && !self.is_alive() && !self.has_recorded_answer() {
            return self.expect_reported_loss();
        }
        let context = format!("after a kill of {call:?}, everything: {all}");
        let answer = self.run("get --interactive never --wait 30s --format token");
        assert!(answer.status.success(), "{context}: {}", stderr(&answer));
        eventually(|| self.machine.renewers().is_empty());
        assert!(self.is_alive(), "{context}");
        assert_eq!(self.sent_again(), before, "{context}");
    }

    /// Checks that the next call reports the lost answer.
    fn expect_reported_loss(&self) {
        count(&self.tally.cut_off);
        let before = self.machine.issuer.resent_after_answer();
        let rejected = Sha256::digest(self.stored("access_token"));
        let rejected = rejected.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let line = format!("get --interactive never --wait 30s --rejected-sha256 {rejected}");
        let _ = fs::remove_file(self.machine.own("rejected"));
        let answer = self.run(&line);
        assert_eq!(answer.status.code(), Some(3), "{}", stderr(&answer));
        let said = stderr(&answer);
        assert!(said.contains("cut off"), "{said}");
        if self.machine.issuer.resent_after_answer() > before {
            count(&self.tally.answer_lost);
        }
        self.sign_in();
    }

    /// Delays every request: before the server processes it, after that, or during the answer.
    fn slow_the_server(&mut self) {
        self.machine.issuer.clear_faults();
        for endpoint in [
            Endpoint::Refresh,
            Endpoint::UserCode,
            Endpoint::DeviceToken,
            Endpoint::Exchange,
            Endpoint::Revoke,
        ] {
            let delay = Duration::from_millis(self.random.u64(0..120));
            let fault = [Fault::DelayBefore, Fault::DelayAfter, Fault::SlowBody];
            let fault = self.random.choice(fault).unwrap()(delay);
            self.machine.issuer.fault(endpoint, fault, u32::MAX);
        }
    }

    fn start(&self, call: Call) -> Child {
        let secret = match call {
            Call::Store => Some(self.machine.issuer.grant(&ada(), 2).access_token),
            Call::EraseToken => Some(self.stored("access_token")),
            _ => None,
        };
        let password = secret.map(|secret| format!("password={secret}\n")).unwrap_or_default();
        let input = self.machine.path("input");
        fs::write(&input, OURS.replace("\n\n", "\n") + &password).unwrap();
        let mut command = self.machine.std_command(call.line());
        if matches!(call, Call::Store | Call::EraseToken | Call::EraseLogin) {
            command.stdin(File::open(input).unwrap());
        }
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn run(&self, line: &str) -> Output {
        self.machine.std_command(line).output().unwrap()
    }

    /// Kills the renewal processes. The caller has been killed before and starts no new one.
    fn kill_renewers(&self) {
        eventually(|| {
            let renewers = self.machine.renewers();
            for &renewer in &renewers {
                kill(renewer);
            }
            renewers.is_empty()
        });
    }

    /// Signs in again. The first attempt may report that the kill interrupted a sign-in.
    fn sign_in(&self) {
        eventually(|| self.machine.renewers().is_empty());
        let mut answer = self.run("login --wait 30s");
        if stderr(&answer).contains("cut off") {
            answer = self.run("login --wait 30s");
        }
        assert!(answer.status.success(), "{}", stderr(&answer));
        eventually(|| self.machine.renewers().is_empty());
        assert!(self.is_alive());
    }

    fn stored(&self, token: &str) -> String {
        self.machine.auth_json()["tokens"][token].as_str().unwrap().to_owned()
    }

    /// Returns whether the server accepts the stored refresh token.
    fn is_alive(&self) -> bool {
        self.machine.issuer.is_live_refresh_token(&self.stored("refresh_token"))
    }

    /// Returns whether the journal has the answer of the killed renewal, which the next run commits.
    fn has_recorded_answer(&self) -> bool {
        let journal = fs::read(self.machine.own("journal")).unwrap_or_default();
        journal.split(|&byte| byte == b'\n').count() == 3
    }

    /// Returns how often a rotated refresh token was sent, and how often after the server's answer had been sent.
    fn sent_again(&self) -> (u64, u64) {
        (self.machine.issuer.counts().reuses, self.machine.issuer.resent_after_answer())
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[expect(clippy::disallowed_methods, reason = "a variable sets the number of tries")]
fn tries() -> u64 {
    std::env::var("KILLS").map_or(60, |kills| kills.parse().expect("KILLS is a number"))
}

#[test]
fn kill_at_a_random_moment_loses_no_login() {
    let tally = Tally::default();
    thread::scope(|scope| {
        for seed in 0..MACHINES {
            let tally = &tally;
            scope.spawn(move || {
                let mut victim = Victim::new(seed, tally);
                (0..tries().div_ceil(MACHINES)).for_each(|_| victim.one_try());
            });
        }
    });
    println!("{tally:?}");
    let renewing = tally.renewing.into_inner();
    assert!(renewing > 0, "no kill hit a renewal");
}
