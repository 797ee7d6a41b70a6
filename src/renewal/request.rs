//! What a caller orders from the renewal process.

/// What a renewal is to bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A token that is good for this many seconds.
    Token { min_validity: i64 },
    /// A token for which no early renewal is due.
    Early,
    /// A new login, whatever is stored.
    SignIn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalRequest {
    pub goal: Goal,
    /// Whether a person may be asked when nothing else helps.
    pub may_sign_in: bool,
}
