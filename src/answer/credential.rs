//! Reads and writes the attributes of git's credential protocol: `git-credential(1)`, `gitcredentials(7)`.

use crate::answer::attribute_line::{LINE_LIMIT, read_line, split, without_line_end, write_line};
use crate::answer::credential_url::{self, CredentialUrl};
use crate::answer::schemes::Schemes;
use crate::error::{Error, Kind, Result};
use crate::tokens::Secret;
use crate::urls::without_default_port;
use std::io::{self, BufRead, Write};

/// The longest request, in bytes.
const INPUT_LIMIT: u64 = 1024 * 1024;
/// What some programs on Windows write before the first line.
pub const BOM: &[u8] = b"\xef\xbb\xbf";
/// The prefix of our own `state[]` values. git passes the values of all helpers to each helper.
const OUR_STATE: &[u8] = b"codex-credential:";

/// The attributes of a request or an answer. Values are bytes: git allows every byte except LF and NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    pub protocol: Option<Vec<u8>>,
    pub host: Option<Vec<u8>>,
    pub path: Option<Vec<u8>>,
    pub username: Option<Vec<u8>>,
    pub password: Option<Secret<Vec<u8>>>,
    /// The HTTP authentication scheme of `credential`, such as `Bearer`.
    pub authtype: Option<Vec<u8>>,
    /// Replaces user name and password for callers with the capability `authtype`.
    pub credential: Option<Secret<Vec<u8>>>,
    /// When `password` or `credential` expires, in seconds since the epoch; `None` means never.
    pub password_expiry_utc: Option<i64>,
    pub oauth_refresh_token: Option<Secret<Vec<u8>>>,
    /// Whether callers must not store the credential.
    pub ephemeral: bool,
    /// What this program sent with its answer. git sends it back with `store` and `erase`.
    pub state: Option<Vec<u8>>,
    /// Whether `capability[]=authtype` was sent.
    pub authtype_capable: bool,
    /// Whether `capability[]=state` was sent.
    pub state_capable: bool,
    /// The authentication schemes that the server named (`wwwauth[]`).
    pub schemes: Schemes,
    /// How many attributes were sent, known or not.
    pub attributes: usize,
    /// How many unknown attributes were sent, or secrets that a later `url` cleared.
    pub unknown_attributes: usize,
}

impl Credential {
    /// Reads up to a blank line or the end.
    ///
    /// # Errors
    /// `BadInput` with the line number and the rule. It contains no value, because a value may be a secret. Unknown
    /// attributes are ignored, but not if nothing else was sent: a misspelled host must not get the default token.
    pub fn read(input: impl BufRead) -> Result<Self> {
        let mut input = input.take(INPUT_LIMIT + 1);
        let mut credential = Self::default();
        let mut unknown = None;
        let mut line = Secret::new(Vec::new());
        for number in 1.. {
            let bad = |rule: &str| Error::new(Kind::BadInput, format!("line {number}: {rule}"));
            read_line(&mut input, line.expose_mut())
                .map_err(|error| bad("cannot be read").caused_by(error))?;
            if input.limit() == 0 {
                return Err(bad("the request is longer than 1 MiB"));
            }
            let text = without_line_end(line.expose());
            let text = if number == 1 { text.strip_prefix(BOM).unwrap_or(text) } else { text };
            if text.len() > LINE_LIMIT {
                return Err(bad("longer than 65535 bytes"));
            }
            if text.is_empty() {
                break;
            }
            let (key, value) = split(text).map_err(bad)?;
            let is_known = credential.set(key, value).map_err(bad)?;
            credential.attributes += 1;
            credential.unknown_attributes += usize::from(!is_known);
            if !is_known && unknown.is_none() {
                unknown =
                    Some(bad("is an unknown attribute, and no other names a login").hint(
                        "name the login with lines such as protocol=https and host=chatgpt.com",
                    ));
            }
        }
        match unknown {
            Some(error) if !credential.is_specific() => Err(error),
            _ => Ok(credential),
        }
    }

