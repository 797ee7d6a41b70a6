//! Waits until the user approves or denies a pending sign-in, it expires or is cancelled, or another program stores a login
//! that will do.

use crate::clock::{self, Deadline};
use crate::error::{Error, Result};
use crate::oauth::device::{Approval, PollResponse, Polling, expired};
use crate::pending_sign_in::{DeviceCode, PendingSignIn, SignInRequest};
use crate::profile::Profile;
use crate::renewal::commit::cancelled;
use crate::renewal::process::{Exchange, begin_exchange};
use crate::renewal::renewal_request::Validity;
use crate::renewal::server::AuthorizationServer;
use crate::storage::login_dir::LoginDir;
use std::sync::mpsc::Receiver;
use std::time::Duration;

pub(super) struct Attempt<'a> {
    pub profile: &'a Profile,
    pub server: AuthorizationServer<'a>,
    pub dir: LoginDir,
    /// The sign-in ends early when the stored login meets it.
    pub unless: Option<Validity>,
    /// An earlier exchange was cut off.
    pub is_cut_off: bool,
    pub changes: Receiver<()>,
}

#[derive(PartialEq)]
enum Awake {
    TimeToPoll,
    NotNeeded,
}

impl Attempt<'_> {
    /// Saves it on all hosts that share the storage, before it is shown on this one.
    pub fn save(&self, pending: &PendingSignIn) -> Result<()> {
        self.profile.storage.shared().publish_pending(pending)?;
        self.dir.pending().save(pending)
    }

    /// Cancelling removes the record.
    pub fn check_not_cancelled(&self, pending: &PendingSignIn) -> Result<()> {
        let recorded = self.dir.pending().load()?;
        let is_recorded = recorded.is_some_and(|recorded| recorded.request == pending.request);
        if is_recorded { Ok(()) } else { Err(cancelled()) }
    }

    /// The user's decision, or the time, ends the sign-in.
    fn end<T>(&self, error: Error) -> Result<T> {
        self.dir.pending().remove()?;
        Err(error)
    }

    /// Whether the last poll was sent and its answer is not known.
    pub fn poll_was_cut_off(&self, pending: &PendingSignIn) -> Result<bool> {
        let Some(SignInRequest::DeviceCode(request)) = &pending.request else { return Ok(false) };
        let polled = self.dir.polled().load()?;
        Ok(polled.is_some_and(|polled| polled == request.device_code.fingerprint()))
    }

    /// Returns the approval with the exchange that ends when its tokens are recorded; `None` if another program has stored a
    /// login that will do.
    pub fn wait(&self, pending: &PendingSignIn) -> Result<Option<(Approval, Exchange)>> {
        match &pending.request {
            Some(SignInRequest::DeviceCode(request)) => self.poll_until_approved(pending, request),
            None => Err(cancelled()),
        }
    }

    fn poll_until_approved(
        &self,
        pending: &PendingSignIn,
        request: &DeviceCode,
    ) -> Result<Option<(Approval, Exchange)>> {
        let mut polling = Polling::new(request.interval);
        if self.poll_was_cut_off(pending)? {
            polling = polling.after_unknown();
        }
        let user_code = pending.verification.user_code.as_deref().unwrap_or_default();
        loop {
            if self.sleep(pending, polling.pause())? == Awake::NotNeeded {
                return Ok(None);
            }
            // Where a poll brings tokens, it is the exchange.
            let exchange = begin_exchange();
            match polling.next_step(self.poll(request, user_code)?) {
                Ok(None) => {}
                Ok(Some(approval)) => return Ok(Some((approval, exchange))),
                Err(error) => return self.end(error),
            }
        }
    }

    /// Polls once. Where a success is answered only once (RFC 8628), the poll is on disk before it is sent and until its
    /// answer is known.
    fn poll(&self, request: &DeviceCode, user_code: &str) -> Result<PollResponse> {
        if !self.server.returns_tokens_once() {
            return Ok(self.server.poll(request, user_code));
        }
        self.dir.polled().save(&request.device_code.fingerprint())?;
        let poll = self.server.poll(request, user_code);
        if !matches!(poll, PollResponse::NoResponse | PollResponse::Approved(_)) {
            self.dir.polled().remove()?;
        }
        Ok(poll)
    }

    /// Sleeps for `pause`, but not past the end of the code, its cancellation, or the need for it.
    fn sleep(&self, pending: &PendingSignIn, pause: Duration) -> Result<Awake> {
        let pause = Deadline::after(pause);
        let mut may_have_changed = true;
        loop {
            if clock::now() >= pending.verification.expires_at {
                return self.end(expired());
            }
            self.check_not_cancelled(pending)?;
            if may_have_changed
                && let Some(validity) = self.unless
                && validity.is_met(self.profile).unwrap_or(false)
            {
                return Ok(Awake::NotNeeded);
            }
            if pause.is_over() {
                return Ok(Awake::TimeToPoll);
            }
            let tick = pause.remaining().min(Duration::from_secs(1));
            may_have_changed = self.changes.recv_timeout(tick).is_ok();
        }
    }
}
