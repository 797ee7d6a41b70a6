//! Blocking requests to etcd. Each request goes to one endpoint, and to the next one when that endpoint does not answer.
//! Errors name every endpoint that was tried.
//!
//! tokio runs on a second thread, so that leases are kept alive while the main thread waits for a server or for the user.

use crate::clock::{Deadline, Stopwatch};
use crate::error::{Error, IoResultExt, Kind, Result};
use crate::read_file::{Bytes, read_regular};
use crate::storage::etcd_settings::Settings;
use crate::threads;
use crate::trace::{self, Event};
use etcd_client::{
    Certificate, Client, ConnectOptions, GetOptions, GetResponse, Identity, TlsOptions, Txn,
    WatchOptions,
};
use std::cell::OnceCell;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// How long one endpoint has for one answer.
const ATTEMPT: Duration = Duration::from_secs(2);
/// The shortest attempt, made even when the deadline is closer.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(250);
/// The pause between two rounds of all endpoints. An election takes about a second.
const PAUSE: Duration = Duration::from_millis(200);

/// The hint of the error that no endpoint has answered, and of no other error.
pub const NO_MAJORITY: &str =
    "check that a majority of the etcd nodes is running and reachable from this host";

pub type Answer<T> = Result<T, etcd_client::Error>;

pub struct EtcdClient {
    endpoints: Arc<Endpoints>,
    runtime: OnceCell<Runtime>,
}

impl std::fmt::Debug for EtcdClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdClient").finish_non_exhaustive()
    }
}

impl Drop for EtcdClient {
    fn drop(&mut self) {
        // Dropping the runtime would wait for a name lookup that hangs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl EtcdClient {
    /// Opens no connection yet.
    pub fn new(settings: Settings) -> Self {
        Self { endpoints: Arc::new(Endpoints::new(settings)), runtime: OnceCell::new() }
    }

    pub fn endpoints(&self) -> Arc<Endpoints> {
        Arc::clone(&self.endpoints)
    }

    pub fn runtime(&self) -> Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        // The runtime panics without its threads.
        threads::probe()?;
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().map_err(|error| {
            Error::new(Kind::Network, "cannot start the network runtime").caused_by(error)
        })?;
        Ok(self.runtime.get_or_init(|| runtime))
    }

    /// See [`Endpoints::call`].
    pub fn call<T, F: Future<Output = Answer<T>>>(
        &self,
        name: &str,
        deadline: &Deadline,
        request: impl Fn(Client) -> F,
    ) -> Result<T> {
        self.runtime()?.block_on(self.endpoints.call(name, deadline, request))
    }

    /// Reads all pairs below `prefix`. The read is linearizable: a majority of the nodes confirms it.
    pub fn range(&self, prefix: &str, deadline: &Deadline) -> Result<GetResponse> {
        self.call("range", deadline, |client| {
            let prefix = prefix.to_owned();
            let options = GetOptions::new().with_prefix();
            async move { client.kv_client().get(prefix, Some(options)).await }
        })
    }

    /// Runs a transaction. Returns false when its comparisons failed. It may be sent more than once, so false can also
    /// follow a first try that succeeded and whose answer was lost.
    pub fn commit(&self, txn: &Txn, deadline: &Deadline) -> Result<bool> {
        let response = self.call("txn", deadline, |client| {
            let txn = txn.clone();
            async move { client.kv_client().txn(txn).await }
        })?;
        Ok(response.succeeded())
    }

    /// Waits until something below `prefix` has changed since `revision`, or until the deadline. May return early, for
    /// example when the connection breaks: read again.
    pub fn wait(&self, prefix: &str, revision: i64, deadline: &Deadline) -> Result<()> {
        let options = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
        let watch = async {
            let opened = self.endpoints.call("watch", deadline, |client| {
                let (prefix, options) = (prefix.to_owned(), options.clone());
                async move { client.watch_client().watch(prefix, Some(options)).await }
            });
            let mut stream = opened.await?;
            while let Ok(Some(message)) = stream.message().await {
                if message.canceled() || !message.events().is_empty() {
                    return Ok(());
                }
            }
            tokio::time::sleep(PAUSE).await;
            Ok(())
        };
        let changed =
            self.runtime()?.block_on(async { timeout(deadline.remaining(), watch).await });
        changed.unwrap_or(Ok(()))
    }
}

pub struct Endpoints {
    settings: Settings,
    /// The endpoint to try first, modulo the number of endpoints.
    current: AtomicUsize,
    connection: Mutex<Option<(usize, Client)>>,
}

impl Endpoints {
    /// Opens no connection yet. Different processes start at different endpoints.
    pub fn new(settings: Settings) -> Self {
        let current = AtomicUsize::new(std::process::id() as usize);
        Self { settings, current, connection: Mutex::new(None) }
    }

