//! Times as they are asked for: milliseconds since 1970, or RFC 3339 with any offset.

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Milliseconds since 1970; of a time before it a number below 0. None for what is no time.
pub(super) fn millis(text: &str) -> Option<i64> {
    if !text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    rfc3339(text)
}

fn rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let is = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|byte| allowed.contains(byte));
    let shape = text.is_ascii()
        && [(4, &b"-"[..]), (7, b"-"), (10, b"Tt"), (13, b":"), (16, b":")]
            .iter()
            .all(|(at, allowed)| is(*at, allowed));
    if !shape {
        return None;
    }
    let day = days(number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?)?;
    // A leap second is the last one of its minute.
    let (hour, minute, second) =
        (upto(&text[11..13], 23)?, upto(&text[14..16], 59)?, upto(text.get(17..19)?, 60)?.min(59));
    let rest = &text[19..];
    let digits = rest.strip_prefix('.').map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    if rest.starts_with('.') && digits == 0 {
        return None;
    }
    let (fraction, zone) = rest.split_at(if digits > 0 { digits + 1 } else { 0 });
    let millis: i64 = format!("{:0<3}", fraction.get(1..).unwrap_or_default()).get(..3)?.parse().ok()?;
    let time = ((hour * 60 + minute) * 60 + second) * 1000 + millis;
    Some(day * DAY + time - offset(zone)?)
}

/// Milliseconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes() {
        [b'Z' | b'z'] => return Some(0),
        // In a query a plus that was not encoded is a space.
        [b'+' | b' ', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    Some(sign * (upto(&zone[1..3], 23)? * 60 + upto(&zone[4..6], 59)?) * 60_000)
}

fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn upto(digits: &str, most: i64) -> Option<i64> {
    number(digits).filter(|number| *number <= most)
}

/// Days since 1970 of a date in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years from March, so that the day that may be is the last one.
    let (from_march, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = from_march.div_euclid(4) - from_march.div_euclid(100) + from_march.div_euclid(400);
    Some(from_march * 365 + leaps + (153 * month + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn times_are_those_of_others() {
        for text in [
            "1970-01-01T00:00:00Z",
            "1999-12-31T23:59:59.999Z",
            "2000-02-29T12:00:00Z",
            "2026-07-31T08:09:10.5Z",
            "2100-03-01T00:00:00.001Z",
            "9999-12-31T23:59:59Z",
        ] {
            let other = humantime::parse_rfc3339(text).unwrap().duration_since(UNIX_EPOCH).unwrap();
            assert_eq!(millis(text), Some(other.as_millis() as i64), "{text}");
        }
        assert_eq!(millis("0"), Some(0));
        assert_eq!(millis("1753948800000"), Some(1_753_948_800_000));
        assert_eq!(millis("1969-12-31T23:59:59.5Z"), Some(-500));
        assert_eq!(millis("0000-01-01T00:00:00Z"), Some(-62_167_219_200_000));
    }

    #[test]
    fn an_offset_is_taken_away() {
        let utc = millis("2026-07-31T12:00:00Z");
        for text in ["2026-07-31T21:00:00+09:00", "2026-07-31t08:30:00-03:30", "2026-07-31T21:00:00 09:00"] {
            assert_eq!(millis(text), utc, "{text}");
        }
        assert_eq!(millis("2016-12-31T23:59:60Z"), millis("2016-12-31T23:59:59Z"));
        assert_eq!(millis("2026-07-31T12:00:00.1239999z"), utc.map(|utc| utc + 123));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "-1",
            "1e3",
            "1.5",
            "now",
            "2026-07-31",
            "2026-07-31T12:00:00",
            "2026-07-31 12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-00-01T12:00:00Z",
            "2026-07-31T24:00:00Z",
            "2026-07-31T12:60:00Z",
            "2026-07-31T12:00:61Z",
            "2026-07-31T12:00:00.Z",
            "2026-07-31T12:00:0",
            "2026-07-31T12:00:00+9:00",
            "2026-07-31T12:00:00+24:00",
            "2026-07-31T12:00:00Zé",
            "9999999999999999",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
