//! Records a terminal as an animated SVG.

use rexpect::process::PtyProcess;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Winsize};
use rustix::termios::{tcgetattr, tcsetattr, tcsetwinsize};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// The pause between two typed letters.
const KEY: Duration = Duration::from_millis(45);
/// How long the last frame is shown before the animation repeats, in seconds.
const LAST: f64 = 6.0;
/// Longer pauses are shortened to this, in seconds.
const SILENCE: f64 = 1.0;
const PATIENCE: Duration = Duration::from_secs(30);

/// The width and height of a letter, in pixels.
const LETTER: (f64, f64) = (8.4, 19.0);
/// The space around the screen, in pixels.
const MARGIN: f64 = 16.0;

pub struct Film {
    _process: PtyProcess,
    terminal: File,
    screen: vt100::Parser,
    /// Columns and rows.
    size: (u16, u16),
    began: Instant,
    /// The time of each change in seconds, and the content of the screen after it.
    frames: Vec<(f64, String)>,
}

impl Film {
    pub fn start(command: Command, (columns, rows): (u16, u16)) -> Self {
        let mut process = PtyProcess::new(command).expect("a terminal");
        // An interactive shell ignores SIGTERM.
        process.set_kill_timeout(Some(100));
        let terminal = process.get_file_handle().expect("a terminal");
        let winsize = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, winsize).expect("its size");
        let size = |count| std::num::NonZero::new(count).expect("a terminal has a size");
        let screen = vt100::Parser::new(size(rows), size(columns), 0);
        let size = (columns, rows);
        let began = Instant::now();
        Self { _process: process, terminal, screen, size, began, frames: Vec::new() }
    }

    /// Records until `text` is on the screen.
    pub fn until(&mut self, text: &str) {
        self.watch_until(|contents| contents.contains(text), text);
    }

    /// Records until the shell shows its prompt.
    pub fn until_prompt(&mut self) {
        self.watch_until(|contents| contents.trim_end().ends_with('$'), "the prompt");
    }

    /// Waits for the prompt, then types `text` letter by letter.
    pub fn types(&mut self, text: &str) {
        self.until_prompt();
        // Turn echo on, so that the typed letters are visible.
        let mut modes = tcgetattr(&self.terminal).expect("a terminal");
        modes.local_modes |= LocalModes::ECHO;
        tcsetattr(&self.terminal, OptionalActions::Now, &modes).expect("a terminal");
        for letter in text.chars() {
            thread::sleep(KEY);
            write!(self.terminal, "{letter}").expect("the terminal accepts a letter");
            self.watch();
        }
    }

    fn watch_until(&mut self, is_there: impl Fn(&str) -> bool, what: &str) {
        let end = Instant::now() + PATIENCE;
        while !is_there(&self.screen.screen().contents()) {
            assert!(
                Instant::now() < end,
                "{what} did not appear: {}",
                self.screen.screen().contents()
            );
            self.watch();
        }
    }

    fn watch(&mut self) {
        let mut ready = [PollFd::new(&self.terminal, PollFlags::IN)];
        let wait = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        if poll(&mut ready, Some(&wait)).unwrap_or(0) == 0 {
            return;
        }
        let mut bytes = [0; 4096];
        // Reading fails after the last program on the terminal has ended.
        let length = self.terminal.read(&mut bytes).unwrap_or(0);
        self.screen.process(&bytes[..length]);
        let contents = self.screen.screen().contents();
        if self.frames.last().is_none_or(|(_, last)| *last != contents) {
            self.frames.push((self.began.elapsed().as_secs_f64(), contents));
        }
    }

    /// Returns the SVG: one text element per line, visible during its frames. With reduced motion, only the last frame is
    /// visible.
    pub fn to_svg(&self) -> String {
        let (columns, rows) = self.size;
        let width = f64::from(columns).mul_add(LETTER.0, 2.0 * MARGIN);
        let height = f64::from(rows).mul_add(LETTER.1, 2.0 * MARGIN);
        let mut starts = self.starts();
        let length = starts.last().expect("a frame") + LAST;
        starts.push(length);
        let (mut style, mut texts) = (STYLE.to_owned(), String::new());
        for (number, line) in self.lines().iter().enumerate() {
            let (from, to) = (starts[line.from] / length * 100.0, starts[line.to] / length * 100.0);
            let _ = writeln!(
                style,
                "#l{number}{{animation:k{number} {length:.2}s step-end infinite}}\
                 @keyframes k{number}{{0%{{visibility:hidden}}{from:.2}%{{visibility:visible}}\
                 {to:.2}%{{visibility:hidden}}}}"
            );
            let last = if line.to == self.frames.len() { "last" } else { "" };
            let y = MARGIN + (f64::from(line.row) + 0.75) * LETTER.1;
            let text = line.text.replace('&', "&amp;").replace('<', "&lt;");
            // Some SVG viewers collapse consecutive spaces.
            let text = text.replace(' ', "\u{a0}");
            let _ = writeln!(
                texts,
                "<text id=\"l{number}\" class=\"{last}\" x=\"{MARGIN}\" y=\"{y:.1}\">{text}</text>"
            );
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n\
             <title>A recorded sign-in with a device code</title>\n<style>\n{style}{STILL}</style>\n\
             <rect width=\"100%\" height=\"100%\" rx=\"8\"/>\n{texts}</svg>\n"
        )
    }

    /// Returns the lines with the frames that show them.
    fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for (frame, (_, contents)) in self.frames.iter().enumerate() {
            for (row, text) in (0..).zip(contents.lines()) {
                let text = text.trim_end();
                let continues =
                    |line: &&mut Line| line.to == frame && line.row == row && line.text == text;
                match lines.iter_mut().find(continues) {
                    Some(line) => line.to = frame + 1,
                    None if text.is_empty() => {}
                    None => {
                        lines.push(Line { row, text: text.to_owned(), from: frame, to: frame + 1 });
                    }
                }
            }
        }
        lines
    }

    /// Returns the start of each frame in seconds, with long pauses shortened.
    fn starts(&self) -> Vec<f64> {
        let mut at = 0.0;
        let mut before = self.frames.first().map_or(0.0, |(time, _)| *time);
        let cut = |(time, _): &(f64, String)| {
            at += (time - before).min(SILENCE);
            before = *time;
            at
        };
        self.frames.iter().map(cut).collect()
    }
}

/// One line of the screen, visible from the frame `from` until before the frame `to`.
struct Line {
    row: u16,
    text: String,
    from: usize,
    to: usize,
}

const STYLE: &str = "rect{fill:#161b22}\n\
    text{font:14px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#e6edf3;visibility:hidden}\n\
    .last{visibility:visible}\n";
const STILL: &str = "@media (prefers-reduced-motion:reduce){text{animation:none !important}}\n";
