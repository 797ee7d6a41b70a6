//! Tokens, and the type that keeps them from being shown.

use crate::account::Account;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};
use zeroize::{Zeroize, Zeroizing};

/// A value that is never printed and is overwritten with zeros when it is dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every call is a place where a secret may leave; keep them few.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// To fill it in place, so that no copy is left elsewhere.
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

/// In bytes: with its name before it, one line of git's (65,535).
const LONGEST: usize = 64_000;

/// Whether a token can be printed on one line and sent in a header: what could break out of either is none.
pub fn is_plain(token: &str) -> bool {
    // Without a way out in the middle, sixteen bytes are looked at at once.
    token.len() <= LONGEST && token.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic())
}

/// For serde: a token that [`is_plain`], where there is one.
pub fn plain<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    for<'a> &'a T: Into<Option<&'a Secret<String>>>,
    D: Deserializer<'de>,
{
    let token = T::deserialize(from)?;
    let is_odd = (&token).into().is_some_and(|token| !is_plain(token.expose()));
    if is_odd { Err(D::Error::custom("not a token")) } else { Ok(token) }
}

/// More than a request, an answer or a document with tokens takes, in bytes: a buffer that grows leaves a copy of
/// what was in it behind, and nobody overwrites that.
pub const ROOM: usize = 32 * 1024;

/// `value` in JSON, in a buffer that is overwritten when it is dropped.
pub fn to_json(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let mut json = Zeroizing::new(Vec::with_capacity(ROOM));
    serde_json::to_writer(&mut *json, value).expect("what holds tokens serializes");
    json
}

/// Overwrites all text in a JSON value, where a token may be among it.
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The SHA-256 of a secret in lower-case hex: tells whether two are the same, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let mut hex = String::with_capacity(2 * digest.len());
        for byte in digest {
            write!(hex, "{byte:02x}").expect("a string takes all");
        }
        Self(hex)
    }

    /// One that somebody else computed: 64 hex digits, in any case.
    pub fn from_hex(text: &str) -> Option<Self> {
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| Self(text.to_ascii_lowercase()))
    }

    /// The first hex digits.
    pub fn prefix(&self, digits: usize) -> &str {
        &self.0[..digits]
    }
}

/// A successful answer of the token endpoint (RFC 6749, section 5.1). After a refresh each member may be
/// absent, which means that the one in use stays in use.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TokenResponse {
    pub id_token: Option<Secret<String>>,
    pub access_token: Option<Secret<String>>,
    pub refresh_token: Option<Secret<String>>,
    /// The access token's life by this machine's clock, seconds since the epoch, for tokens that do not say it
    /// themselves.
    #[serde(default)]
    pub issued_at: Option<i64>,
    #[serde(default)]
    pub expires_at: Option<i64>,
    /// How far the server's clock was ahead of this machine's when it answered, in seconds.
    #[serde(default)]
    pub skew: Option<i64>,
    /// Whose login it is, where no token says it.
    #[serde(default)]
    pub account: Option<Account>,
}
