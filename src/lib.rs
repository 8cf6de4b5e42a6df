//! Everything `everseed` does, as a library: publishing over BitTorrent, from a folder of episodes to a seeded swarm.
//!
//! The program `everseed` is a thin command line over it ([`cli`]); the README describes what it does. Programs of your own
//! take what they need:
//!
//! | for | there is |
//! |---|---|
//! | the torrent, magnet link, durations and checksums of media files | [`release`] |
//! | reading and writing a `.torrent` | [`metainfo`], with the identifiers of [`id`] |
//! | `everseed.json`, which names what a site publishes | [`manifest`] |
//! | a tracker behind sockets of your own | [`tracker`] |
//! | a whole site out of a folder of Markdown and media | [`site`], and [`config`] for its `everseed.toml` |
//! | torrents for a site that another generator builds | [`attach`](mod@attach), with [`baseurl`] |
//! | serving, tracking and seeding a site | `serve` |
//!
//! What stands in this table is meant for others; the rest is public so that tests, benchmarks and the program reach it,
//! and may change with every version. But for `serve`, nothing here prints or asks for the time, and what went wrong comes
//! back as an error that names its place.
//!
//! ```
//! use everseed::manifest::{Entry, File, Manifest};
//! use everseed::release::{self, Cache, Order, Origin};
//! use everseed::sitepath::SitePath;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let site = folder.path();
//! # std::fs::create_dir(site.join("audio"))?;
//! # std::fs::write(site.join("audio/ep001.mp3"), [7; 40_000])?;
//! // A file of the site gets a torrent that is complete over HTTP alone ...
//! let order = Order {
//!     trackers: vec![vec!["https://show.example.org/announce".into()]],
//!     web_seeds: vec!["https://show.example.org/audio/ep001.mp3".into()],
//!     ..Order::of_file("ep001.mp3", Origin::File(site.join("audio/ep001.mp3")))
//! };
//! let release = release::make(&order, &mut Cache::none(), &())?;
//! std::fs::write(site.join("ep001.torrent"), release.torrent.bytes())?;
//!
//! // ... and the manifest, with which `everseed serve --site` tracks and seeds it.
//! let manifest = Manifest {
//!     generator: "my-generator 1.0".into(),
//!     title: "A show".into(),
//!     base_url: "https://show.example.org/".into(),
//!     torrents: vec![Entry {
//!         info_hashes: release.torrent.info_hashes,
//!         name: "ep001.mp3".into(),
//!         title: "The first episode".into(),
//!         torrent: SitePath::new("ep001.torrent")?,
//!         magnet: release.magnet,
//!         bytes: 40_000,
//!         files: vec![File { path: SitePath::new("audio/ep001.mp3")?, bytes: 40_000, url: None }],
//!         page: None,
//!         published: None,
//!         retired: None,
//!     }],
//! };
//! std::fs::write(site.join("everseed.json"), manifest.to_json())?;
//! # assert_eq!(Manifest::parse(&std::fs::read(site.join("everseed.json"))?)?, manifest);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! Both are on by default. Without them (`cargo add everseed --no-default-features`) the crate publishes files of the disk
//! and holds no socket, no asynchronous runtime and no database.
//!
//! | feature | what it adds | what comes with it |
//! |---|---|---|
//! | `fetch` | media on other servers: the module `fetch`, which [`release`] reads them by | tokio, hyper, rustls |
//! | `serve` | `fetch`, the modules `serve`, `seed`, `heal`, `wire`, `store` and `chores`, and the command `everseed serve` | SQLite, which is compiled with a C compiler, and librqbit |
//!
//! # Floors
//!
//! A module names only modules of a lower floor; modules of one floor are strangers. `tests/floors.rs` reads this
//! table and fails on an import that points up or sideways, on a module without a floor, and on an outside crate
//! that is named out of its room (a crate that stands in no room may be used anywhere).
//!
//! | floor | modules | rooms for outside crates |
//! |---|---|---|
//! | 7 | `cli` | clap, globset, indicatif, rlimit: `cli` |
//! | 6 | `config` | |
//! | 5 | `site` `serve` `attach` `mirror` | pulldown_cmark: `site`; slug: `site`, `attach`; html5gum: `attach`; minijinja: `jinja`, `site`, `serve`, `mirror`; hyper, hyper_util, http_body_util: `serve`, `fetch`; httparse, httpdate: `serve`; nix: `allocator`, `serve` |
//! | 4 | `release` `retired` `heal` | |
//! | 3 | `hash` `lock` `output` `store` `seed` `media` `fetch` | rusqlite: `store`; tokio: `chores`, `pace`, `seed`, `serve`, `fetch`, `mirror`, `cli`; socket2, quinn_udp: `seed`, `serve`; ureq, librqbit_utp, librqbit_dualstack_sockets: `seed`; hyper_rustls, rustls, rustls_native_certs, webpki_roots, librqbit, anyhow, tower_service: `fetch` |
//! | 2 | `baseurl` `metainfo` `tracker` `wire` `feed` `manifest` `tomlfile` `jinja` `fsx` `chores` `pace` | hashbrown: `tracker`; quick_xml, encoding_rs: `feed`; toml: `tomlfile`, `lock`, `site`, `retired`; reflink_copy, rustix: `fsx`; num_bigint, rc4: `wire` |
//! | 1 | `allocator` `bencode` `id` `units` `problem` `lanes` `sitepath` `names` `fingerprint` `mime` `splice` | icu_normalizer: `names` |
//!
//! # Invariants
//!
//! 1. `tracker` reads no clock, socket, file or environment. There is one `Swarms` for all transports: an HTTP peer,
//!    a UDP peer and a browser meet.
//! 2. The info-hash is the hash of the bytes that stand in the file, never of a re-encoding. What was written is
//!    parsed back and compared.
//! 3. `site::plan` is pure: same input, same bytes. Two builds of the same content on two machines give the same
//!    info-hashes and the same output.
//! 4. A file in the output appears whole or not at all; a build that fails leaves the former site standing.
//! 5. Publishing and `serve` meet only in `everseed.json`. `serve` knows no markdown, theme or feed; any other tool may
//!    write the manifest.
//! 6. Every queue, list, packet and recursion has a named maximum.
//! 7. A `Refusal` is for the peer, an `Error` for the operator.
//! 8. The database is never on the path of a reply: the swarm answers from memory, changes flow to the store in
//!    batches, bounded and coalesced.

/// The program and its version, as torrents, feeds and manifests name who made them.
pub const GENERATOR: &str = concat!("everseed ", env!("CARGO_PKG_VERSION"));

#[cfg(feature = "serve")]
pub mod allocator;
pub mod attach;
pub mod baseurl;
pub mod bencode;
#[cfg(feature = "serve")]
pub mod chores;
pub mod cli;
pub mod config;
pub mod feed;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod fingerprint;
pub mod fsx;
pub mod hash;
#[cfg(feature = "serve")]
pub mod heal;
pub mod id;
pub mod jinja;
pub mod lanes;
pub mod lock;
pub mod manifest;
pub mod media;
pub mod metainfo;
pub mod mime;
#[cfg(feature = "serve")]
pub mod mirror;
pub mod names;
pub mod output;
#[cfg(feature = "serve")]
pub mod pace;
pub mod problem;
pub mod release;
pub mod retired;
#[cfg(feature = "serve")]
pub mod seed;
#[cfg(feature = "serve")]
pub mod serve;
pub mod site;
pub mod sitepath;
pub mod splice;
#[cfg(feature = "serve")]
pub mod store;
pub mod tomlfile;
pub mod tracker;
pub mod units;
#[cfg(feature = "serve")]
pub mod wire;
