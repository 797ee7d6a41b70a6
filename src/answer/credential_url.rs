//! The `url` attribute: a URL in place of the attributes that it is made of.

use crate::tokens::Secret;
use percent_encoding::percent_decode;

/// The percent-decoded parts of a URL.
#[derive(Debug, PartialEq, Eq)]
pub struct CredentialUrl {
    pub protocol: Vec<u8>,
    pub host: Vec<u8>,
    pub path: Option<Vec<u8>>,
    pub username: Option<Vec<u8>>,
    pub password: Option<Secret<Vec<u8>>>,
}

/// `protocol://user:password@host/path`, each part percent-decoded.
pub fn parse(url: &[u8]) -> Result<CredentialUrl, &'static str> {
    let (protocol, rest) = split_at(url, b"://").ok_or("the url has no protocol")?;
    if protocol.is_empty() {
        return Err("the url has no protocol");
    }
    let (authority, path) = match rest.iter().position(|byte| b"/?#".contains(byte)) {
        Some(end) => (&rest[..end], &rest[end..]),
        None => (rest, &b""[..]),
    };
    let (user, host) = match authority.iter().rposition(|&byte| byte == b'@') {
        Some(at) => (Some(&authority[..at]), &authority[at + 1..]),
        None => (None, authority),
    };
    let (username, password) = match user.map(|user| split_at(user, b":").ok_or(user)) {
        None => (None, None),
        Some(Ok((user, password))) => (Some(user), Some(password)),
        Some(Err(user)) => (Some(user), None),
    };
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let path = path.strip_suffix(b"/").unwrap_or(path);
    Ok(CredentialUrl {
        protocol: one_line(protocol.to_vec())?,
        host: decode(host)?,
        path: if path.is_empty() { None } else { Some(decode(path)?) },
        username: username.map(decode).transpose()?,
        password: password.map(decode).transpose()?.map(Secret::new),
    })
}

pub fn split_at<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(separator.len()).position(|window| window == separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

fn decode(part: &[u8]) -> Result<Vec<u8>, &'static str> {
    one_line(percent_decode(part).collect())
}

/// An attribute is a line, whichever way its value came.
fn one_line(value: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    if value.iter().any(|byte| b"\n\r\0".contains(byte)) {
        return Err("the url contains an encoded newline, CR or NUL");
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_decoded() {
        let expected = CredentialUrl {
            protocol: "https".into(),
            host: "h.example:8".into(),
            path: Some("x y".into()),
            username: Some("a@b".into()),
            password: Some(Secret::new("c:d".into())),
        };
        assert_eq!(parse(b"https://a%40b:c%3Ad@h.example:8/x%20y/").unwrap(), expected);
    }

    #[test]
    fn a_host_may_be_empty_and_is_there_all_the_same() {
        let url = parse(b"cert:///a/b.pem").unwrap();
        assert_eq!(url.host, Vec::<u8>::new());
        assert_eq!(url.path, Some("a/b.pem".into()));
    }
}
