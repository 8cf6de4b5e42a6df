//! The date of a page: a day or a moment as its author wrote it, and the forms in which the site shows it.

use std::fmt;
use std::str::FromStr;

use time::macros::format_description;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};
use toml::value::Datetime;

/// When something was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Published {
    at: OffsetDateTime,
    /// A day alone; its moment is midnight in UTC.
    is_day: bool,
}

impl Published {
    /// The day or moment of a TOML date. One without an offset is in UTC, so that a build means the same everywhere;
    /// a time of day without a day is none.
    pub fn from_toml(datetime: &Datetime) -> Option<Self> {
        let date = datetime.date?;
        let month = Month::try_from(date.month).ok()?;
        let day = Date::from_calendar_date(date.year.into(), month, date.day).ok()?;
        // The feeds' format (RFC 2822) begins with this year.
        if day.year() < 1900 {
            return None;
        }
        let time = match datetime.time {
            None => Time::MIDNIGHT,
            Some(time) => {
                Time::from_hms_nano(time.hour, time.minute, time.second.unwrap_or(0), time.nanosecond.unwrap_or(0))
                    .ok()?
            }
        };
        let offset = match datetime.offset {
            None | Some(toml::value::Offset::Z) => UtcOffset::UTC,
            Some(toml::value::Offset::Custom { minutes }) => {
                UtcOffset::from_whole_seconds(i32::from(minutes) * 60).ok()?
            }
        };
        // Whole seconds: no format that it goes into has more.
        let at = OffsetDateTime::new_in_offset(day, time.replace_nanosecond(0).ok()?, offset);
        Some(Self { at, is_day: datetime.time.is_none() })
    }

    /// The same of a text in one of TOML's forms.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_toml(&Datetime::from_str(text.trim()).ok()?)
    }

    /// The moment.
    pub fn at(self) -> OffsetDateTime {
        self.at
    }

    /// `2026-05-01`, the day where it was published.
    pub fn day(self) -> String {
        self.at.format(format_description!("[year]-[month]-[day]")).expect("every date has these")
    }

    /// `1 May 2026`.
    pub fn text(self) -> String {
        self.at
            .format(format_description!("[day padding:none] [month repr:long] [year]"))
            .expect("every date has these")
    }
}

impl fmt::Display for Published {
    /// RFC 3339: the day, or the moment with its offset.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_day {
            return f.write_str(&self.day());
        }
        let text = self.at.format(&time::format_description::well_known::Rfc3339).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_or_a_moment_is_read_in_the_forms_of_toml() {
        let cases = [
            ("2026-05-01", "2026-05-01", 1_777_593_600),
            ("2026-05-01T06:00:00Z", "2026-05-01T06:00:00Z", 1_777_615_200),
            ("2026-05-01 06:00:00.25", "2026-05-01T06:00:00Z", 1_777_615_200),
            ("2026-05-01T06:00:00+01:00", "2026-05-01T06:00:00+01:00", 1_777_611_600),
        ];
        for (text, shown, unix) in cases {
            let published = Published::parse(text).unwrap_or_else(|| panic!("{text} is a date"));
            assert_eq!((published.to_string().as_str(), published.at().unix_timestamp()), (shown, unix));
            assert_eq!((published.day(), published.text()), ("2026-05-01".into(), "1 May 2026".into()));
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in ["yesterday", "", "2026-02-30", "2026-13-01", "06:00:00", "1 May 2026", "1812-05-01"] {
            assert_eq!(Published::parse(text), None, "{text}");
        }
    }
}
