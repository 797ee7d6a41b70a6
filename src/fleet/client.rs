//! Blocking requests to etcd. tokio runs on a second thread, so that leases are kept alive while the main thread waits
//! for a server or for the user.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::fleet::endpoints::{Answer, Endpoints, PAUSE};
use crate::fleet::settings::Settings;
use etcd_client::{Client, GetOptions, GetResponse, Txn, WatchOptions};
use std::cell::OnceCell;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::time::timeout;

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
