//! The slow half of a `get`, run in a process of its own so that a caller that is killed does not take it along:
//! refresh, else device login. Only this code sends token requests and writes logins.
//!
//! Each refresh token is sent at most once where its answer arrived, and a kill at any instruction leaves a
//! readable login: the intent is on disk before the request, the answer before it is used.

use super::admit::{self, Refusal};
use super::audit::{self, Action};
use super::failure::{Dead, Failure};
use super::get::is_refused;
use super::issuer::Issuer;
use super::refresh::{Refreshed, refresh};
use super::rules;
use super::sign_in::{keep, sign_in};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::journal::{self, Intent, Left, Request};
use crate::storage::lock::Lock;
use crate::storage::place::Place;
use crate::storage::{Change, Hold};
use crate::trace::{self, Event};
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

/// Runs one renewal, unless another process is at it.
pub fn renew(profile: &Profile, order: Order) -> Result<()> {
    let place = profile.storage.place()?;
    place.create()?;
    let lock = match Lock::inherited(&place.lock())? {
        Some(lock) => Some(lock),
        None => Lock::try_acquire(&place.lock())?,
    };
    let Some(_lock) = lock else { return Ok(()) };
    if profile.storage.place()? != place {
        // Somebody signed in before we had the lock, and another lock protects that login.
        return Ok(());
    }
    profile.storage.sweep();
    let earlier = place.failure::<Failure>().load()?;
    if order.goal != Goal::SignIn
        && let Some(failure) = &earlier
    {
        failure.hold_back()?;
    }
    let result = Renewal { profile, place: place.clone(), order }.run();
    // Whoever started this hears of it in any case; the record is for the others.
    let _ = match &result {
        Ok(()) => place.failure::<Failure>().remove(),
        Err(error) => place.failure().save(&Failure::of(error, earlier.as_ref())),
    };
    result
}

/// What a sign-in finds.
pub(super) enum Way {
    /// Nothing but perhaps a request whose answer is not known.
    Free(Option<Intent>),
    /// The answer of an earlier sign-in, which is the login now.
    SignedIn,
}

pub(super) struct Renewal<'a> {
    pub profile: &'a Profile,
    /// Where the lock is that protects all this.
    pub place: Place,
    pub order: Order,
}

impl Renewal<'_> {
    fn run(&self) -> Result<()> {
        if let Some(error) = self.profile.storage.cannot_renew()? {
            let is_enough = self.order.goal != Goal::SignIn && self.is_satisfied()?;
            return if is_enough { Ok(()) } else { Err(error) };
        }
        if self.order.goal == Goal::SignIn {
            return match self.clear_the_way()? {
                Way::Free(_) => sign_in(self, None),
                Way::SignedIn => Ok(()),
            };
        }
        let cut_off = recover(self.profile, &self.place, &lock_patience())?;
        loop {
            if self.is_satisfied()? {
                return Ok(());
            }
            match refresh(self, cut_off.as_ref())? {
                Refreshed::Done => return Ok(()),
                Refreshed::Superseded => {}
                Refreshed::Impossible(end) if self.order.may_sign_in => {
                    return sign_in(self, end.map(|end| end.message));
                }
                Refreshed::Impossible(end) => return Err(end.unwrap_or_else(nobody)),
            }
        }
    }

    /// Before a sign-in: an answer that can still be stored is not written over; one that is beyond that is.
    pub fn clear_the_way(&self) -> Result<Way> {
        let signed_in = self.place.signed_in();
        let before = signed_in.load()?;
        let left = match recover(self.profile, &self.place, &lock_patience()) {
            Err(error) if error.advises_sign_in() => None,
            recovered => recovered?,
        };
        Ok(if signed_in.load()? == before { Way::Free(left) } else { Way::SignedIn })
    }

    pub fn issuer(&self) -> Result<Issuer<'_>> {
        Issuer::new(self.profile)
    }

    /// Whether what is stored now is what was ordered.
    pub fn is_satisfied(&self) -> Result<bool> {
        self.profile.storage.load()?.map_or(Ok(false), |login| self.satisfies(&login))
    }

    pub fn satisfies(&self, login: &Login) -> Result<bool> {
        rules::check(self.profile, login)?;
        let now = clock::now();
        let good = match self.order.goal {
            Goal::Token { min_validity } => login.lifetime().covers(min_validity, now),
            // While a person signs in anew, the login there is goes on being renewed.
            Goal::Early | Goal::SignIn => login.renew_at().is_none_or(|due| now < due),
        };
        Ok(good && !is_refused(&self.profile.storage.place()?, login)?)
    }
}

/// Takes Codex's lock, for a request and its commit.
pub(super) fn hold(profile: &Profile) -> Result<Box<dyn Hold + '_>> {
    profile.storage.hold(&lock_patience())
}

pub(super) fn lock_patience() -> Deadline {
    Deadline::after(LOCK_PATIENCE)
}

pub(super) fn commit(
    profile: &Profile,
    hold: &dyn Hold,
    intent: &Intent,
    change: &Change,
) -> Result<bool> {
    let deadline = Deadline::after(WRITE_PATIENCE);
    let kept = hold.commit(intent.replaces.as_ref(), change, &deadline)?;
    let (what, action) = match change {
        Change::Renewed(_) => ("renewed login", Action::Renewal),
        Change::SignedIn { .. } => ("new login", Action::SignIn),
    };
    trace::tell(|| Event::Commit { what, kept });
    if kept {
        audit::note(profile, action, profile.storage.load().ok().flatten().as_ref(), None);
    }
    Ok(kept)
}

/// Commits the answer that a killed renewal left; gives back its intent where no answer is known. For whoever holds
/// the renewal lock. Codex's is waited for until `deadline`.
pub fn recover(profile: &Profile, place: &Place, deadline: &Deadline) -> Result<Option<Intent>> {
    match profile.storage.left()? {
        Some(Left::Answered(intent, grant)) => {
            let hold = profile.storage.hold(deadline)?;
            let issuer = Issuer::new(profile)?;
            match intent.request {
                Request::Refresh => {
                    let stored = profile.storage.load()?;
                    let admitted =
                        stored.as_ref().map(|login| admit::renewed(&issuer, &grant, login));
                    match admitted {
                        Some(Err(Refusal::NotNow(error))) => return Err(error),
                        Some(Err(Refusal::Ended(error))) => {
                            let sent =
                                stored.filter(|it| Some(it.fingerprint()) == intent.replaces);
                            if let Some(login) = &sent
                                && let Some(token) = &login.refresh_token
                            {
                                Dead::bury(profile, &*hold, login, token, error.message.clone())?;
                            }
                            journal::clear(&place.journal())?;
                            return Err(error);
                        }
                        Some(Ok(grant)) => {
                            commit(profile, &*hold, &intent, &Change::Renewed(&grant))?;
                        }
                        None => {}
                    }
                    journal::clear(&place.journal())?;
                }
                Request::SignIn => keep(&issuer, place, &*hold, &intent, &grant)?,
            }
            Ok(None)
        }
        Some(Left::Unanswered(intent)) => Ok(Some(intent)),
        None => Ok(None),
    }
}

fn nobody() -> Error {
    Error::new(Kind::LoginRequired, "nobody is signed in").sign_in_again()
}
