//! Name lookups.

use crate::threads;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::ToSocketAddrs;
use tokio::sync::oneshot;

/// Looks up names in a thread of our own: tokio panics where the system refuses a thread.
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (sender, addresses) = oneshot::channel();
        let lookup = threads::try_spawn(move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            let _ = sender.send(found.map(|found| -> Addrs { Box::new(found) }));
        });
        Box::pin(async {
            lookup?;
            Ok(addresses.await??)
        })
    }
}
