use serde_json::json;

use crate::{answer::Answer, random, request::Request, state::State};

/// `POST /v1/responses`: a model that says "OK" to whoever has a good access token.
pub(crate) fn responses(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    admit(state, request)?;
    let id = format!("resp_{}", random::unique());
    let message = json!({
        "type": "message", "role": "assistant", "id": format!("msg_{}", random::unique()),
        "status": "completed",
        "content": [{ "type": "output_text", "text": "OK", "annotations": [] }],
    });
    let usage = json!({
        "input_tokens": 1, "input_tokens_details": null,
        "output_tokens": 1, "output_tokens_details": null,
        "total_tokens": 2,
    });
    if !request.wants_stream() {
        let response = json!({
            "id": id, "object": "response", "status": "completed", "model": request.get("model"),
            "output": [message], "usage": usage,
        });
        return Ok(Answer::json(200, &response, "answered"));
    }
    Ok(Answer::stream(&[
        ("response.created", json!({ "response": { "id": id } })),
        ("response.output_item.done", json!({ "output_index": 0, "item": message })),
        ("response.completed", json!({ "response": { "id": id, "usage": usage } })),
    ]))
}

/// The model answers nobody without a good access token.
pub(crate) fn admit(state: &mut State, request: &Request) -> Result<(), Answer> {
    let token = request.access_token().unwrap_or_default();
    state.tokens.check_access_token(token).map_err(|code| {
        state.counts.responses_refused += 1;
        let mut refusal = Answer::error(401, code, "the access token is not good");
        let challenge = ("WWW-Authenticate".into(), "Bearer".into());
        refusal.headers.push(challenge);
        refusal
    })
}
