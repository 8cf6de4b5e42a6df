//! A calendar month in UTC, by which what leaves is counted.

use std::fmt;

use time::OffsetDateTime;

use crate::tracker::Seconds;

/// A calendar month in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(u32);

/// The last month that is told from others.
const LAST: u32 = 999_912;

impl Month {
    /// The month in which `at` lies.
    pub fn of(at: Seconds) -> Self {
        let time = i64::try_from(at.0).ok().and_then(|secs| OffsetDateTime::from_unix_timestamp(secs).ok());
        // 1970 is the first year there is, so that no year is negative.
        Self(time.map_or(LAST, |time| time.year().unsigned_abs() * 100 + u32::from(u8::from(time.month()))))
    }

    /// The digits of year and month as one number, `202611`: how a database holds it.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The month of such a number.
    pub(super) fn of_number(number: u32) -> Self {
        Self(number)
    }
}

impl fmt::Display for Month {
    /// `2026-11`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_at_midnight_in_utc_also_in_leap_years_and_at_the_end_of_a_year() {
        for (at, month) in [
            (0, "1970-01"),
            (1_709_164_799, "2024-02"),
            // The 29th of February.
            (1_709_164_800, "2024-02"),
            (1_709_251_199, "2024-02"),
            (1_709_251_200, "2024-03"),
            (1_740_787_199, "2025-02"),
            (1_740_787_200, "2025-03"),
            (1_767_225_599, "2025-12"),
            (1_767_225_600, "2026-01"),
            // 2100 is no leap year.
            (4_107_542_399, "2100-02"),
            (4_107_542_400, "2100-03"),
            (253_402_300_799, "9999-12"),
            (253_402_300_800, "9999-12"),
            (u64::MAX, "9999-12"),
        ] {
            assert_eq!(Month::of(Seconds(at)).to_string(), month, "{at}");
        }
    }

    #[test]
    fn months_are_in_order_and_keep_their_numbers() {
        let months = [1_767_225_599, 1_767_225_600].map(|at| Month::of(Seconds(at)));
        assert!(months[0] < months[1]);
        assert_eq!(months.map(Month::number), [202_512, 202_601]);
        assert_eq!(Month::of_number(202_601), months[1]);
    }
}
