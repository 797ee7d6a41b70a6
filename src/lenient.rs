//! For serde: a member that is not as we know it is as good as absent.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Of JSON that lies in memory as text.
pub fn lenient<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let member = <&RawValue>::deserialize(from)?;
    Ok(serde_json::from_str(member.get()).ok())
}
