use std::time::SystemTime;

use serde_json::{Value, json};

use crate::{account::Account, random};

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs() as i64)
}

/// When a token was issued and when it expires, in seconds from now.
pub(crate) struct Life {
    pub age: i64,
    pub left: i64,
}

/// The claims of both tokens, under the names of auth.openai.com.
fn claims(issuer: &str, account: &Account, life: &Life) -> Value {
    let now = now();
    json!({
        "iss": issuer,
        "sub": account.user_id,
        "jti": random::unique(),
        "iat": now - life.age,
        "exp": now + life.left,
        "email": account.email,
        "https://api.openai.com/profile": { "email": account.email, "email_verified": true },
        "https://api.openai.com/auth": {
            "chatgpt_account_id": account.account_id,
            "chatgpt_user_id": account.user_id,
            "user_id": account.user_id,
            "chatgpt_plan_type": account.plan,
        },
    })
}

/// Creates an ID token that is valid for an hour.
pub(crate) fn id_token(issuer: &str, account: &Account, client_id: &str, ahead: i64) -> String {
    let mut claims = claims(issuer, account, &Life { age: -ahead, left: 3600 + ahead });
    claims["aud"] = json!([client_id]);
    sign(&claims)
}

pub(crate) fn access_token(
    issuer: &str,
    account: &Account,
    client_id: &str,
    life: &Life,
    padding: usize,
) -> String {
    let mut claims = claims(issuer, account, life);
    claims["aud"] = json!(["https://api.openai.com/v1"]);
    claims["client_id"] = json!(client_id);
    claims["scp"] = json!(["openid", "profile", "email", "offline_access"]);
    if padding > 0 {
        claims["padding"] = json!("x".repeat(padding));
    }
    sign(&claims)
}

/// The signature is random: clients do not check it, and this server looks up its tokens.
fn sign(claims: &Value) -> String {
    let header = json!({ "alg": "RS256", "kid": "issuer", "typ": "JWT" });
    let [header, claims] = [&header, claims].map(|part| random::base64url(part.to_string()));
    format!("{header}.{claims}.{}", random::base64url(random::bytes::<256>()))
}
