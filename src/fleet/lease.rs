//! A lease of etcd. Keys that are bound to it are deleted when its holder dies, or cannot reach etcd for the length of
//! the lease.

use crate::clock::{self, Deadline};
use crate::error::Result;
use crate::fleet::client::EtcdClient;
use crate::fleet::endpoints::Endpoints;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// How long dropping a lease may take. A lease that was not revoked ends by itself.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(1);

/// Kept alive until it is dropped, then revoked.
pub struct Lease {
    pub id: i64,
    is_lost: Arc<AtomicBool>,
    keeper: JoinHandle<()>,
    endpoints: Arc<Endpoints>,
    runtime: Handle,
}

impl Lease {
    pub fn grant(client: &EtcdClient, length: Duration, deadline: &Deadline) -> Result<Self> {
        let seconds = clock::seconds(length);
        let (endpoints, runtime) = (client.endpoints(), client.runtime()?.handle().clone());
        let granted = endpoints.call("grant", deadline, |client| async move {
            client.lease_client().grant(seconds, None).await
        });
        let id = runtime.block_on(granted)?.id();
        let is_lost = Arc::new(AtomicBool::new(false));
        let keeping = keep_alive(Arc::clone(&endpoints), id, length, Arc::clone(&is_lost));
        let keeper = runtime.spawn(keeping);
        Ok(Self { id, is_lost, keeper, endpoints, runtime })
    }

    /// Returns whether etcd has said that the lease ended. It may also have ended while etcd does not answer.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.keeper.abort();
        if !self.is_lost() {
            let (id, deadline) = (self.id, Deadline::after(REVOKE_TIMEOUT));
            let revoked = self.endpoints.call("revoke", &deadline, |client| async move {
                client.lease_client().revoke(id).await
            });
            let _ = self.runtime.block_on(revoked);
        }
    }
}

async fn keep_alive(
    endpoints: Arc<Endpoints>,
    id: i64,
    length: Duration,
    is_lost: Arc<AtomicBool>,
) {
    loop {
        tokio::time::sleep(length / 3).await;
        let deadline = Deadline::after(length / 3);
        let is_alive = endpoints.call("keep_alive", &deadline, |client| async move {
            match client.lease_client().keep_alive(id).await {
                Ok(_) => Ok(true),
                Err(etcd_client::Error::LeaseKeepAliveError(_)) => Ok(false),
                Err(error) => Err(error),
            }
        });
        if let Ok(false) = is_alive.await {
            is_lost.store(true, Ordering::Relaxed);
            return;
        }
    }
}
