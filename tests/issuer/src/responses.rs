use serde_json::{Value, json};

use crate::{answer::Answer, random, request::Request, state::State};

/// `POST /v1/responses`: a model that says "OK" to whoever has a good access token.
pub(crate) fn responses(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    let token = request.bearer().unwrap_or_default();
    if let Err(code) = state.tokens.check_access_token(token) {
        state.counts.responses_refused += 1;
        let mut refusal = Answer::error(401, code, "the access token is not good");
        let challenge = ("WWW-Authenticate".into(), "Bearer".into());
        refusal.headers.push(challenge);
        return Err(refusal);
    }
    let id = format!("resp_{}", random::unique());
    let message = json!({
        "type": "message", "role": "assistant", "id": format!("msg_{}", random::unique()),
        "content": [{ "type": "output_text", "text": "OK" }],
    });
    let usage = json!({
        "input_tokens": 1, "input_tokens_details": null,
        "output_tokens": 1, "output_tokens_details": null,
        "total_tokens": 2,
    });
    let stream = [
        event("response.created", json!({ "response": { "id": id } })),
        event("response.output_item.done", json!({ "output_index": 0, "item": message })),
        event("response.completed", json!({ "response": { "id": id, "usage": usage } })),
    ];
    Ok(Answer::new(200, "text/event-stream", stream.concat(), "answered"))
}

fn event(name: &str, mut data: Value) -> String {
    data["type"] = json!(name);
    format!("event: {name}\ndata: {data}\n\n")
}
