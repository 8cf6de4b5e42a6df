//! The time series as bars and lines: how much in which span of time, and the shapes that are drawn of it. Numbers in,
//! numbers out; what it looks like stands in the template.

use std::fmt::Write;

use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::store::{Lifetime, Point};
use crate::tracker::Seconds;
use crate::units::size_text;

/// A day in half hours.
pub const DAY: Window = Window { bars: 48, bar_secs: 1800 };
/// Two months in days.
pub const TWO_MONTHS: Window = Window { bars: 60, bar_secs: 24 * 3600 };

/// The width of a bar with the gap beside it, and the height of a plot, in its own units.
const BAR: usize = 10;
const HEIGHT: u64 = 1000;
/// The least height of what is not 0, so that it is seen.
const SEEN: u64 = 8;
/// In how many parts the time below a plot is cut: each has its beginning written below it.
const PARTS: usize = 4;

/// A length of time that ends now, cut into bars of equal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many.
    pub bars: usize,
    /// How long each is.
    pub bar_secs: u64,
}

/// What happened in the time of one bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Bar {
    /// When it begins, in seconds since 1970.
    pub at: u64,
    /// Bytes sent to peers in it.
    pub sent_bytes: u64,
    /// Bytes sent over HTTP in it.
    pub web_sent_bytes: u64,
    /// The most peers that had everything at one time.
    pub seeds: u64,
    /// The most peers that lacked something at one time.
    pub leechers: u64,
}

impl Window {
    /// When the first bar begins. Bars begin at whole hours and days of UTC, and the last one has not ended yet.
    pub fn begin(self, now: Seconds) -> Seconds {
        let end = (now.0 / self.bar_secs).saturating_add(1);
        Seconds(end.saturating_sub(self.bars as u64).saturating_mul(self.bar_secs))
    }

    /// Puts points into bars. Counts are told from one point to the next, and those of the first one, before which there
    /// was none, from 0; a point holds until the next one.
    pub fn fold(self, points: &[Point], now: Seconds) -> Vec<Bar> {
        let begin = self.begin(now).0;
        let mut points = points.iter().peekable();
        let mut former: Option<&Point> = None;
        while let Some(point) = points.next_if(|point| point.at.0 < begin) {
            former = Some(point);
        }
        let bars = (0..self.bars as u64).map(|number| {
            let at = begin + number * self.bar_secs;
            let mut bar = Bar { at, ..Bar::default() };
            if let Some(known) = former {
                (bar.seeds, bar.leechers) = (known.seeds, known.leechers);
            }
            while let Some(point) = points.next_if(|point| point.at.0 < at + self.bar_secs) {
                let known = former.map_or_else(Lifetime::default, |former| former.lifetime);
                bar.sent_bytes += point.lifetime.sent.saturating_sub(known.sent);
                bar.web_sent_bytes += point.lifetime.web_sent.saturating_sub(known.web_sent);
                bar.seeds = bar.seeds.max(point.seeds);
                bar.leechers = bar.leechers.max(point.leechers);
                former = Some(point);
            }
            bar
        });
        bars.collect()
    }

    /// How a moment is written below a plot.
    fn label(self, at: u64) -> String {
        if self.is_of_days() {
            text(at, format_description!("[day padding:none] [month repr:short]"))
        } else {
            text(at, format_description!("[hour]:[minute]"))
        }
    }

    /// How the time of a bar is written in a table.
    pub fn moment(self, at: u64) -> String {
        if self.is_of_days() {
            text(at, format_description!("[year]-[month]-[day]"))
        } else {
            text(at, format_description!("[year]-[month]-[day] [hour]:[minute]"))
        }
    }

    fn is_of_days(self) -> bool {
        self.bar_secs.is_multiple_of(24 * 3600)
    }
}

fn text(at: u64, format: &(impl time::formatting::Formattable + ?Sized)) -> String {
    let time = i64::try_from(at).ok().and_then(|secs| OffsetDateTime::from_unix_timestamp(secs).ok());
    time.and_then(|time| time.format(format).ok()).unwrap_or_default()
}

