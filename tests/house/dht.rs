//! A node of the DHT (BEP 5) that knows nobody but itself: it remembers who announces what, and says so when asked.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use everseed::bencode::{self, Value};

/// An info-hash, and who announced it.
type Announced = ([u8; 20], SocketAddr);

/// A node at a port of its own; it ends with the process.
pub struct Node {
    pub addr: SocketAddr,
    announced: Arc<Mutex<Vec<Announced>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Node {
    /// A node whose id is next to `near`, so that it is among the nearest to it.
    pub fn new(near: [u8; 20]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let addr = socket.local_addr().expect("bound");
        let mut id = near;
        id[19] ^= 1;
        let (announced, asked): (Arc<Mutex<Vec<_>>>, Arc<Mutex<Vec<String>>>) = Default::default();
        let (kept, heard) = (Arc::clone(&announced), Arc::clone(&asked));
        thread::spawn(move || {
            let mut packet = [0; 2048];
            while let Ok((len, from)) = socket.recv_from(&mut packet) {
                let Ok(query) = bencode::decode(&packet[..len]) else { continue };
                if let Some(reply) = reply(&query, id, addr, from, &kept, &heard) {
                    // Whoever asked may be gone.
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        Self { addr, announced, asked }
    }

    /// What was announced, and from where.
    pub fn announced(&self) -> Vec<([u8; 20], SocketAddr)> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The kinds of the queries that came.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn reply(
    query: &Value,
    id: [u8; 20],
    own: SocketAddr,
    from: SocketAddr,
    announced: &Mutex<Vec<([u8; 20], SocketAddr)>>,
    asked: &Mutex<Vec<String>>,
) -> Option<Vec<u8>> {
    let kind = query.get("q")?.as_str()?.to_owned();
    let arguments = query.get("a")?;
    let transaction = query.get("t")?.as_bytes()?;
    let info_hash = arguments.get("info_hash").and_then(Value::as_bytes).and_then(|hash| hash.try_into().ok());
    let mut announced = announced.lock().unwrap_or_else(PoisonError::into_inner);
    if let (true, Some(info_hash)) = (kind == "announce_peer", info_hash) {
        let port = u16::try_from(arguments.get("port")?.as_int()?).ok()?;
        let peer = (info_hash, SocketAddr::new(from.ip(), port));
        if !announced.contains(&peer) {
            announced.push(peer);
        }
    }
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(kind);
    let mut reply = b"d1:rd2:id20:".to_vec();
    reply.extend(id);
    reply.extend(b"5:nodes26:");
    reply.extend(id);
    reply.extend(compact(own));
    reply.extend(b"5:token4:abcd6:valuesl");
    for (_, peer) in announced.iter().filter(|(known, _)| Some(*known) == info_hash) {
        reply.extend(b"6:");
        reply.extend(compact(*peer));
    }
    reply.extend(b"ee1:t");
    reply.extend(format!("{}:", transaction.len()).bytes());
    reply.extend(transaction);
    reply.extend(b"1:y1:re");
    Some(reply)
}

fn compact(addr: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(addr) = addr else { panic!("the tests' addresses are IPv4") };
    [&addr.ip().octets()[..], &addr.port().to_be_bytes()].concat()
}
