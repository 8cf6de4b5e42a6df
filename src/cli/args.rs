//! What can be typed. Each option says what happens, its default and its unit; flags come before environment
//! variables, and those before `everseed.toml`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{BoolishValueParser, Resettable};
use clap::{Arg, ArgAction, CommandFactory, Parser, Subcommand};

use super::heal::HealArgs;
use super::mirror::MirrorArgs;
use super::serve::ServeArgs;
use super::verify::VerifySiteArgs;
use crate::attach::{Fix, NotAChoice, Place};
use crate::metainfo::{Kind, NotAKind};
use crate::units::PieceLength;

/// The command line, without the environment variables that are empty: an empty one says nothing, as an unset one.
pub fn command() -> clap::Command {
    without_empty_variables(Args::command())
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg })
        .mut_subcommands(without_empty_variables)
}

/// Publish podcasts, video and large files over BitTorrent: site, feeds, torrents, tracker and permanent seed.
#[derive(Debug, Parser)]
#[command(name = "everseed", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 1 trouble while running, 2 findings, 3 configuration, content or usage \
    that is wrong.\nEvery option is taken from the flag, else from the environment variable, else from everseed.toml.")]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Init(InitArgs),
    Build(BuildArgs),
    Attach(AttachArgs),
    Lock(LockArgs),
    Serve(ServeArgs),
    Verify(VerifySiteArgs),
    Heal(HealArgs),
    Mirror(MirrorArgs),
    /// Create, show and verify .torrent files
    Torrent {
        #[command(subcommand)]
        command: TorrentCommand,
    },
}

