//! Dates as Python's `strftime` writes them under Linux, for the chat templates that put one into the prompt.

use super::jinja::{RunResult, Stop};

/// A moment, where the user is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970, in UTC.
    pub seconds: i64,
    pub microseconds: u32,
    /// How far the local clock is ahead of UTC, in seconds.
    pub offset: i64,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Longest format, and widest field.
const MAX_FORMAT: usize = 1000;
const MAX_WIDTH: usize = 1000;

/// Year, month (from 1) and day of a day counted from 1 January 1970, after Howard Hinnant's
/// `civil_from_days`: years begin in March there, so that leap days come last.
fn civil(days: i64) -> (i64, usize, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as usize, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// A moment taken apart.
struct Date {
    moment: Moment,
    year: i64,
    /// From 1.
    month: usize,
    day: i64,
    /// From 0.
    day_of_year: i64,
    /// From Sunday, which is 0.
    weekday: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Date {
    fn new(moment: Moment) -> Self {
        let local = moment.seconds + moment.offset;
        let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let leap = i64::from(is_leap(year));
        let lengths = [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let day_of_year = lengths[..month - 1].iter().sum::<i64>() + day - 1;
        let weekday = (days + 4).rem_euclid(7);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        Self { moment, year, month, day, day_of_year, weekday, hour, minute, second }
    }

    /// The year and number of the week as ISO 8601 counts them: of its Thursday.
    fn iso_week(&self) -> (i64, i64) {
        let thursday = self.day_of_year + 3 - (self.weekday + 6) % 7;
        let length = |year| 365 + i64::from(is_leap(year));
        if thursday < 0 {
            return (self.year - 1, (thursday + length(self.year - 1)) / 7 + 1);
        }
        if thursday >= length(self.year) {
            return (self.year + 1, 1);
        }
        (self.year, thursday / 7 + 1)
    }

    /// What a directive stands for: a number with how it is padded, or a text.
    fn field(&self, directive: char) -> Option<DatePart> {
        let number = |value: i64, width: usize| DatePart::Number { value, width, fill: '0' };
        let spaced = |value: i64| DatePart::Number { value, width: 2, fill: ' ' };
        let twelve = (self.hour + 11) % 12 + 1;
        let text = |text: &str| DatePart::Text(text.to_owned());
        Some(match directive {
            'a' => text(&DAYS[self.weekday as usize][..3]),
            'A' => text(DAYS[self.weekday as usize]),
            'b' | 'h' => text(&MONTHS[self.month - 1][..3]),
            'B' => text(MONTHS[self.month - 1]),
            'C' => number(self.year.div_euclid(100), 2),
            'd' => number(self.day, 2),
            'e' => spaced(self.day),
            'f' => number(i64::from(self.moment.microseconds), 6),
            'g' => number(self.iso_week().0.rem_euclid(100), 2),
            'G' => number(self.iso_week().0, 1),
            'H' => number(self.hour, 2),
            'I' => number(twelve, 2),
            'j' => number(self.day_of_year + 1, 3),
            'k' => spaced(self.hour),
            'l' => spaced(twelve),
            'm' => number(self.month as i64, 2),
            'M' => number(self.minute, 2),
            'n' => text("\n"),
            'p' => text(if self.hour < 12 { "AM" } else { "PM" }),
            'P' => text(if self.hour < 12 { "am" } else { "pm" }),
            's' => number(self.moment.seconds, 1),
            'S' => number(self.second, 2),
            't' => text("\t"),
            'u' => number((self.weekday + 6) % 7 + 1, 1),
            'U' => number((self.day_of_year + 7 - self.weekday) / 7, 2),
            'V' => number(self.iso_week().1, 2),
            'w' => number(self.weekday, 1),
            'W' => number((self.day_of_year + 7 - (self.weekday + 6) % 7) / 7, 2),
            'y' => number(self.year.rem_euclid(100), 2),
            'Y' => number(self.year, 1),
            // The moment does not know its zone, as Python's does not.
            'z' | 'Z' => text(""),
            '%' => text("%"),
            _ => return None,
        })
    }
}

enum DatePart {
    Text(String),
    /// Of several fields.
    Whole(String),
    Number {
        value: i64,
        width: usize,
        fill: char,
    },
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

/// Directives that stand for several others.
fn several(directive: char) -> Option<&'static str> {
    Some(match directive {
        'c' => "%a %b %e %H:%M:%S %Y",
        'D' | 'x' => "%m/%d/%y",
        'F' => "%Y-%m-%d",
        'r' => "%I:%M:%S %p",
        'R' => "%H:%M",
        'T' | 'X' => "%H:%M:%S",
        _ => return None,
    })
}

/// A moment by its format. What is no directive stays as it is.
pub(crate) fn format(moment: Moment, format: &str) -> RunResult<String> {
    if format.len() > MAX_FORMAT {
        return Err(Stop::new(format!(
            "strftime_now: a format of {} bytes, where {MAX_FORMAT} are the most",
            format.len()
        )));
    }
    let date = Date::new(moment);
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let directive = &rest[at + 1..];
        let flags = directive.find(|c| !"-_0^#".contains(c)).unwrap_or(directive.len());
        let digits = directive[flags..].find(|c: char| !c.is_ascii_digit()).unwrap_or(directive.len() - flags);
        let width: usize = directive[flags..flags + digits].parse().unwrap_or(0);
        let letter = directive[flags + digits..].trim_start_matches(['E', 'O']);
        let Some(c) = letter.chars().next() else {
            out.push_str(&rest[at..]);
            return Ok(out);
        };
        if width > MAX_WIDTH {
            return Err(Stop::new(format!(
                "strftime_now: a field of {width} characters, where {MAX_WIDTH} are the most"
            )));
        }
        let after = &letter[c.len_utf8()..];
        let flags = &directive[..flags];
        let whole = several(c).map(|format| self::format(moment, format)).transpose()?;
        // Microseconds are Python's own, which knows no flags.
        let known = if c == 'f' && letter.len() != directive.len() { None } else { date.field(c) };
        match whole.map(DatePart::Whole).or(known) {
            Some(_) if c == 'z' => {}
            Some(part) => out.push_str(&padded(part, flags, width)),
            None => out.push_str(&padded(DatePart::Whole(rest[at..rest.len() - after.len()].to_owned()), flags, width)),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// As the flags ask for it: `-` no padding, `_` spaces, `0` zeros, `^` large letters, `#` the other case.
fn padded(part: DatePart, flags: &str, asked: usize) -> String {
    let mut padding = None;
    let (mut upper, mut other) = (false, false);
    for flag in flags.chars() {
        match flag {
            '^' => upper = true,
            '#' => other = true,
            _ => padding = Some(flag),
        }
    }
    let (text, width, fill) = match part {
        DatePart::Number { value, width, fill } => (value.to_string(), width, fill),
        DatePart::Whole(text) => {
            other = false;
            (text, 0, ' ')
        }
        DatePart::Text(text) => (text, 0, ' '),
    };
    let text = match &*text {
        "am" | "pm" => text,
        "AM" | "PM" if other => text.to_lowercase(),
        _ if upper || other => text.to_uppercase(),
        _ => text,
    };
    let width = match padding {
        Some('-') => 0,
        _ => asked.max(width),
    };
    let fill = match padding {
        Some('_') => ' ',
        Some('0') => '0',
        _ => fill,
    };
    let missing = width.saturating_sub(text.chars().count());
    format!("{}{text}", fill.to_string().repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_weeks_and_hours_have_the_edges_that_python_s_have() {
        #[derive(serde::Deserialize)]
        struct File {
            format: String,
            cases: Vec<(i64, String)>,
        }
        let json = include_str!("../../tests/reference/templates/dates.json");
        let File { format, cases } = serde_json::from_str(json).unwrap();
        for (seconds, expected) in cases {
            let found = super::format(Moment { seconds, ..Moment::default() }, &format);
            assert_eq!(found.ok(), Some(expected), "{seconds}");
        }
    }
}
