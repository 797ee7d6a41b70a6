//! A sign-in that all hosts share.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host, stderr};
use crate::machine::{PATIENCE, eventually, token_of};
use rustix::process::Signal;
use std::fs;

pub fn another_host_continues_a_pending_codex_sign_in(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    continue_on_another_host(&fleet, [fleet.host(), fleet.host(), fleet.reader()]);
    assert_eq!(fleet.issuer.counts().exchanges, 1);
}

/// By RFC 8628 the answer to a poll contains the tokens.
pub fn another_host_continues_a_pending_standard_sign_in(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    fleet.issuer.set(|settings| settings.client_id = None);
    let hosts = [fleet.host(), fleet.host(), fleet.reader()];
    for host in &hosts {
        let file = host.home.path().join("config.toml");
        let config = fs::read_to_string(&file).unwrap();
        let own = format!(
            "default_profile = \"own\"\n[profiles.own]\nissuer = {:?}\nclient_id = \"fleet\"\n",
            fleet.issuer.url()
        );
        let config = config.replace("[profiles.codex]\n", &own);
        fs::write(file, config.replace("profiles.codex", "profiles.own")).unwrap();
    }
    continue_on_another_host(&fleet, hosts);
}

/// The host that runs the sign-in dies before the approval.
fn continue_on_another_host(fleet: &Fleet, [first, second, reader]: [Host; 3]) {
    let mut caller = first.start("get --format token --wait 60s --interactive always");
    let code = fleet.issuer.wait_for_user_code(PATIENCE).unwrap();
    eventually(|| second.json("fleet status --json")["pending"]["user_code"] == code.as_str());
    assert_eq!(second.json("status --json")["pending"]["user_code"], code.as_str());
    let output = reader.run("get --format token --wait 10s");
    let stderr = stderr(&output);
    assert!(output.status.code() == Some(3) && stderr.contains(&code), "{stderr}");
    let waiting = second.start("get --format token --wait 60s --interactive always");
    eventually(|| !second.renewers().is_empty());
    caller.kill().unwrap();
    caller.wait().unwrap();
    first.signal(Signal::KILL);
    fleet.issuer.approve(&code);
    let token = token_of(waiting);
    assert_eq!((first.token(), reader.token()), (token.clone(), token));
    assert_eq!(fleet.issuer.counts().user_codes, 1);
}

/// The new host must not take the earlier sign-in for the result of its own `login`.
pub fn login_on_a_new_host_starts_a_new_sign_in(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (first, new) = (fleet.host(), fleet.host());
    let before = fleet.sign_in(&first, 3600);
    let codes = fleet.issuer.counts().user_codes;
    let login = new.start("login --wait 60s");
    let code = fleet.issuer.wait_for_user_code(PATIENCE).expect("a sign-in starts");
    fleet.issuer.approve(&code);
    assert!(login.wait_with_output().unwrap().status.success());
    assert_eq!(fleet.issuer.counts().user_codes, codes + 1);
    assert_ne!(new.token(), before);
}

/// A host whose clock was ahead has signed in.
pub fn sign_in_replaces_a_login_with_a_time_in_the_future(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (first, other) = (fleet.host(), fleet.host());
    fleet.sign_in(&first, 3600);
    for name in ["login", "access"] {
        fleet.rewrite(cluster, name, |login| login["signed_in_at"] = 4_000_000_000_u64.into());
    }
    for host in [&other, &first] {
        let before = fleet.access_token(cluster);
        fleet.sign_in(host, 3600);
        assert_ne!(fleet.access_token(cluster), before);
        for host in [&first, &other] {
            // Reads from etcd: a warm `get` answers from the copy on the host.
            host.json("fleet status --json");
            assert!(host.token() == fleet.access_token(cluster));
        }
    }
}
