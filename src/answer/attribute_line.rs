//! One line of git's credential format: `key=value`.

use crate::answer::credential_url::split_at;
use std::io::{self, BufRead, Read, Write};

/// The longest line without its line end, in bytes.
pub const LINE_LIMIT: usize = 65_535;

/// Reads a line with its line end. Stops behind the longest line, so that a longer one is noticed.
pub fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<()> {
    line.clear();
    // One byte more than the longest line with CR and LF, so that a longer line is noticed.
    input.take(LINE_LIMIT as u64 + 3).read_until(b'\n', line).map(drop)
}

pub fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Splits a line at its first `=`. The error is the rule that the line breaks.
pub fn split(line: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
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
/// `InvalidData` for a value with a line end or NUL, and the errors of `output`.
pub fn write_line(output: &mut impl Write, key: &str, value: &[u8]) -> io::Result<()> {
    if value.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{key} is not one line")));
    }
    output.write_all(key.as_bytes())?;
    output.write_all(b"=")?;
    output.write_all(value)?;
    output.write_all(b"\n")
}
