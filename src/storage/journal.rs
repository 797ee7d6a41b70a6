//! The write-ahead note of a renewal: what is about to be sent, and the answer, on disk before anything else is
//! done with it. Whoever is killed after the answer arrived leaves it here, and the next renewal commits it.
//!
//! Line 1 is the intent, written and synced before the request; writing it also proves that the disk takes
//! writes before a single-use token is spent. Line 2 is the answer; sealed, where the login itself is in a keyring and
//! its tokens belong in no file.

use crate::client::ClientRegistration;
use crate::error::{Error, IoResultExt, Kind, Result};
use crate::storage::files::{read, remove, replace_and_open};
use crate::storage::seal::Seal;
use crate::tokens::{Fingerprint, TokenResponse, to_json};
use crate::trace::{self, Event, JournalStep};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Room on the disk for the answer, in bytes; longer ones may still fit.
const RESERVED: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    Refresh,
    /// The exchange of an approved device code.
    SignIn,
}

/// What a renewal is about to ask for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intent {
    pub request: Request,
    /// The login that the answer will replace; `None` where there is none.
    pub replaces: Option<Fingerprint>,
    /// Where it is sent.
    pub to: ClientRegistration,
    /// When it was sent, seconds since the epoch.
    pub at: i64,
}

/// What an earlier renewal left behind.
#[derive(Debug)]
pub enum Unfinished {
    /// It was sent, and no answer is known.
    Unanswered(Intent),
    /// The answer arrived and was not committed.
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
    /// Records `intent` and reserves the answer's place on the disk.
    pub fn begin(path: &Path, intent: &Intent, seal: Option<Seal>) -> Result<Self> {
        let mut line = serde_json::to_vec(intent).expect("intents serialize");
        line.push(b'\n');
        // In the place of what is there, be it a link or somebody else's.
        let file = replace_and_open(path, &[&line, &vec![b' '; RESERVED]])?;
        trace::tell(|| Event::Journal { step: JournalStep::Intent });
        Ok(Self { file, path: path.to_owned(), line_2: line.len() as u64, seal })
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
        trace::tell(|| Event::Journal { step: JournalStep::Answer });
        Ok(())
    }

    /// Forgets it: the answer is committed, or the request is known not to have counted.
    pub fn clear(self) -> Result<()> {
        clear(&self.path)
    }
}

/// See [`Journal::clear`].
pub fn clear(path: &Path) -> Result<()> {
    if remove(path)? {
        trace::tell(|| Event::Journal { step: JournalStep::Cleared });
    }
    Ok(())
}

/// What an earlier renewal left, if anything. A torn first line was never followed by a request. `seal` fetches the
/// key of a sealed answer.
///
/// # Errors
/// `Storage` when the answer is there and its key is not to be had now: it must not be given up.
pub fn left(
    path: &Path,
    seal: impl FnOnce() -> Result<Option<Seal>>,
) -> Result<Option<Unfinished>> {
    let content = read(path)?;
    let Some(content) = content else { return Ok(None) };
    let mut lines = content.split_inclusive(|&byte| byte == b'\n');
    let Some(intent) = lines.next().and_then(complete::<Intent>) else { return Ok(None) };
    let tokens = match lines.next().and_then(complete::<Answer>) {
        Some(Answer::Open(tokens)) => Some(tokens),
        Some(Answer::Sealed(sealed)) => Some(open(&sealed, seal()?).ok_or_else(|| {
            let what = format!("the key of {} is not in the keyring any more", path.display());
            Error::new(Kind::Storage, what).sign_in_again()
        })?),
        None => None,
    };
    let step = if tokens.is_some() { JournalStep::AnswerFound } else { JournalStep::IntentFound };
    trace::tell(|| Event::Journal { step });
    Ok(Some(match tokens {
        Some(tokens) => Unfinished::Answered(intent, tokens),
        None => Unfinished::Unanswered(intent),
    }))
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
        Intent { request: Request::Refresh, replaces: Some(Fingerprint::of(b"r")), to, at: 1 }
    }

    fn end_of_line(bytes: &[u8]) -> usize {
        bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1
    }

    /// A process can be killed between any two bytes of a write; each such file must be understood.
    #[test]
    fn every_prefix_of_a_journal_reads_as_nothing_unanswered_or_answered() {
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
            // What was not yet written is missing, or is what was reserved.
            let reserved = if length >= intent_ends { RESERVED } else { 0 };
            fs::write(&path, [&whole[..length], &vec![b' '; reserved]].concat()).unwrap();
            match left(&path, || unreachable!()).unwrap() {
                None => assert!(length < intent_ends),
                Some(Unfinished::Unanswered(_)) => {
                    assert!((intent_ends..whole.len()).contains(&length));
                }
                Some(Unfinished::Answered(..)) => assert_eq!(length, whole.len()),
            }
        }
        Journal::begin(&path, &intent(), None).unwrap().clear().unwrap();
        assert!(left(&path, || unreachable!()).unwrap().is_none());
    }

    #[test]
    fn a_sealed_answer_is_read_with_its_key_and_never_taken_for_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let tokens =
            TokenResponse { refresh_token: Some("made-up".into()), ..TokenResponse::default() };
        let seal = Seal::new().unwrap();
        let key = seal.bytes().to_vec();
        Journal::begin(&path, &intent(), Some(seal)).unwrap().answer(&tokens).unwrap();
        assert!(!String::from_utf8(fs::read(&path).unwrap()).unwrap().contains("made-up"));
        let Ok(Some(Unfinished::Answered(_, left_behind))) =
            left(&path, || Ok(Seal::from_bytes(&key)))
        else {
            panic!("it is there")
        };
        assert!(left_behind.refresh_token == tokens.refresh_token);
        assert!(left(&path, || Ok(None)).is_err());
        assert!(left(&path, || Seal::new().map(Some)).is_err());
    }
}
