//! For serde: a member that is not as we know it is as good as absent.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Known<T> {
    As(T),
    Not(IgnoredAny),
}

pub fn lenient<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(match Known::deserialize(from)? {
        Known::As(known) => Some(known),
        Known::Not(_) => None,
    })
}
