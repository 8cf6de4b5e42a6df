//! Files are cut short, changed, replaced and deleted while four clients download them, and put back: not one bad byte
//! is sent, and everybody completes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use everseed::metainfo::{self, Torrent};
use serde_json::Value;

use crate::clients::Download;
use crate::downloads::{at_fixed_ports, rewritten};
use crate::house::{House, KIB, MIB, PATIENCE, Server, episode, files};
use crate::net::{Net, Room, SERVER};
use crate::{script, tell};

/// What happens to the medium of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    None,
    CutShort,
    Flipped,
    FlippedInSecret,
    Replaced,
    Deleted,
    Folder,
}

const FAULTS: [Fault; 7] = [
    Fault::None,
    Fault::CutShort,
    Fault::Flipped,
    Fault::FlippedInSecret,
    Fault::Replaced,
    Fault::Deleted,
    Fault::Folder,
];
/// Who downloads, and at how many bytes a second, so that all are in the midst of it.
const CLIENTS: usize = 4;
const BYTES_PER_SEC: u32 = 4 << 20;
const MEDIUM_BYTES: usize = 4 * MIB;
/// The most from the restoration of a file until it is served again.
const OFFERED_AGAIN_MAX: Duration = Duration::from_secs(10);

#[test]
#[ignore = "needs root, iproute2 and the Python module libtorrent; .ci/run installs them"]
fn no_bad_byte_is_sent_whatever_happens_to_the_files() {
    Net::inside(|net| {
        let show = Show::new();
        let server = show.house.serve_site();
        show.until(&server, "all was read once", |_, row| row["health"] == "verified");
        let rooms: Vec<_> = (0..CLIENTS).map(|_| net.room()).collect();
        let downloads: Vec<_> = rooms.iter().enumerate().map(|(number, room)| show.download(room, number)).collect();
        show.until(&server, "a part of each was sent", |_, row| {
            row["sent_bytes"].as_u64() > Some((CLIENTS * MEDIUM_BYTES / 5) as u64)
        });
        FAULTS.iter().for_each(|fault| fault.strike(&show.medium(*fault)));
        let found =
            show.until(&server, "it was found", |fault, row| (row["health"] == "verified") == (fault == Fault::None));
        FAULTS.iter().for_each(|fault| fault.mend(&show.medium(*fault), &show.media[fault]));
        let offered = show.until(&server, "it is offered again", |_, row| row["health"] == "verified");
        for download in downloads {
            let got = files(&download.finished());
            for (fault, bytes) in &show.media {
                assert!(&got[&format!("{}.mp3", slug(*fault))] == bytes, "{fault:?}");
            }
        }
        let mut table = String::from(
            "| what happens to a file | found after | after its restoration offered again after |\n|---|---|---|\n",
        );
        for fault in FAULTS.into_iter().filter(|fault| *fault != Fault::None) {
            let (found, offered) = (found[&fault].as_secs_f64(), offered[&fault].as_secs_f64());
            writeln!(table, "| {} | {found:.2} s | {offered:.2} s |", fault.name()).expect("a String takes all");
        }
        tell(&table);
        assert!(offered.values().all(|after| *after <= OFFERED_AGAIN_MAX), "{table}");
    });
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::CutShort => "cut to half of its length",
            Self::Flipped => "a bit of each piece flipped",
            Self::FlippedInSecret => "the same, its time of change put back",
            Self::Replaced => "another one renamed over it, of the same length",
            Self::Deleted => "deleted",
            Self::Folder => "a folder in its place",
        }
    }

    fn strike(self, path: &Path) {
        match self {
            Self::None => {}
            Self::CutShort => open(path).set_len(MEDIUM_BYTES as u64 / 2).expect("cut"),
            Self::Flipped => flip(path),
            Self::FlippedInSecret => {
                let modified = fs::metadata(path).and_then(|facts| facts.modified()).expect("its time");
                flip(path);
                open(path).set_modified(modified).expect("set");
            }
            Self::Replaced => {
                let other = path.with_extension("other");
                fs::write(&other, vec![7; MEDIUM_BYTES]).expect("written");
                fs::rename(other, path).expect("renamed");
            }
            Self::Deleted => fs::remove_file(path).expect("removed"),
            Self::Folder => {
                fs::remove_file(path).expect("removed");
                fs::create_dir(path).expect("made");
            }
        }
    }

    fn mend(self, path: &Path, bytes: &[u8]) {
        match self {
            Self::None => {}
            Self::Flipped | Self::FlippedInSecret => flip(path),
            Self::Folder => {
                fs::remove_dir(path).expect("removed");
                fs::write(path, bytes).expect("written");
            }
            Self::CutShort | Self::Replaced | Self::Deleted => fs::write(path, bytes).expect("written"),
        }
    }
}

