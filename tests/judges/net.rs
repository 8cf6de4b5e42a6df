//! A network that is not the machine's: one room for the server and one for each client, with an address each.
//!
//! Some clients refuse peers on loopback addresses, and some turn away a second peer at an address they know. Clients
//! reach the server and not each other, so that whatever they got they have from it. Each room is a network namespace that lives as long as its keeper, a `cat` that reads from the test: however the test
//! ends, the keeper ends after it, and the kernel takes the namespace and its cables away.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where everseed and the test itself are.
pub const SERVER: &str = "10.77.0.1";
/// Their address in IPv6: Transmission speaks uTP from what looks like an address of the world alone.
pub const SERVER_V6: &str = "2001:db8:77::1";

/// Of which kind the only address of a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// The server's address as it stands in a URL.
    pub fn server(self) -> String {
        match self {
            Self::V4 => SERVER.to_owned(),
            Self::V6 => format!("[{SERVER_V6}]"),
        }
    }

    /// The address of the room with this number, as `ip address add` takes it.
    fn address(self, number: u8) -> String {
        match self {
            Self::V4 => format!("10.77.0.{number}/24"),
            // A household each, on one cable. Nobody else has it, and finding that out takes two seconds.
            Self::V6 if number == 1 => format!("{SERVER_V6}/48 nodad"),
            Self::V6 => format!("2001:db8:77:{number:x}::1/48 nodad"),
        }
    }
}

/// The rooms of one test and the cables between them. No cable leads to the machine's own network.
pub struct Net {
    hub: Keeper,
    clients: AtomicU8,
}

impl Net {
    /// Runs `story` in the server's room: what it starts and what it connects to is there.
    pub fn inside(story: impl FnOnce(&Self) + Send) {
        let addresses = [Family::V4, Family::V6].map(|family| format!("ip address add {} dev hub", family.address(1)));
        let addresses = addresses.join(" && ");
        // Of its own accord it takes over the lowest MAC address of a cable, and rooms that know the former go unheard.
        let hub = Keeper::new(&format!(
            "ip link add hub address 02:00:00:00:00:01 type bridge && {addresses} && ip link set hub up"
        ));
        let net = Self { hub, clients: AtomicU8::new(0) };
        let told = std::thread::scope(|scope| {
            let inside = || {
                net.hub.enter();
                story(&net);
            };
            scope.spawn(inside).join()
        });
        if let Err(panic) = told {
            std::panic::resume_unwind(panic);
        }
    }

    /// A room for a client, at the next address of IPv4.
    pub fn room(&self) -> Room {
        self.room_of(Family::V4)
    }

    /// A room for a client, at the next address of this family and at no other.
    pub fn room_of(&self, family: Family) -> Room {
        let number = self.clients.fetch_add(1, Ordering::Relaxed) + 2;
        let keeper = Keeper::new("true");
        let (hub, client) = (self.hub.0.id(), keeper.0.id());
        let cable = format!(
            "ip link add c{number} type veth peer name eth0 netns {client} && ip link set c{number} master hub up \
             && ip link set c{number} type bridge_slave isolated on"
        );
        enter(hub).args(["sh", "-c", &cable]).ran();
        // Some clients speak a version of IP where there is a way out into the world alone; this one ends at the server.
        let plug = format!(
            "ip address add {} dev eth0 && ip link set eth0 up && ip route add default via {}",
            family.address(number),
            family.server().trim_matches(['[', ']'])
        );
        enter(client).args(["sh", "-c", &plug]).ran();
        Room(keeper)
    }
}

/// Where one client lives.
pub struct Room(Keeper);

impl Room {
    /// The same command, to run here.
    pub fn entered(&self, command: &Command) -> Command {
        let mut entered = enter(self.0.0.id());
        let envs = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        entered.arg(command.get_program()).args(command.get_args()).envs(envs);
        entered
    }

    /// Runs `work` on a thread that is here, as are the threads that it starts.
    pub fn runs<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        std::thread::scope(|scope| {
            let inside = || {
                self.0.enter();
                // A new thread is where the one is that started it.
                std::thread::spawn(work)
            };
            scope.spawn(inside).join().expect("it starts a thread")
        })
    }
}

/// The process by which a namespace is known.
struct Keeper(Child);

impl Keeper {
    fn new(furnish: &str) -> Self {
        let script = format!("ip link set lo up && {furnish} && echo ready && exec cat");
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("unshare, of util-linux");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n", "a network namespace needs root and iproute2");
        Self(child)
    }

    /// Moves this thread into the namespace, and the threads and programs that it starts from then on.
    fn enter(&self) {
        let namespace = File::open(format!("/proc/{}/ns/net", self.0.id())).expect("the room's namespace");
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("root");
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn enter(pid: u32) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{pid}/ns/net"));
    command
}

/// Running a command that has nothing to say.
trait Ran {
    fn ran(&mut self);
}

impl Ran for Command {
    #[track_caller]
    fn ran(&mut self) {
        let status = self.status().expect("the program starts");
        assert!(status.success(), "{self:?}: {status}");
    }
}
