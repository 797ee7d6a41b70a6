//! No etcd node answers for a while.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, stderr};
use crate::machine::token_of;
use std::time::{Duration, Instant};

pub fn callers_wait_for_etcd_as_long_as_they_said(_: &Cluster) {
    let mut cluster = Cluster::start();
    let fleet = Fleet::new(cluster.endpoints());
    let (host, new) = (fleet.host(), fleet.host());
    fleet.sign_in_expired(&host);
    (0..3).for_each(|number| cluster.kill(number));
    // The second caller on a host meets the failure of the first one.
    for host in [&host, &host, &new] {
        let asked = Instant::now();
        let output = host.run("get --format token --wait 8s");
        let (waited, says) = (asked.elapsed(), stderr(&output));
        assert_eq!(output.status.code(), Some(1), "{says}");
        assert!(waited > Duration::from_secs(6) && waited < Duration::from_secs(12), "{waited:?}");
        assert!(fleet.endpoints.iter().all(|endpoint| says.contains(endpoint)), "{says}");
        assert!(says.contains("refused"), "the cause is named: {says}");
    }
    let waiting = host.get();
    (0..3).for_each(|number| cluster.start_node(number));
    assert!(fleet.issuer.is_live_access_token(&token_of(waiting)));
    assert_eq!(fleet.issuer.counts().refreshes, 1);
}
