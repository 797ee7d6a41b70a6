//! Waits for a renewal, and for a sign-in where only a sign-in helps: joins the process that is at work, or starts one.
//!
//! Waiting callers sleep on the renewal lock or the sign-in lock. A caller that gets the lock reads the login again. If the
//! stored login is still not good enough, the caller starts a renewal process and hands the lock over to it. The lock is
//! never free in between.

use crate::answer::get::load;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::pending_sign_in::PendingSignIn;
use crate::profile::Profile;
use crate::renewal::caller::Caller;
use crate::renewal::commit::not_signed_in;
use crate::renewal::renewal_request::{Goal, Validity};
use crate::renewal::spawn;
use crate::renewal::step::{LockAction, Phase, STARTS, after_failure, with_lock};
use crate::signals::Deferred;
use crate::storage::journal;
use crate::storage::lock::Lock;
use crate::storage::records::{Failure, Record};
use crate::storage::watch::watch;
use crate::tokens::Secret;
use crate::ui::SignInWay;
use crate::ui::input::Lines;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

pub(super) enum Event {
    Locked(Result<Lock>),
    /// The process that this caller started has ended, with its error if it reported one.
    Ended(Option<Error>),
    Changed,
    Interrupted,
    /// The user wants what was offered.
    Wanted,
    /// The user typed or pasted a text.
    Typed(Secret<String>),
}

/// How a phase of the waiting ended.
pub(super) enum Outcome {
    Found(Box<Login>),
    Failed(Error),
    /// The process ended without an error, and the login does not do.
    Again,
}

pub(super) struct Waiter<'a> {
    pub profile: &'a Profile,
    /// `None` asks for a new login, whatever is stored.
    validity: Option<Validity>,
    pub caller: &'a mut Caller,
    /// How the user signs in, if this caller starts the sign-in.
    pub way: SignInWay,
    /// Finds the login that the caller waits for in the storage.
    find: &'a mut dyn FnMut() -> Result<Option<Login>>,
    pub sender: Sender<Event>,
    pub events: Receiver<Event>,
    /// The id of the last failed sign-in that this caller has been told of.
    known_sign_in_failure: Option<String>,
    /// Processes that were started without a result.
    pub starts: u32,
    /// Reads the address that the user pastes, of which `address` has the beginning.
    pub input: Option<Lines>,
    pub address: Secret<String>,
    /// While a renewal that this caller started runs. Its end may be the end of a container, which ends the renewal too.
    signals: Option<Deferred>,
}

/// Waits until `find` finds a login. Has the stored login renewed, or the user sign in where it cannot be renewed.
///
/// # Errors
/// What the renewal or the sign-in failed with; `LoginPending` or `Busy` when the caller's time is over first.
pub fn renewed(
    profile: &Profile,
    validity: Validity,
    caller: &mut Caller,
    mut find: impl FnMut() -> Result<Option<Login>>,
) -> Result<Login> {
    Waiter::new(profile, Some(validity), caller, &mut find)?.wait()
}

/// Waits until `find` finds a login, with a sign-in under way, whatever is stored.
///
/// # Errors
/// As [`renewed`].
pub fn signed_in(
    profile: &Profile,
    caller: &mut Caller,
    mut find: impl FnMut() -> Result<Option<Login>>,
) -> Result<Login> {
    Waiter::new(profile, None, caller, &mut find)?.wait()
}

impl<'a> Waiter<'a> {
    fn new(
        profile: &'a Profile,
        validity: Option<Validity>,
        caller: &'a mut Caller,
        find: &'a mut dyn FnMut() -> Result<Option<Login>>,
    ) -> Result<Self> {
        profile.storage.check_folder()?;
        let sign_in_dir = profile.storage.sign_in_dir();
        sign_in_dir.create()?;
        if let Some(login_dir) = profile.storage.login_dir()? {
            login_dir.create()?;
        }
        let (sender, events) = mpsc::channel();
        let changed = sender.clone();
        watch(&profile.watched()?, move || changed.send(Event::Changed).is_ok())?;
        if caller.screen.is_terminal() {
            let interrupted = sender.clone();
            let _ = ctrlc::set_handler(move || drop(interrupted.send(Event::Interrupted)));
        }
        let known_sign_in_failure = id_of(&sign_in_dir.failure());
        Ok(Self {
            profile,
            validity,
            way: caller.way.or(profile.settings.sign_in).unwrap_or_default(),
            caller,
            find,
            sender,
            events,
            known_sign_in_failure,
            starts: 0,
            input: None,
            address: Secret::default(),
            signals: None,
        })
    }

