//! Requests to etcd. As in `oauth/http.rs`, tokio runs beside the rest of the program, which is sequential: a lease is
//! kept alive while that waits for a server or a person.
//!
//! One endpoint is asked at a time, and the next one when it does not answer, so that an error can name it.

use crate::clock::Deadline;
use crate::error::{Error, IoResultExt, Kind, Result};
use crate::fleet::settings::Settings;
use crate::trace::{self, Event};
use etcd_client::{
    Certificate, Client, ConnectOptions, GetOptions, Identity, KeyValue, TlsOptions, Txn,
    WatchOptions,
};
use std::cell::OnceCell;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// For one answer of one endpoint.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Between two rounds of all endpoints: an election takes about a second.
const PAUSE: Duration = Duration::from_millis(200);

type Answer<T> = Result<T, etcd_client::Error>;

/// What was found below a prefix.
pub struct Found {
    /// The store's revision at which all of it was so.
    pub revision: i64,
    pub pairs: Vec<KeyValue>,
}

/// The endpoints, and a connection to one of them.
pub struct Endpoints {
    settings: Settings,
    current: AtomicUsize,
    client: Mutex<Option<(usize, Client)>>,
}

pub struct Wire {
    endpoints: Arc<Endpoints>,
    runtime: OnceCell<Runtime>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // A name lookup that hangs is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Wire {
    /// Connects to nothing yet. Hosts begin at different endpoints.
    pub fn new(settings: Settings) -> Self {
        let first = std::process::id() as usize;
        let (current, client) = (AtomicUsize::new(first), Mutex::new(None));
        Self {
            endpoints: Arc::new(Endpoints { settings, current, client }),
            runtime: OnceCell::new(),
        }
    }

    pub fn endpoints(&self) -> Arc<Endpoints> {
        Arc::clone(&self.endpoints)
    }

    pub fn runtime(&self) -> Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        // One thread, to keep a lease alive while this one waits for something else.
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().map_err(|error| {
            Error::new(Kind::Network, "cannot start the network runtime").caused_by(error)
        })?;
        Ok(self.runtime.get_or_init(|| runtime))
    }

    /// All pairs below `prefix`, as a majority of the nodes has them.
    pub fn range(&self, prefix: &str, deadline: &Deadline) -> Result<Found> {
        let response =
            self.runtime()?.block_on(self.endpoints.call("range", deadline, |client| {
                let prefix = prefix.to_owned();
                let options = GetOptions::new().with_prefix();
                async move { client.kv_client().get(prefix, Some(options)).await }
            }))?;
        let revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
        Ok(Found { revision, pairs: response.kvs().to_vec() })
    }

    /// The revision at which the transaction was made; `None` when its comparisons did not hold.
    pub fn commit(&self, txn: &Txn, deadline: &Deadline) -> Result<Option<i64>> {
        let response =
            self.runtime()?.block_on(self.endpoints.call("txn", deadline, |client| {
                let txn = txn.clone();
                async move { client.kv_client().txn(txn).await }
            }))?;
        let revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
        Ok(response.succeeded().then_some(revision))
    }

    /// Sleeps until something below `prefix` has changed since `revision`, or until the deadline. A watch that breaks
    /// off wakes, too: whoever waits looks again.
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
        let watched =
            self.runtime()?.block_on(async { timeout(deadline.remaining(), watch).await });
        watched.unwrap_or(Ok(()))
    }
}

