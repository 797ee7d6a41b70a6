use issuer::Issuer;
use serde_json::json;

use crate::{Reply, agent, read};

fn ask(issuer: &Issuer, header: &str, value: &str, stream: bool) -> Reply {
    let request = agent().post(issuer.url() + "/v1/messages").header(header, value);
    read(request.send_json(json!({ "model": "any", "stream": stream }))).expect("an answer")
}

#[test]
fn model_accepts_a_valid_token_in_either_header() {
    let issuer = Issuer::start();
    let token = issuer.grant(&Issuer::accounts()[0], 3600).access_token;
    let answer = ask(&issuer, "X-Api-Key", &token, false);
    assert_eq!(answer.json()["content"][0]["text"], "OK");
    let answer = ask(&issuer, "Authorization", &format!("Bearer {token}"), true);
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let last = answer.text.lines().rfind(|line| line.starts_with("event"));
    assert_eq!(last, Some("event: message_stop"));
}

#[test]
fn model_rejects_an_invalid_token() {
    let issuer = Issuer::start();
    let answer = ask(&issuer, "X-Api-Key", "made up", false);
    assert_eq!(answer.error(), (401, "invalid_token".into()));
    let counts = issuer.counts();
    assert_eq!((counts.responses, counts.responses_refused), (1, 1));
}