    /// Returns false for an unknown key, and for `wwwauth[]`, which names no credential.
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<bool, &'static str> {
        let secret = || Some(Secret::new(value.to_vec()));
        match key {
            b"protocol" => self.protocol = Some(value.to_vec()),
            b"host" => self.host = Some(value.to_vec()),
            b"path" => self.path = Some(value.to_vec()),
            b"username" => self.username = Some(value.to_vec()),
            b"password" => self.password = secret(),
            b"credential" => self.credential = secret(),
            b"authtype" => self.authtype = Some(value.to_vec()),
            b"password_expiry_utc" => self.password_expiry_utc = seconds(value),
            b"oauth_refresh_token" => self.oauth_refresh_token = secret(),
            b"ephemeral" => self.ephemeral = ![&b""[..], b"0", b"false"].contains(&value),
            b"state[]" => self.set_state(value),
            b"capability[]" => self.set_capability(value),
            b"wwwauth[]" => {
                self.schemes.add(value);
                return Ok(false);
            }
            b"url" => {
                let cleared = self.unknown_attributes + usize::from(self.secret().is_some());
                *self = credential_url::parse(value)?.into();
                self.unknown_attributes = cleared;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// An empty value resets the list.
    fn set_capability(&mut self, value: &[u8]) {
        match value {
            b"" => (self.authtype_capable, self.state_capable) = (false, false),
            b"authtype" => self.authtype_capable = true,
            b"state" => self.state_capable = true,
            _ => {}
        }
    }

    /// Ignores the state of other helpers.
    fn set_state(&mut self, value: &[u8]) {
        if value.is_empty() {
            self.state = None;
        } else if let Some(ours) = value.strip_prefix(OUR_STATE) {
            self.state = Some(ours.to_vec());
        }
    }

    /// Returns the host as profiles name it.
    pub fn profile_host(&self) -> Option<Vec<u8>> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        self.host.as_deref().map(|host| without_default_port(protocol, host).to_vec())
    }

    /// Writes the attributes in git's order: a capability precedes the attributes that need it.
    pub fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let mut line = |key: &str, value: Option<&[u8]>| match value {
            Some(value) => write_line(output, key, value),
            None => Ok(()),
        };
        line("capability[]", self.authtype_capable.then_some(b"authtype"))?;
        line("capability[]", self.state_capable.then_some(b"state"))?;
        line("authtype", self.authtype.as_deref())?;
        line("credential", exposed(self.credential.as_ref()))?;
        line("ephemeral", self.ephemeral.then_some(b"1"))?;
        line("protocol", self.protocol.as_deref())?;
        line("host", self.host.as_deref())?;
        line("path", self.path.as_deref())?;
        line("username", self.username.as_deref())?;
        line("password", exposed(self.password.as_ref()))?;
        line("oauth_refresh_token", exposed(self.oauth_refresh_token.as_ref()))?;
        let expiry = self.password_expiry_utc.map(|end| end.to_string());
        line("password_expiry_utc", expiry.as_deref().map(str::as_bytes))?;
        let state = self.state.as_ref().map(|state| [OUR_STATE, state].concat());
        line("state[]", state.as_deref())
    }

    /// Removes the user name if it is `name`, which selects no account.
    pub fn forget_username(&mut self, name: Option<&str>) {
        self.username.take_if(|username| Some(&**username) == name.map(str::as_bytes));
    }

    /// Tells whether the request is not empty: an empty one is for the login of the profile.
    pub fn names_something(&self) -> bool {
        self.attributes > 0 || self.is_specific()
    }

    /// Tells whether any attribute selects a credential.
    fn is_specific(&self) -> bool {
        [&self.protocol, &self.host, &self.path, &self.username].into_iter().any(Option::is_some)
            || self.secret().is_some()
    }

    /// Returns the token in `credential`, else the one in `password`.
    pub fn secret(&self) -> Option<&[u8]> {
        let secret = self.credential.as_ref().or(self.password.as_ref())?;
        Some(secret.expose())
    }
}

impl From<CredentialUrl> for Credential {
    fn from(url: CredentialUrl) -> Self {
        Self {
            protocol: Some(url.protocol),
            host: Some(url.host),
            path: url.path,
            username: url.username,
            password: url.password,
            ..Self::default()
        }
    }
}

fn exposed(secret: Option<&Secret<Vec<u8>>>) -> Option<&[u8]> {
    secret.map(|secret| secret.expose().as_slice())
}

