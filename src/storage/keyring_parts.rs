//! A secret in parts, for keyrings that take short values only. The parts are written before the header that names
//! them, so that a reader finds all of one secret or all of another.

use crate::tokens::Fingerprint;

const MAGIC: &str = "codex-credential parts ";

/// Which parts make up a secret: the value of the item that carries the secret's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which secret they belong to, so that the parts of two are never mixed.
    secret: String,
    count: usize,
}

impl Header {
    /// `None` for a secret that needs no parts.
    pub fn of(secret: &[u8], limit: usize) -> Option<Self> {
        let count = secret.len().div_ceil(limit);
        let fingerprint = Fingerprint::of(secret);
        (count > 1).then(|| Self { secret: fingerprint.prefix(16).to_owned(), count })
    }

    /// `None` for a value that is a secret itself.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?.strip_prefix(MAGIC)?;
        let (secret, count) = text.split_once(' ')?;
        Some(Self { secret: secret.to_owned(), count: count.parse().ok()? })
    }

    pub fn value(&self) -> Vec<u8> {
        format!("{MAGIC}{} {}", self.secret, self.count).into_bytes()
    }

    /// The parts' names, in order.
    pub fn names(&self, user: &str) -> impl Iterator<Item = String> {
        (0..self.count).map(move |number| format!("{user}|{}|{number}", self.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_told_from_a_secret_and_names_each_part() {
        assert_eq!(Header::of(&[0; 10], 10), None);
        let header = Header::of(&[0; 11], 10).unwrap();
        assert_eq!(header.count, 2);
        assert_eq!(Header::parse(&header.value()).as_ref(), Some(&header));
        assert_eq!(Header::parse(b"{}"), None);
        let other = Header::of(&[1; 11], 10).unwrap();
        assert_ne!(header.names("u").next(), other.names("u").next());
        assert_ne!(header.names("u").next(), header.names("u").nth(1));
    }
}