    fn wait(mut self) -> Result<Login> {
        let result = self.wait_through_phases();
        match &result {
            Ok(login) => self.caller.screen.signed_in(&login.account()),
            Err(error) => self.caller.screen.failed(error),
        }
        result
    }

    fn wait_through_phases(&mut self) -> Result<Login> {
        let mut phase = self.first_phase()?;
        loop {
            let outcome = self.wait_in_phase(&phase)?;
            self.signals = None;
            match outcome {
                Outcome::Found(login) => return Ok(*login),
                Outcome::Again => phase = self.first_phase()?,
                Outcome::Failed(error) => {
                    self.starts = 0;
                    let shared = self.profile.storage.shared();
                    if shared.did_not_answer(&error) {
                        shared.wait_for_answer(&self.caller.deadline)?;
                        continue;
                    }
                    if self.begins_again(&phase, &error) {
                        // The same phase begins again.
                        continue;
                    }
                    phase = after_failure(&phase, error)?;
                }
            }
        }
    }

    fn first_phase(&self) -> Result<Phase> {
        let is_renewal = self.validity.is_some() && load(self.profile)?.is_some();
        Ok(if is_renewal { Phase::Renewal } else { Phase::SignIn { cause: None } })
    }

    /// Waits for the lock of `phase`, and for the process that holds it.
    fn wait_in_phase(&mut self, phase: &Phase) -> Result<Outcome> {
        let Some((lock, failure_record)) = self.lock_and_failure(phase)? else {
            return Ok(Outcome::Again);
        };
        let known_failure = match phase {
            Phase::Renewal => id_of(&failure_record),
            Phase::SignIn { .. } => self.known_sign_in_failure.clone(),
        };
        self.queue_for(&lock)?;
        loop {
            if let Phase::SignIn { .. } = phase
                && let Some(pending) = usable_pending(self.profile)
            {
                self.show(&pending)?;
            }
            let tick = self.caller.deadline.remaining().min(Duration::from_secs(1));
            let outcome = match self.events.recv_timeout(tick) {
                Ok(Event::Locked(lock)) => {
                    let failure = failure_record.load().ok().flatten();
                    let new = failure.filter(|failure| Some(&failure.id) != known_failure.as_ref());
                    self.use_lock(phase, lock?, new.map(|failure| failure.error))?
                }
                Ok(Event::Ended(Some(error))) => Some(Outcome::Failed(error)),
                Ok(Event::Ended(None)) => Some(self.found()?.unwrap_or(Outcome::Again)),
                Ok(Event::Interrupted) => return self.interrupt(phase),
                Ok(Event::Changed) => self.found()?,
                Ok(Event::Typed(text)) => {
                    if let Some(pending) = usable_pending(self.profile) {
                        self.typed(&text, &pending)?;
                    }
                    None
                }
                Ok(Event::Wanted) | Err(_) => None,
            };
            if let Some(outcome) = outcome {
                if let (Outcome::Failed(_), Phase::SignIn { .. }) = (&outcome, phase) {
                    self.known_sign_in_failure = id_of(&failure_record);
                }
                return Ok(outcome);
            }
            if self.caller.deadline.is_over() {
                return self.found()?.ok_or_else(|| self.time_is_up(phase));
            }
        }
    }