/// Parses an expiry as git does: zero, a text that is no number, and a number that is too large mean never.
fn seconds(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok().filter(|&seconds| seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: impl AsRef<[u8]>) -> Credential {
        Credential::read(input.as_ref()).unwrap()
    }

    fn read_error(input: impl AsRef<[u8]>) -> String {
        let error = Credential::read(input.as_ref()).unwrap_err();
        assert_eq!(error.kind, Kind::BadInput);
        error.text()
    }

    #[test]
    fn blank_line_or_end_of_input_ends_the_attributes() {
        let expected = Credential {
            protocol: Some("https".into()),
            host: Some("a.example".into()),
            attributes: 2,
            ..Credential::default()
        };
        assert_eq!(read("protocol=https\nhost=a.example"), expected);
        assert_eq!(read("protocol=https\nhost=a.example\n\nhost=b.example\n"), expected);
        assert_eq!(read("protocol=https\r\nhost=a.example\r\n\r\nhost=b.example"), expected);
        assert_eq!(read(""), Credential::default());
    }

    #[test]
    fn value_with_equals_sign_any_bytes_or_nothing_is_read() {
        assert_eq!(read("path=a=b=c\n").path, Some("a=b=c".into()));
        assert_eq!(read(b"path=\xff\x01\n").path, Some(vec![0xff, 1]));
        assert_eq!(read("path=\n").path, Some(vec![]));
        assert_eq!(read("host=a\nhost=b\n").host, Some("b".into()), "the last one wins");
        assert_eq!(read("host=a\nfuture=1\nnew[]=2\n").host, Some("a".into()));
    }

    #[test]
    fn only_an_empty_request_or_capabilities_name_nothing() {
        assert!(!read("").names_something());
        for input in [
            "capability[]=authtype\ncapability[]=state\n",
            "capability[]=\n",
            "host=\n",
            "path=a\n",
            "ephemeral=1\n",
            "protocol=https\nHost=a\n",
        ] {
            assert!(read(input).names_something(), "{input:?}");
        }
        let message = read_error("capability[]=state\nHost=a\n");
        assert_eq!(message, "line 2: is an unknown attribute, and no other names a login");
    }

    #[test]
    fn broken_rule_is_reported_with_its_line() {
        assert_eq!(read_error("host=a\nhost\n"), "line 2: is not key=value");
        assert_eq!(read_error("=a\n"), "line 1: has no key before the =");
        assert_eq!(read_error("host=a\0b\n"), "line 1: contains a NUL byte");
        assert_eq!(read_error("host=a\rb\n"), "line 1: contains a CR that does not end the line");
        assert_eq!(read_error("host=a\r\r\n"), "line 1: contains a CR that does not end the line");
        assert_eq!(read_error("url=chatgpt.com\n"), "line 1: the url has no protocol");
        for newline in ["%0a", "%0D", "%00"] {
            let message = read_error(format!("url=https://a.example/{newline}host=b\n"));
            assert_eq!(message, "line 1: the url contains an encoded newline, CR or NUL");
        }
    }

    #[test]
    fn line_of_65535_bytes_is_read_and_longer_line_is_rejected() {
        let line = |length: usize| format!("path={}", "a".repeat(length - 5));
        for end in ["", "\n", "\r\n"] {
            assert_eq!(read(line(65_535) + end).path.unwrap().len(), 65_530);
            assert_eq!(read_error(line(65_536) + end), "line 1: longer than 65535 bytes");
        }
        let endless = io::repeat(b'a');
        let error = Credential::read(io::BufReader::new(endless)).unwrap_err();
        assert_eq!(error.text(), "line 1: longer than 65535 bytes");
        let many = "future=1\n".repeat(1024 * 1024 / 9 + 1);
        assert!(read_error(many).ends_with("the request is longer than 1 MiB"));
    }

    #[test]
    fn empty_value_resets_a_list() {
        assert!(read("capability[]=state\ncapability[]=authtype\n").authtype_capable);
        assert!(!read("capability[]=authtype\ncapability[]=\n").authtype_capable);
        assert!(
            read("capability[]=\ncapability[]=authtype\ncapability[]=state\n").authtype_capable
        );
    }

    #[test]
    fn url_clears_earlier_attributes() {
        let expected = read("protocol=https\nhost=a.example\npath=b\n");
        let after_url = read("username=u\nurl=https://a.example/b\n");
        assert_eq!(Credential { attributes: 3, ..after_url }, expected);
        for cleared in ["password=p", "credential=c", "Password=p", "pass=p\nusername=u"] {
            let after_url = read(format!("{cleared}\nurl=https://a.example/b\n"));
            assert_eq!(after_url.unknown_attributes, 1, "{cleared}");
        }
    }

    #[test]
    fn expiry_that_is_no_positive_number_means_never() {
        let expiry = |value| read(format!("password_expiry_utc={value}\n")).password_expiry_utc;
        assert_eq!(expiry("1700000000"), Some(1_700_000_000));
        for never in ["0", "", "soon", "-1", "99999999999999999999"] {
            assert_eq!(expiry(never), None, "{never}");
        }
    }

    #[test]
    fn state_of_other_helpers_is_ignored() {
        let state = |lines| read(lines).state;
        assert_eq!(state("state[]=codex-credential:a\nstate[]=other:b\n"), Some("a".into()));
        assert_eq!(state("state[]=codex-credential:a\nstate[]=\n"), None);
        assert_eq!(state("state[]=codex\n"), None);
    }

    #[test]
    fn written_attributes_are_read_back() {
        let text = "capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential=c\n\
            ephemeral=1\nprotocol=https\nhost=h\npath=a\nusername=u\npassword=p\n\
            oauth_refresh_token=r\npassword_expiry_utc=1\nstate[]=codex-credential:s\n";
        let mut written = Vec::new();
        read(text).write(&mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), text);
        let two_lines = Credential { path: Some(b"a\nhost=b".into()), ..Credential::default() };
        assert!(two_lines.write(&mut Vec::new()).is_err());
    }
}
