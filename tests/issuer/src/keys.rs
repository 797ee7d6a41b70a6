use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How ID tokens and JWT access tokens of the standard dialect are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// ECDSA on P-256, with the key at `/jwks`.
    Es256,
    /// Ed25519, with the key at `/jwks`.
    EdDsa,
    /// ES256, with the id of the key at `/jwks` and another key.
    Stranger,
    /// `alg` is `none`.
    Unsigned,
    /// The header says ES512, which many clients do not support.
    Es512,
    /// ES256, with a key that is not at `/jwks`.
    UnknownKey,
    /// HS256, with the public key at `/jwks` as the secret.
    PublicKeyAsSecret,
}

/// Real keys, created for each server.
pub(crate) struct Keys {
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    stranger: EcdsaKeyPair,
    random: SystemRandom,
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn ec(random: &SystemRandom) -> EcdsaKeyPair {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, random).expect("a key");
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), random).expect("the key just made")
}

impl Keys {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let document = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        let ed = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("the key just made");
        Self { ec: ec(&random), ed, stranger: ec(&random), random }
    }

    /// RFC 7517.
    pub fn public(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        json!({ "keys": [
            { "kty": "RSA", "kid": "old", "use": "enc", "n": "AQAB", "e": "AQAB" },
            { "kty": "EC", "crv": "P-256", "kid": "ec", "use": "sig", "alg": "ES256",
              "x": base64url(&point[1..33]), "y": base64url(&point[33..]) },
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "alg": "EdDSA",
              "x": base64url(self.ed.public_key()) },
            { "kty": "from the future", "kid": "x" },
        ]})
    }

    pub fn sign(&self, claims: &Value, signing: Signing) -> String {
        let (alg, kid) = match signing {
            Signing::Es256 | Signing::Stranger => ("ES256", "ec"),
            Signing::EdDsa => ("EdDSA", "ed"),
            Signing::Es512 => ("ES512", "ec"),
            Signing::UnknownKey => ("ES256", "unknown"),
            Signing::Unsigned => ("none", "ec"),
            Signing::PublicKeyAsSecret => ("HS256", "ec"),
        };
        let header = json!({ "alg": alg, "kid": kid, "typ": "JWT" });
        let message =
            format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let by = |key: &EcdsaKeyPair| {
            let signature = key.sign(&self.random, message.as_bytes()).expect("a signature");
            signature.as_ref().to_vec()
        };
        let signature = match signing {
            Signing::Es256 => by(&self.ec),
            Signing::Stranger | Signing::Es512 | Signing::UnknownKey => by(&self.stranger),
            Signing::EdDsa => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
            Signing::Unsigned => Vec::new(),
            Signing::PublicKeyAsSecret => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.ec.public_key().as_ref());
                hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
        };
        format!("{message}.{}", base64url(signature))
    }
}
