use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use crate::get;

#[test]
fn program_prints_its_url_and_a_line_for_each_request() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_issuer"))
        .args(["--port", "0", "--auto-approve", "0.5"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let url = lines.next().unwrap().unwrap();
    assert_eq!(get(&format!("{url}/codex/device")).status, 200);
    let line = lines.next().unwrap().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(line.contains("GET  /codex/device 200 shown"), "{line}");
}
