//! Starts a renewal or joins the one that runs, and waits for it.
//!
//! Waiters sleep on the renewal lock. Whoever gets it reads again, and, if nothing has changed, starts a renewal
//! and hands the lock over to it, so that at no moment two processes think that it is their turn.

use crate::answer::get::Renewals;
use crate::audit;
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::device::DeviceAuthorization;
use crate::profile::Profile;
use crate::programs;
use crate::renewal::environment;
use crate::renewal::failure::{Failure, is_held_back};
use crate::renewal::request::{Goal, RenewalRequest};
use crate::renewal::session::cancelled;
use crate::storage::lock::Lock;
use crate::storage::login_dir::LoginDir;
use crate::storage::shared;
use crate::storage::watch::watch;
use crate::trace;
use crate::ui::screen::Screen;
use crate::ui::time_left;
use crate::verification::Verification;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// Who waits, and how long.
pub struct Caller {
    pub deadline: Deadline,
    /// The caller named the time itself; otherwise a person who is asked gets as long as the code lives.
    pub wait_is_explicit: bool,
    /// A device login may be started for this caller.
    pub may_sign_in: bool,
    pub screen: Screen,
}

enum Event {
    Locked(Result<Lock>),
    /// The renewal that this process started has ended; its failure, if it told one.
    Ended(Option<Error>),
    Changed,
    Interrupted,
    /// A person wants another code.
    FreshCode,
}

/// A renewal that dies without a word is started again this often.
const STARTS: u32 = 3;

/// Waits until `wanted` finds what it looks for in the storage, with a renewal under way.
///
/// # Errors
/// What the renewal failed with; `LoginPending` or `Busy` when the caller's time is over first.
pub fn renewed(
    profile: &Profile,
    order: RenewalRequest,
    caller: &mut Caller,
    mut wanted: impl FnMut() -> Result<Option<Login>>,
) -> Result<Login> {
    let mut login_dir = profile.storage.login_dir()?;
    login_dir.create()?;
    let (sender, events) = mpsc::channel();
    let changed = sender.clone();
    watch(&profile.watched(&login_dir), move || changed.send(Event::Changed).is_ok());
    if caller.screen.is_terminal() {
        let interrupted = sender.clone();
        let _ = ctrlc::set_handler(move || drop(interrupted.send(Event::Interrupted)));
    }
    let mut seen_failure = failure(&login_dir).map(|failure| failure.id);
    let mut starts = 0;
    queue_for_lock(&login_dir, &sender);
    loop {
        if let Some(pending) = usable_pending(profile, &login_dir) {
            caller.show(&pending)?;
        }
        match events.recv_timeout(caller.deadline.remaining().min(Duration::from_secs(1))) {
            Ok(Event::Locked(lock)) => {
                let lock = lock?;
                if let Some(login) = wanted()? {
                    return Ok(caller.done(login));
                }
                let meant = profile.storage.login_dir()?;
                if meant != login_dir {
                    // Somebody has signed in, and another lock protects that login.
                    meant.create()?;
                    login_dir = meant;
                    seen_failure = failure(&login_dir).map(|failure| failure.id);
                    queue_for_lock(&login_dir, &sender);
                    continue;
                }
                if let Some(failure) = failure(&login_dir)
                    && seen_failure.as_ref() != Some(&failure.id)
                    && !(order.may_sign_in && failure.error.is_cured_by_sign_in())
                {
                    drop(lock);
                    caller.give_up_unless_fresh_code(failure.error, &sender, &events)?;
                    seen_failure = Some(failure.id);
                    queue_for_lock(&login_dir, &sender);
                    continue;
                }
                starts += 1;
                if starts > STARTS {
                    return Err(caller.failed(died()));
                }
                let child = start(profile, order, lock)?;
                report(child, sender.clone());
            }
            Ok(Event::Ended(Some(error))) => {
                caller.give_up_unless_fresh_code(error, &sender, &events)?;
                seen_failure = failure(&login_dir).map(|failure| failure.id);
                starts = 0;
                queue_for_lock(&login_dir, &sender);
            }
            Ok(Event::Ended(None)) => queue_for_lock(&login_dir, &sender),
            Ok(Event::Interrupted) => return Err(caller.failed(interrupt(profile, &login_dir)?)),
            Ok(Event::Changed) => {
                if let Some(login) = wanted()? {
                    return Ok(caller.done(login));
                }
            }
            Ok(Event::FreshCode) | Err(_) => {}
        }
        if caller.deadline.is_over() {
            return match wanted()? {
                Some(login) => Ok(caller.done(login)),
                None => Err(caller.failed(time_is_up(profile, &login_dir))),
            };
        }
    }
}

