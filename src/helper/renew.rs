//! The slow half of a `get`, run in a process of its own so that a caller that is killed does not take it along:
//! refresh, else device login. Only this code sends token requests and writes logins.
//!
//! Each refresh token is sent at most once where its answer arrived, and a kill at any instruction leaves a
//! readable login: the intent is on disk before the request, the answer before it is used.

use super::get::is_refused;
use super::rules;
use super::sign_in::{keep, sign_in};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::http::Http;
use crate::oauth::token::{self, Outcome};
use crate::profile::Profile;
use crate::storage::codex_home::{Change, Hold};
use crate::storage::journal::{self, Intent, Journal, Left, Request};
use crate::storage::lock::Lock;
use crate::storage::place::Place;
use crate::storage::watch::watch;
use crate::tokens::Fingerprint;
use serde::{Deserialize, Serialize};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What a renewal is to bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A token that is good for this many seconds.
    Token { min_validity: i64 },
    /// A token for which no early renewal is due.
    Early,
    /// A new login, whatever is stored.
    SignIn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub goal: Goal,
    /// Whether a person may be asked when nothing else helps.
    pub may_sign_in: bool,
}

/// For Codex's locks: other programs hold them for moments.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
/// For Codex's second lock, which is held for a write alone.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// For another program to store the login that made ours stale. Less than callers wait by default.
const ADOPTION_PATIENCE: Duration = Duration::from_secs(3);
/// After any failure, no early renewal for this long, in seconds.
const EARLY_PAUSE: i64 = 60;

/// How a renewal failed, for the callers that wait for it and those that come soon after.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    pub error: Error,
    /// Differs from one failure to the next.
    pub id: String,
    count: u32,
    /// Seconds since the epoch.
    at: i64,
    /// No request is sent before, seconds since the epoch.
    not_before: i64,
}

impl Failure {
    fn of(error: &Error, earlier: Option<&Self>) -> Self {
        let count = earlier.map_or(1, |earlier| earlier.count.saturating_add(1));
        // A network comes back at once; a server in trouble needs its time.
        let own_pause = match error.kind {
            Kind::Network => 1 << (count - 1).min(5),
            Kind::Server => 1 << (count - 1).min(8),
            _ => 0,
        };
        let asked = error.retry_after.unwrap_or(0).min(3600);
        let pause = asked.max(own_pause).cast_signed();
        let id = format!("{}-{}", clock::timestamp(), std::process::id());
        let at = clock::now();
        Self { error: error.clone(), id, count, at, not_before: at + pause }
    }

    /// Keeps to the pause: sleeps through a short one, gives the failure back for a longer one.
    fn hold_back(&self) -> Result<()> {
        let pause = (self.not_before - clock::now()).max(0).cast_unsigned();
        let pause = Duration::from_secs(pause);
        if pause > Duration::from_secs(1) {
            let message = format!("{}; the next try is in {} s", self.error, pause.as_secs());
            return Err(Error { message, ..self.error.clone() }.retry_after(Some(pause)));
        }
        thread::sleep(pause);
        Ok(())
    }
}

/// A refresh token that was refused for good, by whom, and the words for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Dead {
    refresh_token: Fingerprint,
    url: String,
    client_id: String,
    pub reason: String,
}

impl Dead {
    fn error(&self) -> Error {
        Error::new(Kind::LoginDead, self.reason.clone()).sign_in_again()
    }

    /// What is known of the refresh token of `login`: whether the server that would be asked refused it.
    pub fn of(profile: &Profile, login: &Login) -> Result<Option<Self>> {
        let Some(refresh_token) = &login.refresh_token else { return Ok(None) };
        let to = profile.granted_by(login);
        let url = profile.refresh_url(&to)?;
        let dead: Option<Self> = profile.storage.place().dead().load()?;
        Ok(dead.filter(|dead| {
            dead.refresh_token == refresh_token.fingerprint()
                && dead.url == url
                && dead.client_id == to.client_id
        }))
    }
}

