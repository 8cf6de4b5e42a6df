//! Which client completes what from the everseed alone: torrents of each kind, of one file and of several, from the
//! `.torrent` and from a magnet link, over IPv4 and over IPv6.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::{fs, thread};

use everseed::metainfo::{self, Kind, Torrent};
use expect_test::expect;

use crate::clients::{Client, Wanted};
use crate::downloads::{health, rewritten};
use crate::house::{House, KIB, MIB, Server, files};
use crate::net::{Family, Net, Room};
use crate::tell;

/// The rows of the table, and what it calls them.
const CLIENTS: [(Client, &str); 10] = [
    (Client::Aria2, "aria2 1.36"),
    (Client::Deluge, "Deluge 2.0.3"),
    (Client::Librqbit, "librqbit 9.1"),
    (Client::Libtorrent, "libtorrent 2.1.1"),
    (Client::LibtorrentEncrypted, "libtorrent 2.1.1, encrypted alone"),
    (Client::LibtorrentUtp, "libtorrent 2.1.1, uTP alone"),
    (Client::Qbittorrent, "qBittorrent 4.5.2"),
    (Client::Rtorrent, "rtorrent 0.9.8"),
    (Client::Transmission, "Transmission 3.00"),
    (Client::Webtorrent, "WebTorrent 3.0.21"),
];
const KINDS: [Kind; 3] = [Kind::V1, Kind::Hybrid, Kind::V2];
const WAYS: [Way; 2] = [Way::Torrent, Way::Magnet];
const FAMILIES: [Family; 2] = [Family::V4, Family::V6];
/// Torrents of one file and of several.
const LAYOUTS: [&str; 2] = ["one", "set"];

/// How a client is told of a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Torrent,
    Magnet,
}

/// What a client is asked to do, with both layouts: a cell of the table is such of each family.
#[derive(Debug, Clone, Copy)]
struct Task {
    kind: Kind,
    way: Way,
    family: Family,
}

/// What a client does not do, whoever seeds: of every kind, way and version of IP where none is named.
struct Inability {
    client: Client,
    kind: Option<Kind>,
    way: Option<Way>,
    family: Option<Family>,
    why: &'static str,
}

const INABILITIES: &[Inability] = &[
    of_kind(Client::Aria2, Kind::Hybrid, "drops the empty keys of a hybrid's `info`, and asks for another torrent"),
    of_kind(Client::Aria2, Kind::V2, "knows no v2"),
    of_kind(Client::Librqbit, Kind::V2, "knows no v2"),
    of_kind(Client::Rtorrent, Kind::V2, "knows no v2"),
    of_kind(Client::Transmission, Kind::Hybrid, "calls every hybrid torrent invalid"),
    of_kind(Client::Transmission, Kind::V2, "knows no v2"),
    of_kind(Client::Webtorrent, Kind::V2, "knows no v2"),
    Inability {
        way: Some(Way::Magnet),
        ..of_kind(Client::Deluge, Kind::V2, "takes magnet links with a hash of v1 alone")
    },
    Inability {
        client: Client::Deluge,
        kind: None,
        way: None,
        family: Some(Family::V6),
        why: "listens at addresses of IPv4 alone",
    },
];

const fn of_kind(client: Client, kind: Kind, why: &'static str) -> Inability {
    Inability { client, kind: Some(kind), way: None, family: None, why }
}

impl Inability {
    fn is_of(&self, client: Client, task: Task) -> bool {
        self.client == client
            && self.kind.is_none_or(|kind| kind == task.kind)
            && self.way.is_none_or(|way| way == task.way)
            && self.family.is_none_or(|family| family == task.family)
    }
}

