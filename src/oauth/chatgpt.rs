//! Requests to ChatGPT's backend, as Codex 0.171.0 makes them.

use crate::clock;
use crate::oauth::response::printable;
use serde::Serialize;
use serde_json::Value;

/// The default of `chatgpt_base_url` in Codex's configuration.
pub const BASE_URL: &str = "https://chatgpt.com/backend-api";

/// What Codex asks before it sends the first prompt: it stops where this is refused.
pub const CHECK_PATH: &str = "/wham/accounts/check";

pub const USAGE_PATH: &str = "/wham/usage";

/// What Codex asks the issuer about a personal access token.
pub const WHO_AM_I_PATH: &str = "/api/accounts/v1/user-auth-credential/whoami";

/// The limits of an account.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    pub plan: Option<String>,
    pub limits: Vec<Limit>,
    /// What is left of bought credits.
    pub credits: Option<String>,
}

/// How much of a limit is used.
#[derive(Debug, PartialEq, Serialize)]
pub struct Limit {
    /// What the limit is for; `None` for Codex itself.
    pub name: Option<String>,
    pub window_seconds: Option<i64>,
    pub used_percent: f64,
    pub resets_at: Option<String>,
}

impl Usage {
    /// Reads the answer; `None` if it has another form.
    pub fn of(answer: &Value) -> Option<Self> {
        let mut limits = limits(None, &answer["rate_limit"]);
        for more in answer["additional_rate_limits"].as_array().into_iter().flatten() {
            limits.extend(self::limits(text(&more["limit_name"]).as_ref(), &more["rate_limit"]));
        }
        let credits = &answer["credits"];
        let is_unlimited = credits["unlimited"].as_bool() == Some(true);
        let balance = text(&credits["balance"])
            .or_else(|| credits["balance"].as_f64().map(|balance| balance.to_string()));
        let credits = if is_unlimited { Some("unlimited".into()) } else { balance };
        let usage = Self { plan: text(&answer["plan_type"]), limits, credits };
        (!usage.limits.is_empty() || usage.credits.is_some()).then_some(usage)
    }
}

fn limits(name: Option<&String>, limit: &Value) -> Vec<Limit> {
    let windows = ["primary_window", "secondary_window"].map(|window| &limit[window]);
    let limit = |window: &&Value| {
        Some(Limit {
            name: name.cloned(),
            window_seconds: window["limit_window_seconds"].as_i64(),
            used_percent: window["used_percent"].as_f64()?,
            resets_at: window["reset_at"].as_i64().map(clock::rfc3339),
        })
    };
    windows.iter().filter_map(limit).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(printable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_are_read_from_each_window() {
        let window = |used: f64, seconds: i64| json!({"used_percent": used, "limit_window_seconds": seconds, "reset_at": 0});
        let usage = Usage::of(&json!({
            "plan_type": "plus",
            "rate_limit": {"primary_window": window(6.0, 18_000), "secondary_window": window(24.5, 604_800)},
            "additional_rate_limits": [{"limit_name": "review", "rate_limit": {"primary_window": window(1.0, 60)}}],
            "credits": {"has_credits": true, "unlimited": false, "balance": "5.39"},
        }));
        let usage = usage.unwrap();
        let read: Vec<_> =
            usage.limits.iter().map(|limit| (limit.window_seconds, limit.used_percent)).collect();
        assert_eq!(read, [(Some(18_000), 6.0), (Some(604_800), 24.5), (Some(60), 1.0)]);
        assert_eq!(usage.limits[2].name.as_deref(), Some("review"));
        assert_eq!(usage.limits[0].resets_at.as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!((usage.plan.as_deref(), usage.credits.as_deref()), (Some("plus"), Some("5.39")));
    }

    #[test]
    fn another_form_is_unknown() {
        for answer in [
            json!({}),
            json!([]),
            json!(null),
            json!({"plan_type": "plus"}),
            json!({"rate_limit": 7}),
            json!({"rate_limit": {"primary_window": {"used_percent": "many"}}}),
        ] {
            assert_eq!(Usage::of(&answer), None, "{answer}");
        }
    }
}
