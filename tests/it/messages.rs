//! What a person sees, word for word, in messages.txt: one scene after another. Where a word was changed on purpose,
//! `UPDATE_MESSAGES=1 cargo test --test it messages` writes the file anew, for its difference to be read.

use crate::errors::{KINDS, situation};
use crate::machine::{Machine, PATIENCE, eventually, files};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Output;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/messages.txt");

/// A text with a name in the place of what differs from run to run, and `#` for each number.
fn steady(text: &str, names: &[(&str, String)]) -> String {
    let text = names.iter().fold(text.to_owned(), |text, (name, is)| text.replace(is, name));
    let mut steady = String::new();
    for letter in text.chars() {
        match letter {
            '0'..='9' if steady.ends_with('#') => {}
            '0'..='9' => steady.push('#'),
            _ => steady.push(letter),
        }
    }
    // A second that has passed changes the units.
    for units in ["# min # s", "# days # h", "# h # min", "# days"] {
        steady = steady.replace(units, "TIME");
    }
    steady.replace("# min left", "TIME left").replace("for # min", "for TIME")
}

struct Scene {
    machine: Machine,
    text: String,
}

impl Scene {
    fn of(machine: Machine, title: &str) -> Self {
        let mut machine = machine;
        let home = machine.codex_home().to_str().unwrap().to_owned();
        machine.set("HOME", &home);
        machine.set("PATH", "/usr/bin:/bin");
        machine.set("XDG_CONFIG_HOME", &format!("{home}/config"));
        Self { machine, text: format!("== {title}\n\n") }
    }

    fn run(mut self, line: &str) -> Self {
        let output = self.machine.command(line).output().unwrap();
        self.record(line, &output);
        self
    }

    fn record(&mut self, line: &str, output: &Output) {
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code().unwrap();
        let url = self.machine.issuer.url();
        let program = assert_cmd::cargo::cargo_bin!("codex-credential");
        let mut names = vec![
            ("ISSUER", url.clone()),
            ("HOST", url.replace("http://", "")),
            ("HOME", self.machine.codex_home().to_str().unwrap().to_owned()),
            ("PROGRAM", program.to_str().unwrap().to_owned()),
        ];
        // The name of the folder is a hash that the issuer's port is in.
        let folders = self.machine.path("state/codex-credential/logins");
        let folders = files(&folders).into_iter().filter_map(|file| {
            Some(file.parent()?.strip_prefix(&folders).ok()?.to_str()?.to_owned())
        });
        names.extend(folders.filter(|folder| folder.contains('/')).map(|folder| ("LOGIN", folder)));
        names.extend(self.machine.issuer.user_codes().into_iter().map(|code| ("CODE", code)));
        let text = steady(&format!("{out}{err}"), &names);
        write!(self.text, "$ codex-credential {line}\n{text}[exit code {code}]\n\n").unwrap();
    }

    /// A sign-in by a caller that is no terminal, approved.
    fn signs_in(mut self, line: &str) -> Self {
        let login = self.machine.start(line);
        let code = self.machine.issuer.wait_for_user_code(PATIENCE).unwrap();
        self.machine.issuer.approve(&code);
        let mut output = login.wait_with_output().unwrap();
        output.stderr = String::from_utf8(output.stderr).unwrap().replace(&code, "CODE").into();
        self.record(line, &output);
        self
    }
}

fn nobody() -> String {
    let scene = Scene::of(Machine::new(), "nobody is signed in");
    let scene = scene.run("status").run("get --interactive never").run("logout");
    let scene = scene.run("move --to file").run("login --cancel").run("get");
    eventually(|| scene.machine.own("pending").exists());
    scene.run("get --format token").run("status").run("login --cancel").text
}

fn signed_in() -> String {
    let scene = Scene::of(Machine::new(), "a sign-in, and what can be done with it");
    let scene = scene.signs_in("login --wait 30s").run("status");
    let scene = scene.run("exec --env WHO=email -- /no/such/program").run("profile list");
    let scene = scene.run("profile show").run("move --to file").run("move --to codex");
    scene.run("erase --yes").run("status").text
}

fn ended() -> String {
    let (machine, tokens) = Machine::signed_in(-90);
    let scene =
        Scene::of(machine, "a login that has expired, and one that has ended").run("status");
    scene.machine.issuer.invalidate_refresh_token(&tokens.refresh_token);
    let scene = scene.run("get --interactive never --wait 20s").run("status");
    scene.run("logout").run("logout").text
}

fn another_account() -> String {
    let scene = Scene::of(Machine::new(), "signed in to another account than was wanted");
    scene.signs_in("login --account grace@example.org --wait 30s").text
}

fn tools() -> String {
    let scene = Scene::of(Machine::new(), "configure");
    let scene = scene.run("configure git --print").run("configure git").run("configure git");
    let scene = scene.run("unconfigure git").run("configure codex --base-url https://example.com/");
    scene.run("configure claude-code").run("unconfigure curl").text
}

fn profiles() -> String {
    let add = "profile add company --issuer https://id.company.example --client-id gateway";
    let scene = Scene::of(Machine::new(), "profiles").run(add).run(add).run("profile list");
    scene.run("get --profile compnay").run("status --profile company").text
}

fn asked_wrongly() -> String {
    let scene = Scene::of(Machine::new(), "asked wrongly");
    scene.run("get --wait soon").run("get --rejected-sha256 x").run("exec").run("fleet status").text
}

fn kinds() -> String {
    let one = |kind| {
        let output = situation(kind);
        let line = String::from_utf8_lossy(&output.stderr).lines().last().unwrap().to_owned();
        let error: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        format!("{}: {}\nhint: {}\n\n", text("kind"), said(&error), text("hint"))
    };
    let texts: String = KINDS.iter().map(|kind| one(*kind)).collect();
    format!("== each kind of error\n\n{texts}")
}

/// The message, without the names of its machine.
fn said(error: &Value) -> String {
    let message = error["message"].as_str().unwrap();
    let message = match error["user_code"].as_str() {
        Some(code) => message.replace(code, "CODE"),
        None => message.to_owned(),
    };
    // Whom it waited for when its time was up is a matter of luck.
    let message = match message.split_once("in time: ") {
        Some((message, _)) => format!("{message}in time: ..."),
        None => message,
    };
    let words: Vec<&str> = message.split(' ').map(general).collect();
    steady(&words.join(" "), &[])
}

fn general(word: &str) -> &str {
    match word {
        path if path.starts_with('/') => Path::new(path).file_name().unwrap().to_str().unwrap(),
        process if process.starts_with("(it-") => "(TESTS)",
        word => word,
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "who changes a message asks for it so")]
fn what_a_person_sees_is_as_it_was() {
    let scenes = [nobody, signed_in, ended, another_account, tools, profiles, asked_wrongly, kinds];
    let seen: String = scenes.into_iter().map(|scene: fn() -> String| scene()).collect();
    if std::env::var_os("UPDATE_MESSAGES").is_some() {
        fs::write(FILE, &seen).unwrap();
    }
    let known = fs::read_to_string(FILE).unwrap_or_default();
    let differs = known.lines().zip(seen.lines()).find(|(known, seen)| known != seen);
    assert!(known == seen, "{differs:#?} in\n{seen}");
}
