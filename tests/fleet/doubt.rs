//! Who sent a refresh request is in doubt. Then another host did, which may return with the answer.

use crate::cluster::Cluster;
use crate::failures::{lock_is_released, start_first_refresh};
use crate::hosts::Fleet;
use crate::machine::token_of;
use issuer::Fault;
use rustix::process::Signal;
use std::process::Command;
use std::time::{Duration, Instant};

const GRACE: Duration = Duration::from_secs(3);

/// As on a cloned machine, or with a home on a file system that hosts share.
pub fn copy_of_the_state_folder_waits_for_the_host_with_the_answer(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    let (first, clone) = (fleet.host(), fleet.host());
    let slow = Fault::DelayAfter(Duration::from_secs(1));
    let caller = start_first_refresh(&fleet, &first, slow);
    first.signal(Signal::STOP);
    let (from, to) = (first.home.path().join("state"), clone.home.path());
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    let id = |host: &crate::hosts::Host| {
        let file = host.files().into_iter().find(|file| file.ends_with("host")).unwrap();
        std::fs::read(file).unwrap()
    };
    assert_eq!(id(&clone), id(&first));
    let waiting = clone.get();
    lock_is_released(&fleet, cluster);
    first.signal(Signal::CONT);
    let token = token_of(waiting);
    assert_eq!(token_of(caller), token);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}

pub fn request_in_an_unknown_form_is_another_hosts(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let host = fleet.host();
    fleet.sign_in_expired(&host);
    let key = fleet.key(cluster, "login").replace("/login", "/intent");
    for intent in ["{\"version\":2}", "?"] {
        cluster.ctl(&["put", &key, intent]).unwrap();
        let asked = Instant::now();
        let token = host.token();
        assert!(asked.elapsed() >= GRACE, "{:?}", asked.elapsed());
        host.reject(&token);
    }
    assert_eq!(fleet.issuer.counts().refreshes, 2);
}