/// What a template needs to draw the bars of a window, twice: what was sent, and who was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// The width of both plots in their own units.
    pub width: usize,
    /// Their height.
    pub height: u64,
    /// Where the time below them is cut, `14:30` or `3 Nov`.
    pub times: Vec<String>,
    /// What was sent.
    pub sent: Sent,
    /// Who was there.
    pub peers: Peers,
    /// The same as numbers, the latest first.
    pub table: Vec<Line>,
    /// Whether there is anything to be drawn.
    pub is_empty: bool,
}

/// Bytes as bars: to peers, and over HTTP on top of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// The outline of the lower bars.
    pub lower: String,
    /// The outline of the upper ones.
    pub upper: String,
    /// What the top of the plot stands for, and its middle.
    pub scale: [String; 2],
    /// All bytes to peers.
    pub to_peers: String,
    /// All bytes over HTTP.
    pub web: String,
    /// The most in one bar.
    pub most: String,
    /// When that bar begins.
    pub most_at: String,
}

/// Peers as lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peers {
    /// The line of those that have everything.
    pub seeds: String,
    /// The line of those that lack something.
    pub leechers: String,
    /// What the top of the plot stands for, and its middle.
    pub scale: [String; 2],
    /// The most of each at one time.
    pub most: [u64; 2],
    /// The last of each.
    pub last: [u64; 2],
}

/// A bar as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    at: String,
    sent: String,
    web_sent: String,
    seeds: u64,
    leechers: u64,
}

/// Draws the bars of a window.
pub fn figure(window: Window, bars: &[Bar]) -> Figure {
    let sum = |of: fn(&Bar) -> u64| bars.iter().map(of).fold(0, u64::saturating_add);
    let most = |of: fn(&Bar) -> u64| bars.iter().map(of).max().unwrap_or(0);
    let both = |bar: &Bar| bar.sent_bytes.saturating_add(bar.web_sent_bytes);
    let most_sent = most(both);
    let top = rounded_up(most_sent, &[1, 2, 3, 4, 5, 6, 8]);
    let (mut lower, mut upper) = (String::new(), String::new());
    for (number, bar) in bars.iter().enumerate() {
        let sent = height(bar.sent_bytes, top);
        put_bar(&mut lower, number, 0, sent);
        put_bar(&mut upper, number, sent, height(bar.web_sent_bytes, top));
    }
    let most_of_each = [most(|bar| bar.seeds), most(|bar| bar.leechers)];
    // Even, so that the middle is a whole number too.
    let peers_top = rounded_up(most_of_each[0].max(most_of_each[1]).max(2), &[2, 4, 6, 10]);
    let most_at = bars.iter().find(|bar| most_sent > 0 && both(bar) == most_sent);
    let last = bars.last().copied().unwrap_or_default();
    let line = |bar: &Bar| Line {
        at: window.moment(bar.at),
        sent: size_text(bar.sent_bytes),
        web_sent: size_text(bar.web_sent_bytes),
        seeds: bar.seeds,
        leechers: bar.leechers,
    };
    Figure {
        width: bars.len() * BAR,
        height: HEIGHT,
        times: bars.chunks(bars.len().div_ceil(PARTS).max(1)).map(|part| window.label(part[0].at)).collect(),
        sent: Sent {
            lower,
            upper,
            scale: [size_text(top), size_text(top / 2)],
            to_peers: size_text(sum(|bar| bar.sent_bytes)),
            web: size_text(sum(|bar| bar.web_sent_bytes)),
            most: size_text(most_sent),
            most_at: most_at.map(|bar| window.moment(bar.at)).unwrap_or_default(),
        },
        peers: Peers {
            seeds: steps(bars.iter().map(|bar| bar.seeds), peers_top),
            leechers: steps(bars.iter().map(|bar| bar.leechers), peers_top),
            scale: [peers_top.to_string(), (peers_top / 2).to_string()],
            most: most_of_each,
            last: [last.seeds, last.leechers],
        },
        table: bars.iter().rev().map(line).collect(),
        is_empty: most_sent == 0 && most_of_each == [0, 0],
    }
}