#[test]
#[ignore = "needs root, iproute2 and all clients; .ci/run installs them"]
fn each_client_completes_what_it_can_from_the_everseed_alone() {
    Net::inside(|net| {
        let show = Show::new();
        let server = show.house.serve_site();
        let rows = thread::scope(|scope| {
            let rows = CLIENTS.map(|(client, name)| {
                let parts = FAMILIES.map(|family| {
                    let (room, show) = (net.room_of(family), &show);
                    scope.spawn(move || show.row(client, family, &room))
                });
                (name, parts)
            });
            rows.map(|(name, parts)| (name, Row::of(parts.map(|part| part.join().expect("what fails is told")))))
        });
        let table = table(&rows);
        tell(&table);
        let failures = rows.iter().flat_map(|(name, row)| row.failures.iter().map(move |how| format!("{name}: {how}")));
        let failures: Vec<_> = failures.collect();
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
        show.was_sent_by(&server, &rows);
        expect![[r#"
            | client | v1, .torrent | v1, magnet link | hybrid, .torrent | hybrid, magnet link | v2, .torrent | v2, magnet link |
            |---|---|---|---|---|---|---|
            | aria2 1.36 | IPv4, IPv6 | IPv4, IPv6 | cannot | cannot | cannot | cannot |
            | Deluge 2.0.3 | IPv4 | IPv4 | IPv4 | IPv4 | IPv4 | cannot |
            | librqbit 9.1 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | cannot | cannot |
            | libtorrent 2.1.1 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 |
            | libtorrent 2.1.1, encrypted alone | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 |
            | libtorrent 2.1.1, uTP alone | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 |
            | qBittorrent 4.5.2 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 |
            | rtorrent 0.9.8 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | cannot | cannot |
            | Transmission 3.00 | IPv4, IPv6 | IPv4, IPv6 | cannot | cannot | cannot | cannot |
            | WebTorrent 3.0.21 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 | cannot | cannot |

            - aria2 1.36 drops the empty keys of a hybrid's `info`, and asks for another torrent.
            - aria2 1.36 knows no v2.
            - librqbit 9.1 knows no v2.
            - rtorrent 0.9.8 knows no v2.
            - Transmission 3.00 calls every hybrid torrent invalid.
            - Transmission 3.00 knows no v2.
            - WebTorrent 3.0.21 knows no v2.
            - Deluge 2.0.3 takes magnet links with a hash of v1 alone.
            - Deluge 2.0.3 listens at addresses of IPv4 alone."#]].assert_eq(&table);
    });
}

/// A built site with a torrent of each kind and layout.
struct Show {
    house: House,
    torrents: BTreeMap<(Kind, &'static str), Torrent>,
}

/// What one client did.
#[derive(Default)]
struct Row {
    completed: BTreeMap<(Kind, Way), Vec<Family>>,
    failures: Vec<String>,
}

impl Row {
    fn of(parts: [Self; 2]) -> Self {
        let mut row = Self::default();
        for part in parts {
            for (column, families) in part.completed {
                row.completed.entry(column).or_default().extend(families);
            }
            row.failures.extend(part.failures);
        }
        row
    }
}

impl Show {
    fn new() -> Self {
        let mut house = House::new().serving_with(&["--listen", "[::]:8080", "--peer-listen", "[::]:6881"]);
        for kind in KINDS {
            let page =
                |media: &str| format!("+++\ntitle = \"A\"\ndate = 2026-05-01\nkind = \"{kind}\"\n{media}\n+++\n");
            house = house
                .page(&format!("{kind}-one.md"), &page(&format!("media = \"{kind}-one.zip\"")))
                .media(&format!("{kind}-one.zip"), 2 * MIB + 17)
                .page(&format!("{kind}-set/index.md"), &page("files = [\"a.bin\", \"sub\"]"))
                .media(&format!("{kind}-set/a.bin"), 100 * KIB + 1)
                .media(&format!("{kind}-set/sub/b.bin"), MIB)
                .page(&format!("{kind}-set/sub/empty.txt"), "");
        }
        house.build().ok();
        let torrent = |kind, layout| {
            let path = house.public().join(format!("torrents/{kind}-{layout}.torrent"));
            metainfo::parse(fs::read(path).expect("built")).expect("a torrent")
        };
        let all = KINDS.into_iter().flat_map(|kind| LAYOUTS.map(|layout| ((kind, layout), torrent(kind, layout))));
        Self { torrents: all.collect(), house }
    }

    /// What a client does over one version of IP, alone in its room, one thing after another.
    fn row(&self, client: Client, family: Family, room: &Room) -> Row {
        let mut row = Row::default();
        for (kind, way) in KINDS.into_iter().flat_map(|kind| WAYS.map(|way| (kind, way))) {
            let task = Task { kind, way, family };
            if INABILITIES.iter().any(|inability| inability.is_of(client, task)) {
                continue;
            }
            let failures = LAYOUTS.map(|layout| self.download(client, room, task, layout).err());
            if failures.iter().all(Option::is_none) {
                row.completed.entry((kind, way)).or_default().push(family);
            }
            row.failures.extend(failures.into_iter().flatten());
        }
        row
    }

    /// The everseed is all that the client is told of; it has the same bytes in the end, or this says how it failed.
    fn download(&self, client: Client, room: &Room, task: Task, layout: &'static str) -> Result<(), String> {
        let torrent = rewritten(&self.torrents[&(task.kind, layout)], |metainfo| {
            metainfo.web_seeds.clear();
            metainfo.trackers = vec![vec![format!("http://{}:8080/announce", task.family.server())]];
        });
        let link = metainfo::magnet(&torrent);
        let wanted = match task.way {
            Way::Torrent => Wanted::Torrent(torrent.bytes()),
            Way::Magnet => Wanted::Magnet(&link),
        };
        let folder = self.house.beside(&format!("{client:?}-{}-{layout}-{:?}-{:?}", task.kind, task.way, task.family));
        let failed = |how| format!("{layout}, {task:?}: {how}");
        let mut got = files(&client.start(room, &wanted, &folder, None).ended().map_err(failed)?);
        let mut published = files(&self.house.public().join("media"));
        published.retain(|path, _| path.starts_with(&format!("{}-{layout}", task.kind)));
        for all in [&mut got, &mut published] {
            // Some clients make no file where there are no bytes, save padding as a file, or leave the metadata.
            all.retain(|path, bytes| !bytes.is_empty() && !path.contains("/.pad/") && !path.contains(".meta"));
        }
        if got == published { Ok(()) } else { Err(failed(format!("other bytes, in {:?}", got.keys()))) }
    }

    /// Nobody else can have: the rooms of the clients are closed to each other, and none knows a web seed.
    fn was_sent_by(&self, server: &Server, rows: &[(&str, Row)]) {
        for ((kind, layout), torrent) in &self.torrents {
            let of_kind = rows.iter().flat_map(|(_, row)| &row.completed).filter(|((of, _), _)| of == kind);
            let times: usize = of_kind.map(|(_, families)| families.len()).sum();
            let (told, bytes) = (health(server, torrent), torrent.metainfo.info.total_bytes());
            assert!(
                told["sent_bytes"].as_u64() >= Some(times as u64 * bytes),
                "{kind}-{layout}, {times} times: {told}"
            );
        }
    }
}

/// A line for each client, and which versions of IP it completes each kind over, each way.
fn table(rows: &[(&str, Row)]) -> String {
    let columns = || KINDS.into_iter().flat_map(|kind| WAYS.map(|way| (kind, way)));
    let mut table = String::from("| client |");
    for (kind, way) in columns() {
        let way = if way == Way::Torrent { ".torrent" } else { "magnet link" };
        write!(table, " {kind}, {way} |").expect("a String takes all that is written");
    }
    write!(table, "\n|{}\n", "---|".repeat(1 + columns().count())).expect("a String takes all that is written");
    for (name, row) in rows {
        write!(table, "| {name} |").expect("a String takes all that is written");
        for column in columns() {
            let families = row.completed.get(&column).map_or(&[][..], Vec::as_slice);
            let cell: Vec<_> = families.iter().map(|family| format!("{family:?}").replace('V', "IPv")).collect();
            write!(table, " {} |", if cell.is_empty() { "cannot".to_owned() } else { cell.join(", ") })
                .expect("a String takes all that is written");
        }
        table.push('\n');
    }
    for Inability { client, why, .. } in INABILITIES {
        let (_, name) = CLIENTS.iter().find(|(known, _)| known == client).expect("it has a row");
        write!(table, "\n- {name} {why}.").expect("a String takes all that is written");
    }
    table
}
