//! Dates and durations in the forms that feeds have them in.

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// A moment as RSS writes it (RFC 2822) or as Atom does (RFC 3339), and what programs make of these: weekdays that are
/// missing or wrong, months in full, years of two digits, names of time zones, no time of day.
pub(super) fn date(text: &str) -> Option<OffsetDateTime> {
    rfc3339(text.trim()).or_else(|| rfc2822(text))
}

fn rfc3339(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| {
        // Without a time of day, or without an offset.
        let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
        let mut numbers = day.split('-');
        let (year, month, day) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
        let is_day = year.len() == 4 && numbers.next().is_none();
        let date = Date::from_calendar_date(year.parse().ok().filter(|_| is_day)?, month, day.parse().ok()?).ok()?;
        Some(date.with_time(time_of_day(time)?).assume_utc())
    })
}

fn rfc2822(text: &str) -> Option<OffsetDateTime> {
    let text = text.replace([',', '-'], " ").replace('+', " +");
    // A minus is a separator in `1-May-2026` and a sign in `-0500`: only there it stands behind a time of day.
    let mut words = text.split_whitespace().peekable();
    words.next_if(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
    let day = words.next()?.parse().ok()?;
    let month = month(words.next()?)?;
    let year = words.next()?;
    let year = match (year.len(), year.parse::<i32>().ok()?) {
        (2, year @ ..50) => year + 2000,
        (2, year) => year + 1900,
        (4, year) => year,
        _ => return None,
    };
    let date = Date::from_calendar_date(year, month, day).ok()?;
    let time = words.next().map_or(Some(Time::MIDNIGHT), time_of_day)?;
    let offset = words.next().map_or(Some(UtcOffset::UTC), |zone| offset(zone, text.contains('+')))?;
    Some(OffsetDateTime::new_in_offset(date, time, offset))
}

fn month(word: &str) -> Option<Month> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = word.get(..3)?.to_ascii_lowercase();
    let number = MONTHS.iter().position(|month| *month == start)? + 1;
    Month::try_from(u8::try_from(number).ok()?).ok()
}

/// `6:00`, `06:00:30`, `06:00:30.5`.
fn time_of_day(word: &str) -> Option<Time> {
    let mut numbers = word.trim_end_matches('Z').split(':');
    let (hour, minute) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    let second = numbers.next().map_or(Some(0), |second| second.split('.').next()?.parse().ok())?;
    if numbers.next().is_some() {
        return None;
    }
    // A leap second is the one before it.
    Time::from_hms(hour, minute, second.min(59)).ok()
}

/// `0200` behind a sign, or a name; a name that is not known means UTC, as RFC 2822 has it (section 4.3).
fn offset(word: &str, is_east: bool) -> Option<UtcOffset> {
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    if let Ok(number) = digits.parse::<i32>() {
        let seconds = (number / 100 * 60 + number % 100) * 60;
        return UtcOffset::from_whole_seconds(if is_east { seconds } else { -seconds }).ok();
    }
    let hours = match word {
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        "CET" | "MEZ" | "BST" => 1,
        "CEST" | "MESZ" => 2,
        _ => 0,
    };
    UtcOffset::from_hms(hours, 0, 0).ok()
}

/// `3723`, `62:03`, `1:02:03`, in seconds; a fraction is cut off.
pub(super) fn duration(text: &str) -> Option<u64> {
    let text = text.trim();
    let whole = text.split_once(['.', ',']).map_or(text, |(whole, _)| whole);
    if whole.split(':').count() > 3 {
        return None;
    }
    whole.split(':').try_fold(0_u64, |sum, part| {
        let number = part.trim();
        let number: u64 = number.parse().ok().filter(|_| !number.starts_with('+'))?;
        sum.checked_mul(60)?.checked_add(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_feeds_have_them() {
        for (text, read) in [
            ("Fri, 01 May 2026 06:00:30 +0000", "2026-05-01T06:00:30Z"),
            (" Fri,1 May 2026 6:00 GMT ", "2026-05-01T06:00:00Z"),
            ("1 May 2026 06:00:00 EST", "2026-05-01T06:00:00-05:00"),
            ("Friday, 01 September 26 06:00:00 +0530", "2026-09-01T06:00:00+05:30"),
            ("01 May 99 06:00:00 -0800", "1999-05-01T06:00:00-08:00"),
            ("Fri, 01-May-2026 06:00:00 UTC", "2026-05-01T06:00:00Z"),
            ("Fri, 01 May 2026", "2026-05-01T00:00:00Z"),
            ("Fri, 01 May 2026 06:00:60 CEST", "2026-05-01T06:00:59+02:00"),
            ("2026-05-01T06:00:00Z", "2026-05-01T06:00:00Z"),
            ("2026-05-01T06:00:00+02:00", "2026-05-01T06:00:00+02:00"),
            ("2026-05-01T06:00:00.25+02:00", "2026-05-01T06:00:00.25+02:00"),
            ("2026-05-01T06:00:00", "2026-05-01T06:00:00Z"),
            ("2026-05-01 06:00", "2026-05-01T06:00:00Z"),
            ("2026-05-01", "2026-05-01T00:00:00Z"),
        ] {
            let found = date(text).map(|date| date.format(&Rfc3339).expect("a date of these centuries"));
            assert_eq!(found.as_deref(), Some(read), "{text}");
        }
        for text in
            ["", "yesterday", "31 Feb 2026", "1 May 026", "Fri, 01 May 2026 25:00", "2026-13-01", "\u{e9}\u{e9} 1 2"]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_seconds_or_have_colons() {
        let read = ["3723", "62:03", "1:02:03", " 01:02:03.75 ", "0"].map(duration);
        assert_eq!(read, [3723, 3723, 3723, 3723, 0].map(Some));
        for text in ["", "an hour", "1:2:3:4", "-5", "+5", ":30", "99999999999999999999:00"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
