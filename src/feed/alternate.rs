//! `podcast:alternateEnclosure`: what it says of a file, wherever it is written.

use crate::mime::TORRENT_MIME;

/// What is known of a file.
pub(super) struct Facts<'a> {
    pub(super) url: &'a str,
    pub(super) mime: &'a str,
    pub(super) bytes: u64,
    pub(super) bitrate_bps: Option<u32>,
    pub(super) torrent_url: &'a str,
    pub(super) magnet: &'a str,
    pub(super) sha384: Option<&'a [u8; 48]>,
    /// Whether it is the one that apps take if they are not told otherwise.
    pub(super) is_default: bool,
}

/// Names and values of attributes.
pub(super) type Attributes = Vec<(&'static str, String)>;

/// The attributes of the element itself.
pub(super) fn attributes(facts: &Facts) -> Attributes {
    let mut attributes = vec![("type", facts.mime.to_owned()), ("length", facts.bytes.to_string())];
    attributes.extend(facts.bitrate_bps.map(|bps| ("bitrate", bps.to_string())));
    if facts.is_default {
        attributes.extend([("default", "true".to_owned()), ("title", "Standard".to_owned())]);
    }
    attributes
}

/// The elements in it: local names of the podcast namespace, and their attributes.
pub(super) fn children(facts: &Facts) -> Vec<(&'static str, Attributes)> {
    // HTTP first: the first source is the one that apps take. The type is repeated at the magnet link, else parsers
    // take it for audio.
    let mut children = vec![("source", vec![("uri", facts.url.to_owned())])];
    children.extend(
        [facts.torrent_url, facts.magnet]
            .map(|uri| ("source", vec![("uri", uri.to_owned()), ("contentType", TORRENT_MIME.to_owned())])),
    );
    children.extend(
        facts.sha384.map(|sha384| ("integrity", vec![("type", "sri".to_owned()), ("value", integrity(sha384))])),
    );
    children
}

/// A hash as `podcast:integrity` and pages write it (Subresource Integrity).
pub fn integrity(sha384: &[u8; 48]) -> String {
    format!("sha384-{}", base64(sha384))
}

/// Base64 (RFC 4648, section 4) of a hash whose length is a multiple of three, so that there is no padding.
fn base64(hash: &[u8; 48]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (groups, _) = hash.as_chunks::<3>();
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    groups
        .iter()
        .map(|&[a, b, c]| u32::from_be_bytes([0, a, b, c]))
        .flat_map(|bits| [bits >> 18, bits >> 12, bits >> 6, bits].map(digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let mut hash = [0; 48];
        hash[..6].copy_from_slice(b"foobar");
        hash[45..].copy_from_slice(&[0xfb, 0xff, 0xff]);
        assert_eq!(base64(&hash), format!("Zm9vYmFy{}+///", "A".repeat(52)));
    }
}
