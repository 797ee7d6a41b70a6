//! Ory Hydra.

use crate::gateway::Gateway;
use crate::machine::told;
use issuer::{Endpoint, Fault};
use serde_json::json;

#[test]
fn inactive_refresh_token_ends_the_login() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    gateway.erase(&token);
    let body = json!({
        "error": "token_inactive",
        "error_description": "Token is inactive because it is malformed, expired or otherwise invalid.",
    });
    let issuer = &gateway.machine.issuer;
    issuer.fault(Endpoint::Refresh, Fault::status(401, body.to_string()), 1);
    let output = gateway.command("get --interactive never --error-format json").output().unwrap();
    assert_eq!((output.status.code(), &told(&output)["kind"]), (Some(3), &json!("login_dead")));
    gateway.command("get --interactive never").assert().code(3);
    assert_eq!(issuer.counts().refreshes, 1, "an invalid refresh token is not sent again");
}
