//! Certificate and secret files that are FIFOs without a writer, devices or folders: an error at once.

use crate::gateway::Gateway;
use crate::machine::Machine;
use issuer::Settings;
use std::path::Path;

/// Returns files that are not regular; the first is a FIFO without a writer.
fn special_files(folder: &Path) -> [String; 4] {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (fifo, link) = (path("fifo"), path("link"));
    if !Path::new(&fifo).exists() {
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
    }
    [fifo, link, "/dev/zero".into(), folder.to_str().unwrap().into()]
}

#[test]
fn certificate_file_that_is_not_regular_is_an_error_at_once() {
    for variable in ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"] {
        let (mut machine, tokens) = Machine::signed_in(-1);
        for file in special_files(machine.codex_home()) {
            machine.set(variable, &file);
            let output = machine.command("get --wait 60s").assert().code(2);
            let says = String::from_utf8(output.get_output().stderr.clone()).unwrap();
            assert!(says.contains(&file) && says.contains("regular"), "{variable}: {says}");
            machine.command("doctor").assert().code(1);
        }
        assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 0);
    }
}

#[test]
fn secret_file_that_is_not_regular_is_an_error_at_once() {
    let change = |s: &mut Settings| s.standard.client_secret = Some("secret".into());
    let gateway = Gateway::with("", change);
    for file in special_files(gateway.home.path()) {
        gateway.configure(&format!("client_secret_file = {file:?}"));
        let output = gateway.command("login --wait 60s").assert().code(2);
        let says = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(says.contains(&file) && says.contains("regular"), "{says}");
    }
}
