//! `everseed torrent`: one `.torrent` at a time, without a site around it.

mod create;
mod show;
mod verify;

pub use create::create;
pub use show::show;
pub use verify::verify;

use std::io::ErrorKind;
use std::path::Path;

use super::args::MagnetArgs;
use super::report::{Failure, say};
use crate::fsx;
use crate::metainfo::{self, Torrent};
use crate::problem::Problem;

/// Prints a magnet link.
pub fn magnet(args: &MagnetArgs) -> Result<(), Failure> {
    let torrent = read(&args.file)?;
    say(if args.v2 { metainfo::full_magnet(&torrent) } else { metainfo::magnet(&torrent) })
}

fn read(path: &Path) -> Result<Torrent, Failure> {
    let bytes = fsx::read_at_most(path, metainfo::TORRENT_BYTES_MAX as u64).map_err(|error| {
        let problem = Problem::at(path, format!("can't be read: {error}"));
        Failure::usage(match error.kind() {
            ErrorKind::FileTooLarge | ErrorKind::IsADirectory | ErrorKind::InvalidInput => {
                problem.help("name a .torrent, which describes the files; not the files themselves")
            }
            _ => problem,
        })
    })?;
    metainfo::parse(bytes).map_err(|error| {
        let help = match &error {
            metainfo::Error::Bencode(_) => "name a .torrent; this is none, or a part of one",
            metainfo::Error::Field { .. } => "make it again, or get it from elsewhere; clients would refuse it too",
        };
        Failure::usage(Problem::at(path, error.to_string()).help(help))
    })
}
