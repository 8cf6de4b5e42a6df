//! The command line: what was typed becomes the modules' options, and what they answer is printed, here and nowhere
//! else.

mod args;
mod attach;
mod build;
#[cfg(feature = "serve")]
mod built;
#[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "a site is verified by who can serve it"))]
mod check;
#[cfg(feature = "serve")]
mod heal;
mod init;
mod lock;
#[cfg(feature = "serve")]
mod mirror;
mod report;
#[cfg(feature = "serve")]
mod serve;
mod summary;
mod torrent;
#[cfg(any(test, not(feature = "serve")))]
mod unserved;
#[cfg(feature = "serve")]
mod verify;

use std::io::Write as _;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches};

use args::{Args, Command, TorrentCommand};
use report::Failure;
#[cfg(not(feature = "serve"))]
use unserved::{self as heal, self as serve, self as verify, mirror};

/// Runs the program with the arguments and the environment of the process.
///
/// Exit codes: 0 done, 1 trouble while running, 2 findings, 3 configuration, content or usage that is wrong.
pub fn main() -> ExitCode {
    let parsed = args::command().try_get_matches().and_then(|matches| Ok((Args::from_arg_matches(&matches)?, matches)));
    let (args, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(message) => {
            // Help and version are answers and go to stdout; clap prints each where it belongs.
            let printed = message.print();
            if message.use_stderr() {
                return ExitCode::from(report::USAGE);
            }
            return ended(report::written(printed.and_then(|()| std::io::stdout().flush())));
        }
    };
    ended(run(args.command, &matches))
}

fn ended(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.code()
        }
    }
}

fn run(command: Command, matches: &ArgMatches) -> Result<(), Failure> {
    let source = |id: &str| matches.subcommand().and_then(|(_, of_command)| of_command.value_source(id));
    let typed = |id: &str| source(id) == Some(ValueSource::CommandLine);
    match command {
        Command::Init(args) => init::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Attach(args) => {
            attach::run(&args, |id| matches!(source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable)))
        }
        Command::Lock(args) => lock::run(&args, typed),
        Command::Serve(args) => serve::run(args, matches.subcommand().expect("a command was typed").1),
        Command::Heal(args) => heal::run(args, matches.subcommand().expect("a command was typed").1),
        Command::Verify(args) => verify::run(args, matches.subcommand().expect("a command was typed").1),
        Command::Mirror(args) => mirror::run(&args),
        Command::Torrent { command } => match command {
            TorrentCommand::Create(args) => torrent::create(&args),
            TorrentCommand::Show(args) => torrent::show(&args),
            TorrentCommand::Verify(args) => torrent::verify(&args),
            TorrentCommand::Magnet(args) => torrent::magnet(&args),
        },
    }
}
