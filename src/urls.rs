//! URLs: which may receive a secret (https, or http on this machine), and their parts for messages.

use std::net::IpAddr;
use url::Url;

/// Whether a secret may be sent to `url`: https, or http to loopback, without user information and fragment.
pub fn is_secure(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    if !is_plain(text, &url)
        || !url.username().is_empty()
        || url.password().is_some()
        || url.fragment().is_some()
    {
        return false;
    }
    match url.scheme() {
        "https" => url.has_host(),
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    }
}

/// Whether `text`, which was parsed as `url`, is printable ASCII (RFC 3986) and shows the host that the URL leads to. Parsers
/// drop tabs and invisible characters, read `\` as `/`, and take numbers for addresses.
pub fn is_plain(text: &str, url: &Url) -> bool {
    let shown = host(text);
    let (name, port) = match shown.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
        _ => (shown, url.port_or_known_default()),
    };
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(name))
        && port == url.port_or_known_default()
}

/// Whether `host`, possibly with a port, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Returns `host` without the default port of `protocol`, as profiles name hosts.
pub fn without_default_port<'a>(protocol: &[u8], host: &'a [u8]) -> &'a [u8] {
    let port: &[u8] = match protocol {
        _ if protocol.eq_ignore_ascii_case(b"https") => b":443",
        _ if protocol.eq_ignore_ascii_case(b"http") => b":80",
        _ => b":",
    };
    host.strip_suffix(port).or_else(|| host.strip_suffix(b":")).unwrap_or(host)
}

/// Returns the host and port of `url`, for messages.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_sent_only_over_https_or_to_loopback() {
        for url in [
            "https://a.example",
            "https://A.example:443/x?y",
            "http://127.0.0.1:1",
            "http://localhost:1",
            "http://[::1]:1",
            "https://[::1]",
        ] {
            assert!(is_secure(url), "{url}");
        }
        for url in [
            "http://a.example",
            "http://127.0.0.1.evil.example",
            "ftp://127.0.0.1",
            "https://a:b@a.example",
            "https://a.example#b",
            "https://a.example\\@b.example",
            "https:a.example",
            "https:///a.example",
            "https://a.example\t",
            "https://a.ex\nample",
            "https://a\u{200b}.example",
            "https://a.example/\u{202e}",
            "https://\u{430}.example",
            "https://a%2eexample",
            "http://2130706433:1",
            "x",
            "",
        ] {
            assert!(!is_secure(url), "{url}");
        }
    }
}
