//! `chapters.json`: the chapters of an episode, to which its item in `feed.xml` leads (JSON chapters 1.2 of the podcast
//! namespace).

use serde::Serialize;
use serde_json::Number;

/// The MIME type of the file.
pub const CHAPTERS_MIME: &str = "application/json+chapters";

/// The bytes of `chapters.json`: for each chapter where it begins, in milliseconds, and its title, which can be empty.
pub fn chapters<'a>(chapters: impl IntoIterator<Item = (u64, &'a str)>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Wire<'a> {
        version: &'static str,
        chapters: Vec<WireChapter<'a>>,
    }
    #[derive(Serialize)]
    struct WireChapter<'a> {
        #[serde(rename = "startTime")]
        start_time: Number,
        #[serde(skip_serializing_if = "str::is_empty")]
        title: &'a str,
    }
    let chapters = chapters.into_iter().map(|(start_ms, title)| WireChapter { start_time: seconds(start_ms), title });
    let wire = Wire { version: "1.2.0", chapters: chapters.collect() };
    let mut bytes = serde_json::to_vec_pretty(&wire).expect("texts and numbers are JSON");
    bytes.push(b'\n');
    bytes
}

/// So many milliseconds in seconds: `90`, or `90.5`.
pub fn seconds(ms: u64) -> Number {
    let (secs, ms) = (ms / 1000, ms % 1000);
    // By way of text it is rounded once; a sum of floating-point numbers is rounded twice.
    let with_fraction = || format!("{secs}.{ms:03}").parse().ok().and_then(Number::from_f64);
    if ms == 0 { secs.into() } else { with_fraction().expect("digits and a point are a number") }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn chapters_are_this_and_a_title_can_be_missing() {
        let bytes = chapters([(0, "The \"door\""), (90_500, ""), (16_711_935, "Ünd <out>")]);
        expect![[r#"
            {
              "version": "1.2.0",
              "chapters": [
                {
                  "startTime": 0,
                  "title": "The \"door\""
                },
                {
                  "startTime": 90.5
                },
                {
                  "startTime": 16711.935,
                  "title": "Ünd <out>"
                }
              ]
            }
        "#]]
        .assert_eq(&String::from_utf8(bytes).expect("UTF-8"));
    }

    #[test]
    fn seconds_are_whole_or_have_what_is_left_over() {
        assert_eq!([0, 1, 1000, 1100, 90_010].map(|ms| seconds(ms).to_string()), ["0", "0.001", "1", "1.1", "90.01"]);
        assert!(seconds(u64::MAX).as_f64().is_some());
    }
}