fn open(path: &Path) -> File {
    File::options().write(true).open(path).expect("a file")
}

/// Turns a bit of each block over, or back, in place.
fn flip(path: &Path) {
    use std::os::unix::fs::FileExt;
    let (bytes, file) = (fs::read(path).expect("read"), open(path));
    for at in (0..bytes.len()).step_by(16 * KIB) {
        file.write_all_at(&[bytes[at] ^ 1], at as u64).expect("written");
    }
}

/// A built site with an episode for each fault.
struct Show {
    house: House,
    /// What was published.
    media: BTreeMap<Fault, Vec<u8>>,
    torrents: BTreeMap<Fault, Torrent>,
}

impl Show {
    fn new() -> Self {
        let mut house = House::new().serving_with(&at_fixed_ports());
        for fault in FAULTS {
            let (page, medium) = (format!("{}.md", slug(fault)), format!("{}.mp3", slug(fault)));
            house = house.page(&page, &episode(&slug(fault), "2026-05-01", &medium)).media(&medium, MEDIUM_BYTES);
        }
        house.run(&["build", "--base-url", &format!("http://{SERVER}:8080/")]).ok();
        let torrent = |fault| {
            let path = house.public().join(format!("torrents/{}.torrent", slug(fault)));
            let torrent = metainfo::parse(fs::read(path).expect("built")).expect("a torrent");
            rewritten(&torrent, |metainfo| metainfo.web_seeds.clear())
        };
        let torrents = FAULTS.map(|fault| (fault, torrent(fault))).into();
        let mut show = Self { house, media: BTreeMap::new(), torrents };
        show.media = FAULTS.map(|fault| (fault, fs::read(show.medium(fault)).expect("built"))).into();
        show
    }

    fn medium(&self, fault: Fault) -> PathBuf {
        self.house.public().join(format!("media/{}.mp3", slug(fault)))
    }

    /// One client, with all torrents.
    fn download(&self, room: &Room, number: usize) -> Download {
        let folder = self.house.beside(&format!("client-{number}"));
        fs::create_dir_all(folder.join("got")).expect("a folder");
        let mut command = script("download.py");
        command.args(["default", "got", &BYTES_PER_SEC.to_string()]);
        for (fault, torrent) in &self.torrents {
            let path = folder.join(format!("{}.torrent", slug(*fault)));
            fs::write(&path, torrent.bytes()).expect("written");
            command.arg(path);
        }
        Download::begun(room, &command, &folder)
    }

    /// Asks the server until this came true of each, and says how long that took.
    #[expect(clippy::disallowed_methods, reason = "a test measures how long the program takes")]
    fn until(
        &self,
        server: &Server,
        what: &str,
        happened: impl Fn(Fault, &Value) -> bool,
    ) -> BTreeMap<Fault, Duration> {
        let (start, mut after) = (Instant::now(), BTreeMap::new());
        while after.len() < FAULTS.len() {
            let answer: Value = serde_json::from_slice(&server.get("/api/swarms.json").body).expect("JSON");
            for (fault, torrent) in &self.torrents {
                let of = torrent.info_hashes.main().to_string();
                let row = answer["torrents"].as_array().and_then(|rows| rows.iter().find(|row| row["info_hash"] == of));
                let row = row.expect("each torrent is shown");
                let is_well = matches!(row["health"].as_str(), Some("verified" | "verifying"));
                assert!(*fault != Fault::None || is_well, "nothing happened to {row}");
                if happened(*fault, row) {
                    after.entry(*fault).or_insert_with(|| start.elapsed());
                }
            }
            assert!(start.elapsed() < PATIENCE, "{what}: only of {:?}", after.keys());
            std::thread::sleep(Duration::from_millis(20));
        }
        after
    }
}

fn slug(fault: Fault) -> String {
    format!("{fault:?}").to_lowercase()
}
