//! What `get` asks of a renewal: an early one that it does not wait for, and one whose token it needs.

use crate::answer::get::Renewer;
use crate::clock::Deadline;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::caller::{Caller, EarlyRenewal};
use crate::renewal::failure::is_held_back;
use crate::renewal::renewal_request::{Goal, Validity};
use crate::renewal::spawn;
use crate::renewal::wait::renewed;
use std::sync::mpsc;

/// Starts a renewal, unless one runs or the last one failed a moment ago. Its failure is not reported: a caller that needs
/// a new token meets it again.
fn start_early_renewal(profile: &Profile) -> Option<EarlyRenewal> {
    let login_dir = profile.storage.login_dir().ok()??;
    if is_held_back(&login_dir) {
        return None;
    }
    let lock = login_dir.try_acquire().ok()??;
    let (sender, ended) = mpsc::channel();
    let report = move |error| drop(sender.send(error));
    spawn::start(profile, Goal::Renew(Validity::NotDue), lock, report).ok()?;
    Some(EarlyRenewal { ended })
}

impl Renewer for Caller {
    fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    fn renew_early(&mut self, profile: &Profile) {
        self.early_renewal = start_early_renewal(profile);
    }

    fn renew(
        &mut self,
        profile: &Profile,
        min_validity: i64,
        find: &dyn Fn() -> Result<Option<Login>>,
    ) -> Result<Login> {
        renewed(profile, Validity::AtLeast(min_validity), self, find)
    }
}
