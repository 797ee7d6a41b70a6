//! The host that renews, or etcd, fails during a refresh. No refresh token is sent again after its answer has arrived, and
//! another host has a token within the lease and five seconds.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host, LEASE};
use crate::machine::{PATIENCE, eventually, token_of};
use crate::proxy::Proxy;
use issuer::{Endpoint, Fault};
use rustix::process::Signal;
use std::process::Child;
use std::time::{Duration, Instant};

pub const RECOVERY: Duration = Duration::from_secs(LEASE + 5);

/// Waits until etcd has deleted the lock.
pub fn lock_is_released(fleet: &Fleet, cluster: &Cluster) {
    eventually(|| !cluster.keys(&fleet.prefix).iter().any(|key| key.ends_with("/lock")));
}

/// Starts a refresh on `first`, which `fault` disturbs. Returns the caller once the issuer has the request.
pub fn start_first_refresh(fleet: &Fleet, first: &Host, fault: Fault) -> Child {
    fleet.sign_in_expired(first);
    fleet.issuer.fault(Endpoint::Refresh, fault, 1);
    let caller = first.get();
    assert!(fleet.issuer.wait_until(|counts| counts.refreshes == 1, PATIENCE));
    caller
}

pub fn killed_before_the_answer_another_host_renews(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let never = Fault::DelayBefore(Duration::from_secs(600));
    let mut caller = start_first_refresh(&fleet, &first, never);
    caller.kill().unwrap();
    caller.wait().unwrap();
    first.signal(Signal::KILL);
    let killed = Instant::now();
    let token = second.token();
    assert!(killed.elapsed() < RECOVERY, "{:?}", killed.elapsed());
    assert!(fleet.issuer.is_live_access_token(&token));
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (2, 0));
    assert_eq!(first.token(), token);
}

/// The answer has arrived, and the suspended process has not read it.
pub fn suspended_with_the_answer_returns_in_time_one_request(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_secs(1));
    let caller = start_first_refresh(&fleet, &first, slow);
    first.signal(Signal::STOP);
    let suspended = Instant::now();
    let waiting = second.get();
    lock_is_released(&fleet, cluster);
    assert!(suspended.elapsed() >= Duration::from_secs(LEASE - 1), "longer than the lease");
    first.signal(Signal::CONT);
    let token = token_of(waiting);
    assert!(suspended.elapsed() < RECOVERY, "{:?}", suspended.elapsed());
    assert_eq!(token_of(caller), token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}

/// Another host has renewed before the suspended host continues.
pub fn suspended_without_an_answer_writes_nothing(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let late = Fault::DelayBefore(Duration::from_secs(12));
    let caller = start_first_refresh(&fleet, &first, late);
    first.signal(Signal::STOP);
    let suspended = Instant::now();
    let token = second.token();
    assert!(suspended.elapsed() < RECOVERY, "{:?}", suspended.elapsed());
    first.signal(Signal::CONT);
    assert_eq!(token_of(caller), token);
    assert_eq!(second.token(), token);
    eventually(|| first.renewers().is_empty());
    assert_eq!(fleet.host().token(), token, "the stored login is that of the second host");
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (2, 0));
}

pub fn cut_off_from_etcd_returns_in_time_one_request(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let (first, second) = (fleet.host_at(&urls, "writer"), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_millis(500));
    let caller = start_first_refresh(&fleet, &first, slow);
    proxy.cut();
    let cut = Instant::now();
    let waiting = second.get();
    lock_is_released(&fleet, cluster);
    proxy.restore();
    let token = token_of(waiting);
    assert!(cut.elapsed() < RECOVERY, "{:?}", cut.elapsed());
    assert_eq!(token_of(caller), token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}

pub fn etcd_nodes_stop_one_by_one_hosts_keep_their_token(_: &Cluster) {
    let mut cluster = Cluster::start();
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_secs(1));
    let caller = start_first_refresh(&fleet, &first, slow);
    let leader = cluster.leader();
    cluster.kill(leader);
    let token = token_of(caller);
    assert_eq!(second.token(), token, "two of three nodes run");
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
    let other = (leader + 1) % 3;
    cluster.kill(other);
    assert_eq!([first.token(), second.token()], [token.clone(), token.clone()], "one node runs");
    let output = fleet.host().run("get --format token --wait 5s");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(cluster.endpoints().iter().all(|endpoint| stderr.contains(endpoint)), "{stderr}");
    cluster.kill(3 - leader - other);
    assert_eq!(first.token(), token, "no node runs");
    (0..3).for_each(|number| cluster.start_node(number));
    cluster.wait_until_healthy();
    assert_eq!(fleet.host().token(), token, "the login is in etcd after a restart");
    assert_eq!(fleet.issuer.counts().refreshes, 1);
}
