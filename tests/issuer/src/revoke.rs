use serde_json::json;

use crate::{answer::Answer, request::Request, state::State};

/// `POST /oauth/revoke`
///
/// A valid refresh token revokes all tokens of its sign-in, an access token only itself. Any other token gets the same
/// answer (RFC 7009 §2.2) and changes nothing, so that a test notices when a client revokes an old copy.
pub(crate) fn revoke(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    state.client_id(request)?;
    let token = request.require("token")?;
    let outcome = if let Ok(grant) = state.tokens.redeem(token) {
        state.tokens.revoke_family(grant.family);
        "revoked"
    } else if state.tokens.invalidate_access_token(token) {
        "revoked"
    } else {
        "nothing_to_revoke"
    };
    Ok(Answer::json(200, &json!({}), outcome))
}
