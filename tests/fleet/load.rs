//! Counts the requests to etcd when a token becomes due on many hosts. The hosts are simulated in this process: each has
//! folders and uses the storage of the crate. `FLEET_HOSTS` sets their number.

use crate::cluster::Cluster;
use crate::hosts::Fleet;
use codex_credential::account::AccountRules;
use codex_credential::client::ClientRegistration;
use codex_credential::clock::{self, Deadline};
use codex_credential::fleet::local::LocalFiles;
use codex_credential::fleet::storage::LazyEtcd;
use codex_credential::folders::Folders;
use codex_credential::login::Login;
use codex_credential::storage::Change;
use codex_credential::storage::journal::{Intent, RequestKind};
use codex_credential::tokens::TokenResponse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: usize = 32;

fn host(fleet: &Fleet, folder: &Path) -> LazyEtcd {
    let folders = Folders { state: folder.join("state"), runtime: Some(folder.join("runtime")) };
    let issuer = fleet.issuer.url();
    let (settings, patience) = (fleet.settings(folder), Duration::from_secs(60));
    LazyEtcd::new(LocalFiles::new(settings, &folders, &[&issuer, "load"], true, patience))
}

fn tokens(number: u32) -> TokenResponse {
    let token = |kind: &str| Some(format!("{kind}-made-up-{number}").as_str().into());
    TokenResponse {
        access_token: token("access"),
        refresh_token: token("refresh"),
        ..TokenResponse::default()
    }
}

/// Returns how many requests the nodes have received, by method.
fn requests(cluster: &Cluster) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for endpoint in cluster.endpoints() {
        let metrics = ureq::get(format!("{endpoint}/metrics")).call().unwrap();
        let metrics = metrics.into_body().read_to_string().unwrap();
        let lines = metrics.lines().filter(|line| line.starts_with("grpc_server_started_total{"));
        for line in lines {
            let method = line.split("grpc_method=\"").nth(1).unwrap().split('"').next().unwrap();
            // Large counts are written as 1.2e+06.
            let count = line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
            let count: u64 = format!("{count:.0}").parse().unwrap();
            *counts.entry(method.to_owned()).or_default() += count;
        }
    }
    counts
}

/// Does what a renewal process does, without an authorization server. Returns whether this host renewed.
fn renew(
    storage: &LazyEtcd,
    old: &TokenResponse,
    new: &TokenResponse,
    by: &ClientRegistration,
) -> bool {
    let is_new =
        || *storage.load().unwrap().unwrap().access_token != *old.access_token.as_ref().unwrap();
    loop {
        if is_new() {
            return false;
        }
        let hold = storage.hold(&Deadline::after(Duration::from_secs(60))).unwrap();
        let login = storage.load().unwrap().unwrap();
        if *login.access_token == *new.access_token.as_ref().unwrap() {
            return false;
        }
        let replaces = Some(login.fingerprint());
        let intent = Intent {
            request: RequestKind::Refresh,
            replaces: replaces.clone(),
            to: by.clone(),
            rules: AccountRules::default(),
            at: clock::now(),
            nonce: None,
            is_offered: false,
        };
        let Some(journal) = hold.begin_refresh(&intent).unwrap() else { continue };
        // The time of a refresh request.
        thread::sleep(Duration::from_millis(300));
        let deadline = Deadline::after(Duration::from_secs(10));
        assert!(hold.commit(replaces.as_ref(), &Change::Renewed(new), &deadline).unwrap());
        journal.clear().unwrap();
        return true;
    }
}

pub fn due_token_costs_one_request_for_each_host(_: &Cluster) {
    let variable = std::env::var_os("FLEET_HOSTS");
    let count = variable.map_or(300, |count| count.to_str().unwrap().parse().unwrap());
    let cluster = Cluster::start();
    let fleet = Fleet::new(cluster.endpoints());
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    fleet.write_identity(folder.path());
    let by = ClientRegistration { issuer: fleet.issuer.url(), client_id: "load".into() };
    let (old, new) = (tokens(1), tokens(2));
    let first = host(&fleet, folder.path());
    let login = Login::from_response(&old, &by).unwrap().signed_in(1);
    let change = Change::SignedIn { login: &login, is_default: true };
    let deadline = Deadline::after(Duration::from_secs(10));
    assert!(first.hold(&deadline).unwrap().commit(None, &change, &deadline).unwrap());
    let before = requests(&cluster);
    let (next, renewals) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= count {
                        return;
                    }
                    let own = folder.path().join(number.to_string());
                    std::fs::create_dir(&own).unwrap();
                    fleet.write_identity(&own);
                    let storage = host(&fleet, &own);
                    if renew(&storage, &old, &new, &by) {
                        renewals.fetch_add(1, Ordering::SeqCst);
                    }
                    let found = storage.read_cached().unwrap().login;
                    assert!(*found.access_token == *new.access_token.as_ref().unwrap());
                }
            });
        }
    });
    let took = started.elapsed();
    let after = requests(&cluster);
    let sent: BTreeMap<&String, u64> = after
        .iter()
        .map(|(method, count)| (method, count - before.get(method).unwrap_or(&0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    let total: u64 = sent.values().sum();
    println!(
        "{count} hosts, {} renewal, {total} requests in {took:.1?}: {sent:?}",
        renewals.load(Ordering::SeqCst)
    );
    assert_eq!(renewals.load(Ordering::SeqCst), 1);
    // Hosts that come during the renewal send some more.
    let most = count as u64 + 20 * THREADS as u64;
    assert!(total <= most, "{total} requests, at most {most} expected");
}
