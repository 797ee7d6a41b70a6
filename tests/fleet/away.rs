//! The renewing host is away for longer than its lease and the three seconds that it is waited for: what is lost then,
//! and what is not.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host};
use crate::machine::{PATIENCE, eventually, token_of};
use crate::proxy::Proxy;
use crate::trouble::{RECOVERY, first_refresh, lease_is_over};
use issuer::Fault;
use rustix::process::Signal;
use std::fs;
use std::time::{Duration, Instant};

/// The host that took over has sent the token again, for nobody can know whether there was an answer, and was refused.
/// It says what may help, and no other host sends it once more.
fn is_told(fleet: &Fleet, hosts: [&Host; 2]) {
    for host in hosts {
        let output = host.run("get --format token --wait 60s --interactive never");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("may have the answer"), "{said}");
        assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (2, 1));
    }
}

/// What the first host brought back is the login of all, and it can be renewed.
fn is_whole(fleet: &Fleet, cluster: &Cluster, hosts: &[&Host], token: &str) {
    for host in hosts {
        assert_eq!(host.token(), token);
    }
    assert!(fleet.issuer.is_live_access_token(token));
    assert!(fleet.issuer.is_live_refresh_token(&fleet.refresh_token(cluster)));
}

pub fn frozen_with_the_answer(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second, third) = (fleet.host(), fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_secs(1));
    let caller = first_refresh(&fleet, &first, slow);
    first.signal(Signal::STOP);
    is_told(&fleet, [&second, &third]);
    first.signal(Signal::CONT);
    let token = token_of(caller);
    is_whole(&fleet, cluster, &[&first, &second, &third], &token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.counts().user_codes), (2, 1));
}

/// A person is asked meanwhile, and need not answer.
pub fn cut_off_with_the_answer(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let (first, second, third) = (fleet.host_at(&urls, "writer"), fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_millis(500));
    let caller = first_refresh(&fleet, &first, slow);
    proxy.cut();
    is_told(&fleet, [&second, &third]);
    let waiting = second.start("get --format token --wait 60s --interactive always");
    fleet.issuer.wait_for_user_code(PATIENCE).expect("a person is asked");
    proxy.mend();
    let token = token_of(caller);
    assert_eq!(token_of(waiting), token);
    is_whole(&fleet, cluster, &[&first, &second, &third], &token);
    eventually(|| second.json("fleet status --json")["pending"].is_null());
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.counts().exchanges), (2, 1));
}

/// Cut off, and killed then: the answer is in the journal of the host.
pub fn killed_with_the_answer(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let (first, second) = (fleet.host_at(&urls, "writer"), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_millis(500));
    let mut caller = first_refresh(&fleet, &first, slow);
    proxy.cut();
    eventually(|| first.files().iter().any(|file| is_answered(file)));
    caller.kill().unwrap();
    caller.wait().unwrap();
    first.signal(Signal::KILL);
    lease_is_over(&fleet, cluster);
    proxy.mend();
    let token = first.token();
    is_whole(&fleet, cluster, &[&first, &second], &token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}

fn is_answered(file: &std::path::Path) -> bool {
    file.ends_with("journal")
        && fs::read(file).is_ok_and(|it| it.split(|&byte| byte == b'\n').count() == 3)
}

/// It has the lock, and has not sent its request. Awake again it does not send it.
pub fn frozen_before_the_request(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let (first, second) = (fleet.host_at(&urls, "writer"), fleet.host());
    fleet.expired(&first);
    proxy.mute_after("/intent");
    let caller = first.get();
    eventually(|| cluster.keys(&fleet.prefix).iter().any(|key| key.ends_with("/intent")));
    first.signal(Signal::STOP);
    let frozen = Instant::now();
    let token = second.token();
    assert!(frozen.elapsed() < RECOVERY, "{:?}", frozen.elapsed());
    proxy.mend();
    first.signal(Signal::CONT);
    assert_eq!(token_of(caller), token);
    eventually(|| first.renewers().is_empty());
    is_whole(&fleet, cluster, &[&first, &second], &token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}
