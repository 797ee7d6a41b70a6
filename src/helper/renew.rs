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
use crate::storage::codex_home::Change;
use crate::storage::journal::{self, Intent, Journal, Left, Request};
use crate::storage::lock::Lock;
use crate::storage::place::Place;
use crate::storage::watch::watch;
use crate::tokens::{Fingerprint, Secret};
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
/// For another program to store the login that made ours stale.
const ADOPTION_PATIENCE: Duration = Duration::from_secs(5);

/// How a renewal failed, for the callers that wait for it and those that come soon after.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    pub error: Error,
    /// Differs from one failure to the next.
    pub id: String,
    count: u32,
    /// No request is sent before, seconds since the epoch.
    not_before: i64,
}

impl Failure {
    fn of(error: &Error, earlier: Option<&Self>) -> Self {
        let count = earlier.map_or(1, |earlier| earlier.count.saturating_add(1));
        let own_pause = match error.kind {
            Kind::Network | Kind::Server => 1 << (count - 1).min(8),
            _ => 0,
        };
        let asked = error.retry_after.unwrap_or(0).min(3600);
        let pause = asked.max(own_pause).cast_signed();
        let id = format!("{}-{}", clock::timestamp(), std::process::id());
        Self { error: error.clone(), id, count, not_before: clock::now() + pause }
    }

    /// Keeps to the pause; gives the failure back when that is too long to sleep through.
    fn hold_back(&self) -> Result<()> {
        let pause = (self.not_before - clock::now()).max(0);
        if pause > 4 {
            return Err(self
                .error
                .clone()
                .retry_after(u64::try_from(pause).ok().map(Duration::from_secs)));
        }
        thread::sleep(Duration::from_secs(pause.cast_unsigned()));
        Ok(())
    }
}

/// A refresh token that was refused for good, and the words for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Dead {
    pub refresh_token: Fingerprint,
    pub reason: String,
}

impl Dead {
    fn error(&self) -> Error {
        Error::new(Kind::LoginDead, self.reason.clone())
            .hint("to sign in again, run: codex-credential login")
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
    let earlier = place.failure::<Failure>().load()?;
    if order.goal != Goal::SignIn
        && let Some(failure) = &earlier
    {
        failure.hold_back()?;
    }
    let result = Renewal { profile, order }.run();
    match &result {
        Ok(()) => place.failure::<Failure>().remove()?,
        Err(error) => place.failure().save(&Failure::of(error, earlier.as_ref()))?,
    }
    result
}

/// Whether early renewal has to wait because the last one failed a moment ago.
pub fn is_held_back(place: &Place) -> bool {
    let failure = place.failure::<Failure>().load().ok().flatten();
    failure.is_some_and(|failure| failure.not_before > clock::now())
}

pub(super) struct Renewal<'a> {
    pub profile: &'a Profile,
    pub order: Order,
}

/// What a refresh came to.
enum Refreshed {
    Done,
    /// There is no refresh token that could still be good.
    Impossible(Option<Error>),
    /// Another program stored a login in the meantime.
    Superseded,
}

