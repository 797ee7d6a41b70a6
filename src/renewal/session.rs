//! What a refresh and a sign-in share: the locks, the commit, and the recovery of what a killed renewal left.

use crate::answer::store::is_current;
use crate::audit::{self, Action};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::device::DeviceAuthorization;
use crate::policy;
use crate::profile::Profile;
use crate::renewal::failure::InvalidToken;
use crate::renewal::request::{Goal, RenewalRequest};
use crate::renewal::server::AuthorizationServer;
use crate::renewal::validate::{self, ValidationError};
use crate::storage::journal::{self, Intent, Request, Unfinished};
use crate::storage::login_dir::LoginDir;
use crate::storage::{Change, HeldLogin};
use crate::tokens::{Secret, TokenResponse};
use crate::trace::{self, Event};
use std::time::Duration;

/// For Codex's locks: other programs hold them for moments.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
/// For Codex's second lock, which is held for a write alone.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// What a sign-in finds.
pub enum Way {
    /// Nothing but perhaps a request whose answer is not known.
    Free(Option<Intent>),
    /// The answer of an earlier sign-in, which is the login now.
    SignedIn,
}

pub struct Session<'a> {
    pub profile: &'a Profile,
    /// Where the lock is that protects all this.
    pub login_dir: LoginDir,
    pub order: RenewalRequest,
}

impl Session<'_> {
    /// Before a sign-in: an answer that can still be stored is not written over; one that is beyond that is.
    pub fn clear_the_way(&self) -> Result<Way> {
        let signed_in = self.login_dir.signed_in();
        let before = signed_in.load()?;
        let left = match recover(self.profile, &self.login_dir, &lock_patience()) {
            Err(error) if error.advises_sign_in() => None,
            recovered => recovered?,
        };
        Ok(if signed_in.load()? == before { Way::Free(left) } else { Way::SignedIn })
    }

    pub fn issuer(&self) -> Result<AuthorizationServer<'_>> {
        AuthorizationServer::new(self.profile)
    }

    /// Whether what is stored now is what was ordered.
    pub fn is_satisfied(&self) -> Result<bool> {
        self.profile.storage.load()?.map_or(Ok(false), |login| self.satisfies(&login))
    }

    pub fn satisfies(&self, login: &Login) -> Result<bool> {
        policy::check(self.profile, login)?;
        let now = clock::now();
        let good = match self.order.goal {
            Goal::Token { min_validity } => login.lifetime().covers(min_validity, now),
            // While a person signs in anew, the login there is goes on being renewed.
            Goal::Early | Goal::SignIn => login.renew_at().is_none_or(|due| now < due),
        };
        Ok(good && !self.profile.storage.login_dir()?.has_rejected(&login.access_token)?)
    }
}

/// Takes Codex's lock, for a request and its commit.
pub fn hold(profile: &Profile) -> Result<Box<dyn HeldLogin + '_>> {
    profile.storage.hold(&lock_patience())
}

pub fn lock_patience() -> Deadline {
    Deadline::after(LOCK_PATIENCE)
}

pub fn commit(
    profile: &Profile,
    hold: &dyn HeldLogin,
    intent: &Intent,
    change: &Change,
) -> Result<bool> {
    let deadline = Deadline::after(WRITE_PATIENCE);
    let kept = hold.commit(intent.replaces.as_ref(), change, &deadline)?;
    let (what, action) = match change {
        Change::Renewed(_) => ("renewed login", Action::Renewal),
        Change::SignedIn { .. } => ("new login", Action::SignIn),
    };
    trace::tell(|| Event::Commit { what, stored: kept });
    if kept {
        audit::note(profile, action, profile.storage.load().ok().flatten().as_ref(), None);
    }
    Ok(kept)
}

