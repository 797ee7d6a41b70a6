//! A lease of etcd. Keys that are bound to it are deleted when its holder dies, or cannot reach etcd for the length of
//! the lease.

use crate::clock::{self, Deadline};
use crate::error::Result;
use crate::fleet::client::EtcdClient;
use crate::fleet::endpoints::Endpoints;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long dropping a lease may take. A lease that was not revoked ends by itself.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(1);

/// Kept alive until it is dropped, then revoked.
pub struct Lease<'a> {
    pub id: i64,
    client: &'a EtcdClient,
    /// Ends when the lease is lost.
    keeper: JoinHandle<()>,
}

impl<'a> Lease<'a> {
    pub fn grant(client: &'a EtcdClient, length: Duration, deadline: &Deadline) -> Result<Self> {
        let seconds = clock::seconds(length);
        let granted = client.call("grant", deadline, |client| async move {
            client.lease_client().grant(seconds, None).await
        })?;
        let id = granted.id();
        let keeper = client.runtime()?.spawn(keep_alive(client.endpoints(), id, length));
        Ok(Self { id, client, keeper })
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let is_lost = self.keeper.is_finished();
        self.keeper.abort();
        if !is_lost {
            let (id, deadline) = (self.id, Deadline::after(REVOKE_TIMEOUT));
            let _ = self.client.call("revoke", &deadline, |client| async move {
                client.lease_client().revoke(id).await
            });
        }
    }
}

/// Returns when etcd says that the lease has ended.
async fn keep_alive(endpoints: Arc<Endpoints>, id: i64, length: Duration) {
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
            return;
        }
    }
}
