//! One round of a mirror: what the show says is read, what is not published any more is kept as retired, and what is
//! missing is fetched, the newest first.

use std::collections::HashSet;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;
use url::Url;

use super::wish::{DOCUMENT_BYTES_MAX, Show};
use super::{Mirror, Summary};
use crate::fetch::{Document, Failed};
use crate::manifest;
use crate::problem::Problem;
use crate::units::{count_text, size_text};

/// How often the manifest is written while torrents come in.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// What [`Mirror::tell_news`] calls the show itself.
const SHOW: &str = "";
/// And how the mirror stands.
const STAND: &str = "stand";

/// What came of a round.
#[derive(Debug, Default)]
pub struct Round {
    /// Why the show's document could not be read; what it said before was followed all the same.
    pub unread: Option<Failed>,
    /// What stood in the way on this machine; the round has ended there.
    pub trouble: Option<Problem>,
    /// Torrents whose files were read to see whether they are still right.
    pub read: u64,
    /// Torrents whose files were not read, as they look as they did when they were last found right.
    pub remembered: u64,
    /// Torrents that were fetched, or mended.
    pub fetched: u64,
    /// Torrents that could not be fetched, or are not what the show says.
    pub missing: u64,
    /// Torrents for which there is no room.
    pub left_out: u64,
    /// Whether it ended early, so that the show's document is read again.
    pub is_cut: bool,
}

impl Round {
    /// What is not as it should be after a round that began at `at`, for who watches the mirror; a line each.
    pub fn warnings(&self, at: OffsetDateTime) -> Vec<String> {
        let at = at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default();
        let unread = self.unread.as_ref().map(|failed| format!("the show can't be read: {}", failed.problem.message()));
        let trouble = self.trouble.as_ref().map(|problem| format!("stopped short: {}", first_line(problem)));
        let counted = |count: u64, what: &str| (count > 0).then(|| format!("{} {what}", count_text(count, "torrent")));
        let missing = counted(self.missing, "could not be fetched");
        let left_out = counted(self.left_out, "left out for lack of room");
        let all = [unread, trouble, missing, left_out].into_iter().flatten();
        all.map(|what| format!("mirror: in the round of {at}: {what}")).collect()
    }
}

