//! Real git with this program as its only helper. [`for_each_case`] lists the cases, for the suites of each storage.

pub mod capability;
pub mod clone;
pub mod concurrent;
pub mod erasing;
pub mod lifetime;
pub mod matching;
mod server;
pub mod storing;
pub mod values;

use crate::machine::Machine;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

#[macro_export]
macro_rules! for_each_case {
    ($then:ident) => {
        $then! {
            matching::empty_store_answers_nothing,
            matching::get_matches_every_attribute_of_the_request,
            matching::host_names_match_in_any_case,
            matching::request_without_path_prefers_the_credential_of_the_whole_host,
            matching::request_without_username_gets_the_latest_credential,
            matching::empty_username_is_a_username,
            matching::empty_host_is_a_host,
            matching::long_wwwauth_header_selects_no_other_host,
            storing::stored_credential_replaces_only_the_same_path_and_user,
            storing::incomplete_credential_is_not_stored,
            storing::credential_stored_from_an_old_answer_replaces_nothing,
            storing::erased_credential_is_not_stored_again_from_an_old_answer,
            erasing::erase_with_the_stored_password_removes_the_credential,
            erasing::erase_with_another_password_keeps_the_credential,
            erasing::erase_without_password_removes_every_match,
            erasing::erase_of_one_user_keeps_the_other,
            erasing::erase_of_one_path_keeps_the_other,
            lifetime::expiry_is_answered_with_its_password,
            lifetime::expired_password_is_neither_stored_nor_answered,
            lifetime::stored_password_that_expires_earlier_does_not_replace_the_newer_one,
            lifetime::refresh_token_is_kept_until_the_password_changes,
            lifetime::expired_password_answers_only_its_refresh_token,
            capability::bearer_credential_is_stored_with_its_scheme_and_username,
            capability::caller_without_authtype_capability_gets_no_bearer_credential,
            capability::credential_without_authtype_capability_is_not_stored,
            capability::ephemeral_credential_is_not_stored,
            capability::state_of_other_helpers_is_neither_stored_nor_answered,
            capability::capability_lists_authtype_and_state,
            values::long_credential_round_trips,
            values::credential_of_any_bytes_round_trips,
            concurrent::concurrent_processes_lose_no_credential_and_read_none_torn,
            clone::expired_token_is_erased_and_replaced,
            clone::bearer_token_is_answered_as_bearer,
        }
    };
}

/// The answer at git's prompt, which appears when no helper has answered.
pub const ASKED: &str = "asked";

pub struct Git {
    pub machine: Machine,
    state: TempDir,
}

impl Git {
    pub fn new(storage: &str) -> Self {
        let mut machine = Machine::new();
        let state = tempfile::tempdir().unwrap();
        machine.set("HOME", state.path().to_str().unwrap());
        machine.set("XDG_STATE_HOME", state.path().to_str().unwrap());
        machine.set("CODEX_CREDENTIAL_GIT_STORAGE", storage);
        Self { machine, state }
    }

    /// Uses the logins of `machine` with the home folder `state`.
    pub fn of(machine: Machine, state: TempDir) -> Self {
        Self { machine, state }
    }

    pub fn state(&self) -> &std::path::Path {
        self.state.path()
    }

    /// Returns git without the system's and the user's configuration. `askpass` answers its prompts.
    #[expect(clippy::disallowed_methods, reason = "git is found on PATH")]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut git = Command::new("git");
        git.env_clear().envs(self.machine.more_variables()).args(arguments);
        git.env("PATH", std::env::var_os("PATH").unwrap());
        git.env("CODEX_HOME", self.machine.codex_home());
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        git.env("GIT_ASKPASS", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/git/askpass"));
        let program = assert_cmd::cargo::cargo_bin!("codex-credential");
        let ours = [
            ("credential.helper", format!("!'{}'", program.display())),
            ("credential.useHttpPath", "true".to_owned()),
        ];
        git.env("GIT_CONFIG_COUNT", ours.len().to_string());
        for (number, (key, value)) in ours.iter().enumerate() {
            git.env(format!("GIT_CONFIG_KEY_{number}"), key);
            git.env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        git
    }

    fn credential(&self, words: &[&str], input: impl AsRef<[u8]>) -> Output {
        let mut git = self.command(words);
        git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut git = git.spawn().unwrap();
        let mut stdin = git.stdin.take().unwrap();
        stdin.write_all(&[input.as_ref(), b"\n\n"].concat()).unwrap();
        drop(stdin);
        let output = git.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    pub fn approve(&self, credential: impl AsRef<[u8]>) {
        let output = self.credential(&["credential", "approve"], credential);
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn reject(&self, credential: impl AsRef<[u8]>) {
        let output = self.credential(&["credential", "reject"], credential);
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Returns the output of `git credential fill`.
    pub fn fill(&self, request: impl AsRef<[u8]>) -> Vec<u8> {
        self.credential(&["credential", "fill"], request).stdout
    }

    pub fn filled(&self, request: impl AsRef<[u8]>) -> BTreeMap<String, String> {
        let answer = String::from_utf8(self.fill(request)).unwrap();
        let lines = answer.lines().map(|line| line.split_once('=').unwrap());
        lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Returns user name and password, each [`ASKED`] if git prompted for it.
    pub fn login(&self, request: impl AsRef<[u8]>) -> (String, String) {
        let mut answer = self.filled(request);
        let mut of = |key| answer.remove(key).unwrap();
        (of("username"), of("password"))
    }

    /// As [`Git::fill`], with a second helper after ours.
    pub fn fill_with(&self, next: &str, request: impl AsRef<[u8]>) -> String {
        let next = format!("credential.helper={next}");
        let output = self.credential(&["-c", &next, "credential", "fill"], request);
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn password(&self, request: impl AsRef<[u8]>) -> String {
        self.login(request).1
    }
}
