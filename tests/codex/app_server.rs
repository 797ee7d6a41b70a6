//! `codex app-server`, which IDE extensions start: JSON lines on standard input and output.

use crate::codex;
use crate::machine::{Machine, PATIENCE};
use issuer::Issuer;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

pub struct AppServer {
    process: Child,
    /// Closing it ends the server.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    last_id: u64,
}

impl AppServer {
    pub fn start(machine: &Machine) -> Self {
        let mut command = codex::command(machine, &["app-server"]);
        command.env("CODEX_CREDENTIAL_ISSUER", machine.issuer.url());
        let mut process = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut server = Self { process, input, output, last_id: 0 };
        server.call("initialize", &json!({ "clientInfo": { "name": "t", "version": "0" } }));
        server.send(&json!({ "method": "initialized" }));
        server
    }

    fn send(&self, message: &Value) {
        writeln!(self.input.as_ref().unwrap(), "{message}").unwrap();
    }

    fn read(&mut self) -> Value {
        serde_json::from_str(&self.output.next().expect("the server runs").unwrap()).unwrap()
    }

    /// Calls a method and returns its result, or the error.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last_id += 1;
        self.send(&json!({ "id": self.last_id, "method": method, "params": parameters }));
        loop {
            let mut message = self.read();
            if message["id"] == self.last_id && message["method"].is_null() {
                let result = message["result"].take();
                return if result.is_null() { message["error"].take() } else { result };
            }
        }
    }

    /// Returns the access token that an extension would get.
    pub fn token(&mut self) -> String {
        let status =
            self.call("getAuthStatus", &json!({ "includeToken": true, "refreshToken": false }));
        status["authToken"].as_str().expect("a token").to_owned()
    }

    pub fn start_thread(&mut self) -> String {
        let started = self.call("thread/start", &json!({}));
        started["thread"]["id"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned()
    }

    /// Asks the model. Returns whether it answered.
    pub fn ask(&mut self, thread: &str) -> bool {
        let input = json!([{ "type": "text", "text": "Return OK.", "text_elements": [] }]);
        self.call("turn/start", &json!({ "threadId": thread, "input": input }));
        let mut is_answered = false;
        loop {
            let message = self.read();
            let item = &message["params"]["item"];
            is_answered |= item["type"] == "agentMessage" && item["text"] == "OK";
            if message["method"] == "turn/completed" {
                return is_answered && message["params"]["turn"]["status"] == "completed";
            }
        }
    }
}

impl Drop for AppServer {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.process.wait();
    }
}

/// A server that stays open over a renewal, a rejection and a new sign-in answers each time, without a refresh of its own.
pub fn open_server_answers_after_a_renewal_a_rejection_and_a_new_sign_in() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    let first = machine.aged_sign_in(8 * 60, 3600);
    let mut server = AppServer::start(&machine);
    let thread = server.start_thread();
    let mut answers = vec![("at the start", server.ask(&thread))];

    // A renewal: any program asks, and the token is due.
    assert_eq!(machine.token(), first.access_token);
    crate::machine::eventually(|| machine.renewers().is_empty());
    let second = machine.token();
    assert_ne!(second, first.access_token);
    answers.push(("after a renewal", server.ask(&thread)));

    // The model rejects the first token, which the server has in memory, and the second; another program reports that.
    machine.issuer.invalidate_access_token(&first.access_token);
    machine.issuer.invalidate_access_token(&second);
    machine.refuse(&second);
    let third = machine.token();
    answers.push(("after a rejection", server.ask(&thread)));

    let login = machine.start("login --wait 60s");
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    machine.issuer.invalidate_access_token(&third);
    answers.push(("after a new sign-in", server.ask(&thread)));
    assert_eq!(server.token(), machine.token());

    let counts = machine.issuer.counts();
    println!(
        "an open codex app-server: {} refresh requests (2 of ours), {} refused; answered: {answers:?}",
        counts.refreshes,
        counts.refreshes - counts.refreshes_granted
    );
    assert!(answers.iter().all(|(_, is_answered)| *is_answered), "{answers:?}");
    assert_eq!((counts.refreshes, counts.refreshes_granted), (2, 2));
}

/// A server that stays open goes on with the account it started with, until the model rejects its token.
pub fn open_server_does_not_take_the_login_of_another_account() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    let first = machine.sign_in(3600);
    let mut server = AppServer::start(&machine);
    let thread = server.start_thread();
    assert!(server.ask(&thread));
    let login = machine.start("login --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    machine.issuer.approve_as(&code, &Issuer::accounts()[1]);
    assert!(login.wait_with_output().unwrap().status.success());
    let with_old_token = server.ask(&thread);
    machine.issuer.invalidate_access_token(&first.access_token);
    let after_rejection = server.ask(&thread);
    let mut restarted = AppServer::start(&machine);
    let thread = restarted.start_thread();
    let after_restart = restarted.ask(&thread);
    println!(
        "an open codex app-server after another account has signed in: answered {with_old_token}, after a rejection \
         {after_rejection}, after a restart {after_restart}; {} refresh requests",
        machine.issuer.counts().refreshes
    );
    assert_eq!((with_old_token, after_rejection, after_restart), (true, false, true));
    assert_eq!(machine.issuer.counts().refreshes, 0);
}
