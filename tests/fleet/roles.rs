//! Who may see what: the store's administrators, readers, and places that cannot ask.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host};
use crate::machine::{PATIENCE, eventually, files, token_of};
use crate::proxy::Proxy;
use serde_json::Value;
use std::fs;

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn is_on(host: &Host, text: &str) -> bool {
    host.files().iter().filter_map(|file| fs::read(file).ok()).any(|bytes| holds(&bytes, text))
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn no_token_is_in_etcds_data_or_on_its_wire(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let host = fleet.host_at(&urls, "writer");
    fleet.expired(&host);
    let first = fleet.access_token(cluster);
    let spent = fleet.refresh_token(cluster);
    let second = host.token();
    let live = fleet.refresh_token(cluster);
    assert!(first != second && spent != live && fleet.issuer.is_live_refresh_token(&live));
    // Most of the journals is zeros, which are in no token.
    let written = |file| -> Vec<u8> {
        let bytes = fs::read(file).unwrap_or_default();
        let parts = bytes.split(|&byte| byte == 0).filter(|part| part.len() > 8);
        parts.collect::<Vec<_>>().join(&0)
    };
    let data: Vec<Vec<u8>> = files(cluster.folder.path()).iter().map(written).collect();
    let wire = proxy.recorded.lock().unwrap().clone();
    let is_seen = |text: &str| holds(&wire, text) || data.iter().any(|bytes| holds(bytes, text));
    for token in [&first, &second, &spent, &live] {
        // In the middle, too: a piece of it, and however its base64 falls.
        let middle = &token[token.len() / 2..token.len() / 2 + 12];
        for text in [token.as_str(), middle] {
            assert!(!is_seen(text));
        }
        for shift in 0..3 {
            use base64::Engine;
            let encoded = base64::engine::general_purpose::STANDARD.encode(&token[shift..]);
            assert!(!is_seen(&encoded[..24]));
        }
    }
    // The search finds what is there.
    assert!(holds(&wire, &fleet.prefix) && data.iter().any(|bytes| holds(bytes, &fleet.prefix)));
}

pub fn a_reader_serves_and_never_renews(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (writer, reader) = (fleet.host(), fleet.reader());
    let token = fleet.sign_in(&writer, 3600);
    assert_eq!(reader.token(), token);
    let refresh_token = fleet.refresh_token(cluster);
    assert!(is_on(&reader, &token) && !is_on(&reader, &refresh_token));
    assert!(
        !fleet.is_open_to_readers(cluster, "login") && fleet.is_open_to_readers(cluster, "access")
    );
    for line in ["logout", "login --wait 5s"] {
        let output = reader.run(line);
        assert!(
            !output.status.success() && said(&output).contains("only reads"),
            "{}",
            said(&output)
        );
    }
    reader.refuse(&token);
    let output = reader.run("get --format token --wait 10s");
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("only reads") && said(&output).contains(name.trim()),
        "{}",
        said(&output)
    );
    assert_eq!(fleet.issuer.counts().refreshes, 0);
    writer.run(
        "get --rejected-sha256 0000000000000000000000000000000000000000000000000000000000000000",
    );
    writer.refuse(&token);
    let renewed = writer.token();
    assert_ne!(renewed, token);
    assert_eq!(reader.token(), renewed);
}

pub fn logout_on_another_host_removes_the_local_copy(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let token = fleet.sign_in(&first, 3600);
    assert_eq!(second.token(), token);
    let has_copy = || second.files().iter().any(|file| file.ends_with("access"));
    assert!(has_copy());
    assert!(first.run("logout").status.success());
    second.run("status");
    assert!(!has_copy());
}

pub fn a_warm_get_asks_no_etcd(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let host = fleet.host_at(&urls, "writer");
    let token = fleet.sign_in(&host, 3600);
    eventually(|| host.renewers().is_empty());
    let before = proxy.recorded.lock().unwrap().len();
    proxy.cut();
    assert_eq!(host.token(), token);
    assert_eq!(proxy.recorded.lock().unwrap().len(), before);
}

/// Most calls pay for the start of the answering program alone, whatever the full one can do.
pub fn the_answering_program_links_no_etcd(_: &Cluster) {
    let links = |program: &std::path::Path| {
        let program = fs::read(program).unwrap();
        ["/etcdserverpb.KV/Range", "age-encryption.org", "no answer from etcd at"]
            .map(|text| holds(&program, text))
    };
    assert_eq!(links(assert_cmd::cargo::cargo_bin!("codex-credential-full")), [true; 3]);
    assert_eq!(links(assert_cmd::cargo::cargo_bin!("codex-credential")), [false; 3]);
}

