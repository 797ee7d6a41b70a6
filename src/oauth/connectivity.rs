//! Tries the steps of a connection one by one, for `doctor`: the proxy, the address, the TCP connection.

use crate::clock::Stopwatch;
use crate::error::{Error, Kind, Result};
use crate::urls::is_loopback;
use hyper_util::client::proxy::matcher::Matcher;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use url::Url;

/// The time limit of each step.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Route {
    /// URL of the proxy for this server, without user and password.
    pub proxy: Option<String>,
    /// What we connect to: the proxy if there is one, else the server.
    pub host: String,
    pub port: u16,
}

impl Route {
    /// Finds the route to `url` as requests take it, see [`crate::oauth::http`].
    ///
    /// # Errors
    /// `Usage` if `url` or the proxy's URL names no host and port.
    pub fn to(url: &str) -> Result<Self> {
        let server = Url::parse(url).ok();
        let server = server.filter(Url::has_host).ok_or_else(|| unusable(url))?;
        let proxy = Self::proxy(&server);
        let next = proxy.as_ref().unwrap_or(&server);
        let default = match next.scheme() {
            scheme if scheme.starts_with("socks") => Some(1080),
            _ => next.port_or_known_default(),
        };
        Ok(Self {
            host: next.host_str().unwrap_or_default().to_owned(),
            port: next.port().or(default).ok_or_else(|| unusable(url))?,
            proxy: proxy.map(|proxy| without_password(proxy).to_string()),
        })
    }

    fn proxy(server: &Url) -> Option<Url> {
        if server.scheme() == "http" && server.host_str().is_some_and(is_loopback) {
            return None;
        }
        let found = Matcher::from_system().intercept(&server.as_str().parse().ok()?)?;
        Url::parse(&found.uri().to_string()).ok()
    }

    /// Resolves the host name.
    ///
    /// # Errors
    /// `Network` if the host has no address or the lookup takes more than 5 seconds.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let (sender, found) = mpsc::channel();
        let at = (self.host.trim_matches(['[', ']']).to_owned(), self.port);
        thread::spawn(move || sender.send(at.to_socket_addrs().map(Iterator::collect)));
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(Kind::Network, format!("the host name {} does not resolve", self.host))
                .hint("check the name, and the network's DNS")
                .caused_by(cause)
        };
        match found.recv_timeout(PATIENCE) {
            Ok(Ok(addresses)) => {
                let addresses: Vec<SocketAddr> = addresses;
                if addresses.is_empty() {
                    Err(failed("it has no address".into()))
                } else {
                    Ok(addresses)
                }
            }
            Ok(Err(error)) => Err(failed(error.into())),
            Err(_) => Err(failed("no answer in 5 s".into())),
        }
    }

    /// Connects to the first of `addresses` that accepts, and returns the address and the milliseconds it took.
    ///
    /// # Errors
    /// `Network`, with the cause at the last address.
    pub fn connect(&self, addresses: &[SocketAddr]) -> Result<(SocketAddr, u64)> {
        let mut last = None;
        for address in addresses {
            let watch = Stopwatch::start();
            match TcpStream::connect_timeout(address, PATIENCE) {
                Ok(_) => return Ok((*address, watch.ms())),
                Err(error) => last = Some((address, error)),
            }
        }
        let error = match last {
            Some((address, cause)) => {
                Error::new(Kind::Network, format!("cannot connect to {} at {address}", self.host))
                    .caused_by(cause)
            }
            None => Error::new(Kind::Network, format!("cannot connect to {}", self.host)),
        };
        Err(error.hint("a firewall may block it; if you need a proxy, set HTTPS_PROXY"))
    }
}

fn without_password(mut proxy: Url) -> Url {
    // Both fail only for URLs without a host.
    let _ = proxy.set_username("");
    let _ = proxy.set_password(None);
    proxy
}

fn unusable(url: &str) -> Error {
    Error::new(Kind::Usage, format!("{url} is not the URL of a server"))
}
