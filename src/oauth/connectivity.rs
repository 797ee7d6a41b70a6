//! Tries the steps of a connection one by one, for `doctor`: the proxy, the address, the TCP connection.

use crate::clock::Stopwatch;
use crate::error::{Error, Kind, Result};
use crate::oauth::network_error::proxy_for;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use url::Url;

/// The time limit of each step.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Route {
    pub proxy: Option<Url>,
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
        let proxy = proxy_for(url);
        let next = proxy.clone().or_else(|| Url::parse(url).ok());
        let address = next.as_ref().and_then(|next| {
            let default = next.scheme().starts_with("socks").then_some(1080);
            Some((next.host_str()?.to_owned(), next.port_or_known_default().or(default)?))
        });
        let (host, port) = address
            .ok_or_else(|| Error::new(Kind::Usage, format!("{url} is not the URL of a server")))?;
        Ok(Self { proxy, host, port })
    }

    /// Resolves the host name.
    ///
    /// # Errors
    /// `Network` if the host has no address or the lookup takes more than 5 seconds.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let (sender, found) = mpsc::channel();
        let at = (self.host.trim_matches(['[', ']']).to_owned(), self.port);
        thread::spawn(move || sender.send(at.to_socket_addrs().map(Iterator::collect)));
        let found: io::Result<Vec<SocketAddr>> = match found.recv_timeout(PATIENCE) {
            Ok(found) => found,
            Err(_) => Err(io::Error::other("no answer in 5 s")),
        };
        let found = match found {
            Ok(addresses) if addresses.is_empty() => Err(io::Error::other("it has no address")),
            found => found,
        };
        found.map_err(|cause| {
            Error::new(Kind::Network, format!("the host name {} does not resolve", self.host))
                .hint("check the name, and the network's DNS")
                .caused_by(cause)
        })
    }

    /// Connects to the first of `addresses` that accepts, and returns the address and the milliseconds it took.
    ///
    /// # Errors
    /// `Network`, with the cause at the last address.
    pub fn connect(&self, addresses: &[SocketAddr]) -> Result<(SocketAddr, u64)> {
        let mut error = Error::new(Kind::Network, format!("cannot connect to {}", self.host));
        for address in addresses {
            let watch = Stopwatch::start();
            match TcpStream::connect_timeout(address, PATIENCE) {
                Ok(_) => return Ok((*address, watch.ms())),
                Err(cause) => {
                    let what = format!("cannot connect to {} at {address}", self.host);
                    error = Error::new(Kind::Network, what).caused_by(cause);
                }
            }
        }
        Err(error.hint("a firewall may block it; if you need a proxy, set HTTPS_PROXY"))
    }
}
