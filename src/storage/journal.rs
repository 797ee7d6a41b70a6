//! The write-ahead journal of a refresh request or a sign-in. It records the answer before the login is changed, so that
//! the next process can commit what a killed one left.
//!
//! Line 1 is the intent, synced before the request is sent. Writing it also proves that the disk takes writes, before a
//! single-use token is spent. Line 2 is the answer. It is sealed where the login is in a keyring.

use crate::account::AccountRules;
use crate::client::ClientRegistration;
use crate::error::{Error, IoResultExt, Kind, Result};
use crate::storage::files::{read_own, remove, replace_and_open};
use crate::storage::seal::Seal;
use crate::tokens::{Fingerprint, TokenResponse, to_json};
use crate::trace::{self, Event};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Space that is reserved on the disk for the answer, in bytes.
const RESERVED: usize = 64 * 1024;

/// Begins the name of a kept answer. The fingerprint of its login follows.
const KEPT: &str = "kept-answer-";

/// Which request a journal records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    Refresh,
    SignIn,
}

/// What is about to be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intent {
    pub request: RequestKind,
    /// The login that the answer replaces; `None` where no login is stored.
    pub replaces: Option<Fingerprint>,
    /// The client registration whose server gets the request.
    pub to: ClientRegistration,
    /// The rules that the answer is judged by, whichever process commits it.
    pub rules: AccountRules,
    /// When it was sent, in seconds since the epoch.
    pub at: i64,
    /// What the ID token of the answer has to repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The refresh token came from a caller of `store`. It is not the one of the stored login.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_offered: bool,
}

/// What a killed process left in a journal.
#[derive(Debug)]
pub enum Unfinished {
    /// The request may have been sent. No answer is recorded.
    Unanswered(Intent),
    /// The answer is recorded. It may be committed already.
    Answered(Intent, Box<TokenResponse>),
}

pub struct Journal {
    file: File,
    path: PathBuf,
    /// Where line 2 begins.
    line_2: u64,
    seal: Option<Seal>,
}

/// Line 2.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Sealed(String),
    Open(Box<TokenResponse>),
}

impl Journal {
    /// Records `intent`, and reserves space for the answer.
    pub fn begin(path: &Path, intent: &Intent, seal: Option<Seal>) -> Result<Self> {
        let mut line = serde_json::to_vec(intent).expect("intents serialize");
        line.push(b'\n');
        let line_2 = line.len() as u64;
        line.resize(line.len() + RESERVED, b' ');
        // Replaces a link instead of following it.
        let file = replace_and_open(path, &line, None)?;
        trace::tell(|| Event::Journal { step: "intent" });
        Ok(Self { file, path: path.to_owned(), line_2, seal })
    }

    /// Records the answer, in one write.
    pub fn answer(&mut self, tokens: &TokenResponse) -> Result<()> {
        let mut line = to_json(tokens);
        if let Some(seal) = &self.seal {
            *line = serde_json::to_vec(&seal.seal(&line)).expect("text serializes");
        }
        line.push(b'\n');
        let mut write = || {
            self.file.seek(SeekFrom::Start(self.line_2))?;
            self.file.write_all(&line)?;
            self.file.sync_data()
        };
        write().context("write", &self.path)?;
        trace::tell(|| Event::Journal { step: "answer" });
        // The answer cannot be lost any more.
        trace::resume();
        Ok(())
    }

    /// See [`keep`].
    pub fn keep(self) -> Result<()> {
        keep(&self.path)
    }

    /// Removes the journal: the answer is committed, or the request changed nothing.
    pub fn clear(self) -> Result<()> {
        clear(&self.path)
    }
}

/// Keeps the answer in the journal at `path`, whose login is not stored any more, in case that login is put back.
pub fn keep(path: &Path) -> Result<()> {
    let Some((Intent { replaces: Some(login), .. }, _)) = lines(path)? else { return clear(path) };
    fs::rename(path, kept_path(path, &login)).context("rename", path)?;
    trace::tell(|| Event::Journal { step: "kept" });
    Ok(())
}

/// Makes what was kept for the stored login the journal at `path` again, unless the journal has an answer. Keeps the request
/// of another login that is there without an answer. Returns whether anything was restored.
pub fn restore_kept(path: &Path, stored: Option<&Fingerprint>) -> Result<bool> {
    let Some(kept) = stored.map(|login| kept_path(path, login)) else { return Ok(false) };
    if lines(&kept)?.is_none() {
        return Ok(false);
    }
    match lines(path)? {
        Some((_, Some(_))) => return Ok(false),
        Some((intent, None)) if intent.replaces.as_ref() != stored => keep(path)?,
        _ => {}
    }
    fs::rename(&kept, path).context("rename", &kept)?;
    Ok(true)
}

/// Whether [`keep`] has kept an answer beside the journal at `path`.
pub fn has_kept(path: &Path) -> bool {
    let entries = path.parent().map(fs::read_dir).into_iter().flatten().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(KEPT))
}

fn kept_path(path: &Path, login: &Fingerprint) -> PathBuf {
    path.with_file_name(format!("{KEPT}{}", login.prefix(16)))
}

