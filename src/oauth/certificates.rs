//! The certificate authorities that we trust.

use crate::error::{Error, Kind, Result};
use crate::network::Network;
use crate::read_file::read_regular;
use reqwest::Certificate;
use std::path::{Path, PathBuf};

/// The TLS library reads the file of `SSL_CERT_FILE`, and would wait for the writer of a FIFO.
#[expect(clippy::disallowed_methods, reason = "the library reads this variable, too")]
pub(super) fn check_platform_file() -> Result<()> {
    let file = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let Some(file) = file.filter(|file| file.metadata().is_ok_and(|found| !found.is_file())) else {
        return Ok(());
    };
    let what = format!("SSL_CERT_FILE names {}, which is not a regular file", file.display());
    Err(Error::new(Kind::Usage, what).hint("correct or unset SSL_CERT_FILE"))
}

/// Returns the certificates of the files that the user names, which are trusted beside those of the platform.
pub(super) fn extra(network: &Network) -> Result<Vec<Certificate>> {
    let mut all = Vec::new();
    for file in network.extra_ca.iter().chain(&network.certificates_of_file()) {
        all.extend(read(file)?);
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<Certificate>> {
    let unusable = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(Kind::Usage, format!("cannot use the certificates in {}", path.display()))
            .hint("CODEX_CA_CERTIFICATE, or SSL_CERT_FILE in Codex's .env, names a file of PEM certificates")
            .caused_by(cause)
    };
    let pem = read_regular(path).map_err(|error| unusable(error.into()))?;
    let certificates =
        Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.into()))?;
    if certificates.is_empty() {
        return Err(unusable("the file has no certificates".into()));
    }
    Ok(certificates)
}
