//! How this program authenticates as a client (RFC 6749 §2.3.1). Some servers refuse the method that they list, so the other
//! one is tried once, unless the profile names one.

use crate::client::ClientAuth;
use std::cell::Cell;

#[derive(Debug)]
pub struct ClientAuthentication {
    method: Cell<ClientAuth>,
    first: ClientAuth,
    /// Whether the other method may still be tried.
    may_change: Cell<bool>,
}

impl ClientAuthentication {
    /// Uses `method`, whatever the server answers.
    pub fn fixed(method: ClientAuth) -> Self {
        Self { method: Cell::new(method), first: method, may_change: Cell::new(false) }
    }

    /// Uses `method` until the server refuses it.
    pub fn starting_with(method: ClientAuth) -> Self {
        Self { may_change: Cell::new(true), ..Self::fixed(method) }
    }

    pub fn method(&self) -> ClientAuth {
        self.method.get()
    }

    /// Whether the server has refused the first method, and takes this one.
    pub fn has_changed(&self) -> bool {
        self.method() != self.first
    }

    /// Returns the method to try after a refusal, once.
    pub fn other(&self) -> Option<ClientAuth> {
        let other = match self.method() {
            ClientAuth::Basic => ClientAuth::Post,
            ClientAuth::Post => ClientAuth::Basic,
            ClientAuth::None => return None,
        };
        self.may_change.replace(false).then_some(other)
    }

    pub fn change_to(&self, method: ClientAuth) {
        self.method.set(method);
    }
}