/// Removes the journal at `path` if it is about `login`.
pub fn clear_for(path: &Path, login: &Fingerprint) -> Result<()> {
    match lines(path)? {
        Some((intent, _)) if intent.replaces.as_ref() != Some(login) => Ok(()),
        _ => clear(path),
    }
}

/// See [`Journal::clear`]. Succeeds without a journal.
pub fn clear(path: &Path) -> Result<()> {
    if remove(path)? {
        trace::tell(|| Event::Journal { step: "cleared" });
    }
    Ok(())
}

/// Whether the journal at `path` holds an answer, readable or not.
pub fn is_answered(path: &Path) -> Result<bool> {
    Ok(lines(path)?.is_some_and(|(_, answer)| answer.is_some()))
}

/// Returns what the journal at `path` holds. No request follows an incomplete first line. `seal` fetches the key of a
/// sealed answer.
///
/// # Errors
/// `Storage` when there is an answer and its key cannot be had: the answer must not be given up.
pub fn unfinished(
    path: &Path,
    seal: impl FnOnce(RequestKind) -> Result<Option<Seal>>,
) -> Result<Option<Unfinished>> {
    let Some((intent, answer)) = lines(path)? else { return Ok(None) };
    let tokens = match answer {
        None => {
            trace::tell(|| Event::Journal { step: "intent_found" });
            return Ok(Some(Unfinished::Unanswered(intent)));
        }
        Some(Answer::Open(tokens)) => tokens,
        Some(Answer::Sealed(sealed)) => open(&sealed, seal(intent.request)?).ok_or_else(|| {
            let what = format!("cannot read {}: its key is gone from the keyring", path.display());
            Error::new(Kind::Storage, what).sign_in_again()
        })?,
    };
    trace::tell(|| Event::Journal { step: "answer_found" });
    Ok(Some(Unfinished::Answered(intent, tokens)))
}

fn lines(path: &Path) -> Result<Option<(Intent, Option<Answer>)>> {
    let Some(content) = read_own(path)? else { return Ok(None) };
    let mut lines = content.split_inclusive(|&byte| byte == b'\n');
    let Some(intent) = lines.next().and_then(complete) else { return Ok(None) };
    Ok(Some((intent, lines.next().and_then(complete))))
}

fn open(sealed: &str, seal: Option<Seal>) -> Option<Box<TokenResponse>> {
    serde_json::from_slice(&seal?.open(sealed)?).ok()
}

fn complete<T: for<'a> Deserialize<'a>>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line.strip_suffix(b"\n")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn intent() -> Intent {
        let to = ClientRegistration { issuer: "https://i".into(), client_id: "c".into() };
        let rules = AccountRules::default();
        Intent {
            request: RequestKind::Refresh,
            replaces: Some(Fingerprint::of(b"r")),
            to,
            rules,
            at: 1,
            nonce: None,
            is_offered: false,
        }
    }

    fn end_of_line(bytes: &[u8]) -> usize {
        bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1
    }

    /// A process can be killed between any two bytes of a write.
    #[test]
    fn every_prefix_of_a_journal_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let tokens =
            TokenResponse { access_token: Some("made-up".into()), ..TokenResponse::default() };
        let mut journal = Journal::begin(&path, &intent(), None).unwrap();
        let intent_ends = end_of_line(&fs::read(&path).unwrap());
        journal.answer(&tokens).unwrap();
        let whole = fs::read(&path).unwrap();
        let whole = &whole[..intent_ends + end_of_line(&whole[intent_ends..])];
        for length in 0..=whole.len() {
            // The bytes that were not written are missing, or are the reserved space.
            let reserved = if length >= intent_ends { RESERVED } else { 0 };
            fs::write(&path, [&whole[..length], &vec![b' '; reserved]].concat()).unwrap();
            assert_eq!(is_answered(&path).unwrap(), length == whole.len());
            match unfinished(&path, |_| unreachable!()).unwrap() {
                None => assert!(length < intent_ends),
                Some(Unfinished::Unanswered(_)) => {
                    assert!((intent_ends..whole.len()).contains(&length));
                }
                Some(Unfinished::Answered(..)) => assert_eq!(length, whole.len()),
            }
        }
        Journal::begin(&path, &intent(), None).unwrap().clear().unwrap();
        assert!(unfinished(&path, |_| unreachable!()).unwrap().is_none());
    }

    #[test]
    fn a_sealed_answer_without_its_key_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let tokens =
            TokenResponse { refresh_token: Some("made-up".into()), ..TokenResponse::default() };
        let seal = Seal::new().unwrap();
        let key = seal.bytes().to_vec();
        Journal::begin(&path, &intent(), Some(seal)).unwrap().answer(&tokens).unwrap();
        assert!(!String::from_utf8(fs::read(&path).unwrap()).unwrap().contains("made-up"));
        let Ok(Some(Unfinished::Answered(_, recovered))) =
            unfinished(&path, |_| Ok(Seal::from_bytes(&key)))
        else {
            panic!("the journal has an answer")
        };
        assert!(recovered.refresh_token == tokens.refresh_token);
        assert!(is_answered(&path).unwrap());
        assert!(unfinished(&path, |_| Ok(None)).is_err());
        assert!(unfinished(&path, |_| Seal::new().map(Some)).is_err());
    }
}
