use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use crate::{
    account::Account,
    issuer::Issuer,
    server,
    settings::Settings,
    state::{Shared, State},
    tls::Certificate,
};

/// The settings of a server to start.
pub struct Builder {
    port: u16,
    settings: Settings,
    accounts: Vec<Account>,
    certificate: Option<Certificate>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            port: 0,
            settings: Settings::default(),
            accounts: Account::examples(),
            certificate: None,
        }
    }

    /// Sets the port. The default is any free port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Changes settings: `.set(|s| s.rotation = false)`.
    pub fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Sets the bytes added to the claims of access tokens. The default makes tokens of about 1.5 KB.
    pub fn token_padding(self, bytes: usize) -> Self {
        self.set(|settings| settings.token_padding = bytes)
    }

    /// Sets the accounts that can sign in. The first one is approved by default.
    pub fn accounts(mut self, accounts: Vec<Account>) -> Self {
        assert!(!accounts.is_empty(), "at least one account is needed");
        self.accounts = accounts;
        self
    }

    /// Uses TLS with this certificate. The issuer is then `https://localhost:PORT`.
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Starts the server. Panics if the port is taken.
    pub fn start(self) -> Issuer {
        self.try_start().expect("the issuer starts")
    }

    /// Starts the server, unless the port is taken.
    pub fn try_start(self) -> io::Result<Issuer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let url = match &self.certificate {
            Some(_) => format!("https://localhost:{}", address.port()),
            None => format!("http://{address}"),
        };
        let tls = self.certificate.map(Certificate::acceptor);
        let state = State::new(url.clone(), self.settings, self.accounts);
        let shared = Arc::new(Shared::new(state));
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("issuer".into()).spawn({
            let shared = shared.clone();
            move || server::run(listener, tls, shared, stopped)
        })?;
        let server = Arc::new(Server { url, shared, stop: Some(stop), thread: Some(thread) });
        Ok(Issuer { server })
    }
}

/// What all handles of a server share.
pub(crate) struct Server {
    pub url: String,
    pub shared: Arc<Shared>,
    /// Dropped to stop.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
