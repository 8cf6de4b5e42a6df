//! What podcast directories refuse a feed for, said while it is built: nothing of it is wrong for the site.

use std::path::Path;

use super::options::Options;
use crate::problem::Problem;

/// The extensions of covers that directories take (PSP-1: JPEG or PNG).
const COVERS: [&str; 3] = ["jpeg", "jpg", "png"];

/// What the settings of a site that has a podcast feed lack.
pub fn warnings(options: &Options) -> Vec<Problem> {
    let show = &options.show;
    let mut warnings = Vec::new();
    let mut warn = |message: String, help: &str| {
        warnings.push(Problem::at(&options.config_path, message).help(help));
    };
    if options.description.trim().is_empty() {
        warn(lacks("description"), "add a line to [site]: description = \"What it is about.\"");
    }
    if show.categories.is_empty() {
        warn(lacks("category"), "add a line to [show]: category = [\"Arts\"], from the list of Apple Podcasts");
    }
    match &show.image {
        None => warn(
            lacks("cover"),
            "add a line to [show]: image = \"cover.jpg\", a square JPEG or PNG of 1400 to 3000 pixels a side",
        ),
        Some(image) if !is_cover(image) => {
            warn(
                format!("`image` {image:?} is of a kind that podcast directories refuse"),
                "name a square JPEG or PNG of 1400 to 3000 pixels a side",
            );
        }
        Some(_) => {}
    }
    if let Some(email) = &show.email
        && !is_address(email)
    {
        warn(
            format!("`email` {email:?} is not an e-mail address; podcast directories write to it"),
            "write it as hello@show.example.org, or leave it out",
        );
    }
    warnings
}

fn lacks(what: &str) -> String {
    format!("the podcast feed has no {what}, for which podcast directories refuse it")
}

fn is_cover(image: &str) -> bool {
    let extension = Path::new(image).extension();
    extension.is_some_and(|extension| COVERS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Whether somebody could mean it as an address: what stands in RFC 5322 beyond that, no directory takes.
fn is_address(email: &str) -> bool {
    let is_plain =
        |text: &str| !text.is_empty() && !text.contains(['@', '<', '>', ',']) && !text.contains(char::is_whitespace);
    email.split_once('@').is_some_and(|(name, host)| {
        is_plain(name) && is_plain(host) && host.contains('.') && host.split('.').all(|label| !label.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_name_and_a_host() {
        for email in ["a@show.example.org", "a.b+c@example.org"] {
            assert!(is_address(email), "{email}");
        }
        for email in
            ["", "a", "a@", "@example.org", "a@b", "a b@example.org", "A <a@example.org>", "a@b@example.org", "a@.org"]
        {
            assert!(!is_address(email), "{email}");
        }
    }
}
