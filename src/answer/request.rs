//! Reads a request in the protocol of the program that asks: git, Bazel or Docker.

use crate::answer::credential::Credential;
use crate::answer::credential_url;
use crate::answer::docker;
use crate::answer::formats::Format;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
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
        let (credential, own_format) = match is_json(&mut input, &mut blank) {
            Some(true) => (bazel(blank.chain(input))?, Format::Bazel),
            Some(false) => (Credential::read(blank.chain(input))?, Format::Git),
            None => (Credential::default(), Format::Git),
        };
        Ok(Self { credential, format: format.unwrap_or(own_format), server_url: String::new() })
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
        Ok(Self { credential, format: Format::Docker, server_url })
    }

    /// Writes the token of `login` in the format of the answer. `exec_info` is `$KUBERNETES_EXEC_INFO`.
    pub fn write(
        &self,
        output: &mut impl Write,
        login: &Login,
        exec_info: Option<&str>,
    ) -> io::Result<()> {
        self.format.write(output, &self.credential, &self.server_url, login, exec_info)
    }
}

/// Tells whether `{` follows the white space that the input starts with; `None` for an empty input. `blank` receives the
/// white space that had to be taken out of the input.
fn is_json(input: &mut impl BufRead, blank: &mut Vec<u8>) -> Option<bool> {
    while blank.len() < JSON_LIMIT {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // The reader of attributes gets the error again and reports it.
            Err(_) => return Some(false),
        };
        if let Some(first) = buffer.iter().find(|byte| !byte.is_ascii_whitespace()) {
            return Some(*first == b'{');
        }
        // A blank line ends a request in git's protocol. Its sender may keep the pipe open.
        if buffer.is_empty() && blank.is_empty() {
            return None;
        }
        if buffer.is_empty() || buffer.contains(&b'\n') {
            return Some(false);
        }
        blank.extend_from_slice(buffer);
        let length = buffer.len();
        input.consume(length);
    }
    Some(false)
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
        assert_eq!(host("\nhost=b.example\n"), None, "a blank line ends the request");
        let error = Request::read(None, "  \nhost=b\n".as_bytes()).unwrap_err();
        assert_eq!(error.text(), "line 1: is not key=value");
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