pub fn a_bundle_has_no_refresh_token(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let host = fleet.host();
    let token = fleet.sign_in(&host, 3600);
    let refresh_token = fleet.refresh_token(cluster);
    for format in ["json", "env", "auth-json"] {
        let output = host.run(&format!("export --access-only --format {format}"));
        assert!(output.status.success(), "{}", said(&output));
        assert!(holds(&output.stdout, &token) && !holds(&output.stdout, &refresh_token));
        if format == "auth-json" {
            // Codex's own storage takes it, and knows that it cannot be renewed.
            fs::write(host.home.path().join("auth.json"), &output.stdout).unwrap();
            let mut command = host.command("status --json");
            let status = command.env("CODEX_CREDENTIAL_STORAGE", "codex").output().unwrap();
            let status: Value = serde_json::from_slice(&status.stdout).unwrap();
            assert_eq!(status["access_token_usable"], true);
            assert_eq!(status["cannot_renew"], "there is no refresh token");
        }
    }
    assert_eq!(host.run("export").status.code(), Some(2));
}

pub fn an_auth_json_is_taken_once_and_its_copy_is_spoken_of(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (host, other) = (fleet.host(), fleet.host());
    let tokens = fleet.issuer.grant(&crate::machine::ada(), 3600);
    let file = host.home.path().join("auth.json");
    let document = serde_json::json!({ "auth_mode": "chatgpt", "tokens": {
        "id_token": tokens.id_token, "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token, "account_id": tokens.account_id,
    } });
    fs::write(&file, document.to_string()).unwrap();
    let output = host.run("import");
    assert!(
        output.status.success() && said(&output).contains("still holds a copy"),
        "{}",
        said(&output)
    );
    assert!(file.exists());
    assert_eq!(other.token(), tokens.access_token);
    assert!(host.run("import --remove").status.success());
    assert!(!file.exists());
    assert_eq!(fleet.refresh_token(cluster), tokens.refresh_token);
}

pub fn status_tells_of_all(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    fleet.expired(&first);
    second.token();
    let status = first.json("fleet status --json");
    assert_eq!(status["generation"], 2);
    assert_eq!(status["hosts"].as_array().unwrap().len(), 2);
    assert!(status["renews_at"].is_string() && status["lock"].is_null(), "{status}");
    let output = first.run("fleet status");
    assert!(String::from_utf8(output.stdout).unwrap().contains("generation  2"));
}

pub fn a_sign_in_is_pending_on_all_hosts_and_taken_up_by_another(cluster: &Cluster) {
    let fleet = Fleet::with_short_lease(cluster.endpoints());
    taken_up(&fleet, [fleet.host(), fleet.host(), fleet.reader()]);
    assert_eq!(fleet.issuer.counts().exchanges, 1);
}

/// By RFC 8628 the poll itself brings the tokens.
pub fn so_is_one_by_the_standard(cluster: &Cluster) {
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
    taken_up(&fleet, hosts);
}

/// The host that asks the person dies; another one has the code, and gets the approval.
/// What the host hears of for the first time, that others have signed in before, is not that they just did.
pub fn a_login_on_a_new_host_is_a_login(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (first, new) = (fleet.host(), fleet.host());
    let before = fleet.sign_in(&first, 3600);
    let codes = fleet.issuer.counts().user_codes;
    let login = new.start("login --wait 60s");
    let code = fleet.issuer.wait_for_user_code(PATIENCE).expect("a person is asked");
    fleet.issuer.approve(&code);
    assert!(login.wait_with_output().unwrap().status.success());
    assert_eq!(fleet.issuer.counts().user_codes, codes + 1);
    assert_ne!(new.token(), before);
}

fn taken_up(fleet: &Fleet, [first, second, reader]: [Host; 3]) {
    let mut caller = first.start("get --format token --wait 60s --interactive always");
    let code = fleet.issuer.wait_for_user_code(PATIENCE).unwrap();
    eventually(|| second.json("fleet status --json")["pending"]["user_code"] == code.as_str());
    assert_eq!(second.json("status --json")["pending"]["user_code"], code.as_str());
    let output = reader.run("get --format token --wait 10s");
    assert!(output.status.code() == Some(3) && said(&output).contains(&code), "{}", said(&output));
    let waiting = second.start("get --format token --wait 60s --interactive always");
    eventually(|| !second.renewers().is_empty());
    caller.kill().unwrap();
    caller.wait().unwrap();
    first.signal(rustix::process::Signal::KILL);
    fleet.issuer.approve(&code);
    let token = token_of(waiting);
    assert_eq!((first.token(), reader.token()), (token.clone(), token));
    assert_eq!(fleet.issuer.counts().user_codes, 1);
}
