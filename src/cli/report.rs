//! What is said to a person: answers on stdout, errors on stderr, exit codes, and a progress bar on a terminal.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::hash::Progress;
use crate::problem::Problem;
use crate::units::count_text;

/// The exit code for trouble while running.
pub const TROUBLE: u8 = 1;
/// The exit code for findings.
pub const FINDINGS: u8 = 2;
/// The exit code for configuration, content or usage that is wrong.
pub const USAGE: u8 = 3;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// Disk, network or another program stood in the way.
    Trouble(Problem),
    /// Media can't be read: each that was tried.
    Media(Vec<Problem>),
    /// The command worked, and found something wrong; it has said what.
    Findings,
    /// What is published would become something else; nothing was changed.
    Changed(Vec<Problem>),
    /// There is something to be looked at, and that was not to be overlooked: each; nothing was changed.
    Strict(Vec<Problem>),
    /// What the user wrote or typed is wrong.
    Usage(Vec<Problem>),
}

impl Failure {
    /// Wrong usage with one problem.
    pub fn usage(problem: Problem) -> Self {
        Self::Usage(vec![problem])
    }

    /// Prints the errors on stderr.
    pub fn print(&self) {
        match self {
            Self::Trouble(problem) => error(problem),
            Self::Findings => {}
            Self::Strict(findings) => {
                findings.iter().for_each(error);
                log(&format!("{}; nothing was changed", count_text(findings.len() as u64, "finding")));
            }
            Self::Usage(problems) | Self::Changed(problems) | Self::Media(problems) => {
                problems.iter().for_each(error);
                if problems.len() > 1 {
                    log(&format!("{} errors; nothing was changed", problems.len()));
                }
            }
        }
    }

    /// The exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Trouble(_) | Self::Media(_) => TROUBLE,
            Self::Findings | Self::Strict(_) | Self::Changed(_) => FINDINGS,
            Self::Usage(_) => USAGE,
        })
    }
}

/// Prints what a command was asked for, with a line feed, on stdout.
pub fn say(text: impl Display) -> Result<(), Failure> {
    written(write_line(io::stdout().lock(), text))
}

/// What a command did, as JSON.
pub fn as_json(summary: &impl Serialize) -> Result<String, Failure> {
    // Names of folders may be other than Unicode.
    serde_json::to_string(summary)
        .map_err(|error| Failure::Trouble(Problem::new(format!("can't be said in JSON: {error}"))))
}

/// What it means that stdout was written to so. A reader that has gone, as `| head` does, has what it wanted.
pub fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Trouble(Problem::new(format!("standard output can't be written: {error}"))))
        }
        _ => Ok(()),
    }
}

fn error(problem: &Problem) {
    log(&format!("error: {problem}"));
}

/// Says a warning on stderr.
pub fn warn(problem: &Problem) {
    log(&format!("warning: {problem}"));
}

/// Says a line on stderr.
fn log(line: &str) {
    // Where stderr is gone too, there is nobody left to tell.
    let _ = write_line(io::stderr().lock(), line);
}

/// Writes in one go, so that lines of several threads do not mingle, and to the end, so that an error shows.
fn write_line(mut to: impl Write, text: impl Display) -> io::Result<()> {
    to.write_all(format!("{text}\n").as_bytes())?;
    to.flush()
}

/// A progress bar on a terminal, nothing elsewhere; it goes when it is dropped.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar that shows itself when there is something to hash.
    pub fn new() -> Self {
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("hashing {wide_bar} {bytes} of {total_bytes} {bytes_per_sec} {eta}")
            .expect("the template is well-formed");
        Self(ProgressBar::with_draw_target(Some(0), target).with_style(style))
    }

    /// Does what prints, while the bar is out of the way.
    #[cfg(feature = "serve")]
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

impl Progress for Bar {
    fn expect(&self, bytes: u64) {
        self.0.inc_length(bytes);
        self.0.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
