//! Encrypts a short-lived file with a key that is kept in the keyring, so that the file alone reveals nothing.

use crate::error::{Error, Kind, Result};
use crate::tokens::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

const KEY_LENGTH: usize = 32;

/// A key that encrypts one message.
pub struct Seal(Secret<Vec<u8>>);

impl Seal {
    pub fn new() -> Result<Self> {
        let mut key = Secret::new(vec![0; KEY_LENGTH]);
        let filled = SystemRandom::new().fill(key.expose_mut());
        filled
            .map_err(|_| Error::new(Kind::Storage, "cannot get random numbers from the system"))?;
        Ok(Self(key))
    }

    /// Returns the seal whose [`Seal::bytes`] are `bytes`; `None` when they have the wrong length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == KEY_LENGTH).then(|| Self(Secret::new(bytes.to_vec())))
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.expose()
    }

    /// The nonce is constant, because a key encrypts only one message.
    fn cipher(&self) -> (LessSafeKey, Nonce) {
        let key = UnboundKey::new(&CHACHA20_POLY1305, self.0.expose())
            .expect("the key has the right length");
        (LessSafeKey::new(key), Nonce::assume_unique_for_key([0; 12]))
    }

    /// Encrypts `message`. Returns base64.
    pub fn seal(&self, message: &[u8]) -> String {
        let (key, nonce) = self.cipher();
        let mut sealed = Zeroizing::new(message.to_vec());
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut *sealed)
            .expect("the message is short");
        STANDARD.encode(&*sealed)
    }

    /// Decrypts what [`Seal::seal`] returned; `None` when it was encrypted with another key or changed.
    pub fn open(&self, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let mut message = Zeroizing::new(STANDARD.decode(sealed).ok()?);
        let (key, nonce) = self.cipher();
        let length = key.open_in_place(nonce, Aad::empty(), &mut message).ok()?.len();
        message.truncate(length);
        Some(message)
    }
}
