//! Splits a secret into several items, for keyrings that limit the length of a value. The parts are written before the
//! header that names them, so that a reader finds all parts of one secret.

use crate::tokens::Fingerprint;

const MAGIC: &str = "codex-credential parts ";

/// Names the parts of a secret. It is the value of the item that would hold a short secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The secret's fingerprint, in the name of each part, so that parts of two secrets are never mixed.
    fingerprint: String,
    count: usize,
}

impl Header {
    /// Returns the header of `secret`; `None` when it is not longer than `max_length` bytes and is not split.
    pub fn of(secret: &[u8], max_length: usize) -> Option<Self> {
        let count = secret.len().div_ceil(max_length);
        let fingerprint = Fingerprint::of(secret);
        (count > 1).then(|| Self { fingerprint: fingerprint.prefix(16).to_owned(), count })
    }

    /// Reads a header; `None` for a value that is a secret itself.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?.strip_prefix(MAGIC)?;
        let (fingerprint, count) = text.split_once(' ')?;
        Some(Self { fingerprint: fingerprint.to_owned(), count: count.parse().ok()? })
    }

    pub fn value(&self) -> Vec<u8> {
        format!("{MAGIC}{} {}", self.fingerprint, self.count).into_bytes()
    }

    /// Returns the names of the parts, in order.
    pub fn names(&self, user: &str) -> impl Iterator<Item = String> {
        (0..self.count).map(move |number| format!("{user}|{}|{number}", self.fingerprint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_differs_from_a_secret_and_names_each_part() {
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
