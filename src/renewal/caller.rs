//! The caller of a renewal: how long it waits, whether it may sign in, and where it shows a pending sign-in.

use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::pending_sign_in::PendingSignIn;
use crate::signals::Deferred;
use crate::ui::SignInWay;
use crate::ui::screen::{self, Screen};
use crate::verification::Verification;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// How long a user at a prompt has without `--wait`: the lifetime of a device code.
pub const PROMPT_WAIT: Duration = Duration::from_secs(15 * 60);

pub struct Caller {
    pub deadline: Deadline,
    /// The caller named the time to wait. Otherwise a user who is asked has as long as the code lives.
    pub wait_is_explicit: bool,
    /// A sign-in may be started for this caller. It joins the sign-in of another caller in any case.
    pub may_sign_in: bool,
    /// How the user wants to sign in, instead of the profile's way.
    pub way: Option<SignInWay>,
    pub screen: Screen,
    pub early_renewal: Option<EarlyRenewal>,
}

/// A renewal that runs while this caller has its answer already.
pub struct EarlyRenewal {
    pub(super) ended: Receiver<Option<Error>>,
    /// A caller that is told to end stays as well.
    pub(super) _signals: Deferred,
}

impl Caller {
    /// Waits for the early renewal that this caller has started, until the deadline. A container or a service ends with
    /// its main process, and would take the renewal with it before the answer of the refresh request is recorded.
    pub fn finish(self) {
        if let Some(renewal) = &self.early_renewal {
            let _ = renewal.ended.recv_timeout(self.deadline.remaining());
        }
    }

    /// Shows a pending sign-in to a user who wants to sign in this `way`. `opens` its page in a browser, if that is the way.
    ///
    /// # Errors
    /// `LoginPending` for a caller that does not ask the user and named no time: it does not wait for the user.
    pub(super) fn show(
        &mut self,
        pending: &PendingSignIn,
        way: SignInWay,
        opens: bool,
    ) -> Result<()> {
        match (self.wait_is_explicit, self.screen.asks()) {
            (true, _) => {}
            (false, false) => return Err(self.login_pending(&pending.verification)),
            (false, true) => {
                // A little longer than the code lives, to hear that it has expired.
                let left = pending.verification.expires_at - clock::now();
                let left = u64::try_from(left).unwrap_or(0);
                self.deadline = Deadline::after(Duration::from_secs(left + 10));
            }
        }
        self.screen.show(&pending.verification, way, opens);
        Ok(())
    }

    /// The error of a caller that does not wait any longer. Where nobody may be asked, it has no code.
    pub(super) fn login_pending(&self, verification: &Verification) -> Error {
        if !self.may_sign_in {
            return Error::new(Kind::LoginPending, "a sign-in waits for the user's approval")
                .run("to see its code", "codex-credential status");
        }
        screen::login_pending(verification).hint_first("then run the same command again")
    }
}
