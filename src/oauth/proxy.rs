//! Which proxy a request goes through: the one in the environment, else the one in the settings of macOS or Windows.
//!
//! A variable that cannot be read is an error. Without it, the request would go out directly.

use crate::error::{Error, Kind, Result};
use crate::network::Network;
use hyper_util::client::proxy::matcher::Matcher;
use std::ffi::OsString;
use url::Url;

const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// The variables that name the proxy. The first that is not empty counts, as in curl.
const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

#[derive(Clone, Debug, Default)]
pub struct Proxies {
    proxy: Option<Url>,
    /// The hosts to reach without that proxy, each with its port if it has one.
    direct: Vec<(String, Option<u16>)>,
}

impl Proxies {
    /// Reads the variables.
    ///
    /// # Errors
    /// `Usage` for a variable that cannot be read. Its value, which may hold a password, is not shown.
    pub fn from_variables(network: &Network) -> Result<Self> {
        Self::of(|name| network.variable(name))
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let first = |names: &[&'static str]| {
            let set = |name: &&'static str| Some((*name, variable(name)?));
            names.iter().filter_map(set).find(|(_, value)| !value.is_empty())
        };
        let read = |(name, value): (&'static str, OsString)| match value.into_string() {
            Ok(text) => Ok((name, text)),
            Err(_) => Err(unreadable(name, "it is not valid UTF-8")),
        };
        let proxy = match first(&PROXY).map(read).transpose()? {
            Some((name, text)) => Some(proxy(&text).map_err(|why| unreadable(name, &why))?),
            None => None,
        };
        let direct = match first(&NO_PROXY).map(read).transpose()? {
            Some((name, text)) => direct(&text).map_err(|why| unreadable(name, &why))?,
            None => Vec::new(),
        };
        Ok(Self { proxy, direct })
    }

    /// Returns the URL of the proxy for `url`, with user and password. Plain http uses no proxy, because it is allowed only
    /// for servers on this machine.
    pub fn for_url(&self, url: &str) -> Option<Url> {
        let port = Url::parse(url).ok()?.port_or_known_default();
        let target = url.parse().ok().filter(|_| !url.starts_with("http://"))?;
        let Some(proxy) = &self.proxy else {
            return Url::parse(&Matcher::from_system().intercept(&target)?.uri().to_string()).ok();
        };
        let is_for_port = |of: &Option<u16>| of.is_none() || *of == port;
        let direct = self.direct.iter().filter(|(_, port)| is_for_port(port));
        let direct: Vec<&str> = direct.map(|(host, _)| host.as_str()).collect();
        let matcher = Matcher::builder().https(proxy.to_string()).no(direct.join(",")).build();
        matcher.intercept(&target).map(|_| proxy.clone())
    }
}

/// Returns `proxy` without user and password, to be shown.
pub fn without_password(proxy: &Url) -> Url {
    let mut proxy = proxy.clone();
    // Both fail only for URLs without a host.
    let _ = proxy.set_username("");
    let _ = proxy.set_password(None);
    proxy
}

fn unreadable(name: &str, why: &str) -> Error {
    let form = if NO_PROXY.contains(&name) {
        "hosts with commas between them, such as localhost,.example.org,10.0.0.0/8"
    } else {
        "http://HOST:PORT or socks5h://HOST:PORT"
    };
    Error::new(Kind::Usage, format!("cannot read {name}: {why}"))
        .hint(format!("write {form}, without quotes and blanks, or unset {name}"))
}

/// Reads the URL of a proxy. Without a scheme, it is http.
fn proxy(text: &str) -> Result<Url, String> {
    if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err("it contains a blank or a control character".into());
    }
    let (scheme, _) = text.split_once("://").unwrap_or(("http", text));
    let scheme = scheme.to_ascii_lowercase();
    if !SCHEMES.contains(&&*scheme) {
        let is_word = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return Err(if is_word && scheme.len() <= 16 {
            format!("{scheme}:// is not a supported kind of proxy")
        } else {
            "it does not begin with http:// or another kind of proxy".into()
        });
    }
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let is_host = |host: &str| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || ['.', '-', '_'].contains(&c);
        host.starts_with('[') || (!host.is_empty() && host.chars().all(is_name))
    };
    // A path, query or fragment is the rest of a password that is not percent-encoded.
    let is_proxy = |url: &Url| {
        url.host_str().is_some_and(is_host)
            && !text.ends_with(':')
            && ["", "/"].contains(&url.path())
            && url.query().is_none()
            && url.fragment().is_none()
    };
    Url::parse(&whole).ok().filter(is_proxy).ok_or_else(|| "it is not the URL of a proxy".into())
}

/// Reads the hosts of `NO_PROXY`: `*`, names, `.name` and `*.name`, addresses and networks, each with a port or without.
fn direct(text: &str) -> Result<Vec<(String, Option<u16>)>, String> {
    let entries = text.split(|c: char| c == ',' || c.is_whitespace());
    entries.filter(|entry| !entry.is_empty()).map(direct_host).collect()
}

