//! Addresses in the fewest bytes, as peers stand in replies (BEP 7, BEP 23), in memory and in a store.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An IPv4 address and port as 6 bytes in network order (BEP 23).
pub fn pack_v4(ip: Ipv4Addr, port: u16) -> [u8; 6] {
    let ([a, b, c, d], [high, low]) = (ip.octets(), port.to_be_bytes());
    [a, b, c, d, high, low]
}

/// An IPv6 address and port as 18 bytes in network order (BEP 7).
pub fn pack_v6(ip: Ipv6Addr, port: u16) -> [u8; 18] {
    let mut bytes = [0; 18];
    bytes[..16].copy_from_slice(&ip.octets());
    bytes[16..].copy_from_slice(&port.to_be_bytes());
    bytes
}

/// The address that 6 or 18 bytes stand for; none for any other number of bytes.
pub fn unpack(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip: IpAddr = match ip.len() {
        4 => <[u8; 4]>::try_from(ip).ok()?.into(),
        16 => <[u8; 16]>::try_from(ip).ok()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_their_wire_form() {
        for text in ["192.0.2.7:6881", "[2001:db8::7]:65535"] {
            let addr: SocketAddr = text.parse().expect("an address");
            let again = match addr {
                SocketAddr::V4(a) => unpack(&pack_v4(*a.ip(), a.port())),
                SocketAddr::V6(a) => unpack(&pack_v6(*a.ip(), a.port())),
            };
            assert_eq!(again, Some(addr));
        }
        assert_eq!(unpack(&[1, 2, 3, 4, 5]), None);
        assert_eq!(unpack(&[]), None);
    }
}
