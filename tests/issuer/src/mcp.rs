use serde_json::{Value, json};

use crate::{answer::Answer, request::Request, responses, state::State};

/// `POST /mcp`: an MCP server (streamable HTTP) with one tool, which says "OK" to a valid access token.
pub(crate) fn answer(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    responses::admit(state, request)?;
    let call: Value = serde_json::from_slice(&request.body)
        .map_err(|_| Answer::invalid_request("the body is not JSON"))?;
    let method = call["method"].as_str().unwrap_or_default();
    if call["id"].is_null() {
        return Ok(Answer::new(202, "text/plain", String::new(), method));
    }
    let result = match method {
        "initialize" => json!({
            "protocolVersion": call["params"]["protocolVersion"],
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "issuer", "version": "0" },
        }),
        "tools/list" => {
            json!({ "tools": [{ "name": "say_ok", "inputSchema": { "type": "object" } }] })
        }
        "tools/call" => json!({ "content": [{ "type": "text", "text": "OK" }] }),
        _ => json!({}),
    };
    let body = json!({ "jsonrpc": "2.0", "id": call["id"], "result": result });
    Ok(Answer::json(200, &body, method))
}
