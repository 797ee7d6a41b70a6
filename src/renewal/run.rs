//! The slow half of a `get`, run in a process of its own so that a caller that is killed does not take it along:
//! refresh, else device login. Only this code sends token requests and writes logins.
//!
//! Each refresh token is sent at most once where its answer arrived, and a kill at any instruction leaves a
//! readable login: the intent is on disk before the request, the answer before it is used.

use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::renewal::failure::Failure;
use crate::renewal::refresh::{Refreshed, refresh};
use crate::renewal::request::{Goal, RenewalRequest};
use crate::renewal::session::{Session, Way, lock_patience, recover};
use crate::renewal::sign_in::sign_in;
use crate::storage::lock::Lock;
use crate::storage::shared;

/// Runs one renewal, unless another process is at it.
pub fn renew(profile: &Profile, order: RenewalRequest) -> Result<()> {
    let login_dir = profile.storage.login_dir()?;
    login_dir.create()?;
    let lock = match Lock::from_stdin(&login_dir.lock())? {
        Some(lock) => Some(lock),
        None => Lock::try_acquire(&login_dir.lock())?,
    };
    let Some(_lock) = lock else { return Ok(()) };
    if profile.storage.login_dir()? != login_dir {
        // Somebody signed in before we had the lock, and another lock protects that login.
        return Ok(());
    }
    profile.storage.sweep();
    let earlier = login_dir.failure::<Failure>().load()?;
    if order.goal != Goal::SignIn
        && let Some(failure) = &earlier
    {
        failure.hold_back()?;
    }
    let result = run(&Session { profile, login_dir: login_dir.clone(), order });
    // Whoever started this hears of it in any case; the record is for the others.
    let _ = match &result {
        Ok(()) => login_dir.failure::<Failure>().remove(),
        Err(error) => login_dir.failure().save(&Failure::of(error, earlier.as_ref())),
    };
    result
}

fn run(session: &Session) -> Result<()> {
    if let Some(error) = shared::read_only_error(session.profile.storage.shared())? {
        let is_enough = session.order.goal != Goal::SignIn && session.is_satisfied()?;
        return if is_enough { Ok(()) } else { Err(error) };
    }
    if session.order.goal == Goal::SignIn {
        return match session.clear_the_way()? {
            Way::Free(_) => sign_in(session, None),
            Way::SignedIn => Ok(()),
        };
    }
    let cut_off = recover(session.profile, &session.login_dir, &lock_patience())?;
    loop {
        if session.is_satisfied()? {
            return Ok(());
        }
        match refresh(session, cut_off.as_ref())? {
            Refreshed::Done => return Ok(()),
            Refreshed::Superseded => {}
            Refreshed::Impossible(end) if session.order.may_sign_in => {
                return sign_in(session, end.map(|end| end.text()));
            }
            Refreshed::Impossible(end) => return Err(end.unwrap_or_else(nobody)),
        }
    }
}

fn nobody() -> Error {
    Error::new(Kind::LoginRequired, "nobody is signed in").sign_in_again()
}
