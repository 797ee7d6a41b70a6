//! Reads a request in the protocol of the program that asks: git, Bazel or Docker. `docker.rs` reads Docker's input.

use crate::answer::credential::{BOM, Credential};
use crate::answer::credential_url;
use crate::answer::docker;
use crate::answer::formats::Format;
use crate::answer::target::Target;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use serde_json::Value;
use std::io::{self, BufRead, ErrorKind, Read, Write};

/// The longest request in JSON, and the longest white space before it, in bytes.
const JSON_LIMIT: usize = 64 * 1024;

#[derive(Debug, Default)]
pub struct Request {
    pub credential: Credential,
    /// The format of the answer.
    pub format: Format,
    /// The registry as Docker wrote it. The answer repeats it.
    pub server_url: String,
    /// The user name that the profile gives to git.
    pub git_username: Option<String>,
}

impl Request {
    /// Reads git's attributes, or Bazel's JSON if the input starts with `{`. `format` is the format
    /// of the answer that the caller named. Without one, the answer is in the protocol of the request.
    ///
    /// # Errors
    /// `BadInput` with the rule that the request breaks.
    pub fn read(format: Option<Format>, mut input: impl BufRead) -> Result<Self> {
        // kubectl sends no request. Standard input belongs to the user.
        if format == Some(Format::ExecCredential) {
            return Ok(Self { format: Format::ExecCredential, ..Self::default() });
        }
        let mut blank = Vec::new();
        let (credential, own_format) = match start_of(&mut input, &mut blank) {
            Start::Json => (bazel(input)?, Format::Bazel),
            start => (read_attributes(&start, blank.chain(input))?, Format::Git),
        };
        Ok(Self { credential, format: format.unwrap_or(own_format), ..Self::default() })
    }

    /// Reads the server URL that Docker sends to `get`.
    ///
    /// # Errors
    /// `BadInput` with Docker's text.
    pub fn read_docker(input: impl BufRead) -> Result<Self> {
        let server_url = docker::server_url(input)?;
        // Docker names most registries without a scheme. A text that is no URL becomes an empty host, which has no login.
        let scheme = if server_url.contains("://") { "" } else { "https://" };
        let url = format!("{scheme}{server_url}");
        let no_host = || Credential { host: Some(Vec::new()), ..Credential::default() };
        let credential = credential_url::parse_exact(url.as_bytes())
            .map_or_else(|_| no_host(), Credential::from);
        Ok(Self { credential, format: Format::Docker, server_url, ..Self::default() })
    }

    /// Takes the user name for git from the profile that answers. In the request it selects no account.
    pub fn answered_by(&mut self, profile: &Profile) {
        let name = profile.settings.git_username.as_deref();
        if Target::of(profile, &self.credential) == Target::OurHost {
            self.credential.forget_username(name);
        }
        self.git_username = name.map(str::to_owned);
    }

    /// Writes the token of `login` in the format of the answer. `exec_info` is `$KUBERNETES_EXEC_INFO`.
    pub fn write(
        &self,
        output: &mut impl Write,
        login: &Login,
        exec_info: Option<&str>,
    ) -> io::Result<()> {
        let git_username = self.git_username.as_deref();
        let (request, url) = (&self.credential, &self.server_url);
        self.format.write(output, request, url, login, exec_info, git_username)
    }
}

/// Reads git's attributes alone, for `store` and `erase`.
///
/// # Errors
/// As [`Request::read`].
pub fn read_credential(mut input: impl BufRead) -> Result<Credential> {
    let mut blank = Vec::new();
    let start = start_of(&mut input, &mut blank);
    read_attributes(&start, blank.chain(input))
}

fn read_attributes(start: &Start, input: impl BufRead) -> Result<Credential> {
    match start {
        Start::Empty => Ok(Credential::default()),
        Start::BlankLine => {
            Err(Error::new(Kind::BadInput, "line 1: is blank, and attributes follow"))
        }
        Start::Json | Start::Attributes => Credential::read(input),
    }
}

/// How an input starts.
enum Start {
    Empty,
    Json,
    Attributes,
    /// A blank line ends a request in git's protocol, but this one has attributes after it.
    BlankLine,
}

