//! The renewing host is killed, frozen or cut off in mid-refresh. Whatever happens, no refresh token is sent again whose
//! answer has arrived, and the fleet goes on within the lease and five seconds.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host, LEASE};
use crate::machine::{PATIENCE, eventually, token_of};
use crate::proxy::Proxy;
use issuer::{Endpoint, Fault};
use rustix::process::Signal;
use std::time::{Duration, Instant};

pub const RECOVERY: Duration = Duration::from_secs(LEASE + 5);

fn refresh_is_under_way(fleet: &Fleet) {
    assert!(fleet.issuer.wait_until(|counts| counts.refreshes == 1, PATIENCE));
}

pub fn lease_is_over(fleet: &Fleet, cluster: &Cluster) {
    eventually(|| !cluster.keys(&fleet.prefix).iter().any(|key| key.ends_with("/lock")));
}

/// `fault` strikes the first refresh; that of `first`, whose caller is given back.
pub fn first_refresh(fleet: &Fleet, first: &Host, fault: Fault) -> std::process::Child {
    fleet.expired(first);
    fleet.issuer.fault(Endpoint::Refresh, fault, 1);
    let caller = first.get();
    refresh_is_under_way(fleet);
    caller
}

pub fn killed(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let never = Fault::DelayBefore(Duration::from_secs(600));
    let mut caller = first_refresh(&fleet, &first, never);
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

/// The answer has arrived, and lies unread until it wakes up.
pub fn frozen_with_the_answer(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_secs(1));
    let caller = first_refresh(&fleet, &first, slow);
    first.signal(Signal::STOP);
    let frozen = Instant::now();
    let waiting = second.get();
    lease_is_over(&fleet, cluster);
    assert!(frozen.elapsed() >= Duration::from_secs(LEASE - 1), "longer than the lease");
    first.signal(Signal::CONT);
    let token = token_of(waiting);
    assert!(frozen.elapsed() < RECOVERY, "{:?}", frozen.elapsed());
    assert_eq!(token_of(caller), token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}

/// The answer has not arrived when another host takes over: it writes nothing when it wakes up.
pub fn frozen_without_an_answer(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let never = Fault::DelayBefore(Duration::from_secs(12));
    let caller = first_refresh(&fleet, &first, never);
    first.signal(Signal::STOP);
    let frozen = Instant::now();
    let token = second.token();
    assert!(frozen.elapsed() < RECOVERY, "{:?}", frozen.elapsed());
    first.signal(Signal::CONT);
    assert_eq!(token_of(caller), token);
    assert_eq!(second.token(), token);
    eventually(|| first.renewers().is_empty());
    assert_eq!(fleet.host().token(), token, "what it woke up with is not what is stored");
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (2, 0));
}

pub fn cut_off_from_etcd(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let (first, second) = (fleet.host_at(&urls, "writer"), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_millis(500));
    let caller = first_refresh(&fleet, &first, slow);
    proxy.cut();
    let cut = Instant::now();
    let waiting = second.get();
    lease_is_over(&fleet, cluster);
    proxy.mend();
    let token = token_of(waiting);
    assert!(cut.elapsed() < RECOVERY, "{:?}", cut.elapsed());
    assert_eq!(token_of(caller), token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}

/// One node after the other, in a cluster of its own.
pub fn nodes_of_etcd(_: &Cluster) {
    let mut cluster = Cluster::start();
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_secs(1));
    let caller = first_refresh(&fleet, &first, slow);
    let leader = cluster.leader();
    cluster.kill(leader);
    let token = token_of(caller);
    assert_eq!(second.token(), token, "a minority is down");
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
    let other = (leader + 1) % 3;
    cluster.kill(other);
    assert_eq!(
        (first.token(), second.token()),
        (token.clone(), token.clone()),
        "the majority is down"
    );
    let output = fleet.host().run("get --format token --wait 5s");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(cluster.endpoints().iter().all(|endpoint| said.contains(endpoint)), "{said}");
    cluster.kill(3 - leader - other);
    assert_eq!(first.token(), token, "all of it is down");
    (0..3).for_each(|number| cluster.wake(number));
    cluster.is_healthy();
    assert_eq!(fleet.host().token(), token, "nothing is lost");
    assert_eq!(fleet.issuer.counts().refreshes, 1);
}
