//! Parses URLs into attributes: the `url` attribute, and the URLs that Bazel and Docker send.

use crate::tokens::Secret;
use crate::urls::without_default_port;
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

/// Parses `protocol://user:password@host/path` and percent-decodes each part.
pub fn parse(url: &[u8]) -> Result<CredentialUrl, &'static str> {
    let parts = Parts::of(url)?;
    let (username, password) = match parts.user.map(|user| split_at(user, b":").ok_or(user)) {
        None => (None, None),
        Some(Ok((user, password))) => (Some(user), Some(password)),
        Some(Err(user)) => (Some(user), None),
    };
    let path = parts.path;
    Ok(CredentialUrl {
        protocol: one_line(parts.protocol.to_vec())?,
        host: decode(parts.host)?,
        path: if path.is_empty() { None } else { Some(decode(path)?) },
        username: username.map(decode).transpose()?,
        password: password.map(decode).transpose()?.map(Secret::new),
    })
}

/// Parses the URL of a program that sends the token to this URL. Makes the scheme lower case and leaves out its default
/// port. Does not decode the host, because the program may not decode it either.
pub fn parse_exact(url: &[u8]) -> Result<CredentialUrl, &'static str> {
    let Parts { protocol, host, .. } = Parts::of(url)?;
    let protocol = protocol.to_ascii_lowercase();
    let host = without_default_port(&protocol, host).to_vec();
    Ok(CredentialUrl { protocol, host, ..parse(url)? })
}

/// The parts of a URL, not decoded.
struct Parts<'a> {
    protocol: &'a [u8],
    user: Option<&'a [u8]>,
    host: &'a [u8],
    path: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(url: &'a [u8]) -> Result<Self, &'static str> {
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
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let path = path.strip_suffix(b"/").unwrap_or(path);
        Ok(Self { protocol, user, host, path })
    }
}

pub fn split_at<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(separator.len()).position(|window| window == separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

fn decode(part: &[u8]) -> Result<Vec<u8>, &'static str> {
    one_line(percent_decode(part).collect())
}

/// Rejects a value that is not one line.
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
    fn percent_encoded_parts_are_decoded() {
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
    fn empty_host_is_present() {
        let url = parse(b"cert:///a/b.pem").unwrap();
        assert_eq!(url.host, Vec::<u8>::new());
        assert_eq!(url.path, Some("a/b.pem".into()));
    }

    #[test]
    fn default_port_and_case_of_the_scheme_are_normalized() {
        let parts = |url: &str| {
            let url = parse_exact(url.as_bytes()).unwrap();
            let text = |part: Vec<u8>| String::from_utf8(part).unwrap();
            (text(url.protocol), text(url.host))
        };
        for (url, protocol, host) in [
            ("HTTPS://A.example:443/x", "https", "A.example"),
            ("https://a.example:", "https", "a.example"),
            ("http://a.example:80", "http", "a.example"),
            ("http://a.example:443", "http", "a.example:443"),
            ("https://a.example:0443", "https", "a.example:0443"),
            ("https://[::1]:443/", "https", "[::1]"),
            ("https://a%2eexample/", "https", "a%2eexample"),
        ] {
            assert_eq!(parts(url), (protocol.into(), host.into()), "{url}");
        }
    }
}
