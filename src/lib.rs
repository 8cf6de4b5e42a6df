//! Everything `everseed` does, as a library: publishing over `BitTorrent`, from a folder of episodes to a seeded swarm.
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
//! | 5 | `site` `serve` | pulldown_cmark, slug: `site`; minijinja: `jinja`, `site`, `serve`; hyper, hyper_util, http_body_util: `serve`, `fetch`; httpdate, quinn_udp: `serve` |
//! | 4 | `release` | |
//! | 3 | `hash` `lock` `output` `store` `seed` `media` `fetch` | rusqlite: `store`; tokio: `chores`, `seed`, `serve`, `fetch`, `cli`; socket2: `seed`, `serve`; ureq: `seed`; hyper_rustls, rustls, rustls_native_certs, webpki_roots: `fetch` |
//! | 2 | `baseurl` `metainfo` `tracker` `wire` `feed` `manifest` `tomlfile` `jinja` `fsx` `chores` | quick_xml, encoding_rs: `feed`; toml: `tomlfile`, `lock`, `site`; reflink_copy, rustix: `fsx` |
//! | 1 | `bencode` `id` `units` `problem` `lanes` `sitepath` `names` `fingerprint` `mime` `splice` | icu_normalizer: `names` |
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

pub mod baseurl;
pub mod bencode;
pub mod chores;
pub mod cli;
pub mod config;
pub mod feed;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod fingerprint;
pub mod fsx;
pub mod hash;
pub mod id;
pub mod jinja;
pub mod lanes;
pub mod lock;
pub mod manifest;
pub mod media;
pub mod metainfo;
pub mod mime;
pub mod names;
pub mod output;
pub mod problem;
pub mod release;
pub mod seed;
pub mod serve;
pub mod site;
pub mod sitepath;
pub mod splice;
pub mod store;
pub mod tomlfile;
pub mod tracker;
pub mod units;
pub mod wire;