/// Commits the answer that a killed renewal left; gives back its intent where no answer is known. For whoever holds
/// the renewal lock. Codex's is waited for until `deadline`.
pub fn recover(
    profile: &Profile,
    login_dir: &LoginDir,
    deadline: &Deadline,
) -> Result<Option<Intent>> {
    match profile.storage.left()? {
        Some(Unfinished::Answered(intent, tokens)) => {
            let hold = profile.storage.hold(deadline)?;
            let issuer = AuthorizationServer::new(profile)?;
            match intent.request {
                Request::Refresh => {
                    let stored = profile.storage.load()?;
                    let admitted =
                        stored.as_ref().map(|login| validate::renewed(&issuer, &tokens, login));
                    match admitted {
                        Some(Err(ValidationError::NotNow(error))) => return Err(error),
                        Some(Err(ValidationError::Ended(error))) => {
                            let sent =
                                stored.filter(|it| Some(it.fingerprint()) == intent.replaces);
                            if let Some(login) = &sent
                                && let Some(token) = &login.refresh_token
                            {
                                InvalidToken::record(profile, &*hold, login, token, error.text())?;
                            }
                            journal::clear(&login_dir.journal())?;
                            return Err(error);
                        }
                        Some(Ok(tokens)) => {
                            commit(profile, &*hold, &intent, &Change::Renewed(&tokens))?;
                        }
                        None => {}
                    }
                    journal::clear(&login_dir.journal())?;
                }
                Request::SignIn => keep(&issuer, login_dir, &*hold, &intent, &tokens)?,
            }
            Ok(None)
        }
        Some(Unfinished::Unanswered(intent)) => Ok(Some(intent)),
        None => Ok(None),
    }
}

/// Commits a journaled sign-in, if it is one that is allowed; otherwise it is ended at the server and stored nowhere.
pub fn keep(
    issuer: &AuthorizationServer,
    login_dir: &LoginDir,
    hold: &dyn HeldLogin,
    intent: &Intent,
    tokens: &TokenResponse,
) -> Result<(), ValidationError> {
    let admitted = validate::signed_in(issuer, tokens, &intent.to);
    if let Err(ValidationError::Ended(_)) = &admitted {
        login_dir.pending::<DeviceAuthorization>().remove()?;
        login_dir.polled().remove()?;
        journal::clear(&login_dir.journal())?;
    }
    let tokens = admitted?;
    let profile = issuer.profile;
    commit(
        profile,
        hold,
        intent,
        &Change::SignedIn { tokens: &tokens, by: &intent.to, at: intent.at },
    )?;
    policy::pin(profile, login_dir)?;
    login_dir.signed_in().save(&clock::timestamp().to_string())?;
    Ok(login_dir.forget()?)
}

/// The person, or a logout, removed the pending record.
pub fn cancelled() -> Error {
    Error::new(Kind::LoginCancelled, "the sign-in was cancelled")
        .run("to start again", "codex-credential login")
}

/// Stores an access token that `answer::store` has found to be a newer one of the signed-in account.
pub fn store_token(profile: &Profile, token: Secret<String>, deadline: &Deadline) -> Result<()> {
    let storage = &profile.storage;
    let login_dir = storage.login_dir()?;
    let Some(_lock) = login_dir.acquire(deadline)? else { return Err(renewal_goes_on()) };
    recover(profile, &login_dir, deadline)?;
    let hold = storage.hold(deadline)?;
    if is_current(profile, &token)? {
        return Ok(());
    }
    // Only the access token: a refresh token was never handed out, so a caller cannot vouch for one.
    let tokens = TokenResponse { access_token: Some(token), ..TokenResponse::default() };
    let replaces = storage.fingerprint();
    if hold.commit(replaces.as_ref(), &Change::Renewed(&tokens), deadline)? {
        audit::note(profile, Action::Store, storage.load()?.as_ref(), None);
    }
    Ok(())
}

fn renewal_goes_on() -> Error {
    Error::new(Kind::Busy, "a renewal or a sign-in goes on; the token was not stored")
        .hint("give it longer with --wait")
}
