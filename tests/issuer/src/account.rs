use serde::{Deserialize, Serialize};

/// A user who can sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Shown on the verification page and carried in the tokens.
    pub email: String,
    /// `chatgpt_account_id`: the workspace.
    pub account_id: String,
    /// `chatgpt_user_id`: the user, the same in all workspaces.
    pub user_id: String,
    /// `chatgpt_plan_type`.
    pub plan: String,
}

impl Account {
    fn new(email: &str, account_id: &str, user_id: &str, plan: &str) -> Self {
        Self {
            email: email.into(),
            account_id: account_id.into(),
            user_id: user_id.into(),
            plan: plan.into(),
        }
    }

    /// Returns two workspaces of one user, and another user.
    pub(crate) fn examples() -> Vec<Self> {
        vec![
            Self::new(
                "ada@example.com",
                "11111111-aaaa-4aaa-8aaa-111111111111",
                "user-ada0000000000000000001",
                "plus",
            ),
            Self::new(
                "ada@example.com",
                "22222222-bbbb-4bbb-8bbb-222222222222",
                "user-ada0000000000000000001",
                "team",
            ),
            Self::new(
                "grace@example.org",
                "33333333-cccc-4ccc-8ccc-333333333333",
                "user-grace00000000000000002",
                "pro",
            ),
        ]
    }
}
