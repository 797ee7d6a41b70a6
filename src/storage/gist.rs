//! What a login's document says, noted once for all who read the same document: taking it apart and decoding its tokens
//! is the dearest part of an answer.
//!
//! A gist holds no token, and names the document by a hash of all of it, so that it cannot be out of date: a document
//! that has changed in any way has no gist. Nothing depends on it.

use crate::account::{Account, Claims};
use crate::clock::Moment;
use crate::login::{Login, Token};
use crate::storage::CachedLogin;
use crate::storage::files::replace_lightly;
use crate::storage::files_read::read_once;
use crate::storage::login_dir::LoginDir;
use foldhash::quality::FixedState;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::path::Path;

/// More than a gist has, in bytes.
const ROOM: usize = 2048;

/// To be raised when [`Gist`] changes, for postcard's format has no names, or what is read into it.
const FORM: u8 = 1;

/// In postcard's format, behind its hash.
#[derive(Serialize, Deserialize)]
struct Gist<'a> {
    /// Of the document, in bytes.
    length: u64,
    /// Where the access token lies in it.
    access_token: Range<usize>,
    exp: Option<i64>,
    iat: Option<i64>,
    /// As they are told beside the token, or, of the former, by the last refresh.
    issued_at: Option<i64>,
    expires_at: Option<i64>,
    skew: i64,
    #[serde(borrow)]
    recorded: Names<'a>,
    #[serde(borrow)]
    claimed: Names<'a>,
}

/// The members of an [`Account`].
type Names<'a> = [Option<&'a str>; 5];

impl<'a> Gist<'a> {
    /// `None` where the access token does not lie in the document as it is.
    fn of(document: &[u8], login: &'a Login, claimed: &'a Account) -> Option<Self> {
        let token = login.access_token.expose().as_bytes();
        if token.is_empty() {
            return None;
        }
        let at = memmem::find(document, token)?;
        let last_refresh = || login.last_refresh.as_ref().and_then(Moment::seconds);
        Some(Self {
            length: document.len() as u64,
            access_token: at..at + token.len(),
            exp: login.access_token.claims().exp,
            iat: login.access_token.claims().iat,
            issued_at: login.issued_at.or_else(last_refresh),
            expires_at: login.expires_at,
            skew: login.skew,
            recorded: names(&login.recorded),
            claimed: names(claimed),
        })
    }

    /// The login of the same document, without its other tokens.
    fn login(&self, document: &[u8]) -> Option<Login> {
        let token = std::str::from_utf8(document.get(self.access_token.clone())?).ok()?;
        let (exp, iat, account) = (self.exp, self.iat, members(self.claimed));
        Some(Login {
            access_token: Token::read(token.into(), Claims { exp, iat, iss: None, account }),
            refresh_token: None,
            id_token: None,
            recorded: members(self.recorded),
            last_refresh: None,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            skew: self.skew,
            provenance: None,
        })
    }
}

fn names(account: &Account) -> Names<'_> {
    let Account { email, name, account_id, user_id, plan } = account;
    [email, name, account_id, user_id, plan].map(Option::as_deref)
}

fn members(names: Names) -> Account {
    let [email, name, account_id, user_id, plan] = names.map(|name| name.map(str::to_owned));
    Account { email, name, account_id, user_id, plan }
}

/// Of a gist, of its form, and of its document. It is no secret's keeper: nobody but the document's owner reads it.
fn hash(gist: &[u8], document: &[u8]) -> [u8; 8] {
    let mut hasher = FixedState::default().build_hasher();
    for part in [&[FORM], gist, document] {
        hasher.write(part);
    }
    hasher.finish().to_le_bytes()
}

/// [`read_cached`], or what finds nothing in its place.
pub type ByGist = fn(&LoginDir, &Path) -> Option<CachedLogin>;

/// The login in the document at `path`, without its other tokens, where its gist is noted in `login_dir`.
pub fn read_cached(login_dir: &LoginDir, path: &Path) -> Option<CachedLogin> {
    let noted = read_once(&login_dir.gist(), ROOM as u64).ok()?;
    let (known, gist) = noted.split_first_chunk()?;
    let said: Gist = postcard::from_bytes(gist).ok()?;
    // One byte more tells a document that goes on.
    let document = read_once(path, said.length.saturating_add(1)).ok()?;
    if hash(gist, &document) != *known {
        return None;
    }
    let login = said.login(&document)?;
    Some(CachedLogin { login, login_dir: login_dir.clone(), document, from_gist: true })
}

/// For the next caller, where it can be written.
pub fn note(found: &CachedLogin) {
    let CachedLogin { login, login_dir, document, .. } = found;
    if !is_own(login_dir) {
        return;
    }
    let claimed = login.claimed_account();
    let Some(gist) = Gist::of(document, login, &claimed) else { return };
    let mut room = [0; ROOM - 8];
    if let Ok(gist) = postcard::to_slice(&gist, &mut room) {
        let noted = [&hash(gist, document), &*gist].concat();
        let _ = login_dir.create().and_then(|()| replace_lightly(&login_dir.gist(), &noted));
    }
}

/// Whether the login lies in a folder of this person's: what root writes into another's home is in that one's way.
#[cfg(unix)]
fn is_own(login_dir: &LoginDir) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    let found = login_dir.dir().parent().map(Path::metadata);
    found.is_some_and(|found| found.is_ok_and(|found| found.uid() == own))
}

#[cfg(not(unix))]
fn is_own(_: &LoginDir) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_these_bytes_raises_form() {
        let none = [None; 5];
        let gist = Gist {
            length: 300,
            access_token: 1..2,
            exp: Some(5),
            iat: None,
            issued_at: Some(-1),
            expires_at: None,
            skew: 3,
            recorded: [Some("e"), None, None, None, None],
            claimed: none,
        };
        let bytes = [172, 2, 1, 2, 1, 10, 0, 1, 1, 0, 6, 1, 1, b'e', 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(postcard::to_slice(&gist, &mut [0; ROOM]).unwrap(), bytes);
        assert_eq!(FORM, 1);
    }
}
