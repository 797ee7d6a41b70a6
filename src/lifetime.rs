//! How long an access token is valid, and when it is renewed.

/// The lifetime of an access token, in seconds since the epoch. A token without an expiry is valid until the resource
/// server rejects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    pub issued_at: Option<i64>,
    pub expires_at: Option<i64>,
}

/// The earliest early renewal, in seconds before expiry: a day, so that one caller a day is enough, and an hour, so that
/// this caller comes before Codex refreshes by itself, which it does 5 minutes before expiry.
const EARLIEST: i64 = 25 * 3600;

impl Lifetime {
    fn length(&self) -> Option<i64> {
        Some(self.expires_at?.saturating_sub(self.issued_at?).max(0))
    }

    /// Whether the token is valid for `min_validity` more seconds. At most half of its lifetime is required, so that
    /// short-lived tokens can be used.
    pub fn covers(&self, min_validity: i64, now: i64) -> bool {
        let Some(end) = self.expires_at else { return true };
        let required = self.length().map_or(min_validity, |length| min_validity.min(length / 2));
        end > now && end.saturating_sub(now) >= required
    }

    /// Returns when an early renewal is due, in seconds since the epoch: a fifth of the lifetime before expiry, at least
    /// 10 minutes, at most 25 hours, and never in the first half. `jitter` makes that up to a tenth longer.
    pub fn renew_at(&self, jitter: u8) -> Option<i64> {
        let (end, length) = (self.expires_at?, self.length()?);
        let ahead = (length / 5).clamp(600, EARLIEST);
        let ahead = ahead + ahead * i64::from(jitter) / 2550;
        Some(end.saturating_sub(ahead.min(EARLIEST).min(length / 2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn lifetime(length: i64) -> Lifetime {
        Lifetime { issued_at: Some(0), expires_at: Some(length) }
    }

    #[test]
    fn token_covers_its_remaining_lifetime() {
        let token = lifetime(10 * DAY);
        assert!(token.covers(300, 10 * DAY - 300));
        assert!(!token.covers(300, 10 * DAY - 299));
        assert!(!token.covers(0, 10 * DAY), "a token that expires now is expired");
    }

    #[test]
    fn min_validity_requires_at_most_half_of_the_lifetime() {
        let token = lifetime(20);
        assert!(token.covers(300, 10));
        assert!(!token.covers(300, 11));
    }

    #[test]
    fn token_without_an_expiry_is_valid() {
        assert!(Lifetime { issued_at: None, expires_at: None }.covers(300, i64::MAX));
    }

    #[test]
    fn early_renewal_is_due_at_most_25_hours_before_expiry_and_never_in_the_first_half() {
        assert_eq!(lifetime(10 * DAY).renew_at(0), Some(9 * DAY - 3600));
        assert_eq!(
            lifetime(10 * DAY).renew_at(255),
            Some(9 * DAY - 3600),
            "jitter does not exceed 25 hours"
        );
        assert_eq!(lifetime(3600).renew_at(0), Some(3600 - 720));
        assert_eq!(lifetime(3600).renew_at(255), Some(3600 - 792));
        assert_eq!(lifetime(20).renew_at(0), Some(10));
    }

    /// Codex refreshes by itself 5 minutes before expiry.
    #[test]
    fn one_caller_a_day_renews_before_codex_does() {
        let token = lifetime(10 * DAY);
        let due = token.renew_at(0).unwrap();
        for first_call in 0..DAY {
            let calls = (0..).map(|day| first_call + day * DAY);
            let renewed = calls.into_iter().find(|call| *call >= due).unwrap();
            assert!(renewed < 10 * DAY - 300, "first called at {first_call}");
        }
    }
}
