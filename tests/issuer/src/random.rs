use std::sync::atomic::{AtomicU64, Ordering};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns a random text that is unique and cannot be guessed.
pub(crate) fn unique() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{number:06x}{}", base64url(bytes::<33>()))
}

/// `code_challenge` of RFC 7636, method S256.
pub(crate) fn s256(verifier: &str) -> String {
    base64url(Sha256::digest(verifier))
}

/// Returns the first 8 hex digits of the SHA-256, which identify a token in the log.
pub(crate) fn fingerprint(token: &str) -> String {
    let digest = Sha256::digest(token);
    digest[..4].iter().map(|b| format!("{b:02x}")).collect()
}

/// Returns a user code of the characters that RFC 8628 §6.1 recommends.
pub(crate) fn user_code() -> String {
    const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
    let mut code: String =
        bytes::<9>().iter().map(|b| LETTERS[usize::from(*b) % LETTERS.len()] as char).collect();
    code.insert(4, '-');
    code
}
