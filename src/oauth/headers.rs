//! The headers of a response that matter to us.

use crate::clock;
use reqwest::header::HeaderMap;
use std::time::Duration;

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Returns the pause of `Retry-After` (RFC 9110 §10.2.3).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, "retry-after")?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let pause = http_date(value)? - clock::now();
    Some(Duration::from_secs(pause.max(0).cast_unsigned()))
}

/// Returns seconds since the epoch.
fn http_date(value: &str) -> Option<i64> {
    let at = httpdate::parse_http_date(value).ok()?;
    at.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs().try_into().ok()
}

/// Returns the seconds that the clock of `Date` is ahead of this machine's.
pub(super) fn date_skew(headers: &HeaderMap) -> Option<i64> {
    Some(http_date(text(headers, "date")?)? - clock::now())
}