impl Renewal<'_> {
    fn run(&self) -> Result<()> {
        let cut_off = self.recover()?;
        let mut end = None;
        if self.order.goal != Goal::SignIn {
            loop {
                if self.is_satisfied()? {
                    return Ok(());
                }
                match self.refresh(cut_off.as_ref())? {
                    Refreshed::Done => return Ok(()),
                    Refreshed::Superseded => {}
                    Refreshed::Impossible(error) => {
                        end = error;
                        break;
                    }
                }
            }
        }
        if !self.order.may_sign_in {
            return Err(end.unwrap_or_else(nobody));
        }
        sign_in(self, cut_off.as_ref(), end.map(|end| end.message))
    }

    pub fn http(&self) -> Result<Http> {
        Http::new(self.profile.extra_ca.as_deref())
    }

    pub fn hold(&self) -> Result<crate::storage::codex_home::Hold<'_>> {
        self.profile.storage.hold(&Deadline::after(LOCK_PATIENCE))
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
            Goal::Early => login.renew_at().is_none_or(|due| now < due),
            Goal::SignIn => login.lifetime().covers(0, now),
        };
        Ok(good && !is_refused(self.profile, login)?)
    }

    /// Commits the answer that a killed renewal left; gives back its intent where no answer is known.
    fn recover(&self) -> Result<Option<Intent>> {
        let path = self.profile.storage.place().journal();
        match journal::left(&path)? {
            Some(Left::Answered(intent, grant)) => {
                match intent.request {
                    Request::Refresh => {
                        let hold = self.hold()?;
                        hold.commit(intent.replaces.as_ref(), &Change::Renewed(&grant))?;
                        journal::clear(&path)?;
                    }
                    Request::SignIn => keep(self, &self.hold()?, &intent, &grant)?,
                }
                Ok(None)
            }
            Some(Left::Unanswered(intent)) => Ok(Some(intent)),
            None => Ok(None),
        }
    }

    fn refresh(&self, cut_off: Option<&Intent>) -> Result<Refreshed> {
        let http = self.http()?;
        let hold = self.hold()?;
        let Some(login) = self.profile.storage.load()? else {
            return Ok(Refreshed::Impossible(None));
        };
        if self.satisfies(&login)? {
            return Ok(Refreshed::Done);
        }
        let Some(refresh_token) = &login.refresh_token else {
            return Ok(Refreshed::Impossible(Some(no_refresh_token())));
        };
        if let Some(dead) = self.known_dead(refresh_token)? {
            return Ok(Refreshed::Impossible(Some(dead.error())));
        }
        let to = self.profile.granted_by(&login);
        let url = self.profile.refresh_url(&to)?;
        let intent = Intent {
            request: Request::Refresh,
            replaces: Some(login.fingerprint()),
            to,
            at: clock::now(),
        };
        hold.probe()?;
        let mut journal = Journal::begin(&self.profile.storage.place().journal(), &intent)?;
        match token::refresh(&http, &url, &intent.to.client_id, refresh_token) {
            Outcome::Granted(grant) => {
                journal.answer(&grant)?;
                hold.commit(intent.replaces.as_ref(), &Change::Renewed(&grant))?;
                self.profile.storage.place().refused().remove()?;
                journal.clear()?;
                match grant.access_token {
                    Some(_) => Ok(Refreshed::Done),
                    None => Err(no_access_token(&url)),
                }
            }
            Outcome::NotProcessed(error, pause) => {
                journal.clear()?;
                Err(error.retry_after(pause))
            }
            Outcome::Unknown(error) => Err(error),
            Outcome::Refused(error) => {
                // Another program may hold the answer and wait for this lock to store it.
                drop(hold);
                if self.is_superseded(&login) {
                    journal.clear()?;
                    return Ok(Refreshed::Superseded);
                }
                let cut_off = cut_off.filter(|cut_off| cut_off.replaces == intent.replaces);
                let dead = Dead {
                    refresh_token: refresh_token.fingerprint(),
                    reason: end_of_login(&error, cut_off),
                };
                self.profile.storage.place().dead().save(&dead)?;
                journal.clear()?;
                Ok(Refreshed::Impossible(Some(dead.error())))
            }
        }
    }

    fn known_dead(&self, refresh_token: &Secret<String>) -> Result<Option<Dead>> {
        let dead = self.profile.storage.place().dead::<Dead>().load()?;
        Ok(dead.filter(|dead| dead.refresh_token == refresh_token.fingerprint()))
    }

    /// Waits a few seconds for another program to store a login in the place of `login`.
    fn is_superseded(&self, login: &Login) -> bool {
        let deadline = Deadline::after(ADOPTION_PATIENCE);
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
    Error::new(Kind::LoginRequired, "nobody is signed in").hint("run: codex-credential login")
}

fn no_refresh_token() -> Error {
    Error::new(Kind::LoginDead, "the stored login cannot be renewed: it has no refresh token")
        .hint("to sign in again, run: codex-credential login")
}

fn no_access_token(url: &str) -> Error {
    Error::new(
        Kind::Server,
        format!("{} renewed the login without an access token", crate::oauth::http::host(url)),
    )
}