/// Make a folder with a small show that builds at once
///
/// Writes everseed.toml, one episode with its audio, an about page and a cover into FOLDER, which must be new or empty.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// The folder to make; its name becomes the show's title
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// Build the site: pages, feeds, torrents and magnet links
///
/// Reads everseed.toml and content/ below ROOT, hashes media that changed since the last build, and writes the site and
/// everseed.lock. Media on other servers are downloaded once and not asked for again; `everseed lock` does that.
/// Unchanged files are not rewritten; a build that fails leaves the former site as it was.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed or not")]
pub struct BuildArgs {
    /// The folder that holds everseed.toml
    #[arg(value_name = "ROOT", default_value = ".")]
    pub root: PathBuf,
    /// Write the site into DIR [default: ROOT/public]
    #[arg(short, long, value_name = "DIR", env = "EVERSEED_OUTPUT")]
    pub output: Option<PathBuf>,
    /// Build for the address URL [default: `base_url` of everseed.toml]
    #[arg(long, value_name = "URL", env = "EVERSEED_BASE_URL")]
    pub base_url: Option<String>,
    /// Build drafts as well [default: leave them out]
    #[arg(long, env = "EVERSEED_DRAFTS", value_parser = BoolishValueParser::new())]
    pub drafts: bool,
    /// Build from everseed.lock and torrents/ alone: media need not be there, no server is asked, and media/ of the
    /// output is left as it is [default: read the media, and bring the lock up to date]
    #[arg(long, env = "EVERSEED_LOCKED", value_parser = BoolishValueParser::new())]
    pub locked: bool,
    /// Let a torrent or a GUID that is published become another one [default: end with exit code 2]
    #[arg(long)]
    pub accept_changed: bool,
    /// Make torrents of KIND: v1, v2 or hybrid (BEP 52) [default: `[torrent] kind` of everseed.toml, else v1]
    #[arg(long, value_name = "KIND", env = "EVERSEED_KIND", value_parser = kind)]
    pub kind: Option<Kind>,
    /// Print the summary as JSON [default: one line of text]
    #[arg(long)]
    pub json: bool,
    /// Read the configuration from FILE [default: ROOT/everseed.toml]
    #[arg(long, value_name = "FILE", env = "EVERSEED_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Reads a kind of torrent.
fn kind(text: &str) -> Result<Kind, String> {
    text.parse().map_err(|error: NotAKind| format!("{error}; {}", NotAKind::HELP))
}

/// Add torrents to a site that another generator has built
///
/// Reads the feeds of the site, hashes the media of their enclosures, and adds torrents/*.torrent, torrents.xml and
/// everseed.json to the site, and a `podcast:alternateEnclosure` after each enclosure to the feeds. Every other byte stays
/// as it is, and a second run changes nothing. No server is asked: media elsewhere are those that `everseed lock --site`
/// has written down. A configuration is not needed.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed or not")]
pub struct AttachArgs {
    /// The folder of the project: everseed.toml, everseed.lock and torrents/ stand there, where there are any
    #[arg(value_name = "ROOT", default_value = ".")]
    pub root: PathBuf,
    #[command(flatten)]
    pub site: SiteArgs,
    /// Put media that --media finds into the site, for the server to seed: `linked`, those that the feeds link to below
    /// --base-url; `all`, those of other servers as well, below media/; `none` [default: `[attach] place` of
    /// everseed.toml, else linked]
    #[arg(long, value_name = "WHICH", env = "EVERSEED_PLACE", value_parser = place)]
    pub place: Option<Place>,
    /// Fill elements `<div data-everseed="URL-or-slug"></div>` of pages with download, torrent and magnet links [default:
    /// `[attach] html` of everseed.toml, else touch no page]
    #[arg(long, env = "EVERSEED_HTML", value_parser = BoolishValueParser::new())]
    pub html: bool,
    /// Mend what is not as the medium says: `length` of enclosures, a missing `duration`; with commas between them
    /// [default: `[attach] fix` of everseed.toml, else tell of it]
    #[arg(long, value_name = "WHAT", env = "EVERSEED_FIX", value_delimiter = ',', value_parser = fix)]
    pub fix: Vec<String>,
    /// Take everything from everseed.lock and torrents/: media need not be there [default: read the media, and bring the
    /// lock up to date where there is one]
    #[arg(long, env = "EVERSEED_LOCKED", value_parser = BoolishValueParser::new())]
    pub locked: bool,
    /// Let a torrent that is published become another one [default: end with exit code 2]
    #[arg(long)]
    pub accept_changed: bool,
    /// Write nothing where there is a finding, such as an enclosure without its medium, and end with exit code 2
    /// [default: `[attach] strict` of everseed.toml, else warn, and do the rest]
    #[arg(long, env = "EVERSEED_STRICT", value_parser = BoolishValueParser::new())]
    pub strict: bool,
    /// Show what would be inserted, and leave the site and the lock as they are [default: write]
    #[arg(long)]
    pub dry_run: bool,
    /// Print the summary as JSON [default: one line of text]
    #[arg(long)]
    pub json: bool,
    /// Add the summary to FILE as Markdown, as pages of CI jobs show it: --summary "$GITHUB_STEP_SUMMARY" [default: none]
    #[arg(long, value_name = "FILE", env = "EVERSEED_SUMMARY")]
    pub summary: Option<PathBuf>,
    /// Write the feed for torrent clients to PATH below the site [default: `[attach] torrent_feed` of everseed.toml,
    /// else torrents.xml]
    #[arg(long, value_name = "PATH", env = "EVERSEED_TORRENT_FEED")]
    pub torrent_feed: Option<String>,
    /// Make torrents of KIND: v1, v2 or hybrid (BEP 52) [default: `[torrent] kind` of everseed.toml, else v1]
    #[arg(long, value_name = "KIND", env = "EVERSEED_KIND", value_parser = kind)]
    pub kind: Option<Kind>,
    /// Read the configuration from FILE [default: ROOT/everseed.toml, where it is there]
    #[arg(long, value_name = "FILE", env = "EVERSEED_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Reads which media are placed.
fn place(text: &str) -> Result<Place, String> {
    text.parse().map_err(|error: NotAChoice| error.to_string())
}

/// Checks a word for what is mended.
fn fix(text: &str) -> Result<String, String> {
    Fix::of([text]).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// A site that another generator has built, and where its media are.
#[derive(Debug, clap::Args)]
pub struct SiteArgs {
    /// The folder that the generator wrote [default: `[attach] site` of everseed.toml, else the one of ROOT/public,
    /// ROOT/_site and ROOT/dist that is there]
    #[arg(long, value_name = "DIR", env = "EVERSEED_SITE")]
    pub site: Option<PathBuf>,
    /// The address at which the site stands, or will stand [default: `[attach] base_url` of everseed.toml, else that of
    /// `[site]`]
    #[arg(long, value_name = "URL", env = "EVERSEED_BASE_URL")]
    pub base_url: Option<String>,
    /// Look for media in DIR as well, by the paths of their URLs, then by their names; may be given several times,
    /// or with commas between them [default: `[attach] media` of everseed.toml, else in the site alone]
    #[arg(long, value_name = "DIR", env = "EVERSEED_MEDIA", value_delimiter = ',')]
    pub media: Vec<PathBuf>,
    /// Amend the feed FILE, a path below the site or from the current folder; may be given several times [default:
    /// `[attach] feeds` of everseed.toml, else each feed of the site that has enclosures]
    #[arg(long = "feed", value_name = "FILE", env = "EVERSEED_FEED", value_delimiter = ',')]
    pub feeds: Vec<PathBuf>,
    /// Take URL off enclosure URLs that begin with it, for web seeds: it counts downloads and leads to the rest; may be
    /// given several times [default: `[attach] prefixes` of everseed.toml; the usual services are known]
    #[arg(long = "prefix", value_name = "URL", env = "EVERSEED_PREFIX", value_delimiter = ',')]
    pub prefixes: Vec<String>,
    /// Announce to the site's tracker at URL, https or http [default: `[tracker] url` of everseed.toml, else `announce`
    /// below the address of the site]
    #[arg(long, value_name = "URL", env = "EVERSEED_TRACKER_URL")]
    pub tracker_url: Option<String>,
}

impl SiteArgs {
    /// The names by which the parser knows them.
    pub const IDS: [&str; 6] = ["site", "base_url", "media", "feeds", "prefixes", "tracker_url"];
}

/// Write down what is known of each medium, so that the site builds without media
///
/// Reads and hashes media that are new or changed, and writes everseed.lock and torrents/*.torrent below ROOT. Kept in
/// version control they are all that `everseed build --locked` needs. `everseed build` brings them up to date as well.
/// Media on other servers are downloaded, several at a time; those that are known are downloaded again only if their
/// servers do not say that they are what they were.
///
/// With --site, or where everseed.toml has a table [attach] and none [site], the media are those of the feeds of a site
/// that another generator builds: `everseed attach --locked` needs the lock and no media, and templates find the links
/// of each medium in the file of --data. The site is not touched.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed or not")]
pub struct LockArgs {
    /// The folder that holds everseed.toml
    #[arg(value_name = "ROOT", default_value = ".")]
    pub root: PathBuf,
    #[command(flatten)]
    pub site: SiteArgs,
    /// Write what templates of another generator need to FILE [default: `[attach] data` of everseed.toml, else
    /// ROOT/data/everseed.json]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Write nothing for templates [default: write the file of --data]
    #[arg(long, conflicts_with = "data")]
    pub no_data: bool,
    /// Hash every medium again, those on other servers too, and compare; exit code 2 when one is not as the lock says.
    /// Nothing is written [default: bring the lock up to date]
    #[arg(long, conflicts_with_all = ["accept_changed", "prune", "keep", "data", "no_data"])]
    pub verify: bool,
    /// Let a torrent or a GUID that is published become another one [default: end with exit code 2]
    #[arg(long)]
    pub accept_changed: bool,
    /// Take out records that no page has any more [default: warn about them]
    #[arg(long)]
    pub prune: bool,
    /// Keep media of other servers in DIR, under the names that they are published by; those that the lock knows and that
    /// are there are hashed in place of a download [default: hash them on the way and keep nothing]
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Make torrents of KIND: v1, v2 or hybrid (BEP 52) [default: `[torrent] kind` of everseed.toml, else v1]
    #[arg(long, value_name = "KIND", env = "EVERSEED_KIND", value_parser = kind)]
    pub kind: Option<Kind>,
    /// Print the summary as JSON [default: one line of text]
    #[arg(long, conflicts_with = "verify")]
    pub json: bool,
    /// Read the configuration from FILE [default: ROOT/everseed.toml]
    #[arg(long, value_name = "FILE", env = "EVERSEED_CONFIG")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum TorrentCommand {
    Create(CreateArgs),
    Show(ShowArgs),
    Verify(VerifyArgs),
    Magnet(MagnetArgs),
}

/// Make a .torrent of a file or folder
///
/// Files of a folder stand in the order of their paths; names that begin with a dot, and the torrent itself, are left
/// out. The same content gives the same bytes: `creation date` is written only where SOURCE_DATE_EPOCH is set.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed or not")]
pub struct CreateArgs {
    /// The file or folder to share
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Write the torrent to FILE [default: NAME.torrent in the current folder]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub kind: KindArgs,
    /// Call the torrent NAME, and with it the file or folder that clients save [default: the name of PATH]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Announce to the trackers at URL, https, http or udp; each flag is a tier, with commas between its trackers
    /// (BEP 12) [default: none]
    #[arg(long, value_name = "URL[,URL]")]
    pub announce: Vec<String>,
    /// Name URL, https or http, as a web seed (BEP 19); for a folder it ends in `/`, which is added where it is missing
    /// [default: none]
    #[arg(long, value_name = "URL")]
    pub web_seed: Vec<String>,
    /// Cut the content into pieces of N bytes, a power of two from 16384 to 16777216; `256K` and `4M` are understood
    /// [default: the least whose square is at least 1024 times the content: 256K for an hour of audio, 1M for a GiB]
    #[arg(long, value_name = "N")]
    pub piece_length: Option<PieceLength>,
    /// Let peers come from the trackers alone (BEP 27) [default: also from the DHT and from peers]
    #[arg(long)]
    pub private: bool,
    /// Write TEXT as `source`, which gives the same content another info-hash [default: none]
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
    /// Write TEXT as `comment` [default: none]
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// Take those files of a folder alone whose path below it matches GLOB, where `*` stands for `/` as well; may be
    /// given several times. A GLOB with a name that begins with a dot takes hidden files too [default: all but hidden
    /// ones]
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Leave out files and folders of a folder whose path below it matches GLOB; may be given several times [default:
    /// none]
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Hash on N threads [default: one for each core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Say what would be made, and hash and write nothing [default: make it]
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON [default: text]
    #[arg(long)]
    pub json: bool,
    /// Write over FILE if it exists [default: refuse]
    #[arg(long)]
    pub force: bool,
}

/// For which versions of the protocol a torrent is made.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(multiple = false)]
pub struct KindArgs {
    /// Make a v1 torrent (BEP 3), which every client takes [default: this one]
    #[arg(long)]
    v1: bool,
    /// Make a v2 torrent (BEP 52), which clients with libtorrent 2 and BiglyBT take [default: --v1]
    #[arg(long)]
    v2: bool,
    /// Make a torrent of both, which aria2 and old Transmissions refuse [default: --v1]
    #[arg(long)]
    hybrid: bool,
}

impl KindArgs {
    /// What was asked for.
    pub fn kind(self) -> Kind {
        match self {
            Self { hybrid: true, .. } => Kind::Hybrid,
            Self { v2: true, .. } => Kind::V2,
            _ => Kind::V1,
        }
    }
}

/// Show what a .torrent says
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The .torrent
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print JSON [default: text]
    #[arg(long, action = ArgAction::SetTrue)]
    pub json: bool,
}

/// Check files against a .torrent
///
/// Hashes the content and names each file that is missing, has another size or holds bad pieces; the content of a hybrid
/// torrent is checked by v1 and by v2. Exit code 0 when all is as the torrent says, 2 when not.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The .torrent
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The file or folder that it describes, or the folder in which that stands
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
}

/// Print the magnet link of a .torrent
#[derive(Debug, clap::Args)]
pub struct MagnetArgs {
    /// The .torrent
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Name the v2 info-hash of a hybrid torrent as well, which rtorrent fails on [default: v1's alone]
    #[arg(long)]
    pub v2: bool,
}