impl Endpoints {
    /// Asks one endpoint after the other, and all of them again until the deadline. What is asked has to be harmless
    /// when it is asked twice. `asked` is the name of it, for traces.
    pub async fn call<T, F: Future<Output = Answer<T>>>(
        &self,
        asked: &str,
        deadline: &Deadline,
        ask: impl Fn(Client) -> F,
    ) -> Result<T> {
        let count = self.settings.endpoints.len();
        loop {
            let mut failures = Vec::new();
            for _ in 0..count {
                let index = self.current.load(Ordering::Relaxed) % count;
                let attempt = async { ask(self.connect(index).await?).await };
                // The first round is made, whatever is left of the time, for less than an instant asks nobody.
                let patience = ATTEMPT.min(deadline.remaining().max(Duration::from_millis(250)));
                let watch = trace::watch();
                let answer = timeout(patience, attempt).await;
                trace::tell(|| Event::Etcd {
                    asked,
                    endpoint: &self.settings.endpoints[index],
                    answered: matches!(answer, Ok(Ok(_))),
                    ms: trace::ms(watch.as_ref()),
                });
                let why = match answer {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(error)) if is_final(&error) => {
                        return Err(self.refused(index, &error));
                    }
                    Ok(Err(error)) => words(&error),
                    Err(_) => format!("no answer in {:.1} s", patience.as_secs_f32()),
                };
                failures.push(format!("{} ({why})", self.settings.endpoints[index]));
                *self.client.lock().expect("nobody panics with it") = None;
                self.current.store(index + 1, Ordering::Relaxed);
            }
            if deadline.remaining() <= PAUSE {
                let what = format!("no answer from etcd at {}", failures.join(", "));
                return Err(Error::new(Kind::Network, what)
                    .hint("check that a majority of its nodes runs and can be reached from here"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn connect(&self, index: usize) -> Answer<Client> {
        if let Some((at, client)) = &*self.client.lock().expect("nobody panics with it")
            && *at == index
        {
            return Ok(client.clone());
        }
        let options =
            self.options().map_err(|error| etcd_client::Error::InvalidArgs(error.text()))?;
        let client = Client::connect([&self.settings.endpoints[index]], Some(options)).await?;
        *self.client.lock().expect("nobody panics with it") = Some((index, client.clone()));
        Ok(client)
    }

    fn options(&self) -> Result<ConnectOptions> {
        let settings = &self.settings;
        let mut options = ConnectOptions::new()
            .with_connect_timeout(ATTEMPT)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let (Some(user), Some(file)) = (&settings.user, &settings.password_file) {
            let password = read(file)?;
            options = options.with_user(user, String::from_utf8_lossy(&password).trim_end());
        }
        if settings.endpoints.iter().any(|url| url.starts_with("https://")) {
            let mut tls = TlsOptions::new();
            tls = match &settings.ca_file {
                Some(file) => tls.ca_certificate(Certificate::from_pem(read(file)?)),
                None => tls.with_native_roots(),
            };
            if let (Some(certificate), Some(key)) = (&settings.certificate_file, &settings.key_file)
            {
                tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
            }
            options = options.with_tls(tls);
        }
        Ok(options)
    }

    fn refused(&self, index: usize, error: &etcd_client::Error) -> Error {
        let what = format!("etcd at {} refused: {}", self.settings.endpoints[index], words(error));
        Error::new(Kind::Configuration, what)
            .hint("check the files, the user and the key prefix in the profile's table etcd")
    }
}

fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    let read = fs::read(path).context("read", path)?;
    Ok(zeroize::Zeroizing::new(read))
}

/// Whether another endpoint would say the same.
fn is_final(error: &etcd_client::Error) -> bool {
    match error {
        etcd_client::Error::GRpcStatus(status) => {
            // PermissionDenied, Unauthenticated; and InvalidArgument, as etcd calls a wrong password.
            [7, 16, 3].contains(&(status.code() as i32))
        }
        etcd_client::Error::InvalidArgs(_) | etcd_client::Error::InvalidUri(_) => true,
        _ => false,
    }
}

/// The innermost cause says what happened.
fn words(error: &etcd_client::Error) -> String {
    use std::error::Error as _;
    let source = match error {
        etcd_client::Error::GRpcStatus(status) => status.source(),
        etcd_client::Error::TransportError(error) => error.source(),
        _ => None,
    };
    let Some(mut cause) = source else {
        return match error {
            etcd_client::Error::GRpcStatus(status) => status.message().to_owned(),
            error => error.to_string(),
        };
    };
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
