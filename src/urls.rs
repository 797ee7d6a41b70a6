//! URLs: which of them may be sent a secret (https, and http on this machine), and their parts for messages.

use std::net::IpAddr;

/// Whether what is sent to `url`, which names no user, stays between this machine and the server it names.
pub fn is_secure(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return false;
    }
    match url.scheme() {
        "https" => url.has_host(),
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    }
}

/// `host` may carry a port.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Returns the host and port of `url`, for messages.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// Returns the path of `url` without its query.
pub fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_urls_may_be_sent_a_token() {
        for url in
            ["https://a.example", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"]
        {
            assert!(is_secure(url), "{url}");
        }
        for url in [
            "http://a.example",
            "http://127.0.0.1.evil.example",
            "ftp://127.0.0.1",
            "https://a:b@a.example",
            "https://a.example#b",
            "x",
            "",
        ] {
            assert!(!is_secure(url), "{url}");
        }
    }
}