/// Tells how the input starts, after a byte order mark and white space. `blank` receives the white space that had to be
/// taken out of the input.
fn start_of(input: &mut impl BufRead, blank: &mut Vec<u8>) -> Start {
    while blank.len() < JSON_LIMIT {
        let mut buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // The reader of attributes gets the error again and reports it.
            Err(_) => return Start::Attributes,
        };
        if blank.is_empty() && buffer.starts_with(BOM) {
            input.consume(BOM.len());
            buffer = input.fill_buf().unwrap_or_default();
        }
        let first = buffer.iter().position(|byte| !byte.is_ascii_whitespace());
        let has_line_end = buffer[..first.unwrap_or(buffer.len())].contains(&b'\n');
        match first {
            Some(first) if buffer[first] == b'{' => {
                input.consume(first);
                return Start::Json;
            }
            Some(_) if has_line_end => return Start::BlankLine,
            Some(_) => return Start::Attributes,
            None if buffer.is_empty() && blank.is_empty() => return Start::Empty,
            // The sender of a blank line may keep the pipe open.
            None if buffer.is_empty() || has_line_end => return Start::Attributes,
            None => {}
        }
        blank.extend_from_slice(buffer);
        let length = buffer.len();
        input.consume(length);
    }
    Start::Attributes
}

/// Reads `{"uri": "https://…"}`.
fn bazel(input: impl BufRead) -> Result<Credential> {
    let bad = |why: &str| Error::new(Kind::BadInput, format!("the request is not Bazel's: {why}"));
    let mut text = String::new();
    let mut input = input.take(JSON_LIMIT as u64);
    input.read_to_string(&mut text).map_err(|error| bad(&error.to_string()))?;
    let request: Value = serde_json::from_str(&text).map_err(|_| bad("it is not JSON"))?;
    let uri = request["uri"].as_str().ok_or_else(|| bad("it has no uri"))?;
    credential_url::parse_exact(uri.as_bytes()).map(Credential::from).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn host(input: &str) -> Option<String> {
        // A buffer of one byte shows that the decision does not depend on how much arrives at once.
        let input = BufReader::with_capacity(1, input.as_bytes());
        let host = Request::read(None, input).unwrap().credential.host;
        host.map(|host| String::from_utf8(host).unwrap())
    }

    #[test]
    fn json_after_blanks_is_recognized() {
        assert_eq!(host(" \t{\"uri\":\"HTTPS://A.example:443/x\"}").as_deref(), Some("A.example"));
        assert_eq!(host("host=b.example\n").as_deref(), Some("b.example"));
        assert_eq!(host(""), None);
        assert_eq!(host("\n"), None, "a blank line ends the request");
    }

    #[test]
    fn request_after_a_blank_line_is_an_error() {
        for input in ["\nhost=b.example\n", "\r\n\r\nhost=b.example\n\n", "  \nhost=b\n"] {
            let error = Request::read(None, input.as_bytes()).unwrap_err();
            assert_eq!(error.text(), "line 1: is blank, and attributes follow", "{input:?}");
        }
    }

    #[test]
    fn byte_order_mark_is_skipped() {
        let read = |input: &str| Request::read(None, input.as_bytes()).unwrap();
        assert_eq!(read("\u{feff}host=b.example\n").credential.host, Some("b.example".into()));
        assert!(!read("\u{feff}").credential.names_something());
        assert!(!read("\u{feff}\r\n").credential.names_something());
        assert_eq!(read("\u{feff} {\"uri\":\"https://a.example\"}").format, Format::Bazel);
    }

    #[test]
    fn json_after_blank_lines_in_one_read_is_recognized() {
        let request = Request::read(None, "\r\n \n{\"uri\":\"https://a.example\"}".as_bytes());
        assert_eq!(request.unwrap().format, Format::Bazel);
    }

    #[test]
    fn named_format_overrides_the_format_of_a_json_request() {
        let json = "{\"uri\":\"https://a.example\"}";
        let request = Request::read(Some(Format::Token), json.as_bytes()).unwrap();
        assert_eq!(request.format, Format::Token);
        assert_eq!(request.credential.host, Some("a.example".into()));
    }
}
