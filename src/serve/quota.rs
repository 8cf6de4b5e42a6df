//! What leaves in a calendar month, and what follows where that is limited: a warning, and then a slower pace for all,
//! never an end. It knows no clock: the time comes with what is counted.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use serde::Serialize;

use crate::store::{Month, MonthSent};
use crate::tracker::Seconds;
use crate::units::size_text;

/// Bytes a second that leave once a quota is used up, unless a [`Quota`] says otherwise.
pub const THEN_BYTES_PER_SEC: NonZeroU64 = NonZeroU64::new(256_000).expect("it is not 0");
/// The part of a quota, in percent, from which on it is warned.
const WARN_PERCENT: u64 = 80;

/// How much content may leave in a calendar month (UTC), to peers and over HTTP together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes in a month.
    pub monthly_bytes: NonZeroU64,
    /// Bytes a second from then on until the month ends: half for peers, half for HTTP.
    pub then_bytes_per_sec: NonZeroU64,
}

impl Quota {
    /// What each of the two ways out has of [`Quota::then_bytes_per_sec`].
    pub fn of_each(&self) -> NonZeroU64 {
        NonZeroU64::new(self.then_bytes_per_sec.get() / 2).unwrap_or(NonZeroU64::MIN)
    }
}

/// How far a month's quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stage {
    /// There is no quota, or much of it is left.
    #[default]
    Free,
    /// Little is left.
    Warned,
    /// Nothing is left: everything is slowed down.
    Slowed,
}

/// A month and its quota, as they are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// The month, as `2026-11`.
    pub month: String,
    /// Bytes of content sent to peers in it.
    pub sent_bytes: u64,
    /// Bytes of content sent over HTTP in it.
    pub web_sent_bytes: u64,
    /// The quota; `None` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_bytes: Option<u64>,
    /// Whether everything is slowed down because it is used up.
    pub slowed: bool,
}

/// What was counted at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The month, where it has more than before: to be kept.
    pub grown: Option<MonthSent>,
    /// The stage, where it has changed.
    pub turned: Option<Stage>,
    /// A line for the operator.
    pub line: Option<String>,
}

/// Counts by month.
#[derive(Debug, Default)]
pub struct Meter {
    quota: Option<Quota>,
    /// A clock that is set right goes from one month to another, and back.
    months: BTreeMap<Month, (u64, u64)>,
    current: Option<Month>,
    /// What had been sent in all when it was last counted: to peers, over HTTP.
    seen: (u64, u64),
    stage: Stage,
}

impl Meter {
    /// A meter that goes on where the months of a former run stopped.
    pub fn new(quota: Option<Quota>, months: impl IntoIterator<Item = MonthSent>) -> Self {
        let months = months.into_iter().map(|known| (known.month, (known.sent, known.web_sent))).collect();
        Self { quota, months, ..Self::default() }
    }

    /// Takes in what was sent since the start: to peers, and over HTTP. What is new since the last call counts for the
    /// month of `now`.
    pub fn count(&mut self, now: Seconds, sent: u64, web_sent: u64) -> Counted {
        let month = Month::of(now);
        let new = (sent.saturating_sub(self.seen.0), web_sent.saturating_sub(self.seen.1));
        self.seen = (sent, web_sent);
        self.current = Some(month);
        let counts = self.months.entry(month).or_default();
        *counts = (counts.0.saturating_add(new.0), counts.1.saturating_add(new.1));
        let grown = (new != (0, 0)).then_some(MonthSent { month, sent: counts.0, web_sent: counts.1 });
        let used = counts.0.saturating_add(counts.1);
        let stage = self.quota.map_or(Stage::Free, |quota| stage(used, quota.monthly_bytes));
        let former = std::mem::replace(&mut self.stage, stage);
        let turned = (former != stage).then_some(stage);
        let line = turned.zip(self.quota).map(|(stage, quota)| line(stage, month, used, &quota));
        Counted { grown, turned, line }
    }

    /// The quota.
    pub fn quota(&self) -> Option<&Quota> {
        self.quota.as_ref()
    }

    /// What is left of the quota in the month that was counted last; nothing where there is no quota.
    pub fn left_bytes(&self) -> Option<u64> {
        let used = self.current.and_then(|month| self.months.get(&month)).map_or(0, |(a, b)| a.saturating_add(*b));
        Some(self.quota?.monthly_bytes.get().saturating_sub(used))
    }

    /// How it stands.
    pub fn usage(&self) -> Usage {
        let (sent_bytes, web_sent_bytes) =
            self.current.and_then(|month| self.months.get(&month)).copied().unwrap_or_default();
        Usage {
            month: self.current.map(|month| month.to_string()).unwrap_or_default(),
            sent_bytes,
            web_sent_bytes,
            quota_bytes: self.quota.map(|quota| quota.monthly_bytes.get()),
            slowed: self.stage == Stage::Slowed,
        }
    }

    /// What is to be warned of.
    pub fn warning(&self) -> Option<String> {
        let (month, quota) = (self.current?, self.quota?);
        let (sent, web_sent) = self.months.get(&month)?;
        (self.stage > Stage::Free).then(|| said(self.stage, month, sent.saturating_add(*web_sent), &quota))
    }
}

fn stage(used: u64, quota: NonZeroU64) -> Stage {
    let (used, quota) = (u128::from(used), u128::from(quota.get()));
    if used >= quota {
        Stage::Slowed
    } else if used * 100 >= quota * u128::from(WARN_PERCENT) {
        Stage::Warned
    } else {
        Stage::Free
    }
}

fn line(stage: Stage, month: Month, used: u64, quota: &Quota) -> String {
    match stage {
        Stage::Free => format!("quota: {}", said(stage, month, used, quota)),
        Stage::Warned | Stage::Slowed => format!("WARNING: quota: {}", said(stage, month, used, quota)),
    }
}

