//! The server from outside: bytes written to its sockets, bytes that come back.

mod calls;
mod client;
mod files;
mod front;
mod heal;
mod http;
mod kinds;
mod sent;
mod server;
mod show;
mod site;
mod udp;