/// The least number that is not less than `value` and is one of these, or one of these with zeros behind it.
fn rounded_up(value: u64, heads: &[u64]) -> u64 {
    let mut scale: u64 = 1;
    loop {
        let fitting = heads.iter().filter_map(|head| head.checked_mul(scale)).find(|&round| round >= value);
        match (fitting, scale.checked_mul(10)) {
            (Some(round), _) => return round,
            (None, Some(more)) => scale = more,
            (None, None) => return u64::MAX,
        }
    }
}

fn height(value: u64, top: u64) -> u64 {
    if value == 0 {
        return 0;
    }
    let height = u128::from(value) * u128::from(HEIGHT) / u128::from(top.max(1));
    u64::try_from(height).unwrap_or(HEIGHT).clamp(SEEN, HEIGHT)
}

fn put_bar(path: &mut String, number: usize, from: u64, height: u64) {
    if height > 0 {
        let (left, bottom) = (number * BAR + 1, HEIGHT.saturating_sub(from));
        let top = bottom.saturating_sub(height);
        write!(path, "M{left} {bottom}V{top}h{}V{bottom}z", BAR - 2).expect("a String takes all that is written");
    }
}

/// A line with a step where a number differs from the one before it.
fn steps(values: impl Iterator<Item = u64>, top: u64) -> String {
    let mut path = String::new();
    let mut former = None;
    let mut right = 0;
    for value in values {
        let y = HEIGHT - height(value, top);
        match former {
            None => write!(path, "M0 {y}"),
            Some(former) if former == y => Ok(()),
            Some(_) => write!(path, "H{right}V{y}"),
        }
        .expect("a String takes all that is written");
        former = Some(y);
        right += BAR;
    }
    if former.is_some() {
        write!(path, "H{right}").expect("a String takes all that is written");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Lifetime;
    use expect_test::expect;

    /// 2026-11-22 20:10:00.
    const NOW: Seconds = Seconds(1_795_378_200);
    const TINY: Window = Window { bars: 4, bar_secs: 1800 };

    fn point(at: u64, seeds: u64, leechers: u64, sent: u64, web_sent: u64) -> Point {
        Point { at: Seconds(at), seeds, leechers, lifetime: Lifetime { sent, web_sent, ..Lifetime::default() } }
    }

    fn short(bars: &[Bar]) -> Vec<(u64, u64, u64, u64, u64)> {
        let begin = bars[0].at;
        bars.iter()
            .map(|bar| ((bar.at - begin) / 60, bar.sent_bytes, bar.web_sent_bytes, bar.seeds, bar.leechers))
            .collect()
    }

    #[test]
    fn bars_begin_at_whole_hours_and_days_and_end_with_now() {
        assert_eq!(TINY.begin(NOW), Seconds(1_795_372_200), "18:30");
        let ends = [DAY, TWO_MONTHS].map(|window| {
            let bars = window.fold(&[], NOW);
            (window.moment(bars[0].at), window.moment(bars[bars.len() - 1].at), bars.len())
        });
        expect![[r#"
            [
                (
                    "2026-11-21 20:30",
                    "2026-11-22 20:00",
                    48,
                ),
                (
                    "2026-09-24",
                    "2026-11-22",
                    60,
                ),
            ]
        "#]]
        .assert_debug_eq(&ends);
        assert_eq!(DAY.begin(Seconds(0)), Seconds(0));
    }

    #[test]
    fn counts_are_told_from_point_to_point_and_a_point_holds_until_the_next() {
        let begin = TINY.begin(NOW).0;
        let points = [
            point(begin - 9000, 9, 9, 50, 5),
            point(begin - 600, 1, 2, 100, 10),
            point(begin, 1, 3, 110, 10),
            point(begin + 1200, 2, 0, 115, 40),
            // Counts that were lost begin anew.
            point(begin + 5400, 1, 0, 7, 41),
            // A clock that was wrong.
            point(begin + 7200, 5, 5, 500, 500),
        ];
        let bars = TINY.fold(&points, NOW);
        assert_eq!(short(&bars), [(0, 15, 30, 2, 3), (30, 0, 0, 2, 0), (60, 0, 0, 2, 0), (90, 0, 1, 2, 0)]);
        let first = TINY.fold(&points[2..], NOW);
        assert_eq!(short(&first)[0], (0, 115, 40, 2, 3), "nothing was counted before there was a point");
    }

    #[test]
    fn a_figure_has_its_shapes_its_scales_and_its_numbers() {
        let bar = |number: u64, sent_bytes, web_sent_bytes, seeds, leechers| Bar {
            at: TINY.begin(NOW).0 + number * 1800,
            sent_bytes,
            web_sent_bytes,
            seeds,
            leechers,
        };
        let bars =
            [bar(0, 1_000_000, 0, 1, 0), bar(1, 0, 0, 1, 3), bar(2, 500_000, 1_000_000, 1, 3), bar(3, 1, 1, 2, 0)];
        expect![[r#"
            Figure {
                width: 40,
                height: 1000,
                times: [
                    "18:30",
                    "19:00",
                    "19:30",
                    "20:00",
                ],
                sent: Sent {
                    lower: "M1 1000V500h8V1000zM21 1000V750h8V1000zM31 1000V992h8V1000z",
                    upper: "M21 750V250h8V750zM31 992V984h8V992z",
                    scale: [
                        "2.0 MB",
                        "1.0 MB",
                    ],
                    to_peers: "1.5 MB",
                    web: "1.0 MB",
                    most: "1.5 MB",
                    most_at: "2026-11-22 19:30",
                },
                peers: Peers {
                    seeds: "M0 750H30V500H40",
                    leechers: "M0 1000H10V250H30V1000H40",
                    scale: [
                        "4",
                        "2",
                    ],
                    most: [
                        2,
                        3,
                    ],
                    last: [
                        2,
                        0,
                    ],
                },
                table: [
                    Line {
                        at: "2026-11-22 20:00",
                        sent: "1 B",
                        web_sent: "1 B",
                        seeds: 2,
                        leechers: 0,
                    },
                    Line {
                        at: "2026-11-22 19:30",
                        sent: "500.0 kB",
                        web_sent: "1.0 MB",
                        seeds: 1,
                        leechers: 3,
                    },
                    Line {
                        at: "2026-11-22 19:00",
                        sent: "0 B",
                        web_sent: "0 B",
                        seeds: 1,
                        leechers: 3,
                    },
                    Line {
                        at: "2026-11-22 18:30",
                        sent: "1.0 MB",
                        web_sent: "0 B",
                        seeds: 1,
                        leechers: 0,
                    },
                ],
                is_empty: false,
            }
        "#]]
        .assert_debug_eq(&figure(TINY, &bars));
        assert!(figure(DAY, &DAY.fold(&[], NOW)).is_empty);
        assert!(figure(DAY, &[]).is_empty);
    }

    #[test]
    fn scales_end_at_round_numbers_and_the_largest_counts_are_drawn() {
        let round = [0, 1, 3, 10, 11, 501, u64::MAX].map(|value| rounded_up(value, &[1, 2, 5]));
        assert_eq!(round, [1, 1, 5, 10, 20, 1000, u64::MAX]);
        let most = Bar { sent_bytes: u64::MAX, web_sent_bytes: u64::MAX, seeds: u64::MAX, ..Bar::default() };
        let drawn = figure(TINY, &[most; 4]);
        assert!(drawn.sent.lower.starts_with("M1 1000V0h8"), "{}", drawn.sent.lower);
    }

    #[test]
    fn the_shapes_of_a_plot_have_a_bounded_weight() {
        let bars: Vec<Bar> = (0..60)
            .map(|n| Bar { at: n, sent_bytes: 7 + n % 7, web_sent_bytes: 5 + n % 5, seeds: n % 2, leechers: n % 3 })
            .collect();
        let drawn = figure(TWO_MONTHS, &bars);
        let bytes =
            [drawn.sent.lower, drawn.sent.upper, drawn.peers.seeds, drawn.peers.leechers].map(|path| path.len());
        assert!(bytes.iter().sum::<usize>() < 6000, "{bytes:?}");
    }
}
