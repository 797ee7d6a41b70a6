//! Encrypts the records in etcd. The only file that uses age.

use crate::error::{Error, IoResultExt, Kind, Result};
use crate::read_file::read_regular;
use crate::storage::etcd_settings::Settings;
use crate::values::OneLine;
use age::{DecryptError, Decryptor, Encryptor, IdentityFile, x25519};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// Encrypts `message` for `recipients`, in base64.
///
/// # Errors
/// `Configuration` when there is no recipient, or one that age does not accept.
pub fn seal<'a>(message: &[u8], recipients: impl Iterator<Item = &'a OneLine>) -> Result<String> {
    let recipients: Vec<x25519::Recipient> =
        recipients.map(|text| parse_recipient(text)).collect::<Result<_>>()?;
    encrypt(message, &recipients).map(|sealed| STANDARD.encode(sealed)).map_err(|error| {
        Error::new(Kind::Configuration, "cannot encrypt for the recipients").caused_by(error)
    })
}

fn parse_recipient(text: &str) -> Result<x25519::Recipient> {
    text.parse().map_err(|error| {
        // Other text may be an identity, which is a secret.
        let shown =
            if text.starts_with("age1") { text } else { "an entry of recipients or readers" };
        Error::new(Kind::Configuration, format!("{shown} is not an age recipient: {error}"))
            .hint("to print the recipient of an identity, run: age-keygen -y FILE")
    })
}

fn encrypt(
    message: &[u8],
    recipients: &[x25519::Recipient],
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let mut sealed = Vec::new();
    let mut writer = Encryptor::with_recipients(recipients)?.wrap_output(&mut sealed)?;
    writer.write_all(message)?;
    writer.finish()?;
    Ok(sealed)
}

/// Decrypts `sealed` with the identities of this host.
///
/// # Errors
/// `Configuration` when it was encrypted for other recipients only, `Storage` when it is damaged.
pub fn open(sealed: &str, settings: &Settings) -> Result<Zeroizing<Vec<u8>>> {
    let path = &settings.identity_file;
    let identities = identities(path)?;
    let bytes = STANDARD.decode(sealed).map_err(damaged)?;
    let decryptor = Decryptor::new_buffered(&bytes[..]).map_err(damaged)?;
    let identities = identities.iter().map(|identity| &**identity as &dyn age::Identity);
    let mut reader = decryptor.decrypt(identities).map_err(|error| match error {
        DecryptError::NoMatchingKeys => {
            let what = format!("the login in etcd is not encrypted for {}", path.display());
            Error::new(Kind::Configuration, what)
                .hint("add the recipient of this identity on a host that renews; see docs/fleet.md")
        }
        error => damaged(error),
    })?;
    let mut message = Zeroizing::new(Vec::new());
    reader.read_to_end(&mut message).map_err(damaged)?;
    Ok(message)
}

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Storage, "the login in etcd cannot be decrypted")
        .caused_by(error)
        .sign_in_again()
}

/// Proves that this host can decrypt what it encrypts, so that a new login is not lost to it.
///
/// # Errors
/// `Configuration` when `recipients` has no recipient of `identity_file`; `Storage` when that file cannot be used.
pub fn check_own(settings: &Settings) -> Result<()> {
    identities(&settings.identity_file)?;
    let sealed = seal(b"", settings.recipients.iter())?;
    open(&sealed, settings).map(drop).map_err(|_| {
        let path = settings.identity_file.display();
        let what = format!("recipients has no recipient of {path}; nothing was changed");
        Error::new(Kind::Configuration, what)
            .hint("to print the recipient of an identity, run: age-keygen -y FILE")
    })
}

/// # Errors
/// `Storage` when the file cannot be read, or holds something else.
pub fn identities(path: &Path) -> Result<Vec<Box<dyn age::Identity + Send + Sync>>> {
    let file = read_regular(path).context("read", path)?;
    IdentityFile::from_buffer(file.as_slice())
        .and_then(|file| file.into_identities().map_err(io::Error::other))
        .context("use the identity in", path)
}