/// Ctrl-C at the prompt cancels the sign-in, for all; a renewal that asks nobody goes on.
fn interrupt(profile: &Profile, login_dir: &LoginDir) -> Result<Error> {
    let pending = login_dir.pending::<DeviceAuthorization>();
    if pending.load()?.is_some() {
        pending.remove()?;
        shared::withdraw_pending(profile.storage.shared())?;
        return Ok(cancelled());
    }
    Ok(Error::new(Kind::Interrupted, "interrupted; what was begun goes on in the background"))
}

/// Starts a renewal that nobody waits for, unless one runs or the last one failed a moment ago. What goes
/// wrong here goes wrong again when a token is needed, and is told then.
pub fn renew_in_background(profile: &Profile) {
    let Ok(login_dir) = profile.storage.login_dir() else { return };
    if login_dir.create().is_err() || is_held_back(&login_dir) {
        return;
    }
    if let Ok(Some(lock)) = Lock::try_acquire(&login_dir.lock()) {
        let _ = start(profile, RenewalRequest { goal: Goal::Early, may_sign_in: false }, lock);
    }
}

fn queue_for_lock(login_dir: &LoginDir, events: &Sender<Event>) {
    let events = events.clone();
    Lock::acquire_in_background(&login_dir.lock(), move |lock| {
        drop(events.send(Event::Locked(lock)));
    });
}

fn failure(login_dir: &LoginDir) -> Option<Failure> {
    login_dir.failure().load().ok().flatten()
}

fn usable_pending(profile: &Profile, login_dir: &LoginDir) -> Option<DeviceAuthorization> {
    let pending: DeviceAuthorization = login_dir.pending().load().ok().flatten()?;
    Some(pending).filter(|pending| pending.is_usable(&profile.client, clock::now()))
}

/// Starts this program as the renewing process: in a process group of its own, so that what is sent to the
/// caller does not reach it, and holding the lock as its standard input.
fn start(profile: &Profile, order: RenewalRequest, lock: Lock) -> Result<Child> {
    let cannot =
        |error| Error::new(Kind::Interrupted, "cannot start the renewal process").caused_by(error);
    let program = programs::full().map_err(cannot)?;
    let mut command = Command::new(program);
    command.args(["renew", "--apart"]);
    match order.goal {
        Goal::Token { min_validity } => {
            command.arg("--min-validity").arg(format!("{min_validity}s"));
        }
        Goal::Early => {}
        Goal::SignIn => {
            command.arg("--sign-in");
        }
    }
    if order.may_sign_in {
        command.arg("--may-sign-in");
    }
    command.arg("--codex-home").arg(profile.codex_home());
    command.arg("--caller").arg(audit::Caller::own().to_argument());
    environment::reduce(&mut command);
    command.arg("--profile").arg(&profile.name);
    // In one word each, for they may begin with a dash.
    let option = |name: &str, value: &OsStr| [OsStr::new(name), value].join(OsStr::new("="));
    if let Some(config) = &profile.config_file {
        command.arg(option("--config", config.as_os_str()));
    }
    if let Some(account) = &profile.account {
        command.arg(option("--account", account.as_ref()));
    }
    command.stdin(lock.into_stdin()).stdout(Stdio::piped()).stderr(Stdio::null());
    if trace::is_verbose() {
        // Whatever becomes of this process, the other one does not depend on being read.
        command.arg("--verbose").stderr(Stdio::piped());
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    #[cfg(windows)]
    {
        const DETACHED_PROCESS: u32 = 0x8;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        std::os::windows::process::CommandExt::creation_flags(
            &mut command,
            DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP,
        );
    }
    let child = command.spawn().map_err(cannot)?;
    let goal = match order.goal {
        Goal::Token { .. } => "a token",
        Goal::Early => "an early renewal",
        Goal::SignIn => "a new sign-in",
    };
    trace::tell(|| trace::Event::RenewalStarted { process: child.id(), goal });
    Ok(child)
}

/// Tells when `child` has ended and what it said of its failure: one JSON object on its standard output.
fn report(mut child: Child, events: Sender<Event>) {
    if let Some(mut steps) = child.stderr.take() {
        thread::spawn(move || io::copy(&mut steps, &mut io::stderr()));
    }
    thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut output) = child.stdout.take() {
            let _ = output.read_to_end(&mut said);
        }
        let _ = child.wait();
        let error: Option<Error> = serde_json::from_slice(&said).ok();
        trace::tell(|| trace::Event::RenewalEnded { failure: error.as_ref().map(|e| e.kind) });
        let _ = events.send(Event::Ended(error));
    });
}

