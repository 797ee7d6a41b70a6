//! One secret value of git's: any bytes except LF and NUL. In JSON it is a string. Bytes that are not UTF-8, and a text
//! that begins with `base64:`, are written as `base64:` and their base64.

use crate::tokens::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use zeroize::Zeroizing;

const BASE64_PREFIX: &str = "base64:";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretBytes(Secret<Vec<u8>>);

impl SecretBytes {
    pub fn bytes(&self) -> &[u8] {
        self.0.expose()
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(bytes: &[u8]) -> Self {
        Self(Secret::new(bytes.to_vec()))
    }
}

impl Serialize for SecretBytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.bytes()) {
            Ok(text) if !text.starts_with(BASE64_PREFIX) => to.serialize_str(text),
            _ => {
                let mut text = Zeroizing::new(BASE64_PREFIX.to_owned());
                STANDARD.encode_string(self.bytes(), &mut text);
                to.serialize_str(&text)
            }
        }
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // A visitor borrows the text. Reading a String would leave one more copy of the secret.
        struct Text;
        impl Visitor<'_> for Text {
            type Value = SecretBytes;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SecretBytes, E> {
                let Some(base64) = text.strip_prefix(BASE64_PREFIX) else {
                    return Ok(SecretBytes::from(text.as_bytes()));
                };
                let bytes = STANDARD.decode(base64).map_err(|_| E::custom("not base64"))?;
                Ok(SecretBytes(Secret::new(bytes)))
            }
        }
        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_survive_a_round_trip_through_json() {
        for bytes in [&b""[..], b"p\xc3\xa4ss\r\"\\\x01", b"\xff\xfe", b"base64:AAAA", b"base64:"] {
            let value = SecretBytes::from(bytes);
            let json = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<SecretBytes>(&json).unwrap(), value, "{json}");
        }
        assert_eq!(serde_json::to_string(&SecretBytes::from(&b"plain"[..])).unwrap(), r#""plain""#);
        assert!(serde_json::from_str::<SecretBytes>(r#""base64:?""#).is_err());
    }
}
