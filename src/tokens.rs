//! Tokens, and a type that keeps them from being shown.

use crate::account::Account;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};
use zeroize::{Zeroize, Zeroizing};

/// A value that is never printed and is overwritten with zeros when it is dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value. A secret can leak at every call, so there should be few.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Returns the value to be filled in place, so that no copy remains elsewhere.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl Secret<String> {
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.as_bytes())
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The longest token in bytes. With its key it fits on a line of the git-credential format (65,535 bytes).
const LONGEST: usize = 64_000;

/// Whether `token` can be printed on one line and sent in a header: printable ASCII without spaces.
pub fn is_valid_token(token: &str) -> bool {
    // `fold` without an early exit compiles to vector instructions.
    token.len() <= LONGEST && token.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic())
}

/// For serde: reads a token, or an optional one, and rejects one that is not [valid](is_valid_token).
pub fn valid_token<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    for<'a> &'a T: Into<Option<&'a Secret<String>>>,
    D: Deserializer<'de>,
{
    let token = T::deserialize(from)?;
    let is_invalid = (&token).into().is_some_and(|token| !is_valid_token(token.expose()));
    if is_invalid { Err(D::Error::custom("not a token")) } else { Ok(token) }
}

/// The initial size of buffers for tokens, in bytes. It holds any request, response or file with tokens, because a buffer
/// that grows leaves a copy of its content in freed memory.
pub const BUFFER_SIZE: usize = 32 * 1024;

/// Serializes `value` into a buffer that is overwritten when it is dropped.
pub fn to_json(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let mut json = Zeroizing::new(Vec::with_capacity(BUFFER_SIZE));
    serde_json::to_writer(&mut *json, value).expect("types that hold tokens serialize");
    json
}

/// Overwrites all text in a JSON value that may contain tokens.
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The SHA-256 of a secret in lower-case hex. It tells only whether two secrets are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let mut hex = String::with_capacity(2 * digest.len());
        for byte in digest {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        }
        Self(hex)
    }

    /// Reads a fingerprint that a caller computed: 64 hex digits in any case.
    pub fn from_hex(text: &str) -> Option<Self> {
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| Self(text.to_ascii_lowercase()))
    }

    /// Returns the first hex digits.
    pub fn prefix(&self, digits: usize) -> &str {
        &self.0[..digits]
    }
}

/// A successful response of the token endpoint (RFC 6749 §5.1). After a refresh each member may be absent: then the
/// stored one stays in use.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TokenResponse {
    pub id_token: Option<Secret<String>>,
    pub access_token: Option<Secret<String>>,
    pub refresh_token: Option<Secret<String>>,
    /// The access token's lifetime by this machine's clock, seconds since the epoch, for tokens without `iat` and `exp`.
    pub issued_at: Option<i64>,
    pub expires_at: Option<i64>,
    /// Seconds that the server's clock was ahead of this machine's.
    pub skew: Option<i64>,
    /// The account, if no token claims it.
    pub account: Option<Account>,
}
