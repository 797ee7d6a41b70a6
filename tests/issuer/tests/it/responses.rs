use issuer::Issuer;

use crate::{ask_model, expired_login, get};

#[test]
fn model_accepts_a_valid_token() {
    let issuer = Issuer::start();
    let tokens = issuer.grant(&Issuer::accounts()[0], 3600);
    let answer = ask_model(&issuer, &tokens.access_token);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let events: Vec<&str> = answer.text.lines().filter(|l| l.starts_with("event")).collect();
    let names = [
        "created",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(events, names.map(|name| format!("event: response.{name}")));
}

#[test]
fn request_without_a_stream_gets_one_object() {
    let issuer = Issuer::start();
    let token = issuer.grant(&Issuer::accounts()[0], 3600).access_token;
    let request = crate::agent().post(issuer.url() + "/v1/responses");
    let request = request.header("Authorization", format!("Bearer {token}"));
    let answer = crate::read(request.send_json(serde_json::json!({ "model": "any" }))).unwrap();
    assert_eq!(answer.json()["output"][0]["content"][0]["text"], "OK");
}

#[test]
fn model_rejects_an_invalid_token() {
    let issuer = Issuer::start();
    let revoked = issuer.grant(&Issuer::accounts()[0], 3600).access_token;
    issuer.invalidate_access_token(&revoked);
    let expired = expired_login(&issuer).access_token;
    for (token, code) in [
        (expired.as_str(), "token_expired"),
        (&revoked, "token_revoked"),
        ("made up", "invalid_token"),
    ] {
        assert_eq!(ask_model(&issuer, token).error(), (401, code.into()));
    }
    let counts = issuer.counts();
    assert_eq!((counts.responses, counts.responses_refused), (3, 3));
}

#[test]
fn unknown_path_is_not_found() {
    let issuer = Issuer::start();
    for path in ["/", "/v1/response", "/v1/models", "/oauth/token", "/_issuer/nothing"] {
        assert_eq!(get(&(issuer.url() + path)).status, 404, "{path}");
    }
}

#[test]
fn websocket_is_refused_with_426() {
    let issuer = Issuer::start();
    assert_eq!(get(&(issuer.url() + "/v1/responses")).error(), (426, "upgrade_required".into()));
    assert_eq!(issuer.counts().responses, 0);
}
