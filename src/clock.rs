//! The system's clocks. No other file reads them.

use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant, SystemTime};

/// Returns the seconds since the Unix epoch, or zero if the clock is before it.
#[expect(clippy::disallowed_methods, reason = "the only reader of the wall clock")]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    seconds(since)
}

/// Returns the current time with the precision of `last_refresh` in `auth.json`.
#[expect(clippy::disallowed_methods, reason = "the only reader of the wall clock")]
pub fn timestamp() -> Timestamp {
    Timestamp::now()
}

/// Limits seconds since the epoch to the years that RFC 3339 can express. A server may send any number.
pub fn within_calendar(seconds: i64) -> i64 {
    seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second())
}

/// Formats seconds since the epoch as RFC 3339 in UTC.
pub fn rfc3339(seconds: i64) -> String {
    Timestamp::from_second(within_calendar(seconds)).unwrap_or_default().to_string()
}

/// Reads an RFC 3339 date as seconds since the epoch.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// Reads a duration such as `4s`, `2m` or `1h 30m`.
///
/// # Errors
/// A sentence that says what to write instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text
        .parse()
        .map_err(|_| "write a number with its unit, such as 4s, 2m or 1h".to_owned())?;
    Duration::try_from(duration).map_err(|_| "must not be negative".into())
}

/// Returns whole seconds, limited to the range of `i64`.
pub fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// For serde: seconds since the epoch, serialized as RFC 3339.
pub mod as_rfc3339 {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(seconds: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::rfc3339(*seconds))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        let text = String::deserialize(from)?;
        super::parse_rfc3339(&text).ok_or_else(|| D::Error::custom("not an RFC 3339 date"))
    }
}

/// The time at which waiting ends, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "the only reader of the monotonic clock")]
    pub fn after(patience: Duration) -> Self {
        let now = Instant::now();
        // `Instant` cannot express every duration; a year is longer than any wait.
        let year = Duration::from_secs(365 * 24 * 3600);
        Self(now.checked_add(patience.min(year)).unwrap_or(now))
    }

    /// Returns the remaining time, or zero after the deadline.
    #[expect(clippy::disallowed_methods, reason = "the only reader of the monotonic clock")]
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Returns this deadline, or `longest` from now if that is earlier.
    pub fn within(&self, longest: Duration) -> Self {
        Self::after(self.remaining().min(longest))
    }

    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }
}

/// Measures time by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the only reader of the monotonic clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the milliseconds since the start.
    pub fn ms(&self) -> u64 {
        self.0.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }
}
