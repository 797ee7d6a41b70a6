//! Sixteen callers for minutes with tokens of five seconds, random kills and random faults of the server. The seed fixes the
//! kills, but not how the processes are scheduled.

use crate::machine::{Machine, PATIENCE, eventually, files, kill};
use crate::report::report;
use crate::scene::Outcome;
use crate::tries::{Form, form};
use fastrand::Rng;
use issuer::{Endpoint, Fault};
use std::fs;
use std::process::{Child, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CALLERS: u64 = 16;
const SEED: u64 = 8;
const WAIT: Duration = Duration::from_secs(30);
/// Sixteen processes at once start late on few processors.
const SLACK: Duration = Duration::from_secs(10);

struct Soak {
    machine: Machine,
    is_over: AtomicBool,
    calls: AtomicUsize,
    killed: AtomicUsize,
    /// Kills of a renewal process and faults of the server that can lose an answer.
    cuts: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

fn length() -> Duration {
    Duration::from_secs(if form() == Some(Form::Long) { 600 } else { 120 })
}

pub fn sixteen_callers() {
    let machine = Machine::with(|s| {
        s.access_token_lifetime = Duration::from_secs(5);
        s.auto_approve = Some(Duration::ZERO);
    });
    machine.sign_in(5);
    let soak = Soak {
        machine,
        is_over: AtomicBool::new(false),
        calls: AtomicUsize::new(0),
        killed: AtomicUsize::new(0),
        cuts: AtomicUsize::new(0),
        failures: Mutex::default(),
    };
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            scope.spawn({
                let soak = &soak;
                move || soak.call(Rng::with_seed(SEED + caller))
            });
        }
        scope.spawn(|| soak.read());
        scope.spawn(|| soak.kill(Rng::with_seed(SEED)));
        scope.spawn(|| soak.disturb_the_server(Rng::with_seed(SEED + 100)));
        thread::sleep(length());
        soak.is_over.store(true, Ordering::Relaxed);
    });
    soak.judge();
}

impl Soak {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn fail(&self, what: String) {
        self.failures.lock().unwrap().push(what);
    }

    /// Starts one caller after the other, and kills some.
    fn call(&self, mut random: Rng) {
        while self.goes_on() {
            let line = format!("get --format token --wait {}s", WAIT.as_secs());
            let mut command = self.machine.std_command(&line);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            self.calls.fetch_add(1, Ordering::Relaxed);
            if random.u8(0..8) == 0 {
                thread::sleep(Duration::from_millis(random.u64(0..300)));
                self.give_up(child);
            } else {
                let start = Instant::now();
                self.judge_answer(&child.wait_with_output().unwrap(), start.elapsed());
            }
            thread::sleep(Duration::from_millis(random.u64(0..400)));
        }
    }

    fn give_up(&self, mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
        self.killed.fetch_add(1, Ordering::Relaxed);
    }

    /// Expects a token, or an exit code with a message, within the wait.
    fn judge_answer(&self, output: &Output, took: Duration) {
        let said = String::from_utf8_lossy(&output.stderr);
        if took > WAIT + SLACK {
            self.fail(format!("it took {took:?}"));
        }
        let is_token = output.stdout.starts_with(b"ey") && output.stdout.ends_with(b"\n");
        match output.status.code() {
            Some(0) if is_token => {}
            // A fault of the server, a reported loss of an answer, or a renewal process that was killed three times.
            Some(1 | 3) if output.stdout.is_empty() && !said.is_empty() => {}
            code => self.fail(format!("{code:?}: {said}")),
        }
        if said.contains("internal error") {
            self.fail(said.into_owned());
        }
    }

