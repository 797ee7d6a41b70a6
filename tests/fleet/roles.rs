//! What etcd, a reader and the answering program can see.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host, contains, stderr};
use crate::machine::files;
use crate::proxy::Proxy;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::path::Path;

fn has_file_with(host: &Host, text: &str) -> bool {
    let files = host.files();
    files.iter().filter_map(|file| fs::read(file).ok()).any(|bytes| contains(&bytes, text))
}

/// Reads a file without long runs of zeros. etcd's write-ahead log has many.
fn read_without_zeros(file: &Path) -> Vec<u8> {
    let bytes = fs::read(file).unwrap_or_default();
    let parts = bytes.split(|&byte| byte == 0).filter(|part| part.len() > 8);
    parts.collect::<Vec<_>>().join(&0)
}

pub fn etcds_files_and_traffic_contain_no_token(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let host = fleet.host_at(&urls, "writer");
    fleet.sign_in_expired(&host);
    let first = fleet.access_token(cluster);
    let spent = fleet.refresh_token(cluster);
    let second = host.token();
    let live = fleet.refresh_token(cluster);
    assert!(first != second && spent != live && fleet.issuer.is_live_refresh_token(&live));
    let mut seen: Vec<Vec<u8>> =
        files(cluster.folder.path()).iter().map(|file| read_without_zeros(file)).collect();
    seen.push(proxy.traffic());
    let is_seen = |text: &str| seen.iter().any(|bytes| contains(bytes, text));
    for token in [&first, &second, &spent, &live] {
        let middle = &token[token.len() / 2..token.len() / 2 + 12];
        assert!(!is_seen(token) && !is_seen(middle));
        // Base64 of a text depends on its offset in the message, modulo three.
        for offset in 0..3 {
            assert!(!is_seen(&STANDARD.encode(&token[offset..])[..24]));
        }
    }
    // The search works: it finds the prefix.
    assert!(contains(&proxy.traffic(), &fleet.prefix) && is_seen(&fleet.prefix));
    assert!(seen[..seen.len() - 1].iter().any(|bytes| contains(bytes, &fleet.prefix)));
}

pub fn reader_gets_tokens_and_never_renews(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (writer, reader) = (fleet.host(), fleet.reader());
    let token = fleet.sign_in(&writer, 3600);
    assert_eq!(reader.token(), token);
    let refresh_token = fleet.refresh_token(cluster);
    assert!(has_file_with(&reader, &token) && !has_file_with(&reader, &refresh_token));
    assert!(!fleet.reader_can_open(cluster, "login") && fleet.reader_can_open(cluster, "access"));
    for line in ["logout", "login --wait 5s"] {
        let output = reader.run(line);
        let stderr = stderr(&output);
        assert!(!output.status.success() && stderr.contains("only reads"), "{stderr}");
    }
    reader.reject(&token);
    let output = reader.run("get --format token --wait 10s");
    let host_name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let stderr = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("only reads") && stderr.contains(host_name.trim()), "{stderr}");
    assert_eq!(fleet.issuer.counts().refreshes, 0);
    writer.run(&format!("get --rejected-sha256 {}", "0".repeat(64)));
    writer.reject(&token);
    let renewed = writer.token();
    assert_ne!(renewed, token);
    assert_eq!(reader.token(), renewed);
}

pub fn answering_program_links_no_etcd_client(_: &Cluster) {
    let links = |program: &Path| {
        let program = fs::read(program).unwrap();
        ["/etcdserverpb.KV/Range", "age-encryption.org", "no answer from etcd at"]
            .map(|text| contains(&program, text))
    };
    assert_eq!(links(assert_cmd::cargo::cargo_bin!("codex-credential-full")), [true; 3]);
    assert_eq!(links(assert_cmd::cargo::cargo_bin!("codex-credential")), [false; 3]);
}
