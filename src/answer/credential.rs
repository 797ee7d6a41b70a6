//! git-credential's wire format, as `git-credential(1)` and `gitcredentials(7)` describe it. Pure: a reader in, a
//! writer out.

use crate::answer::credential_url::{self, CredentialUrl, split_at};
use crate::error::{Error, Kind, Result};
use crate::tokens::Secret;
use std::io::{self, BufRead, Read, Write};

/// A line without its end, in bytes.
const LINE_LIMIT: usize = 65_535;
/// A whole request, in bytes.
const INPUT_LIMIT: u64 = 1024 * 1024;
/// Begins what is ours of the `state[]` that git hands from helper to helper.
const OUR_STATE: &[u8] = b"codex-credential:";

/// The attributes of one request, or of one answer. Values are bytes: git allows all but LF and NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    pub protocol: Option<Vec<u8>>,
    pub host: Option<Vec<u8>>,
    pub path: Option<Vec<u8>>,
    pub username: Option<Vec<u8>>,
    pub password: Option<Secret<Vec<u8>>>,
    /// The HTTP scheme that `credential` is for.
    pub authtype: Option<Vec<u8>>,
    /// The token in place of user name and password, from callers that announced `authtype`.
    pub credential: Option<Secret<Vec<u8>>>,
    /// Of `password` or `credential`, in seconds since the epoch; `None` means never.
    pub password_expiry_utc: Option<i64>,
    pub oauth_refresh_token: Option<Secret<Vec<u8>>>,
    /// Not to be kept.
    pub ephemeral: bool,
    /// What this program said with its answer, and hears again when git tells what became of it.
    pub state: Option<Vec<u8>>,
    /// `capability[]=authtype` is announced.
    pub authtype_capable: bool,
    /// `capability[]=state` is announced.
    pub state_capable: bool,
}

impl Credential {
    /// Reads up to a blank line or the end.
    ///
    /// # Errors
    /// `BadInput`, naming the line and the rule and never a value, for it may be a secret.
    pub fn read(input: impl BufRead) -> Result<Self> {
        let mut input = input.take(INPUT_LIMIT + 1);
        let mut credential = Self::default();
        let mut line = Secret::new(Vec::new());
        for number in 1.. {
            let bad = |rule: &str| Error::new(Kind::BadInput, format!("line {number}: {rule}"));
            read_line(&mut input, line.expose_mut())
                .map_err(|error| bad("cannot be read").caused_by(error))?;
            if input.limit() == 0 {
                return Err(bad("the request is longer than 1 MiB"));
            }
            let text = without_line_end(line.expose());
            if text.len() > LINE_LIMIT {
                return Err(bad("longer than 65535 bytes"));
            }
            if text.is_empty() {
                break;
            }
            let (key, value) = split(text).map_err(bad)?;
            credential.set(key, value).map_err(bad)?;
        }
        Ok(credential)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
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
            b"url" => *self = credential_url::parse(value)?.into(),
            _ => {}
        }
        Ok(())
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

    /// Only our own is of interest.
    fn set_state(&mut self, value: &[u8]) {
        if value.is_empty() {
            self.state = None;
        } else if let Some(ours) = value.strip_prefix(OUR_STATE) {
            self.state = Some(ours.to_vec());
        }
    }

    /// Writes an answer, in git's own order: a capability comes before what it allows.
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

    /// Whether anything says which credential is meant.
    pub fn names_something(&self) -> bool {
        [&self.protocol, &self.host, &self.path, &self.username].into_iter().any(Option::is_some)
            || self.secret().is_some()
    }

    /// The token that the caller gives, in whichever attribute.
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

/// As git reads it: zero, and what is no number or too large a one, mean never.
fn seconds(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok().filter(|&seconds| seconds > 0)
}

fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<()> {
    line.clear();
    // One byte more than a line may have with its CR and LF tells that it is too long.
    input.take(LINE_LIMIT as u64 + 3).read_until(b'\n', line).map(drop)
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn split(line: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    if line.contains(&0) {
        return Err("contains a NUL byte");
    }
    if line.contains(&b'\r') {
        return Err("contains a CR that does not end the line");
    }
    let (key, value) = split_at(line, b"=").ok_or("is not key=value")?;
    if key.is_empty() { Err("has no key before the =") } else { Ok((key, value)) }
}

/// Writes one `key=value` line.
///
/// # Errors
/// `InvalidData` for a value that would be more than a line, beside those of `output`.
fn write_line(output: &mut impl Write, key: &str, value: &[u8]) -> io::Result<()> {
    if value.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{key} is not one line")));
    }
    output.write_all(key.as_bytes())?;
    output.write_all(b"=")?;
    output.write_all(value)?;
    output.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: impl AsRef<[u8]>) -> Credential {
        Credential::read(input.as_ref()).unwrap()
    }