/// Runs one renewal, unless another process is at it.
pub fn renew(profile: &Profile, order: Order) -> Result<()> {
    let place = profile.storage.place();
    place.create()?;
    let lock = match Lock::inherited(&place.lock())? {
        Some(lock) => Some(lock),
        None => Lock::try_acquire(&place.lock())?,
    };
    let Some(_lock) = lock else { return Ok(()) };
    place.sweep();
    let earlier = place.failure::<Failure>().load()?;
    if order.goal != Goal::SignIn
        && let Some(failure) = &earlier
    {
        failure.hold_back()?;
    }
    let result = Renewal { profile, order }.run();
    // Whoever started this hears of it in any case; the record is for the others.
    let _ = match &result {
        Ok(()) => place.failure::<Failure>().remove(),
        Err(error) => place.failure().save(&Failure::of(error, earlier.as_ref())),
    };
    result
}

/// Whether early renewal has to wait because the last one failed a moment ago.
pub fn is_held_back(place: &Place) -> bool {
    let failure = place.failure::<Failure>().load().ok().flatten();
    let now = clock::now();
    failure.is_some_and(|failure| now < failure.not_before.max(failure.at + EARLY_PAUSE))
}

pub(super) struct Renewal<'a> {
    pub profile: &'a Profile,
    pub order: Order,
}

/// What a refresh came to.
pub(super) enum Refreshed {
    Done,
    /// There is no refresh token that could still be good.
    Impossible(Option<Error>),
    /// Another program stored a login in the meantime.
    Superseded,
}

impl Renewal<'_> {
    fn run(&self) -> Result<()> {
        let cut_off = recover(self.profile)?;
        if self.order.goal == Goal::SignIn {
            return sign_in(self, cut_off.as_ref(), None);
        }
        loop {
            if self.is_satisfied()? {
                return Ok(());
            }
            match self.refresh(cut_off.as_ref())? {
                Refreshed::Done => return Ok(()),
                Refreshed::Superseded => {}
                Refreshed::Impossible(end) if self.order.may_sign_in => {
                    return sign_in(self, cut_off.as_ref(), end.map(|end| end.message));
                }
                Refreshed::Impossible(end) => return Err(end.unwrap_or_else(nobody)),
            }
        }
    }

    pub fn http(&self) -> Result<Http> {
        Http::new(self.profile.extra_ca.as_deref())
    }

    /// Whether what is stored now is what was ordered.
    pub fn is_satisfied(&self) -> Result<bool> {
        self.profile.storage.load()?.map_or(Ok(false), |login| self.satisfies(&login))
    }

    fn satisfies(&self, login: &Login) -> Result<bool> {
        rules::check(self.profile.storage.config()?, login)?;
        let now = clock::now();
        let good = match self.order.goal {
            Goal::Token { min_validity } => login.lifetime().covers(min_validity, now),
            // While a person signs in anew, the login there is goes on being renewed.
            Goal::Early | Goal::SignIn => login.renew_at().is_none_or(|due| now < due),
        };
        Ok(good && !is_refused(self.profile, login)?)
    }

    pub(super) fn refresh(&self, cut_off: Option<&Intent>) -> Result<Refreshed> {
        let http = self.http()?;
        let storage = &self.profile.storage;
        let hold = hold(self.profile)?;
        let Some(login) = storage.load()? else { return Ok(Refreshed::Impossible(None)) };
        if self.satisfies(&login)? {
            return Ok(Refreshed::Done);
        }
        let Some(refresh_token) = &login.refresh_token else {
            return Ok(Refreshed::Impossible(Some(no_refresh_token())));
        };
        if let Some(dead) = Dead::of(self.profile, &login)? {
            return Ok(Refreshed::Impossible(Some(dead.error())));
        }
        let to = self.profile.granted_by(&login);
        let url = self.profile.refresh_url(&to)?;
        let replaces = Some(login.fingerprint());
        let cut_off = cut_off.filter(|cut_off| cut_off.replaces == replaces);
        // The first request without an answer is the one to tell of.
        let at = cut_off.map_or_else(clock::now, |cut_off| cut_off.at);
        let intent = Intent { request: Request::Refresh, replaces, to, at };
        hold.probe()?;
        let mut journal = Journal::begin(&storage.place().journal(), &intent)?;
        match token::refresh(&http, &url, &intent.to.client_id, refresh_token) {
            Outcome::Granted(grant) => {
                let noted = journal.answer(&grant);
                let kept = commit(&hold, &intent, &Change::Renewed(&grant));
                // Only when neither the note nor the login could be written is the answer lost.
                let kept = kept.map_err(|error| noted.err().unwrap_or(error))?;
                journal.clear()?;
                if !kept {
                    return Ok(Refreshed::Superseded);
                }
                match Login::granted(&grant, &intent.to).map(|login| login.lifetime()) {
                    Some(life) if life.covers(0, clock::now()) => Ok(Refreshed::Done),
                    Some(_) => Err(expired_on_arrival()),
                    None => Err(no_access_token(&url)),
                }
            }
            Outcome::NotProcessed(error, pause) => {
                if cut_off.is_none() {
                    journal.clear()?;
                }
                Err(error.retry_after(pause))
            }
            Outcome::Unknown(error) => Err(error),
            Outcome::Refused { error, may_be_used } => {
                // Another program may hold the answer and wait for this lock to store it.
                drop(hold);
                let patience = if may_be_used { ADOPTION_PATIENCE } else { Duration::ZERO };
                if self.is_superseded(&login, patience) {
                    journal.clear()?;
                    return Ok(Refreshed::Superseded);
                }
                let dead = Dead {
                    refresh_token: refresh_token.fingerprint(),
                    url,
                    client_id: intent.to.client_id,
                    reason: end_of_login(&error, cut_off),
                };
                storage.place().dead().save(&dead)?;
                journal.clear()?;
                Ok(Refreshed::Impossible(Some(dead.error())))
            }
        }
    }

    /// Waits a few seconds for another program to store a login in the place of `login`.
    fn is_superseded(&self, login: &Login, patience: Duration) -> bool {
        let deadline = Deadline::after(patience);
        let (sender, changes) = mpsc::channel();
        watch(&[self.profile.storage.dir()], move || sender.send(()).is_ok());
        loop {
            if let Ok(Some(stored)) = self.profile.storage.load()
                && stored.fingerprint() != login.fingerprint()
            {
                return true;
            }
            if deadline.is_over() {
                return false;
            }
            let _ = changes.recv_timeout(deadline.remaining().min(Duration::from_secs(1)));
        }
    }
}

