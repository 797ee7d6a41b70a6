//! What `get` asks of a renewal: an early one that it does not wait for, and one whose token it needs.

use crate::answer::get::Renewer;
use crate::clock::{self, Deadline};
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::caller::{Caller, EarlyRenewal};
use crate::renewal::failure::is_held_back;
use crate::renewal::renewal_request::{Goal, Validity};
use crate::renewal::spawn;
use crate::renewal::wait::renewed;
use crate::signals::Deferred;
use std::sync::mpsc;
use std::time::Duration;

/// The time that a caller must have left to start an early renewal. Half of the default `--wait`; most servers take less.
const SHORTEST_STAY: Duration = Duration::from_secs(2);

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
    let signals = Deferred::begin();
    spawn::start(profile, Goal::Renew(Validity::NotDue), lock, report).ok()?;
    Some(EarlyRenewal { ended, _signals: signals })
}

impl Renewer for Caller {
    fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    fn renew_early(&mut self, profile: &Profile, login: &Login) {
        // A caller that leaves during the request may be the last process of a container, which then loses the answer.
        // Others have half of the time until expiry to renew; after that, everyone may.
        let may_stay = self.deadline.remaining() >= SHORTEST_STAY;
        if may_stay || login.is_renewal_late(clock::now()) {
            self.early_renewal = start_early_renewal(profile);
        }
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
