//! A host is away with a refresh request, while the access token is valid: what `unanswered` makes the other hosts do.

use crate::cluster::Cluster;
use crate::failures::lock_is_released;
use crate::hosts::{Fleet, Host, stderr};
use crate::machine::{PATIENCE, eventually};
use crate::renew::sign_in_due;
use issuer::{Endpoint, Fault};
use rustix::process::Signal;
use std::process::Child;
use std::time::Duration;

/// Has `first` send a refresh request, which `fault` disturbs. Returns `renew` on that host, and the valid token.
fn start_renew(fleet: &Fleet, cluster: &Cluster, first: &Host, fault: Fault) -> (Child, String) {
    let token = sign_in_due(fleet, cluster, first);
    fleet.issuer.set(|s| s.access_token_lifetime = Duration::from_secs(30 * 24 * 3600));
    fleet.issuer.fault(Endpoint::Refresh, fault, 1);
    let renew = first.start("renew --wait 60s");
    assert!(fleet.issuer.wait_until(|counts| counts.refreshes == 1, PATIENCE));
    (renew, token)
}

/// Returns what `renew` fails with.
fn failure(host: &Host) -> String {
    let output = host.run("renew --wait 60s");
    assert!(!output.status.success());
    stderr(&output)
}

fn expect_requests(fleet: &Fleet, sent: u64, sent_after_the_answer: u64) {
    let resent = fleet.issuer.resent_after_answer();
    assert_eq!((fleet.issuer.counts().refreshes, resent), (sent, sent_after_the_answer));
}

/// The first host's answer becomes the login.
fn expect_return(fleet: &Fleet, cluster: &Cluster, first: &Host, before: &str) {
    first.signal(Signal::CONT);
    eventually(|| fleet.access_token(cluster) != before);
    let token = fleet.access_token(cluster);
    assert!(fleet.issuer.is_live_access_token(&token));
    assert!(fleet.issuer.is_live_refresh_token(&fleet.refresh_token(cluster)));
    assert_eq!(fleet.host().token(), token);
    fleet.issuer.set(|s| s.access_token_lifetime = Duration::from_secs(3600));
}

pub fn resend_with_the_answer_away_is_refused_once_and_leaves_the_valid_token(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second, third) = (fleet.host(), fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_secs(1));
    let (mut renew, token) = start_renew(&fleet, cluster, &first, slow);
    first.signal(Signal::STOP);
    let says = failure(&second);
    assert!(says.contains("may have the answer"), "{says}");
    failure(&third);
    failure(&second);
    expect_requests(&fleet, 2, 1);
    for host in [&second, &third] {
        assert_eq!(host.token(), token, "a valid token is served");
    }
    expect_return(&fleet, cluster, &first, &token);
    assert!(renew.wait().unwrap().success());
    expect_requests(&fleet, 2, 1);
}

/// As a container that is evicted before the server has the request.
pub fn resend_after_a_host_is_gone_renews_early(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let never = Fault::DelayBefore(Duration::from_secs(600));
    let (mut renew, token) = start_renew(&fleet, cluster, &first, never);
    renew.kill().unwrap();
    renew.wait().unwrap();
    first.signal(Signal::KILL);
    let output = second.run("renew --wait 60s");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_ne!(fleet.access_token(cluster), token);
    expect_requests(&fleet, 2, 0);
}

pub fn wait_leaves_the_renewal_to_the_host_that_is_away(cluster: &Cluster) {
    let mut fleet = Fleet::with_short_lease(cluster.endpoints());
    fleet.extra_settings = "unanswered = \"wait\"\n".into();
    let (first, second, third) = (fleet.host(), fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_secs(1));
    let (mut renew, token) = start_renew(&fleet, cluster, &first, slow);
    first.signal(Signal::STOP);
    lock_is_released(&fleet, cluster);
    for host in [&second, &third] {
        let says = failure(host);
        assert!(says.contains("may have the answer"), "{says}");
        assert_eq!(host.token(), token, "a valid token is served");
    }
    expect_requests(&fleet, 1, 0);
    expect_return(&fleet, cluster, &first, &token);
    assert!(renew.wait().unwrap().success());
    expect_requests(&fleet, 1, 0);
}
