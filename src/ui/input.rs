//! Reads what a user pastes at the prompt, which may be several lines at once.

use crate::error::Result;
use crate::threads;
use crate::tokens::Secret;
#[cfg(unix)]
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    stdio::stdin,
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr},
};

/// Reads standard input. On a terminal, what is typed is not shown, and arrives when Enter ends it: a line break inside a
/// pasted text is followed by more of it at once. Dropping this makes the terminal as it was.
pub struct Lines {
    #[cfg(unix)]
    terminal: Option<Termios>,
}

/// How soon the next part of a pasted text follows, in nanoseconds.
#[cfg(unix)]
const PAUSE: i64 = 200_000_000;

impl Lines {
    /// Calls `typed` with each text, until it returns false or the input ends.
    pub fn read(typed: impl FnMut(Secret<String>) -> bool + Send + 'static) -> Result<Self> {
        #[cfg(unix)]
        let lines = Self { terminal: hide_input() };
        #[cfg(not(unix))]
        let lines = Self {};
        threads::spawn(move || read(typed))?;
        Ok(lines)
    }
}

#[cfg(unix)]
impl Drop for Lines {
    fn drop(&mut self) {
        if let Some(before) = &self.terminal {
            let _ = tcsetattr(stdin(), OptionalActions::Flush, before);
        }
    }
}

/// Turns off the echo, and the limit of 4096 bytes for a line. Returns how the terminal was.
#[cfg(unix)]
fn hide_input() -> Option<Termios> {
    let before = tcgetattr(stdin()).ok()?;
    let mut changed = before.clone();
    changed.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    changed.special_codes[SpecialCodeIndex::VMIN] = 1;
    changed.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(stdin(), OptionalActions::Now, &changed).ok()?;
    Some(before)
}

#[cfg(unix)]
fn read(mut typed: impl FnMut(Secret<String>) -> bool) {
    let mut text: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let is_line = text.last().is_some_and(|last| b"\r\n".contains(last));
        let pause = Timespec { tv_sec: 0, tv_nsec: PAUSE };
        let input = stdin();
        let ready =
            poll(&mut [PollFd::from_borrowed_fd(input, PollFlags::IN)], is_line.then_some(&pause));
        let length = match ready {
            Err(Errno::INTR) => continue,
            Ok(0) => 0,
            _ => match rustix::io::read(input, &mut buffer) {
                Ok(length @ 1..) => length,
                Err(Errno::INTR) => continue,
                // The end of the input ends the text, too.
                _ => {
                    if !text.is_empty() {
                        text.push(b'\n');
                        typed(taken(&mut text));
                    }
                    return;
                }
            },
        };
        if length > 0 {
            text.extend_from_slice(&buffer[..length]);
        } else if !typed(taken(&mut text)) {
            return;
        }
    }
}

#[cfg(unix)]
fn taken(text: &mut Vec<u8>) -> Secret<String> {
    Secret::new(String::from_utf8_lossy(&std::mem::take(text)).into_owned())
}

#[cfg(not(unix))]
fn read(mut typed: impl FnMut(Secret<String>) -> bool) {
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).is_ok_and(|length| length > 0)
        && typed(Secret::new(std::mem::take(&mut line)))
    {}
}
