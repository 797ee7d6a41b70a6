//! Decides what a waiting caller does next. Pure functions: they do no I/O.

use crate::error::{Error, Kind};
use crate::ui::SignInWay;

/// What the caller waits for.
#[derive(Debug)]
pub(super) enum Phase {
    /// A renewal of the stored login.
    Renewal,
    /// A sign-in. `cause` is why the stored login cannot be renewed; `None` where no login is stored.
    SignIn { cause: Option<Error> },
}

/// What the caller does with the lock that it has got.
#[derive(Debug)]
pub(super) enum LockAction {
    /// Takes the failure of the process that held the lock before as its own.
    Fail(Error),
    /// Starts a process and hands the lock over to it.
    Start,
    /// Has a process recover what a killed sign-in left, if anything; starts no sign-in.
    Recover,
    /// Gives up: the processes that were started have ended without a result.
    GiveUp,
}

/// A process that ends without a result is started again this often.
pub(super) const STARTS: u32 = 3;

/// Decides what a caller does with the lock when the storage has no login that the caller can use. `failure` was recorded
/// while the caller waited. `starts` is how many processes the caller has started without a result.
pub(super) fn with_lock(
    phase: &Phase,
    may_sign_in: bool,
    failure: Option<Error>,
    starts: u32,
) -> LockAction {
    match (phase, failure) {
        // A sign-in that was cut off is followed by a new one.
        (Phase::SignIn { .. }, Some(error)) if may_sign_in && error.is_cured_by_sign_in() => {}
        (_, Some(error)) => return LockAction::Fail(error),
        (_, None) => {}
    }
    match phase {
        _ if starts >= STARTS => LockAction::GiveUp,
        Phase::SignIn { .. } if !may_sign_in => LockAction::Recover,
        _ => LockAction::Start,
    }
}

/// Returns the phase that follows a failure, or the error that the caller ends with. A caller that may not sign in still
/// joins the sign-in of another caller.
pub(super) fn after_failure(phase: &Phase, error: Error) -> Result<Phase, Error> {
    match phase {
        Phase::Renewal if error.is_cured_by_sign_in() => Ok(Phase::SignIn { cause: Some(error) }),
        _ => Err(error),
    }
}

/// What the user is offered after a sign-in that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// A new code or page in place of one that has expired.
    Again,
    /// Another way to sign in, where the server has no device codes for this client.
    Way(SignInWay),
}

pub(super) fn offer(
    phase: &Phase,
    error: &Error,
    way: SignInWay,
    has_browser: bool,
) -> Option<Offer> {
    let other = if has_browser { SignInWay::Browser } else { SignInWay::Paste };
    match (phase, error.kind, way) {
        (Phase::SignIn { .. }, Kind::LoginExpired, _) => Some(Offer::Again),
        (Phase::SignIn { .. }, Kind::DeviceLoginDisabled, SignInWay::Device) => {
            Some(Offer::Way(other))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGN_IN: Phase = Phase::SignIn { cause: None };

    fn error(kind: Kind) -> Error {
        Error::new(kind, "made up")
    }

    #[test]
    fn caller_with_the_lock_starts_a_process_until_three_have_ended_without_a_result() {
        for phase in [Phase::Renewal, SIGN_IN] {
            assert!(matches!(with_lock(&phase, true, None, 0), LockAction::Start));
            assert!(matches!(with_lock(&phase, true, None, STARTS - 1), LockAction::Start));
            assert!(matches!(with_lock(&phase, true, None, STARTS), LockAction::GiveUp));
        }
    }

    #[test]
    fn failure_is_shared_by_all_who_waited_for_the_process() {
        for (phase, may_sign_in) in [(Phase::Renewal, true), (SIGN_IN, true), (SIGN_IN, false)] {
            let failure = Some(error(Kind::Network));
            let step = with_lock(&phase, may_sign_in, failure, 0);
            assert!(matches!(step, LockAction::Fail(error) if error.kind == Kind::Network));
        }
    }

    #[test]
    fn sign_in_that_was_cut_off_is_started_again() {
        let failure = || Some(error(Kind::LoginRequired));
        assert!(matches!(with_lock(&SIGN_IN, true, failure(), 0), LockAction::Start));
        assert!(matches!(with_lock(&SIGN_IN, false, failure(), 0), LockAction::Fail(_)));
    }

    #[test]
    fn caller_that_may_not_sign_in_renews_and_recovers_and_starts_no_sign_in() {
        assert!(matches!(with_lock(&Phase::Renewal, false, None, 0), LockAction::Start));
        assert!(matches!(with_lock(&SIGN_IN, false, None, 0), LockAction::Recover));
    }

    #[test]
    fn only_an_error_that_a_sign_in_cures_is_followed_by_a_sign_in() {
        for kind in [Kind::LoginRequired, Kind::LoginDead] {
            let next = after_failure(&Phase::Renewal, error(kind)).unwrap();
            assert!(matches!(next, Phase::SignIn { cause: Some(_) }));
            assert!(after_failure(&SIGN_IN, error(kind)).is_err());
        }
        for kind in [Kind::Network, Kind::Server, Kind::Storage, Kind::WrongAccount, Kind::Busy] {
            assert_eq!(after_failure(&Phase::Renewal, error(kind)).unwrap_err().kind, kind);
        }
    }

    #[test]
    fn new_code_or_another_way_is_offered_where_it_helps() {
        use SignInWay::{Browser, Device, Paste};
        let after = |phase, kind, way, has_browser| offer(phase, &error(kind), way, has_browser);
        for way in [Device, Browser, Paste] {
            assert_eq!(after(&SIGN_IN, Kind::LoginExpired, way, true), Some(Offer::Again));
            assert_eq!(after(&SIGN_IN, Kind::Denied, way, true), None);
            assert_eq!(after(&Phase::Renewal, Kind::LoginExpired, way, true), None);
        }
        let disabled = Kind::DeviceLoginDisabled;
        assert_eq!(after(&SIGN_IN, disabled, Device, true), Some(Offer::Way(Browser)));
        assert_eq!(after(&SIGN_IN, disabled, Device, false), Some(Offer::Way(Paste)));
        assert_eq!(after(&SIGN_IN, disabled, Browser, true), None);
    }
}
