//! What a user does at the prompt of a sign-in: cancels it, wants a new code or another way, or pastes an address.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::oauth::authorization::{Pasted, pasted};
use crate::pending_sign_in::{PendingSignIn, SignInRequest};
use crate::renewal::caller::PROMPT_WAIT;
use crate::renewal::commit::cancelled;
use crate::renewal::step::{Offer, Phase, offer};
use crate::renewal::wait::{Event, Outcome, Waiter};
use crate::tokens::Secret;
use crate::ui::{self, SignInWay};
use std::time::Duration;

/// How long a user who cancels a sign-in waits for a request of it that is under way.
const CANCEL_PATIENCE: Duration = Duration::from_secs(3);

/// The longest address, in bytes.
const LONGEST_ADDRESS: usize = 16 * 1024;

impl Waiter<'_> {
    /// Shows a pending sign-in, and starts to read the address that the user pastes.
    pub(super) fn show(&mut self, pending: &PendingSignIn) -> Result<()> {
        // Of many callers, the one that started the sign-in opens the page.
        let opens = self.caller.way.is_some() || self.starts > 0;
        self.caller.show(pending, self.way, opens)?;
        let is_answered_by_address = matches!(pending.request, Some(SignInRequest::Browser(_)));
        if self.way == SignInWay::Paste
            && is_answered_by_address
            && self.input.is_none()
            && self.caller.screen.asks()
        {
            let typed = self.sender.clone();
            let input = ui::input::Lines::read(move |text| typed.send(Event::Typed(text)).is_ok());
            self.input = Some(input?);
        }
        Ok(())
    }

    /// Hands the address that the user has pasted over to the sign-in process. `text` is what was typed up to an Enter.
    pub(super) fn typed(&mut self, text: &Secret<String>, pending: &PendingSignIn) -> Result<()> {
        let Some(SignInRequest::Browser(request)) = &pending.request else { return Ok(()) };
        let mut address = std::mem::take(&mut self.address);
        address.expose_mut().push_str(text.expose());
        let has_ended = address.expose().lines().last().is_some_and(|line| line.trim().is_empty());
        let problem = match pasted(address.expose(), request, &pending.issuer) {
            Pasted::Answer(_) => {
                return self.profile.storage.sign_in_dir().pasted().save(&address);
            }
            Pasted::Other(what) => what,
            Pasted::Incomplete if address.expose().len() > LONGEST_ADDRESS => "too long",
            Pasted::Incomplete if address.expose().trim().is_empty() => return Ok(()),
            Pasted::Incomplete if has_ended => "not the whole address",
            // More lines of it may follow; an empty one ends it.
            Pasted::Incomplete => {
                self.address = address;
                return Ok(());
            }
        };
        self.caller.screen.note(&format!("this is {problem}; paste the address again"));
        Ok(())
    }

    /// Ctrl-C at the prompt cancels the sign-in for all callers, unless it is complete already. A renewal goes on.
    pub(super) fn interrupt(&mut self, phase: &Phase) -> Result<Outcome> {
        if let Phase::SignIn { .. } = phase
            && self.profile.storage.sign_in_dir().cancel()?
        {
            self.profile.storage.shared().withdraw_pending()?;
            self.wait_for_cancelled_sign_in();
            return self.found()?.ok_or_else(cancelled);
        }
        let what = "interrupted; the renewal goes on in the background";
        Err(Error::new(Kind::Interrupted, what))
    }

    /// Waits until no process works on the sign-in that was cancelled.
    fn wait_for_cancelled_sign_in(&self) {
        let deadline = Deadline::after(CANCEL_PATIENCE);
        while let Ok(event) = self.events.recv_timeout(deadline.remaining()) {
            if let Event::Locked(_) | Event::Ended(_) = event {
                break;
            }
        }
    }

    /// Offers the user what helps after `error`, and waits for the answer. Returns whether `phase` begins again.
    pub(super) fn begins_again(&mut self, phase: &Phase, error: &Error) -> bool {
        let has_browser = self.caller.screen.has_browser();
        let Some(offer) = offer(phase, error, self.way, has_browser) else { return false };
        if !self.caller.screen.asks() {
            return false;
        }
        if !self.caller.wait_is_explicit {
            self.caller.deadline = Deadline::after(PROMPT_WAIT);
        }
        let answer = self.sender.clone();
        let wanted = move |is_wanted| {
            let event = if is_wanted { Event::Wanted } else { Event::Interrupted };
            drop(answer.send(event));
        };
        let is_offered = match offer {
            Offer::Again => self.caller.screen.offer_new_code(wanted),
            Offer::Way(way) => self.caller.screen.offer_way(&error.text(), way, wanted),
        };
        let is_wanted = is_offered && self.is_wanted();
        if let (true, Offer::Way(way)) = (is_wanted, offer) {
            self.way = way;
        }
        is_wanted
    }

    fn is_wanted(&self) -> bool {
        while !self.caller.deadline.is_over()
            && let Ok(event) = self.events.recv_timeout(self.caller.deadline.remaining())
        {
            match event {
                // What is typed may come to the reader of a pasted address.
                Event::Wanted | Event::Typed(_) => return true,
                Event::Interrupted => return false,
                Event::Locked(_) | Event::Ended(_) | Event::Changed => {}
            }
        }
        false
    }
}
