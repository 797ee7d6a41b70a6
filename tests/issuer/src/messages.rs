use serde_json::json;

use crate::{answer::Answer, random, request::Request, responses, state::State};

/// `POST /v1/messages`: the model behind Anthropic's API, for Claude Code.
pub(crate) fn messages(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    responses::admit(state, request)?;
    let id = format!("msg_{}", random::unique());
    let text = json!({ "type": "text", "text": "OK" });
    let usage = json!({ "input_tokens": 1, "output_tokens": 1 });
    let mut message = json!({
        "id": id, "type": "message", "role": "assistant", "model": request.get("model"),
        "content": [text], "stop_reason": "end_turn", "stop_sequence": null, "usage": usage,
    });
    if !request.wants_stream() {
        return Ok(Answer::json(200, &message, "answered"));
    }
    message["content"] = json!([]);
    message["stop_reason"] = json!(null);
    let end = json!({ "stop_reason": "end_turn", "stop_sequence": null });
    Ok(Answer::stream(&[
        ("message_start", json!({ "message": message })),
        (
            "content_block_start",
            json!({ "index": 0, "content_block": { "type": "text", "text": "" } }),
        ),
        (
            "content_block_delta",
            json!({ "index": 0, "delta": { "type": "text_delta", "text": "OK" } }),
        ),
        ("content_block_stop", json!({ "index": 0 })),
        ("message_delta", json!({ "delta": end, "usage": { "output_tokens": 1 } })),
        ("message_stop", json!({})),
    ]))
}
