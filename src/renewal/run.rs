//! The renewal process: recovers what a killed process left, then renews the login or signs in. It outlives a caller that is
//! killed.
//!
//! A refresh token whose answer arrived is never sent again. A kill at any point leaves a readable login: the
//! intent is on disk before the request, the answer before it is used.

use crate::error::{Error, Kind, Result};
use crate::login::TokenKind;
use crate::profile::Profile;
use crate::renewal::commit::{lock_deadline, not_signed_in};
use crate::renewal::recover::{recover, recover_sign_in};
use crate::renewal::refresh::{Refreshed, refresh};
use crate::renewal::renewal_request::{Goal, Validity};
use crate::renewal::sign_in::sign_in;
use crate::storage::lock::Lock;
use crate::storage::login_dir::LoginDir;
use crate::storage::records::{Failure, Record};
use crate::ui::SignInWay;
use crate::urls::host;
use std::path::Path;

/// Does what the caller requests, unless another process holds the lock.
pub fn run(profile: &Profile, goal: &Goal) -> Result<()> {
    profile.storage.check_folder()?;
    let sign_in_dir = profile.storage.sign_in_dir();
    sign_in_dir.create()?;
    profile.storage.sweep();
    match goal {
        Goal::Renew(validity) => {
            let Some(login_dir) = profile.storage.login_dir()? else { return Err(not_signed_in()) };
            login_dir.create()?;
            // A storage that did not answer says nothing about the issuer: no pause.
            let failure = login_dir.failure().load()?;
            let shared = profile.storage.shared();
            let keeps_pause = !failure.is_some_and(|it| shared.did_not_answer(&it.error));
            under_lock(&login_dir.lock(), &login_dir.failure(), keeps_pause, || {
                renew(profile, &login_dir, *validity)
            })
        }
        Goal::RecoverSignIn => {
            under_lock(&sign_in_dir.lock(), &sign_in_dir.failure(), false, || {
                recover_sign_in(profile, &lock_deadline()).map(drop)
            })
        }
        Goal::SignIn { unless, reason, way } => {
            // The user who runs `login`, or chose another way, is not held back by earlier failures.
            let keeps_pause = unless.is_some() && *way == SignInWay::Device;
            under_lock(&sign_in_dir.lock(), &sign_in_dir.failure(), keeps_pause, || {
                sign_in(profile, *unless, reason.clone(), *way)
            })
        }
    }
}

/// Runs `work` under the lock at `path`, which the caller may have handed over. Records its failure for those who wait.
fn under_lock(
    path: &Path,
    failures: &Record<Failure>,
    keeps_pause: bool,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let lock = match Lock::from_stdin(path)? {
        Some(lock) => Some(lock),
        None => Lock::try_acquire(path)?,
    };
    let Some(_lock) = lock else { return Ok(()) };
    let earlier = failures.load()?;
    if let Some(failure) = earlier.as_ref().filter(|_| keeps_pause) {
        failure.wait_or_fail()?;
    }
    let result = work();
    // The process that started this one gets the error from a pipe. The record is for the other waiting callers.
    let _ = match &result {
        Ok(()) => failures.remove(),
        Err(error) => failures.save(&Failure::of(error, earlier.as_ref())),
    };
    result
}

/// The default account may change while this process works. It renews the login of `login_dir` and no other one.
fn renew(profile: &Profile, login_dir: &LoginDir, validity: Validity) -> Result<()> {
    let shared = profile.storage.shared();
    shared.fail_soon();
    if shared.read_only_error()?.is_some() {
        if !validity.is_met(profile)? {
            shared.wait_for_writer(&lock_deadline())?;
        }
        return match shared.read_only_error()? {
            Some(error) if !validity.is_met(profile)? => Err(error),
            _ => Ok(()),
        };
    }
    loop {
        let unanswered = recover(profile, login_dir, &lock_deadline())?;
        if profile.storage.login_dir()?.as_ref() != Some(login_dir) || validity.is_met(profile)? {
            return Ok(());
        }
        check_id_token_is_renewed(profile)?;
        match refresh(profile, login_dir, validity, unanswered.as_ref())? {
            Refreshed::Done => return check_id_token_is_renewed(profile),
            Refreshed::Superseded => {}
            Refreshed::Impossible(error) => return Err(error),
        }
    }
}

/// Some servers send ID tokens only to a sign-in (OpenID Connect Core 1.0 §12.2). Then no refresh request is sent for one.
fn check_id_token_is_renewed(profile: &Profile) -> Result<()> {
    let login = profile.storage.load()?;
    match login.filter(|login| profile.token == TokenKind::IdToken && login.id_token_is_old) {
        Some(_) => {
            let what = format!("{} renews no ID token", host(&profile.client.issuer));
            Err(Error::new(Kind::LoginRequired, what).sign_in_again())
        }
        None => Ok(()),
    }
}
