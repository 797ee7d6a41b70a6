use serde_json::{Value, json};

use crate::{answer::Answer, jwt::now, random, request::Request, state::State};

/// `POST /v1/responses`: a model that says "OK" to a valid access token.
pub(crate) fn responses(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    admit(state, request)?;
    let (id, item_id) = (format!("resp_{}", random::unique()), format!("msg_{}", random::unique()));
    let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [] });
    let message = |status: &str, content: &[Value]| {
        json!({
            "type": "message", "role": "assistant", "id": item_id, "status": status,
            "content": content,
        })
    };
    let done = message("completed", &[part("OK")]);
    let usage = json!({
        "input_tokens": 1, "input_tokens_details": null,
        "output_tokens": 1, "output_tokens_details": null,
        "total_tokens": 2,
    });
    let response = |status: &str, output: &[&Value], usage: Option<&Value>| {
        json!({
            "id": id, "object": "response", "status": status, "model": request.get("model"),
            "created_at": now(), "output": output, "usage": usage,
        })
    };
    let completed = response("completed", &[&done], Some(&usage));
    if !request.wants_stream() {
        return Ok(Answer::json(200, &completed, "answered"));
    }
    let at = |more: Value| {
        let mut event = json!({ "item_id": item_id, "output_index": 0, "content_index": 0 });
        event
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        event
    };
    let item = |item: &Value| json!({ "output_index": 0, "item": item });
    Ok(Answer::stream(&[
        ("response.created", json!({ "response": response("in_progress", &[], None) })),
        ("response.output_item.added", item(&message("in_progress", &[]))),
        ("response.content_part.added", at(json!({ "part": part("") }))),
        ("response.output_text.delta", at(json!({ "delta": "OK" }))),
        ("response.output_text.done", at(json!({ "text": "OK" }))),
        ("response.content_part.done", at(json!({ "part": part("OK") }))),
        ("response.output_item.done", item(&done)),
        ("response.completed", json!({ "response": completed })),
    ]))
}

/// Checks that the request has a valid access token.
pub(crate) fn admit(state: &mut State, request: &Request) -> Result<(), Answer> {
    let token = request.access_token().unwrap_or_default();
    let checked = match request.active {
        Some(true) => Ok(()),
        Some(false) => Err("invalid_token"),
        None => state.tokens.check_access_token(token),
    };
    checked.map_err(|code| {
        state.counts.responses_refused += 1;
        let mut refusal = Answer::error(401, code, "the access token is not valid");
        let challenge = ("WWW-Authenticate".into(), "Bearer".into());
        refusal.headers.push(challenge);
        refusal
    })
}
