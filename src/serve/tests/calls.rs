//! Leechers to whom nobody is left are called by the everseed.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::server::{House, bound, escaped, one_release};
use crate::id::InfoHash;
use crate::serve::Options;
use crate::wire::{HANDSHAKE_BYTES, Handshake};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

async fn leecher() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

async fn announce(house: &House, hash: InfoHash, port: u16) {
    let target = format!("/announce?info_hash={}&peer_id=aaaaaaaaaaaaaaaaaaaa&port={port}&left=5", escaped(hash));
    assert_eq!(house.get(&target).await.status, 200);
}

async fn called(listener: &TcpListener) -> TcpStream {
    timeout(PATIENCE, listener.accept()).await.expect("in time").expect("a call").0
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_leechers_of_the_former_run_are_called_at_once() {
    let (show, hash) = one_release();
    let (listener, port) = leecher().await;
    let options = || {
        let mut options = Options::new(show.root());
        options.seed.dial = false;
        options
    };
    let house = House::with(&show, options(), bound()).await;
    announce(&house, hash, port).await;
    house.close().await;

    let house = House::open(&show).await;
    let mut call = called(&listener).await;
    let mut hello = [0; HANDSHAKE_BYTES];
    timeout(PATIENCE, call.read_exact(&mut hello)).await.expect("in time").expect("a handshake");
    assert_eq!(Handshake::parse(&hello).ok().flatten().map(|said| said.info_hash), Some(hash));
    house.close().await;
}
