//! The real Codex with an `auth.json` from `export`, which has a placeholder instead of a refresh token.

use crate::codex;
use crate::machine::{Machine, eventually};
use codex_credential::storage::auth_json::REFRESH_TOKEN_PLACEHOLDER;
use serde_json::Value;

/// Returns a Codex home with only the bundle, whose token is valid for `lifetime` seconds.
fn bundled(lifetime: i64) -> (Machine, Value) {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    machine.sign_in(lifetime);
    let line = "export --min-validity 0s";
    let bundle = machine.command(line).assert().success().get_output().stdout.clone();
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    assert_eq!(bundle["tokens"]["refresh_token"], REFRESH_TOKEN_PLACEHOLDER);
    machine.write_auth_json(&bundle);
    (machine, bundle)
}

/// Runs `codex exec`. Returns whether it answered, its messages, and how often it sent the placeholder.
fn exec(machine: &Machine) -> (bool, String, u64) {
    let output = codex::start_exec(machine).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let answered = String::from_utf8_lossy(&output.stdout).trim_end().ends_with("OK");
    (output.status.success() && answered, said, machine.issuer.counts().refreshes)
}

/// Codex refreshes five minutes before expiry. From then on it sends the placeholder, is refused, and goes on with the
/// token while that is valid. It does not change the file.
pub fn codex_works_with_an_access_only_bundle_until_it_expires() {
    for (lifetime, answers, sends) in [(3600, true, false), (200, true, true), (3, false, true)] {
        let (machine, bundle) = bundled(lifetime);
        if !answers {
            let token = bundle["tokens"]["access_token"].as_str().unwrap();
            eventually(|| !machine.issuer.is_live_access_token(token));
        }
        let (answered, said, sent) = exec(&machine);
        println!(
            "codex exec, a bundle for {lifetime} s: answered: {answered}, placeholder sent {sent} times"
        );
        assert_eq!((answered, sent > 0), (answers, sends), "{said}");
        assert_eq!(said.contains("sign in again"), sends, "{said}");
        assert_eq!(machine.auth_json(), bundle);
        assert_eq!(machine.issuer.counts().refreshes_granted, 0);
    }
}
