//! A lease: what is bound to it is gone when its holder dies, or is out of reach for its whole time.

use crate::clock::Deadline;
use crate::error::Result;
use crate::fleet::client::{Endpoints, Wire};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Kept alive until it is dropped, then revoked.
pub struct Lease {
    pub id: i64,
    is_lost: Arc<AtomicBool>,
    keeper: JoinHandle<()>,
    endpoints: Arc<Endpoints>,
    runtime: Handle,
}

/// For the farewell: what is not revoked in this time ends by itself.
const FAREWELL: Duration = Duration::from_secs(1);

impl Lease {
    pub fn tokens(wire: &Wire, length: Duration, deadline: &Deadline) -> Result<Self> {
        let seconds = crate::clock::seconds(length);
        let (endpoints, runtime) = (wire.endpoints(), wire.runtime()?.handle().clone());
        let granted = endpoints.call("grant", deadline, |client| async move {
            client.lease_client().grant(seconds, None).await
        });
        let id = runtime.block_on(granted)?.id();
        let is_lost = Arc::new(AtomicBool::new(false));
        let keeping = keep_alive(Arc::clone(&endpoints), id, length, Arc::clone(&is_lost));
        let keeper = runtime.spawn(keeping);
        Ok(Self { id, is_lost, keeper, endpoints, runtime })
    }

    /// Whether etcd has said that it is no more. While nobody answers it may be so, too.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.keeper.abort();
        if !self.is_lost() {
            let (id, deadline) = (self.id, Deadline::after(FAREWELL));
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
        let kept = endpoints.call("keep_alive", &deadline, |client| async move {
            match client.lease_client().keep_alive(id).await {
                Ok(_) => Ok(true),
                Err(etcd_client::Error::LeaseKeepAliveError(_)) => Ok(false),
                Err(error) => Err(error),
            }
        });
        if let Ok(false) = kept.await {
            is_lost.store(true, Ordering::Relaxed);
            return;
        }
    }
}