    fn refused(input: impl AsRef<[u8]>) -> String {
        let error = Credential::read(input.as_ref()).unwrap_err();
        assert_eq!(error.kind, Kind::BadInput);
        error.text()
    }

    #[test]
    fn attributes_end_at_a_blank_line_or_at_the_end() {
        let expected = Credential {
            protocol: Some("https".into()),
            host: Some("a.example".into()),
            ..Credential::default()
        };
        assert_eq!(read("protocol=https\nhost=a.example"), expected);
        assert_eq!(read("protocol=https\nhost=a.example\n\nhost=b.example\n"), expected);
        assert_eq!(read("protocol=https\r\nhost=a.example\r\n\r\nhost=b.example"), expected);
        assert_eq!(read(""), Credential::default());
    }

    #[test]
    fn a_value_may_hold_equals_signs_any_bytes_and_nothing() {
        assert_eq!(read("path=a=b=c\n").path, Some("a=b=c".into()));
        assert_eq!(read(b"path=\xff\x01\n").path, Some(vec![0xff, 1]));
        assert_eq!(read("path=\n").path, Some(vec![]));
        assert_eq!(read("host=a\nhost=b\n").host, Some("b".into()), "the last one wins");
        assert_eq!(read("future=1\nnew[]=2\n"), Credential::default());
    }

    #[test]
    fn each_rule_is_named_with_its_line() {
        assert_eq!(refused("host=a\nhost\n"), "line 2: is not key=value");
        assert_eq!(refused("=a\n"), "line 1: has no key before the =");
        assert_eq!(refused("host=a\0b\n"), "line 1: contains a NUL byte");
        assert_eq!(refused("host=a\rb\n"), "line 1: contains a CR that does not end the line");
        assert_eq!(refused("host=a\r\r\n"), "line 1: contains a CR that does not end the line");
        assert_eq!(refused("url=chatgpt.com\n"), "line 1: the url has no protocol");
        for newline in ["%0a", "%0D", "%00"] {
            let message = refused(format!("url=https://a.example/{newline}host=b\n"));
            assert_eq!(message, "line 1: the url contains an encoded newline, CR or NUL");
        }
    }

    #[test]
    fn lines_up_to_65535_bytes_are_read_and_longer_ones_refused() {
        let line = |length: usize| format!("path={}", "a".repeat(length - 5));
        for end in ["", "\n", "\r\n"] {
            assert_eq!(read(line(65_535) + end).path.unwrap().len(), 65_530);
            assert_eq!(refused(line(65_536) + end), "line 1: longer than 65535 bytes");
        }
        let endless = io::repeat(b'a');
        let error = Credential::read(io::BufReader::new(endless)).unwrap_err();
        assert_eq!(error.text(), "line 1: longer than 65535 bytes");
        let many = "future=1\n".repeat(1024 * 1024 / 9 + 1);
        assert!(refused(many).ends_with("the request is longer than 1 MiB"));
    }

    #[test]
    fn an_empty_value_resets_a_list() {
        assert!(read("capability[]=state\ncapability[]=authtype\n").authtype_capable);
        assert!(!read("capability[]=authtype\ncapability[]=\n").authtype_capable);
        assert!(
            read("capability[]=\ncapability[]=authtype\ncapability[]=state\n").authtype_capable
        );
    }

    #[test]
    fn a_url_clears_what_came_before() {
        let expected = read("protocol=https\nhost=a.example\npath=b\n");
        assert_eq!(read("username=u\npassword=p\nurl=https://a.example/b\n"), expected);
    }

    #[test]
    fn an_expiry_is_a_number_of_seconds_and_all_else_means_never() {
        let expiry = |value| read(format!("password_expiry_utc={value}\n")).password_expiry_utc;
        assert_eq!(expiry("1700000000"), Some(1_700_000_000));
        for never in ["0", "", "soon", "-1", "99999999999999999999"] {
            assert_eq!(expiry(never), None, "{never}");
        }
    }

    #[test]
    fn only_our_own_state_is_heard() {
        let state = |lines| read(lines).state;
        assert_eq!(state("state[]=codex-credential:a\nstate[]=other:b\n"), Some("a".into()));
        assert_eq!(state("state[]=codex-credential:a\nstate[]=\n"), None);
        assert_eq!(state("state[]=codex\n"), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = "capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential=c\n\
            ephemeral=1\nprotocol=https\nhost=h\npath=a\nusername=u\npassword=p\n\
            oauth_refresh_token=r\npassword_expiry_utc=1\nstate[]=codex-credential:s\n";
        let mut written = Vec::new();
        read(text).write(&mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), text);
        let torn = Credential { path: Some(b"a\nhost=b".into()), ..Credential::default() };
        assert!(torn.write(&mut Vec::new()).is_err());
    }
}