    /// Checks that the login is complete at every moment.
    fn read(&self) {
        while self.goes_on() {
            let bytes = fs::read(self.machine.path("auth.json")).unwrap_or_default();
            let document = serde_json::from_slice::<serde_json::Value>(&bytes).unwrap_or_default();
            if !document["tokens"]["refresh_token"].is_string() {
                self.fail("auth.json is incomplete".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills renewal processes, half of the time during a request.
    fn kill(&self, mut random: Rng) {
        while self.goes_on() {
            thread::sleep(Duration::from_millis(random.u64(0..3000)));
            if random.bool() {
                self.machine.issuer.wait_until(|c| c.in_flight > 0, Duration::from_secs(5));
            }
            for renewer in self.machine.renewers() {
                // Counted before the kill, because the server may react to it at once.
                self.cuts.fetch_add(1, Ordering::Relaxed);
                kill(renewer);
                self.killed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Mostly the server is only slow.
    fn disturb_the_server(&self, mut random: Rng) {
        while self.goes_on() {
            for endpoint in [Endpoint::Refresh, Endpoint::DeviceToken, Endpoint::Exchange] {
                let pause = Duration::from_millis(random.u64(0..500));
                let fault = match random.u8(0..24) {
                    0 => Fault::Drop,
                    1 => Fault::status(500, "{}"),
                    2 => Fault::status(429, "{}"),
                    3 => Fault::NotJson,
                    4 => Fault::Endless,
                    5 => Fault::Redirect("http://127.0.0.1:9/".into()),
                    6 => Fault::LoseReply,
                    7 => Fault::Truncate,
                    8..12 => Fault::DelayBefore(pause),
                    12..16 => Fault::DelayAfter(pause),
                    16..20 => Fault::SlowBody(pause),
                    _ => continue,
                };
                let is_cut = matches!(fault, Fault::LoseReply | Fault::Truncate);
                self.cuts.fetch_add(usize::from(is_cut), Ordering::Relaxed);
                self.machine.issuer.fault(endpoint, fault, 1);
            }
            thread::sleep(Duration::from_millis(random.u64(1000..4000)));
            self.machine.issuer.clear_faults();
        }
    }

    /// Only a lost answer may have ended the login, and a `get` after a sign-in has a token.
    fn judge(self) {
        let machine = &self.machine;
        eventually(|| machine.renewers().is_empty());
        assert!(machine.issuer.wait_until(|c| c.in_flight == 0, PATIENCE));
        // The first sign-in may report an answer that was lost.
        let mut answer = machine.std_command("login --wait 30s").output().unwrap();
        if !answer.status.success() {
            answer = machine.std_command("login --wait 30s").output().unwrap();
        }
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        assert!(machine.issuer.is_live_access_token(&machine.token()));
        let is_temporary = |name: &str| name.starts_with(".codex-credential-tmp-");
        let left = files(machine.codex_home()).into_iter().find(|path| {
            path.file_name().is_some_and(|name| is_temporary(&name.to_string_lossy()))
        });
        assert!(left.is_none(), "{left:?}");
        let counts = machine.issuer.counts();
        assert!(counts.refreshes_granted > 10, "{counts:?}");
        let mut failures = self.failures.into_inner().unwrap();
        let cuts = self.cuts.into_inner();
        // A rotated token is sent again only after its answer was lost, by a kill or a fault.
        if counts.reuses > cuts as u64 {
            failures.push(format!(
                "{} rotated tokens were sent again, {cuts} answers may have been lost",
                counts.reuses
            ));
        }
        let calls = self.calls.into_inner();
        let killed = self.killed.into_inner();
        println!(
            "{calls} calls, {killed} kills, {cuts} kills and faults that can lose an answer, {counts:?}"
        );
        let lost = usize::try_from(counts.reuses).unwrap();
        let well = vec![Ok(Outcome::NothingLost); calls - lost - failures.len().min(calls - lost)];
        let told = vec![Ok(Outcome::AnswerLost); lost];
        let failed = failures.into_iter().map(Err);
        let results = well.into_iter().chain(told).chain(failed).collect();
        // These were killed between the last byte of the answer and the write that records it.
        let whole = machine.issuer.resent_after_answer();
        let attack = format!(
            "sixteen callers for {} minutes with tokens that live 5 s, {killed} random kills, faults of the server; \
             {whole} of the lost answers had been sent completely",
            length().as_secs() / 60,
        );
        report(&attack, "soak::sixteen_callers", results);
    }
}
