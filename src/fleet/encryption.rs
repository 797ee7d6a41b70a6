//! Encrypts what leaves the machine. The only home of age.

use crate::error::{Error, IoResultExt, Kind, Result};
use crate::fleet::settings::Settings;
use age::{DecryptError, Decryptor, Encryptor, IdentityFile, x25519};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// For `recipients` alone, in base64.
///
/// # Errors
/// `Configuration` when a recipient is none, or there is none.
pub fn seal<'a>(message: &[u8], recipients: impl Iterator<Item = &'a String>) -> Result<String> {
    let parse = |text: &String| {
        text.parse::<x25519::Recipient>().map_err(|why| {
            Error::new(Kind::Configuration, format!("{text:?} is no age recipient: {why}"))
                .hint("age-keygen prints one, age1…, for each identity")
        })
    };
    let recipients: Vec<x25519::Recipient> = recipients.map(parse).collect::<Result<_>>()?;
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let sealed = || -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let mut sealed = Vec::new();
        let mut writer = Encryptor::with_recipients(recipients)?.wrap_output(&mut sealed)?;
        writer.write_all(message)?;
        writer.finish()?;
        Ok(sealed)
    };
    let sealed = sealed().map_err(|error| {
        Error::new(Kind::Configuration, "cannot encrypt for the recipients").caused_by(error)
    })?;
    Ok(STANDARD.encode(sealed))
}

/// With this host's identities.
///
/// # Errors
/// `Configuration` when it was encrypted for others, `Storage` when it is damaged.
pub fn open(sealed: &str, settings: &Settings) -> Result<Zeroizing<Vec<u8>>> {
    let path = &settings.identity_file;
    let identities = identities(path)?;
    let damaged = |why: &str| {
        Error::new(Kind::Storage, format!("the login in etcd cannot be decrypted: {why}"))
    };
    let bytes = STANDARD.decode(sealed).map_err(|_| damaged("it is no base64"))?;
    let decryptor = Decryptor::new_buffered(&bytes[..]).map_err(|why| damaged(&why.to_string()))?;
    let identities = identities.iter().map(|identity| &**identity as &dyn age::Identity);
    let mut reader = decryptor.decrypt(identities).map_err(|error| match error {
        DecryptError::NoMatchingKeys => {
            let what = format!("the login in etcd is not encrypted for {}", path.display());
            Error::new(Kind::Configuration, what)
                .hint("add its recipient on a host that renews the login; see docs/fleet.md")
        }
        why => damaged(&why.to_string()),
    })?;
    let mut message = Zeroizing::new(Vec::new());
    reader.read_to_end(&mut message).map_err(|why| damaged(&why.to_string()))?;
    Ok(message)
}

fn identities(path: &Path) -> Result<Vec<Box<dyn age::Identity + Send + Sync>>> {
    let file = std::fs::File::open(path).context("read", path)?;
    IdentityFile::from_buffer(std::io::BufReader::new(file))
        .and_then(|file| file.into_identities().map_err(std::io::Error::other))
        .context("use the identity in", path)
}

/// How many identities this host has.
///
/// # Errors
/// `Storage` when their file cannot be read, or is none.
pub fn count_identities(path: &Path) -> Result<usize> {
    identities(path).map(|identities| identities.len())
}
