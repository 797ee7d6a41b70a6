//! The host that renews is unreachable for longer than its lease and the grace of three seconds.

use crate::cluster::Cluster;
use crate::failures::{RECOVERY, lock_is_released, start_first_refresh};
use crate::hosts::{Fleet, Host};
use crate::machine::{PATIENCE, eventually, token_of};
use crate::proxy::Proxy;
use issuer::Fault;
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// One host has sent the refresh token again and was refused. No host sends it a third time, and each says which host may
/// have the answer.
fn expect_may_have_the_answer(fleet: &Fleet, hosts: [&Host; 2]) {
    for host in hosts {
        let output = host.run("get --format token --wait 60s --interactive never");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("may have the answer"), "{stderr}");
        assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (2, 1));
    }
}

/// All hosts have `token`, and its login can be renewed.
fn expect_shared_login(fleet: &Fleet, cluster: &Cluster, hosts: &[&Host], token: &str) {
    for host in hosts {
        assert_eq!(host.token(), token);
    }
    assert!(fleet.issuer.is_live_access_token(token));
    assert!(fleet.issuer.is_live_refresh_token(&fleet.refresh_token(cluster)));
}

pub fn suspended_with_the_answer_stores_it_on_return(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second, third) = (fleet.host(), fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_secs(1));
    let caller = start_first_refresh(&fleet, &first, slow);
    first.signal(Signal::STOP);
    expect_may_have_the_answer(&fleet, [&second, &third]);
    first.signal(Signal::CONT);
    let token = token_of(caller);
    expect_shared_login(&fleet, cluster, &[&first, &second, &third], &token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.counts().user_codes), (2, 1));
}

/// A sign-in that is pending by then is no longer needed, and ends.
pub fn cut_off_with_the_answer_stores_it_on_return(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let (first, second, third) = (fleet.host_at(&urls, "writer"), fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_millis(500));
    let caller = start_first_refresh(&fleet, &first, slow);
    proxy.cut();
    expect_may_have_the_answer(&fleet, [&second, &third]);
    let waiting = second.start("get --format token --wait 60s --interactive always");
    fleet.issuer.wait_for_user_code(PATIENCE).expect("a sign-in starts");
    proxy.restore();
    let token = token_of(caller);
    assert_eq!(token_of(waiting), token);
    expect_shared_login(&fleet, cluster, &[&first, &second, &third], &token);
    eventually(|| second.json("fleet status --json")["pending"].is_null());
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.counts().exchanges), (2, 1));
}

pub fn killed_with_the_answer_next_get_stores_it(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let (first, second) = (fleet.host_at(&urls, "writer"), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_millis(500));
    let mut caller = start_first_refresh(&fleet, &first, slow);
    proxy.cut();
    eventually(|| first.files().iter().any(|file| is_journal_with_answer(file)));
    caller.kill().unwrap();
    caller.wait().unwrap();
    first.signal(Signal::KILL);
    lock_is_released(&fleet, cluster);
    proxy.restore();
    let token = first.token();
    expect_shared_login(&fleet, cluster, &[&first, &second], &token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}

/// A journal has two lines once the answer is recorded.
fn is_journal_with_answer(file: &Path) -> bool {
    file.ends_with("journal")
        && fs::read(file).is_ok_and(|text| text.split(|&byte| byte == b'\n').count() == 3)
}

pub fn suspended_before_the_request_sends_nothing(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let (first, second) = (fleet.host_at(&urls, "writer"), fleet.host());
    fleet.sign_in_expired(&first);
    proxy.withhold_answers_after("/intent");
    let caller = first.get();
    eventually(|| cluster.keys(&fleet.prefix).iter().any(|key| key.ends_with("/intent")));
    first.signal(Signal::STOP);
    let suspended = Instant::now();
    let token = second.token();
    assert!(suspended.elapsed() < RECOVERY, "{:?}", suspended.elapsed());
    proxy.restore();
    first.signal(Signal::CONT);
    assert_eq!(token_of(caller), token);
    eventually(|| first.renewers().is_empty());
    expect_shared_login(&fleet, cluster, &[&first, &second], &token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}