/// Place and message of a problem, without what helps.
fn first_line(problem: &Problem) -> String {
    problem.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Why the show's document was not read.
enum Unread {
    /// It is the show's fault, or that of the way there.
    Show(Failed),
    /// It is this machine's.
    Trouble(Problem),
}

impl Mirror {
    /// Does what is to be done at `now`; from `until` on it begins with nothing new. It blocks, for hours where much is
    /// missing, and may not be called from an async task.
    pub fn round(&mut self, now: OffsetDateTime, until: Option<Instant>) -> Round {
        let mut round = Round::default();
        self.gone.clear();
        self.resolved.clear();
        match self.read_show() {
            Ok(()) => {}
            Err(Unread::Show(failed)) => round.unread = Some(failed),
            Err(Unread::Trouble(problem)) => round.trouble = Some(problem),
        }
        if let Some(show) = self.show.take() {
            let followed = self.follow_show(&show, now, until, &mut round).and_then(|()| self.write());
            self.show = Some(show);
            if let Err(problem) = followed {
                round.trouble.get_or_insert(problem);
            }
        }
        round
    }

    /// Tells the operator what came of a round, as far as it is news.
    pub(super) fn tell_outcome(&mut self, round: &Round) {
        match &round.unread {
            Some(failed) => {
                self.tell_news(SHOW, &format!("WARNING: mirror: the show can't be read: {}", failed.problem));
            }
            None => _ = self.told.remove(SHOW),
        }
        if let Some(problem) = round.trouble.as_ref().filter(|_| !self.stop.is_said()) {
            self.tell(&format!("WARNING: mirror: {problem}"));
        }
        let Summary { mirrored, published, retired, bytes, .. } = self.summary();
        if round.fetched > 0 || round.unread.is_none() {
            let line = format!(
                "mirror: {mirrored} of {published} torrents are here, {retired} retired, {} in all; {} could not be fetched, {} left \
                 out",
                size_text(bytes),
                round.missing,
                round.left_out
            );
            self.tell_news(STAND, &line);
        }
    }

    /// Reads the show's document, if it has changed.
    fn read_show(&mut self) -> Result<(), Unread> {
        let mut first: Option<Failed> = None;
        for url in self.places_of_document() {
            let known = self.state.validators();
            let is_known = self.show.is_some() && self.state.document.as_deref() == Some(&*url);
            match self.client.document(&url, is_known.then_some(&known), DOCUMENT_BYTES_MAX) {
                Ok(Document::Same) => return Ok(()),
                Ok(Document::Body { bytes, final_url, validators }) => match read(&bytes, &final_url) {
                    Ok(show) => {
                        let kept = self.state.keep_document(&self.data, &url, &final_url, &bytes, &validators);
                        kept.and_then(|()| self.state.write(&self.data)).map_err(Unread::Trouble)?;
                        self.is_new = true;
                        self.show = Some(show);
                        return Ok(());
                    }
                    Err(problem) => _ = first.get_or_insert(problem.into()),
                },
                // No other question to this server is worth a try now.
                Err(failed) if failed.is_unreachable || !failed.after.is_zero() => return Err(Unread::Show(failed)),
                Err(failed) => _ = first.get_or_insert(failed),
            }
        }
        Err(Unread::Show(first.unwrap_or_else(|| Problem::new("there is no address to read").into())))
    }

    /// Where the document may stand, the place where it was found before all others.
    fn places_of_document(&self) -> Vec<String> {
        let mut places: Vec<String> = self.state.document.iter().cloned().collect();
        if let Ok(mut url) = Url::parse(&self.options.source) {
            url.set_fragment(None);
            let mut below = url.clone();
            below.set_query(None);
            if let Ok(mut segments) = below.path_segments_mut() {
                segments.pop_if_empty().push(manifest::FILE_NAME);
            }
            let is_folder = url.path().ends_with('/');
            let (itself, below) = (String::from(url), String::from(below));
            // The address of a site is that of a page; any other is first of all what stands there.
            places.extend(if is_folder { [below, itself] } else { [itself, below] });
        }
        let mut seen = HashSet::new();
        places.retain(|place| seen.insert(place.clone()));
        places
    }

    fn follow_show(
        &mut self,
        show: &Show,
        now: OffsetDateTime,
        until: Option<Instant>,
        round: &mut Round,
    ) -> Result<(), Problem> {
        self.resolve_unknown(show, until)?;
        self.settle(show, now)?;
        self.look(now, until, round)?;
        let plan = self.plan(show, until, round)?;
        // Again: some are known by their `.torrent` alone.
        let known = self.known(show);
        for planned in plan {
            self.stop.check()?;
            if until.is_some_and(|until| Instant::now() >= until) {
                round.is_cut = true;
                break;
            }
            self.fetch(&planned, show, &known, now, round)?;
            if self.written.is_none_or(|written| written.elapsed() >= WRITE_EVERY) {
                self.write()?;
            }
        }
        self.sort(&known);
        self.write()?;
        if !round.is_cut && !show.wishes.is_empty() {
            self.tidy(&known)?;
        }
        self.is_new = false;
        Ok(())
    }
}

/// What a document says that stands at `url`: where it was found in the end, as its relative addresses count from there
/// (RFC 3986 section 5.1.3).
fn read(document: &[u8], url: &str) -> Result<Show, Problem> {
    let url = Url::parse(url).map_err(|error| Problem::new(format!("{url}: {error}")))?;
    Show::read(document, &url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_should_be_is_said_to_who_watches() {
        let at = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(Round::default().warnings(at), Vec::<String>::new());
        let round = Round {
            unread: Some(Problem::new("https://a.example.org/: answered 404 Not Found").help("correct it").into()),
            trouble: Some(Problem::at("data", "can't be written: no space").help("make room")),
            missing: 2,
            left_out: 1,
            ..Round::default()
        };
        expect_test::expect![[r#"
            mirror: in the round of 1970-01-01T00:00:00Z: the show can't be read: https://a.example.org/: answered 404 Not Found
            mirror: in the round of 1970-01-01T00:00:00Z: stopped short: data: can't be written: no space
            mirror: in the round of 1970-01-01T00:00:00Z: 2 torrents could not be fetched
            mirror: in the round of 1970-01-01T00:00:00Z: 1 torrent left out for lack of room"#]]
        .assert_eq(&round.warnings(at).join("\n"));
    }
}
