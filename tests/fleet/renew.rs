//! `renew` on a host that renews, and a host that only reads during a renewal.

use crate::cluster::Cluster;
use crate::failures::start_first_refresh;
use crate::hosts::{Fleet, Host, stderr};
use crate::machine::token_of;
use issuer::Fault;
use std::time::{Duration, Instant};

/// Signs in with an access token that is valid for hours and due for its early renewal.
pub fn sign_in_due(fleet: &Fleet, cluster: &Cluster, host: &Host) -> String {
    fleet.issuer.set(|s| s.access_token_age = Duration::from_secs(9 * 24 * 3600));
    fleet.run_login(host, 10 * 3600);
    fleet.issuer.set(|s| s.access_token_age = Duration::ZERO);
    fleet.access_token(cluster)
}

pub fn renew_replaces_a_valid_token_that_is_due(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let before = sign_in_due(&fleet, cluster, &first);
    fleet.issuer.set(|s| s.access_token_lifetime = Duration::from_secs(30 * 24 * 3600));
    for host in [&first, &second] {
        let output = host.run("renew --wait 60s");
        assert!(output.status.success(), "{}", stderr(&output));
        assert_ne!(fleet.access_token(cluster), before);
        assert_eq!(fleet.issuer.counts().refreshes, 1);
    }
}

pub fn reader_waits_while_a_writer_renews(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (writer, reader) = (fleet.host(), fleet.reader());
    let slow = Fault::DelayAfter(Duration::from_secs(3));
    let renewing = start_first_refresh(&fleet, &writer, slow);
    let token = reader.token();
    assert_eq!(token_of(renewing), token);
    assert_eq!(fleet.issuer.counts().refreshes, 1);
}

pub fn reader_waits_no_longer_than_its_wait(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (writer, reader) = (fleet.host(), fleet.reader());
    let slow = Fault::DelayAfter(Duration::from_secs(10));
    let renewing = start_first_refresh(&fleet, &writer, slow);
    let asked = Instant::now();
    let output = reader.run("get --format token --wait 2s");
    assert!(!output.status.success() && asked.elapsed() < Duration::from_secs(8));
    assert!(stderr(&output).contains("was not done in time"), "{}", stderr(&output));
    token_of(renewing);
}