/// Takes Codex's lock, for a request and its commit.
pub(super) fn hold(profile: &Profile) -> Result<Hold<'_>> {
    profile.storage.hold(&Deadline::after(LOCK_PATIENCE))
}

pub(super) fn commit(hold: &Hold, intent: &Intent, change: &Change) -> Result<bool> {
    hold.commit(intent.replaces.as_ref(), change, &Deadline::after(WRITE_PATIENCE))
}

/// Commits the answer that a killed renewal left; gives back its intent where no answer is known. For whoever holds
/// the renewal lock.
pub(super) fn recover(profile: &Profile) -> Result<Option<Intent>> {
    let path = profile.storage.place().journal();
    match journal::left(&path)? {
        Some(Left::Answered(intent, grant)) => {
            let hold = hold(profile)?;
            match intent.request {
                Request::Refresh => {
                    commit(&hold, &intent, &Change::Renewed(&grant))?;
                    journal::clear(&path)?;
                }
                Request::SignIn => keep(profile, &hold, &intent, &grant)?,
            }
            Ok(None)
        }
        Some(Left::Unanswered(intent)) => Ok(Some(intent)),
        None => Ok(None),
    }
}

fn end_of_login(error: &Error, cut_off: Option<&Intent>) -> String {
    match cut_off {
        Some(intent) => format!(
            "the login is lost: the renewal of {} was cut off before its answer arrived, and the server had \
             already replaced the refresh token ({error})",
            clock::rfc3339(intent.at)
        ),
        None => format!("the login has ended: {error}"),
    }
}

fn nobody() -> Error {
    Error::new(Kind::LoginRequired, "nobody is signed in").sign_in_again()
}

fn expired_on_arrival() -> Error {
    Error::new(Kind::Server, "the new token is past its end already, by this machine's clock")
        .hint("set the clock right; `date` shows it")
}

fn no_refresh_token() -> Error {
    Error::new(Kind::LoginDead, "the stored login cannot be renewed: it has no refresh token")
        .sign_in_again()
}

fn no_access_token(url: &str) -> Error {
    Error::new(
        Kind::Server,
        format!("{} renewed the login without an access token", crate::oauth::http::host(url)),
    )
}