    /// Tries all endpoints in turn until one answers or the deadline is over. `request` may be sent more than once.
    /// `name` is the name of the request in traces.
    ///
    /// # Errors
    /// `Network` when no endpoint answered, `Configuration` when an endpoint refused the request.
    pub async fn call<T, F: Future<Output = Answer<T>>>(
        &self,
        name: &str,
        deadline: &Deadline,
        request: impl Fn(Client) -> F,
    ) -> Result<T> {
        loop {
            let mut failures = Vec::new();
            for _ in 0..self.settings.endpoints.len() {
                let index = self.current.load(Ordering::Relaxed) % self.settings.endpoints.len();
                match self.attempt(name, index, deadline, &request).await? {
                    Ok(answer) => return Ok(answer),
                    Err(reason) => {
                        failures.push(format!("{} ({reason})", self.settings.endpoints[index]));
                    }
                }
                self.set_connection(None);
                self.current.store(index + 1, Ordering::Relaxed);
            }
            if deadline.remaining() <= PAUSE {
                return Err(no_answer(&failures));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Sends the request to one endpoint. Returns the reason when the next endpoint should be tried.
    async fn attempt<T, F: Future<Output = Answer<T>>>(
        &self,
        name: &str,
        index: usize,
        deadline: &Deadline,
        request: &impl Fn(Client) -> F,
    ) -> Result<Result<T, String>> {
        let limit = ATTEMPT.min(deadline.remaining().max(SHORTEST_ATTEMPT));
        let watch = Stopwatch::start();
        let answer = timeout(limit, async { request(self.connect(index).await?).await }).await;
        trace::tell(|| Event::Etcd {
            operation: name,
            endpoint: &self.settings.endpoints[index],
            succeeded: matches!(answer, Ok(Ok(_))),
            ms: watch.ms(),
        });
        match answer {
            Ok(Ok(answer)) => Ok(Ok(answer)),
            Ok(Err(error)) if is_final(&error) => Err(self.refused(index, &error)),
            Ok(Err(error)) => Ok(Err(root_cause(&error))),
            Err(_) => Ok(Err(format!("no answer in {:.1} s", limit.as_secs_f32()))),
        }
    }

    async fn connect(&self, index: usize) -> Answer<Client> {
        if let Some(client) = self.connection_to(index) {
            return Ok(client);
        }
        let options =
            self.options().map_err(|error| etcd_client::Error::InvalidArgs(error.text()))?;
        let client = Client::connect([&*self.settings.endpoints[index]], Some(options)).await?;
        self.set_connection(Some((index, client.clone())));
        Ok(client)
    }

    fn connection_to(&self, index: usize) -> Option<Client> {
        let connection = self.connection.lock().expect("no thread panics while it holds this");
        connection.as_ref().filter(|(at, _)| *at == index).map(|(_, client)| client.clone())
    }

    fn set_connection(&self, connection: Option<(usize, Client)>) {
        *self.connection.lock().expect("no thread panics while it holds this") = connection;
    }

    fn options(&self) -> Result<ConnectOptions> {
        let settings = &self.settings;
        let mut options = ConnectOptions::new()
            .with_connect_timeout(ATTEMPT)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let (Some(user), Some(file)) = (&settings.user, &settings.password_file) {
            let password = read(file)?;
            options = options.with_user(&**user, String::from_utf8_lossy(&password).trim_end());
        }
        if settings.endpoints.iter().any(|url| url.starts_with("https://")) {
            options = options.with_tls(tls_options(settings)?);
        }
        Ok(options)
    }

    fn refused(&self, index: usize, error: &etcd_client::Error) -> Error {
        let endpoint = &self.settings.endpoints[index];
        let what = format!("etcd at {endpoint} refused the request: {}", root_cause(error));
        Error::new(Kind::Configuration, what)
            .hint("check the files, the user and the prefix in [profiles.NAME.etcd] of config.toml")
    }
}

fn tls_options(settings: &Settings) -> Result<TlsOptions> {
    let mut tls = TlsOptions::new();
    tls = match &settings.ca_file {
        Some(file) => tls.ca_certificate(Certificate::from_pem(read(file)?)),
        None => tls.with_native_roots(),
    };
    if let (Some(certificate), Some(key)) = (&settings.certificate_file, &settings.key_file) {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(tls)
}

fn read(path: &Path) -> Result<Bytes> {
    read_regular(path).context("read", path)
}

fn no_answer(failures: &[String]) -> Error {
    let what = format!("no answer from etcd at {}", failures.join(", "));
    Error::new(Kind::Network, what).hint(NO_MAJORITY)
}

/// Returns whether every other endpoint would give the same answer.
fn is_final(error: &etcd_client::Error) -> bool {
    // The gRPC codes of an invalid argument (also etcd's answer to a wrong password), of a denied permission and of missing
    // authentication.
    const FINAL: [i32; 3] = [3, 7, 16];
    match error {
        etcd_client::Error::GRpcStatus(status) => FINAL.contains(&(status.code() as i32)),
        etcd_client::Error::InvalidArgs(_) | etcd_client::Error::InvalidUri(_) => true,
        _ => false,
    }
}

/// Returns the text of the innermost cause: the outer ones only say that a transport failed.
fn root_cause(error: &etcd_client::Error) -> String {
    use std::error::Error as _;
    let source = match error {
        etcd_client::Error::GRpcStatus(status) if status.source().is_none() => {
            return status.message().to_owned();
        }
        etcd_client::Error::GRpcStatus(status) => status.source(),
        etcd_client::Error::TransportError(error) => error.source(),
        _ => None,
    };
    let innermost = std::iter::successors(source, |&cause| cause.source()).last();
    innermost.map_or_else(|| error.to_string(), ToString::to_string)
}
