//! Proof Key for Code Exchange (RFC 7636): only the process that started an authorization gets its tokens.

use crate::error::{Error, Kind, Result};
use crate::tokens::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The only method we use (RFC 7636 §4.2). `plain` proves nothing to whoever sees the first request.
pub const METHOD: &str = "S256";

pub struct Pkce {
    pub code_verifier: Secret<String>,
    pub code_challenge: String,
}

impl Pkce {
    /// Creates a verifier of 32 random bytes (RFC 7636 §4.1) and its challenge (§4.2).
    pub fn new() -> Result<Self> {
        random_text().map(Self::from_verifier)
    }

    fn from_verifier(code_verifier: String) -> Self {
        let code_challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&code_verifier));
        Self { code_verifier: Secret::new(code_verifier), code_challenge }
    }
}

/// Returns 32 random bytes as text for a URL.
pub fn random_text() -> Result<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom::new()
        .fill(&mut *bytes)
        .map_err(|_| Error::new(Kind::Storage, "cannot get random numbers from the system"))?;
    Ok(URL_SAFE_NO_PAD.encode(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_is_the_one_of_rfc_7636_appendix_b() {
        let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        assert_eq!(pkce.code_challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn verifiers_are_long_enough_and_differ() {
        let verifiers = [(); 2].map(|()| Pkce::new().unwrap().code_verifier);
        assert_eq!(verifiers[0].expose().len(), 43);
        assert_ne!(verifiers[0], verifiers[1]);
    }
}
