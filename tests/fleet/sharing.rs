//! One login for many hosts, while nothing goes wrong.

use crate::cluster::Cluster;
use crate::hosts::Fleet;
use crate::machine::token_of;

pub fn a_login_on_one_host_is_there_on_the_others(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (here, there) = (fleet.host(), fleet.host());
    let token = fleet.sign_in(&here, 3600);
    assert_eq!(there.token(), token);
    assert_eq!(fleet.issuer.counts().user_codes, 1);
}

pub fn thirty_two_hosts_with_four_callers_each_renew_once(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let hosts: Vec<_> = (0..32).map(|_| fleet.host()).collect();
    fleet.expired(&hosts[0]);
    let expired = fleet.access_token(cluster);
    let callers: Vec<_> = hosts.iter().flat_map(|host| (0..4).map(|_| host.get())).collect();
    let mut tokens: Vec<String> = callers.into_iter().map(token_of).collect();
    assert_eq!(tokens.len(), 128);
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_ne!(tokens[0], expired);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}
