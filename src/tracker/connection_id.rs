//! The ids by which UDP clients prove that they receive what is sent to their address (BEP 15), kept in nobody's memory.

use std::net::IpAddr;

use super::Seconds;

/// Seconds of one time slot. An id holds in the slot in which it was issued and the next one, so for two minutes at
/// least, and for four at most (rule 17).
const SLOT_SECS: u64 = 120;

/// Issues and checks connection ids: a keyed hash over the client's address, without its port, and a time slot.
///
/// The port is left out because a translator between may give each packet another one.
#[derive(Clone)]
pub struct ConnectionIds {
    key: [u64; 2],
}

impl ConnectionIds {
    /// Takes the key, 16 secret bytes. Ids that were issued with it before are good after a restart too.
    pub fn new(key: [u8; 16]) -> Self {
        let key = u128::from_le_bytes(key);
        let low = u64::try_from(key & u128::from(u64::MAX)).expect("64 bits are left");
        let high = u64::try_from(key >> 64).expect("64 bits are left");
        Self { key: [low, high] }
    }

    /// The id of the client at `ip`.
    pub fn issue(&self, ip: IpAddr, now: Seconds) -> u64 {
        self.of_slot(ip, now.0 / SLOT_SECS)
    }

    /// Whether `id` was issued to the client at `ip` not too long ago.
    pub fn holds(&self, id: u64, ip: IpAddr, now: Seconds) -> bool {
        let slot = now.0 / SLOT_SECS;
        id == self.of_slot(ip, slot) || slot.checked_sub(1).is_some_and(|former| id == self.of_slot(ip, former))
    }

    fn of_slot(&self, ip: IpAddr, slot: u64) -> u64 {
        let mut message = [0; 24];
        let ip = match ip.to_canonical() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        message[..16].copy_from_slice(&ip.octets());
        message[16..].copy_from_slice(&slot.to_le_bytes());
        siphash(self.key, &message)
    }
}

impl std::fmt::Debug for ConnectionIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConnectionIds(secret)")
    }
}

/// SipHash-2-4 of Aumasson and Bernstein: a short keyed hash that cannot be forged without its key.
fn siphash(key: [u64; 2], message: &[u8]) -> u64 {
    let mut v = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = message.as_chunks::<8>();
    // The last word: what is left of the message, and its length in the highest byte.
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let last = u64::from_le_bytes(last) | (message.len() as u64) << 56;
    for word in words.iter().map(|word| u64::from_le_bytes(*word)).chain([last]) {
        v[3] ^= word;
        rounds(&mut v, 2);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    rounds(&mut v, 4);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn rounds(v: &mut [u64; 4], count: usize) {
    for _ in 0..count {
        v[0] = v[0].wrapping_add(v[1]);
        v[2] = v[2].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].rotate_left(32).wrapping_add(v[3]);
        v[2] = v[2].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> ConnectionIds {
        ConnectionIds::new(*b"sixteen secrets!")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_hash_is_siphash_2_4() {
        // The vectors of its authors: key 00..0f, messages 00.. of each length.
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let message: Vec<u8> = (0..15).collect();
        assert_eq!(siphash(key, &message), 0xa129_ca61_49be_45e5);
        assert_eq!(siphash(key, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash(key, &message[..8]), 0x93f5_f579_9a93_2462);
    }

    #[test]
    fn rule_17_an_id_holds_two_minutes_and_never_four_bep_15() {
        let (ids, client) = (ids(), ip("192.0.2.7"));
        for issued in [0, 1, 119, 120, 1_700_000_000, 1_700_000_039] {
            let id = ids.issue(client, Seconds(issued));
            for later in [0, 1, 60, 120] {
                assert!(ids.holds(id, client, Seconds(issued + later)), "{issued} + {later}");
            }
            for later in [240, 241, 100_000] {
                assert!(!ids.holds(id, client, Seconds(issued + later)), "{issued} + {later}");
            }
        }
        assert!(!ids.holds(0, client, Seconds(0)));
        assert!(!ids.holds(0x0417_2710_1980, client, Seconds(0)));
        assert!(!ids.holds(u64::MAX, client, Seconds(u64::MAX)));
    }

    #[test]
    fn rule_17_an_id_belongs_to_an_address_and_a_key_bep_15() {
        let now = Seconds(1_700_000_000);
        let id = ids().issue(ip("192.0.2.7"), now);
        assert!(ids().holds(id, ip("::ffff:192.0.2.7"), now));
        assert!(!ids().holds(id, ip("192.0.2.8"), now));
        assert!(!ids().holds(id, ip("2001:db8::7"), now));
        assert!(!ConnectionIds::new([0; 16]).holds(id, ip("192.0.2.7"), now));
        assert_ne!(id, ids().issue(ip("192.0.2.7"), Seconds(now.0 + 240)), "it is no constant");
        assert_eq!(format!("{:?}", ids()), "ConnectionIds(secret)");
    }
}
