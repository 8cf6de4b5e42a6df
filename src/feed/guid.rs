//! The identities of shows and episodes in feeds: UUIDs that follow from what does not change.

use uuid::{Uuid, uuid};

/// The namespace of `podcast:guid`.
const NAMESPACE: Uuid = uuid!("ead4c236-bf58-58c6-a2c6-a6b28d128cb6");

/// `podcast:guid` of the show whose feed stands at `feed_url`: the UUIDv5 of that URL without its scheme and without
/// slashes at its end.
pub fn show_guid(feed_url: &str) -> Uuid {
    let name = feed_url.split_once("://").map_or(feed_url, |(_, rest)| rest).trim_end_matches('/');
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// The guid of an episode that names none: the UUIDv5 of its slug.
///
/// No address is part of it: the show moves, and nobody downloads its episodes a second time.
pub fn episode_guid(slug: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, slug.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guid_of_a_show_is_that_of_the_published_example() {
        for url in ["podnews.net/rss", "https://podnews.net/rss", "http://podnews.net/rss//"] {
            assert_eq!(show_guid(url).to_string(), "9b024349-ccf0-5f69-a609-6b82873eab3c", "{url}");
        }
    }

    #[test]
    fn the_guid_of_an_episode_follows_from_its_slug() {
        assert_eq!(episode_guid("ep1"), episode_guid("ep1"));
        assert_ne!(episode_guid("ep1"), episode_guid("ep2"));
    }
}
