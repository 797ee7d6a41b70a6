//! The caller of a renewal: how long it waits, whether it may sign in, and where it shows a pending sign-in.

use crate::clock::{self, Deadline};
use crate::device_authorization::DeviceAuthorization;
use crate::error::{Error, Kind, Result};
use crate::ui::screen::Screen;
use crate::ui::time_left;
use crate::verification::Verification;
use std::time::Duration;

/// How long a user at a prompt has without `--wait`: the lifetime of a device code.
pub const PROMPT_WAIT: Duration = Duration::from_secs(15 * 60);

pub struct Caller {
    pub deadline: Deadline,
    /// The caller named the time to wait. Otherwise a user who is asked has as long as the code lives.
    pub wait_is_explicit: bool,
    /// A sign-in may be started for this caller. It joins the sign-in of another caller in any case.
    pub may_sign_in: bool,
    pub screen: Screen,
}

impl Caller {
    /// Shows a pending device authorization.
    ///
    /// # Errors
    /// `LoginPending` for a caller that shows nothing and named no time: it does not wait for the user.
    pub(super) fn show(&mut self, pending: &DeviceAuthorization) -> Result<()> {
        if !self.screen.asks() {
            if self.wait_is_explicit {
                return Ok(());
            }
            return Err(login_pending(pending.verification.clone()));
        }
        if !self.wait_is_explicit {
            // A little longer than the code lives, to hear that it has expired.
            let left = u64::try_from(pending.verification.expires_at - clock::now()).unwrap_or(0);
            self.deadline = Deadline::after(Duration::from_secs(left + 10));
        }
        self.screen.show(&pending.verification);
        Ok(())
    }
}

/// Says in one line all that the user needs to sign in.
pub(super) fn login_pending(verification: Verification) -> Error {
    let left = time_left(verification.expires_at - clock::now());
    let reason = verification.reason.as_ref().map(|reason| format!("{reason}; "));
    let reason = reason.unwrap_or_default();
    let message = format!(
        "{reason}sign in at {} with the code {} ({left} left)",
        verification.verification_uri, verification.user_code
    );
    Error::new(Kind::LoginPending, message)
        .hint("then run the same command again; never share the code")
        .verification(verification)
}