fn said(stage: Stage, month: Month, used: u64, quota: &Quota) -> String {
    let (used, rate) = (size_text(used), size_text(quota.then_bytes_per_sec.get()));
    let of = format!("{used} of the {} of {month}", size_text(quota.monthly_bytes.get()));
    match stage {
        Stage::Free => format!("{of} have been sent; nothing is slowed down"),
        Stage::Warned => format!("{of} have been sent; when all are, everything is slowed down to {rate} a second"),
        Stage::Slowed => {
            format!("{of} have been sent; everything is slowed down to {rate} a second until the month ends (UTC)")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use std::fmt::Write;

    /// 2026-11-30 23:59:00.
    const NOVEMBER: Seconds = Seconds(1_796_083_140);
    const DECEMBER: Seconds = Seconds(1_796_083_200);

    const QUOTA: Option<Quota> = Some(Quota {
        monthly_bytes: NonZeroU64::new(1_000_000).expect("it is not 0"),
        then_bytes_per_sec: THEN_BYTES_PER_SEC,
    });

    #[test]
    fn it_warns_then_slows_down_and_a_new_month_lifts_it() {
        let mut meter = Meter::new(QUOTA, []);
        let mut log = String::new();
        for (now, sent, web_sent) in [
            (NOVEMBER, 0, 0),
            (NOVEMBER, 500_000, 299_999),
            (NOVEMBER, 500_000, 300_000),
            (NOVEMBER, 600_000, 300_000),
            (NOVEMBER, 600_000, 400_000),
            (NOVEMBER, 700_000, 400_000),
            (DECEMBER, 800_000, 400_000),
        ] {
            let counted = meter.count(now, sent, web_sent);
            let used = if now == DECEMBER { 100_000 } else { sent + web_sent };
            assert_eq!(meter.left_bytes(), Some(1_000_000_u64.saturating_sub(used)));
            let kept = counted.grown.map(|kept| (kept.month.to_string(), kept.sent, kept.web_sent));
            writeln!(log, "{sent} {web_sent}: {kept:?} {:?}", counted.turned).expect("a String takes all");
            counted.line.into_iter().for_each(|line| writeln!(log, "  {line}").expect("a String takes all"));
        }
        expect![[r#"
            0 0: None None
            500000 299999: Some(("2026-11", 500000, 299999)) None
            500000 300000: Some(("2026-11", 500000, 300000)) Some(Warned)
              WARNING: quota: 800.0 kB of the 1.0 MB of 2026-11 have been sent; when all are, everything is slowed down to 256.0 kB a second
            600000 300000: Some(("2026-11", 600000, 300000)) None
            600000 400000: Some(("2026-11", 600000, 400000)) Some(Slowed)
              WARNING: quota: 1.0 MB of the 1.0 MB of 2026-11 have been sent; everything is slowed down to 256.0 kB a second until the month ends (UTC)
            700000 400000: Some(("2026-11", 700000, 400000)) None
            800000 400000: Some(("2026-12", 100000, 0)) Some(Free)
              quota: 100.0 kB of the 1.0 MB of 2026-12 have been sent; nothing is slowed down
        "#]]
        .assert_eq(&log);
    }

    #[test]
    fn a_restart_goes_on_in_the_same_month() {
        let known = |at, sent, web_sent| MonthSent { month: Month::of(at), sent, web_sent };
        let months = [known(NOVEMBER, 900_000, 100_000), known(Seconds(0), 7, 8)];
        let mut meter = Meter::new(QUOTA, months);
        assert_eq!(meter.count(NOVEMBER, 0, 0).turned, Some(Stage::Slowed));
        assert_eq!(meter.count(NOVEMBER, 0, 0).turned, None);
        assert_eq!(meter.count(NOVEMBER, 1, 2).grown, Some(known(NOVEMBER, 900_001, 100_002)));
        let usage = meter.usage();
        assert_eq!((usage.month.as_str(), usage.sent_bytes, usage.web_sent_bytes), ("2026-11", 900_001, 100_002));
        assert!(usage.slowed && usage.quota_bytes == Some(1_000_000));
        assert!(meter.warning().is_some_and(|warning| warning.contains("everything is slowed down")));
        // A clock that starts in 1970 and is set right.
        assert_eq!(meter.count(Seconds(5), 1, 3).grown, Some(known(Seconds(0), 7, 9)));
        assert_eq!(meter.warning(), None);
        assert_eq!(meter.count(NOVEMBER, 2, 3).grown, Some(known(NOVEMBER, 900_002, 100_002)));
    }

    #[test]
    fn without_a_quota_it_is_only_counted() {
        let mut meter = Meter::new(None, []);
        assert_eq!((meter.usage(), meter.left_bytes()), (Usage::default(), None));
        let counted = meter.count(NOVEMBER, u64::MAX, u64::MAX);
        assert_eq!((counted.turned, counted.line, meter.warning()), (None, None, None));
        assert_eq!(counted.grown.map(|month| (month.sent, month.web_sent)), Some((u64::MAX, u64::MAX)));
        assert_eq!(meter.count(NOVEMBER, 0, 0).grown, None, "a count that goes down is none");
    }

    #[test]
    fn the_rate_is_shared_by_the_two_ways_out_and_is_never_0() {
        let of_each = |bytes| {
            let then_bytes_per_sec = NonZeroU64::new(bytes).expect("a rate");
            Quota { monthly_bytes: NonZeroU64::MIN, then_bytes_per_sec }.of_each().get()
        };
        assert_eq!([of_each(256_000), of_each(3), of_each(1)], [128_000, 1, 1]);
    }
}
