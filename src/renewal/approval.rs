//! Waits until the user approves or denies a pending sign-in, it expires or is cancelled, or another program stores a login
//! that will do.

use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::oauth::authorization::{self, Answer, Pasted};
use crate::oauth::device::{Approval, PollResponse, Polling, expired};
use crate::pending_sign_in::{DeviceCode, PendingSignIn, SignInRequest};
use crate::profile::Profile;
use crate::renewal::commit::cancelled;
use crate::renewal::process::{Exchange, begin_exchange};
use crate::renewal::renewal_request::Validity;
use crate::renewal::server::AuthorizationServer;
use crate::storage::login_dir::LoginDir;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

pub(super) struct Attempt<'a> {
    pub profile: &'a Profile,
    pub server: AuthorizationServer<'a>,
    pub dir: LoginDir,
    /// The sign-in ends early when the stored login meets it.
    pub unless: Option<Validity>,
    /// An earlier exchange was cut off.
    pub is_cut_off: bool,
    pub sender: Sender<Event>,
    pub events: Receiver<Event>,
}

pub(super) enum Event {
    /// Files of the login or of the sign-in.
    Changed,
    /// The browser brought the answer.
    Answered(Answer),
}

enum Awake {
    TimeToPoll,
    NotNeeded,
    Answered(Answer),
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
            Some(SignInRequest::Browser(_)) => self.wait_for_answer(pending),
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
            if let Awake::NotNeeded = self.sleep(pending, polling.pause())? {
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

    /// Waits for the browser, or for a pasted address.
    fn wait_for_answer(&self, pending: &PendingSignIn) -> Result<Option<(Approval, Exchange)>> {
        loop {
            match self.sleep(pending, Duration::MAX)? {
                Awake::TimeToPoll => {}
                Awake::NotNeeded => return Ok(None),
                Awake::Answered(Answer::Refused(error)) => return self.end(error),
                Awake::Answered(Answer::Code(code)) => {
                    return Ok(Some((Approval::Code(code), begin_exchange())));
                }
            }
        }
    }

    /// Returns the answer in the address that a caller has pasted.
    fn pasted(&self, pending: &PendingSignIn) -> Result<Option<Answer>> {
        let Some(SignInRequest::Browser(request)) = &pending.request else { return Ok(None) };
        let Some(text) = self.dir.pasted().load()? else { return Ok(None) };
        self.dir.pasted().remove()?;
        Ok(match authorization::pasted(text.expose(), request, &pending.issuer) {
            Pasted::Answer(answer) => Some(answer),
            Pasted::Incomplete | Pasted::Other(_) => None,
        })
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

    /// Sleeps for `pause`, but not past the answer, the end of the sign-in, its cancellation, or the need for it.
    fn sleep(&self, pending: &PendingSignIn, pause: Duration) -> Result<Awake> {
        let pause = Deadline::after(pause);
        let mut may_have_changed = true;
        loop {
            if clock::now() >= pending.verification.expires_at {
                let is_code = pending.verification.user_code.is_some();
                return self.end(if is_code { expired() } else { page_expired() });
            }
            self.check_not_cancelled(pending)?;
            if may_have_changed
                && let Some(validity) = self.unless
                && validity.is_met(self.profile).unwrap_or(false)
            {
                return Ok(Awake::NotNeeded);
            }
            if may_have_changed && let Some(answer) = self.pasted(pending)? {
                return Ok(Awake::Answered(answer));
            }
            if pause.is_over() {
                return Ok(Awake::TimeToPoll);
            }
            let tick = pause.remaining().min(Duration::from_secs(1));
            may_have_changed = match self.events.recv_timeout(tick) {
                Ok(Event::Answered(answer)) => return Ok(Awake::Answered(answer)),
                Ok(Event::Changed) => true,
                Err(_) => false,
            };
        }
    }
}

fn page_expired() -> Error {
    Error::new(Kind::LoginExpired, "nobody signed in on the page in time")
        .run("to open a new one", "codex-credential login")
}
