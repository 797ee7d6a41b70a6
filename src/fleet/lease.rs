//! A lock in etcd: a key that is bound to a lease. etcd deletes the key when its holder dies, or cannot reach etcd for the
//! length of the lease.

use crate::clock::{self, Deadline};
use crate::error::Result;
use crate::fleet::client::Endpoints;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::snapshot::Snapshot;
use etcd_client::{Compare, CompareOp, Txn};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long dropping a lease may take. A lease that was not revoked ends by itself.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(1);

/// Kept alive until it is dropped, then revoked.
pub struct Lease<'a> {
    etcd: &'a EtcdStorage,
    id: i64,
    /// Ends when the lease is lost.
    keeper: JoinHandle<()>,
}

impl<'a> Lease<'a> {
    /// Creates the key `name` with a new lease, unless the key exists. [`Self::has`] says whether that worked.
    pub fn lock(etcd: &'a EtcdStorage, name: &str, deadline: &Deadline) -> Result<Self> {
        let length = etcd.local.settings.lease;
        let granted = etcd.client.call("grant", deadline, |client| async move {
            client.lease_client().grant(clock::seconds(length), None).await
        })?;
        let id = granted.id();
        let keeping = keep_alive(etcd.client.endpoints(), id, length);
        let lease = Self { etcd, id, keeper: etcd.client.runtime()?.spawn(keeping) };
        let is_free = Compare::create_revision(etcd.key(name), CompareOp::Equal, 0);
        let put = etcd.put_with_lease(name, &etcd.action()?, id);
        etcd.client.commit(&Txn::new().when([is_free]).and_then([put]), deadline)?;
        Ok(lease)
    }

    /// Returns whether the key `name` is bound to this lease. No other lease has the same id.
    pub fn has(&self, name: &str, snapshot: &Snapshot) -> bool {
        snapshot.lease(name) == self.id
    }

    /// A condition of a transaction, see [`Self::has`].
    pub fn still_has(&self, name: &str) -> Compare {
        Compare::lease(self.etcd.key(name), CompareOp::Equal, self.id)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let is_lost = self.keeper.is_finished();
        self.keeper.abort();
        if !is_lost {
            let (id, deadline) = (self.id, Deadline::after(REVOKE_TIMEOUT));
            let _ = self.etcd.client.call("revoke", &deadline, |client| async move {
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