fn direct_host(entry: &str) -> Result<(String, Option<u16>), String> {
    let is_known = |c: char| c.is_alphanumeric() || ".-_*:/[]<>%".contains(c);
    if !entry.chars().all(is_known) {
        return Err("it contains a quote or another character that is in no host".into());
    }
    // The colons of an address are no ports, unless brackets end the address.
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (entry, None),
    };
    let host = host.replace(['[', ']'], "");
    let port = port.map(str::parse).transpose().map_err(|_| "a port is not a number")?;
    let below = host.strip_prefix('*').filter(|rest| rest.starts_with('.'));
    Ok((below.unwrap_or(&host).to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Proxies> {
        Proxies::of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn value_that_is_no_proxy_is_refused_with_its_variable_and_without_its_password() {
        for value in [
            "\"http://u:hidden@p:1\"",
            "'http://u:hidden@p:1'",
            "http://u:hidden@p:1\r",
            "http://u:hidden@p:1 ",
            " http://u:hidden@p:1",
            "http://u:hidden@p:1\n",
            "http://u:hid den@p:1",
            "http://u:hid\u{a0}den@p:1",
            "socks://u:hidden@p:1",
            "socks6://u:hidden@p:1",
            "ftp://u:hidden@p:1",
            "htp://u:hidden@p:1",
            "u:hidden://p",
            "http://u:hidden@p:99999",
            "http://u:hidden@p:one",
            "http://u:hidden/x@p:1",
            "http://u:hidden#x@p:1",
            "http://u:hidden?x@p:1",
            "http://u:hidden@p:1/path",
            "http://u:hidden@",
            "http://",
            "http:",
            "://p:1",
            ":3128",
            "$PROXY",
            "${PROXY}",
            "%HTTP_PROXY%",
            "http://<host>:1",
            "http://p:1'",
            "http://p\":1",
            "DIRECT;",
        ] {
            for name in PROXY {
                let error = of(&[(name, value)]).unwrap_err();
                assert_eq!(error.kind, Kind::Usage, "{value}");
                assert!(error.text().contains(name), "{}", error.text());
                assert!(!format!("{error:?}").contains("hid"), "{error:?}");
            }
        }
    }

    #[test]
    fn proxy_is_read_in_every_usual_form() {
        for (value, shown) in [
            ("http://p.example:3128", "http://p.example:3128/"),
            ("HTTP://p.example:3128/", "http://p.example:3128/"),
            ("p.example:3128", "http://p.example:3128/"),
            ("p", "http://p/"),
            ("127.0.0.1:1", "http://127.0.0.1:1/"),
            ("http://[::1]:1", "http://[::1]:1/"),
            ("https://u:p%40ss@p.example", "https://p.example/"),
            ("http://u:p@ss@p.example:1", "http://p.example:1/"),
            ("u:p@p.example:1", "http://p.example:1/"),
            ("socks5h://u@p:1", "socks5h://p:1"),
            ("socks5://p:1", "socks5://p:1"),
            ("socks4a://p:1", "socks4a://p:1"),
        ] {
            let proxy = of(&[("https_proxy", value)]).unwrap().for_url("https://a.example/x");
            assert_eq!(without_password(&proxy.expect(value)).as_str(), shown);
        }
    }

    #[test]
    fn first_variable_that_is_not_empty_counts() {
        let https = |variables: &[(&str, &str)]| {
            of(variables).unwrap().for_url("https://a.example").map(|proxy| proxy.to_string())
        };
        let good = Some("http://good/".to_owned());
        assert_eq!(https(&[("HTTPS_PROXY", "good"), ("ALL_PROXY", "socks://other:1")]), good);
        assert_eq!(https(&[("HTTPS_PROXY", ""), ("https_proxy", "good")]), good);
        assert_eq!(https(&[("HTTPS_PROXY", ""), ("all_proxy", "good")]), good);
        assert_eq!(of(&[("ALL_PROXY", "good")]).unwrap().for_url("http://127.0.0.1:1"), None);
    }

    #[test]
    fn no_proxy_takes_names_patterns_networks_and_ports() {
        let is_direct = |hosts: &str, url: &str| {
            of(&[("HTTPS_PROXY", "p:1"), ("no_proxy", hosts)]).unwrap().for_url(url).is_none()
        };
        for (hosts, url) in [
            ("a.example", "https://a.example/x"),
            ("A.Example", "https://b.a.example"),
            (".a.example", "https://b.a.example"),
            ("*.a.example", "https://b.a.example:8443"),
            ("*.a.example:8443", "https://c.b.a.example:8443"),
            ("a.example:443", "https://a.example"),
            (".a.example:443", "https://b.a.example/x"),
            ("x, a.example\r", "https://a.example"),
            ("x a.example", "https://a.example"),
            ("*", "https://a.example"),
            ("*:8443", "https://a.example:8443"),
            ("10.0.0.0/8", "https://10.1.2.3"),
            ("10.1.2.3:8443", "https://10.1.2.3:8443"),
            ("::1", "https://[::1]"),
            ("[::1]", "https://[::1]:8443"),
            ("[::1]:8443", "https://[::1]:8443"),
            ("[fe80::]/10", "https://[fe80::1]"),
            ("fe80::/10", "https://[fe80::1]"),
            ("<local>,a.example", "https://a.example"),
        ] {
            assert!(is_direct(hosts, url), "{hosts} {url}");
        }
        for (hosts, url) in [
            ("a.example:8443", "https://a.example"),
            ("a.example:443", "https://a.example:8443"),
            ("*.a.example", "https://aa.example"),
            ("*.a.example", "https://evila.example"),
            ("example:443", "https://a.example:8443"),
            ("*a.example", "https://ba.example"),
            ("[::1]:8443", "https://[::1]"),
            (",,", "https://a.example"),
        ] {
            assert!(!is_direct(hosts, url), "{hosts} {url}");
        }
        for hosts in [
            "\"a.example\"",
            "'a.example,b'",
            "a.example:https",
            "a;b",
            "a:",
            "https://a",
            "$HOSTS",
        ] {
            let error = of(&[("NO_PROXY", hosts)]).unwrap_err();
            assert!(error.text().contains("NO_PROXY"), "{}", error.text());
        }
    }
}
