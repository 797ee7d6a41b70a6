//! The setup of docs/fleet.md, as written: its `age-keygen` commands and its configuration.

use crate::cluster::Cluster;
use crate::connections::create_certificates;
use crate::hosts::{Fleet, Host};
use std::fs;
use std::path::Path;
use std::process::Command;

fn read_guide() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fleet.md");
    fs::read_to_string(file).unwrap()
}

/// Runs the `age-keygen` commands in `folder`.
fn create_identities(guide: &str, folder: &Path) {
    let commands = guide.lines().filter_map(|line| line.strip_prefix("$ age-keygen"));
    for arguments in commands {
        let mut command = Command::new("age-keygen");
        command.args(arguments.split_whitespace()).current_dir(folder);
        assert!(command.output().unwrap().status.success(), "age-keygen{arguments}");
    }
}

fn public_key(file: &Path) -> String {
    let mut command = Command::new("age-keygen");
    let output = command.arg("-y").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Returns the configuration of the guide with the addresses and public keys of this test.
fn configuration(guide: &str, cluster: &Cluster, folder: &Path) -> String {
    let config = guide.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let mut config = config.to_owned();
    for (number, endpoint) in cluster.endpoints().iter().enumerate() {
        config = config.replace(&format!("https://10.0.0.{}:2379", number + 1), endpoint);
    }
    let config = config.replace("age1w…", &public_key(&folder.join("writers.txt")));
    config.replace("age1r…", &public_key(&folder.join("readers.txt")))
}

fn set_up(host: &Host, folder: &Path, config: &str) {
    let home = host.home.path();
    let names =
        [("writers.txt", "writers.txt"), ("readers.txt", "readers.txt"), ("ca.pem", "ca.pem")];
    for (from, to) in names.into_iter().chain([("own.pem", "host.pem"), ("own.key", "host.key")]) {
        fs::copy(folder.join(from), home.join(to)).unwrap();
    }
    fs::write(home.join("config.toml"), config).unwrap();
}

pub fn documented_setup_works(_: &Cluster) {
    let folder = tempfile::tempdir().unwrap();
    let guide = read_guide();
    create_certificates(folder.path());
    create_identities(&guide, folder.path());
    let cluster = Cluster::secure(folder.path(), "127.0.0.1");
    let fleet = Fleet::new(cluster.endpoints());
    let (writer, reader) = (fleet.host(), fleet.reader());
    let config = configuration(&guide, &cluster, folder.path());
    set_up(&writer, folder.path(), &config);
    let kept = config
        .lines()
        .filter(|line| !line.starts_with("recipients") && !line.starts_with("readers"));
    let config = kept.collect::<Vec<_>>().join("\n").replace("writers.txt", "readers.txt");
    set_up(&reader, folder.path(), &format!("{config}\nrole = \"reader\"\n"));
    let token = fleet.sign_in(&writer, 3600);
    assert_eq!(reader.token(), token);
    assert_eq!(writer.json("fleet status --json")["generation"], 1);
}