    /// Returns `None` when the login to renew is gone.
    fn lock_and_failure(&self, phase: &Phase) -> Result<Option<(PathBuf, Record<Failure>)>> {
        let storage = &self.profile.storage;
        Ok(match phase {
            Phase::Renewal => storage.login_dir()?.map(|dir| (dir.lock(), dir.failure())),
            Phase::SignIn { .. } => {
                let dir = storage.sign_in_dir();
                Some((dir.lock(), dir.failure()))
            }
        })
    }

    /// `error` was recorded while this caller waited for `lock`. Returns `None` when a process was started.
    fn use_lock(
        &mut self,
        phase: &Phase,
        lock: Lock,
        error: Option<Error>,
    ) -> Result<Option<Outcome>> {
        if let Some(found) = self.found()? {
            return Ok(Some(found));
        }
        let sign_in_journal = self.profile.storage.sign_in_dir().journal();
        match with_lock(phase, self.caller.may_sign_in, error, self.starts) {
            LockAction::Fail(error) => Ok(Some(Outcome::Failed(error))),
            LockAction::GiveUp => Err(no_result()),
            LockAction::Recover if journal::is_answered(&sign_in_journal)? => {
                self.start(Goal::RecoverSignIn, lock)
            }
            LockAction::Recover => {
                Ok(Some(Outcome::Failed(cause(phase).unwrap_or_else(not_signed_in))))
            }
            LockAction::Start => self.start(self.goal(phase), lock),
        }
    }

    fn start(&mut self, goal: Goal, lock: Lock) -> Result<Option<Outcome>> {
        self.starts += 1;
        if let Goal::Renew(_) = goal {
            self.signals.get_or_insert_with(Deferred::begin);
        }
        let events = self.sender.clone();
        let report = move |error| drop(events.send(Event::Ended(error)));
        spawn::start(self.profile, goal, lock, report)?;
        Ok(None)
    }

    fn goal(&self, phase: &Phase) -> Goal {
        match (phase, self.validity) {
            (Phase::Renewal, Some(validity)) => Goal::Renew(validity),
            (_, unless) => {
                let reason = cause(phase).map(|error| error.text());
                Goal::SignIn { unless, reason, way: self.way }
            }
        }
    }

    pub(super) fn found(&mut self) -> Result<Option<Outcome>> {
        Ok((self.find)()?.map(|login| Outcome::Found(Box::new(login))))
    }

    fn queue_for(&self, lock: &Path) -> Result<()> {
        let events = self.sender.clone();
        Lock::acquire_in_background(lock, move |lock| drop(events.send(Event::Locked(lock))))
    }

    fn time_is_up(&self, phase: &Phase) -> Error {
        if let Phase::SignIn { .. } = phase
            && let Some(pending) = usable_pending(self.profile)
        {
            return self.caller.login_pending(&pending.verification);
        }
        let what = if let Phase::SignIn { .. } = phase { "sign-in" } else { "renewal" };
        let why = self.profile.storage.holder().unwrap_or_else(|| "it goes on".into());
        Error::new(Kind::Busy, format!("the {what} was not done in time: {why}"))
            .hint("try again, or wait longer with --wait")
    }
}

fn cause(phase: &Phase) -> Option<Error> {
    match phase {
        Phase::SignIn { cause } => cause.clone(),
        Phase::Renewal => None,
    }
}

fn id_of(failure: &Record<Failure>) -> Option<String> {
    failure.load().ok().flatten().map(|failure| failure.id)
}

/// Returns the pending sign-in that the user can approve. One that was answered waits only to be stored.
fn usable_pending(profile: &Profile) -> Option<PendingSignIn> {
    let dir = profile.storage.sign_in_dir();
    if journal::is_answered(&dir.journal()).unwrap_or(false) {
        return None;
    }
    let pending = dir.pending().load().ok().flatten()?;
    let is_waiting = pending.approval.is_none();
    Some(pending).filter(|it| is_waiting && it.is_usable(&profile.client, clock::now()))
}

fn no_result() -> Error {
    let what = format!("the renewal process ended {STARTS} times without a result");
    Error::new(Kind::Interrupted, what).hint("if it was killed, try again; the login is unchanged")
}
