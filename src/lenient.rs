//! For serde: treats a malformed member as absent.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Reads a member of JSON text, or returns `None` if it does not have the form of `T`.
pub fn lenient<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let member = <&RawValue>::deserialize(from)?;
    Ok(serde_json::from_str(member.get()).ok())
}