fn died() -> Error {
    Error::new(
        Kind::Interrupted,
        format!("the renewing process ended {STARTS} times without a result"),
    )
    .hint("was it killed? the login is as it was; try again")
}

fn time_is_up(profile: &Profile, login_dir: &LoginDir) -> Error {
    if let Some(pending) = usable_pending(profile, login_dir) {
        return login_pending(pending.verification);
    }
    let why = profile.storage.holder().unwrap_or_else(|| "it goes on".into());
    Error::new(Kind::Busy, format!("the renewal was not done in time: {why}"))
        .hint("try again, or give it longer with --wait")
}

/// A device login waits: one line that says all a person needs, as callers show it to one.
fn login_pending(verification: Verification) -> Error {
    let left = time_left(verification.expires_at - clock::now());
    let reason =
        verification.reason.as_ref().map(|reason| format!("{reason}; ")).unwrap_or_default();
    Error::new(
        Kind::LoginPending,
        format!(
            "{reason}sign in at {} with the code {} ({left} left)",
            verification.verification_uri, verification.user_code
        ),
    )
    .hint("then run the same command again; never share the code")
    .verification(verification)
}

impl Renewals for Caller {
    fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    fn renew_early(&mut self, profile: &Profile) {
        renew_in_background(profile);
    }

    fn renew(
        &mut self,
        profile: &Profile,
        min_validity: i64,
        usable: &dyn Fn() -> Result<Option<Login>>,
    ) -> Result<Login> {
        let may_sign_in = self.may_sign_in;
        let order = RenewalRequest { goal: Goal::Token { min_validity }, may_sign_in };
        renewed(profile, order, self, usable)
    }
}

impl Caller {
    /// Where nobody can be shown the code here, a caller who named no time leaves with it at once.
    fn show(&mut self, pending: &DeviceAuthorization) -> Result<()> {
        if !self.screen.asks() {
            let stays = self.wait_is_explicit || !pending.is_needed;
            return if stays { Ok(()) } else { Err(login_pending(pending.verification.clone())) };
        }
        if !self.wait_is_explicit {
            // A person may take as long as the code lives, and then hear that it has expired.
            let left = u64::try_from(pending.verification.expires_at - clock::now()).unwrap_or(0);
            self.deadline = Deadline::after(Duration::from_secs(left + 10));
        }
        self.screen.show(&pending.verification);
        Ok(())
    }

    /// Whoever is asked may want another code in the place of one that expired.
    fn give_up_unless_fresh_code(
        &mut self,
        error: Error,
        sender: &Sender<Event>,
        events: &Receiver<Event>,
    ) -> Result<()> {
        if error.kind == Kind::LoginExpired && self.screen.asks() {
            if !self.wait_is_explicit {
                self.deadline = Deadline::after(Duration::from_secs(15 * 60));
            }
            let answer = sender.clone();
            let offers = self.screen.offer_new_code(move |is_wanted| {
                let event = if is_wanted { Event::FreshCode } else { Event::Interrupted };
                drop(answer.send(event));
            });
            while offers
                && !self.deadline.is_over()
                && let Ok(event) = events.recv_timeout(self.deadline.remaining())
            {
                match event {
                    Event::FreshCode => return Ok(()),
                    Event::Interrupted => break,
                    Event::Locked(_) | Event::Ended(_) | Event::Changed => {}
                }
            }
        }
        Err(self.failed(error))
    }

    fn done(&mut self, login: Login) -> Login {
        self.screen.signed_in(&login.account());
        login
    }

    fn failed(&mut self, error: Error) -> Error {
        self.screen.failed(&error);
        error
    }
}
