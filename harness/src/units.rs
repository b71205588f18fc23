//! Durations, sizes and rates as people write them: strings with units.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// Bytes, written like `4 KiB` or `300 B`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Times a second, written like `400/s` or `30/min`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// Bytes a second, written like `16 KiB/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteRate(pub u64);

/// From one size to another, both included, written like `200-500 bytes` or `1 KiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRange {
    /// The smallest.
    pub least: Size,
    /// The largest.
    pub most: Size,
}

/// Reads a duration such as `250ms`, `5s` or `1m 30s`; a year at most. The error says what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = "expected a number with its unit, such as \"250ms\", \"5s\" or \"10m\"";
    let too_long = || format!("{} is too long; a duration is a year at most", quoted(text));
    // humantime panics on some sums near the largest duration, so such numbers never reach it.
    let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    if digits > 10 {
        return Err(too_long());
    }
    if text.len() > 40 {
        return Err(format!("not a duration: {}; {expected}", quoted(text)));
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration > YEAR => Err(too_long()),
        Ok(duration) => Ok(duration),
        Err(humantime::DurationError::UnknownUnit { unit, .. }) if unit.is_empty() => {
            Err(format!("{} has no unit; {expected}", quoted(text)))
        }
        Err(humantime::DurationError::UnknownUnit { unit, .. }) => Err(format!(
            "unknown unit {unit:?} in {}; a duration ends in ns, us, ms, s, m, h or d",
            quoted(text)
        )),
        Err(_) => Err(format!("not a duration: {}; {expected}", quoted(text))),
    }
}

/// Whether `text` may name an image, as Docker allows them.
pub fn is_image(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/._-:@".contains(c);
    let begins = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    begins && text.len() <= 255 && text.chars().all(fits)
}

/// A duration as [`parse_duration`] reads it.
pub fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// `text` in quotes, cut short when it is long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected a whole number of B, KiB, MiB or GiB, such as \"4 KiB\"";
        let wrong = || format!("not a size: {}; {expected}", quoted(text));
        let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
        let factor = match unit {
            "B" | "byte" | "bytes" => 1,
            "kB" | "KB" => 1000,
            "KiB" => KIB,
            "MB" => 1_000_000,
            "MiB" => MIB,
            "GB" => 1_000_000_000,
            "GiB" => GIB,
            "" => return Err(format!("{} has no unit; {expected}", quoted(text))),
            _ => return Err(format!("unknown unit {} in {}; {expected}", quoted(unit), quoted(text))),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let bytes = number.checked_mul(factor).filter(|bytes| *bytes <= 1024 * GIB);
        bytes.map(Self).ok_or_else(|| format!("{} is too much; a size is 1024 GiB at most", quoted(text)))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("not a rate: {}; write it like \"400/s\" or \"30/min\"", quoted(text));
        let (number, per) = text.split_once('/').ok_or_else(wrong)?;
        let seconds = match per.trim() {
            "s" => 1.0,
            "min" => 60.0,
            _ => return Err(wrong()),
        };
        let number = number.trim();
        let digits = number.len() <= 20 && number.chars().all(|c| c.is_ascii_digit() || c == '.');
        let number: f64 = number.parse().map_err(|_| wrong())?;
        if digits { Ok(Self(number / seconds)) } else { Err(wrong()) }
    }
}

impl FromStr for ByteRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let size = text.strip_suffix("/s").and_then(|size| size.trim_end().parse::<Size>().ok());
        size.map(|size| Self(size.0))
            .ok_or_else(|| format!("not a bandwidth: {}; write it like \"16 KiB/s\"", quoted(text)))
    }
}

impl FromStr for SizeRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((least, most)) = text.split_once('-') else {
            let size = text.parse()?;
            return Ok(Self { least: size, most: size });
        };
        let most: Size = most.trim().parse()?;
        let least = least.trim();
        // "200-500 bytes": the unit stands once, for both.
        let unit = number_and_unit(text).map_or("", |_| text.trim_start_matches(|c: char| c != ' ').trim());
        let least: Size = match least.parse() {
            Ok(size) => size,
            Err(_) if least.chars().all(|c| c.is_ascii_digit()) => format!("{least} {unit}").parse()?,
            Err(wrong) => return Err(wrong),
        };
        Ok(Self { least, most })
    }
}

/// `4 KiB` is `4` and `KiB`.
fn number_and_unit(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| (&text[..end], text[end..].trim()))
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")];
        match unit.into_iter().find(|(factor, _)| self.0 >= *factor && self.0.is_multiple_of(*factor)) {
            Some((factor, name)) => write!(f, "{} {name}", self.0 / factor),
            None => write!(f, "{} B", self.0),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", Size(self.0))
    }
}

impl fmt::Display for SizeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most {
            write!(f, "{}", self.least)
        } else {
            write!(f, "{}-{}", self.least, self.most)
        }
    }
}

/// Reads a string with `parse` while the deserializer still knows where it stands, so that an error points at it.
pub fn read<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    expecting: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Written<T> {
        expecting: &'static str,
        parse: fn(&str) -> Result<T, String>,
        of: PhantomData<T>,
    }

    impl<T> de::Visitor<'_> for Written<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expecting)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.parse)(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Written { expecting, parse, of: PhantomData })
}

/// These are strings in a scenario.
macro_rules! as_string {
    ($($name:ident: $expecting:literal),* $(,)?) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read(deserializer, $expecting, str::parse)
            }
        }
    )*};
}

as_string! {
    Size: "a size with its unit, such as \"4 KiB\"",
    Rate: "a rate with its unit, such as \"400/s\"",
    ByteRate: "a bandwidth with its unit, such as \"16 KiB/s\"",
    SizeRange: "sizes with their unit, such as \"200-500 bytes\"",
}

/// A [`Duration`] as a string with its unit, for `#[serde(with = "length")]`.
pub mod length {
    use super::*;

    /// Writes it like `1m 30s`.
    pub fn serialize<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_duration(*length))
    }

    /// Reads it like `1m 30s`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        read(deserializer, "a duration with its unit, such as \"5s\"", parse_duration)
    }
}

/// The same for a [`Duration`] that may be absent; needs `#[serde(default)]` too.
pub mod optional_length {
    use super::*;

    /// Writes it like `1m 30s`.
    pub fn serialize<S: Serializer>(length: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        length.map(format_duration).serialize(serializer)
    }

    /// Reads it like `1m 30s`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        length::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["0 B", "300 B", "4 KiB", "64 MiB", "1 GiB", "1025 B"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("400/s".parse::<Rate>().unwrap().to_string(), "400/s");
        assert_eq!("30 / min".parse::<Rate>(), Ok(Rate(0.5)));
        assert_eq!("16 KiB/s".parse::<ByteRate>().unwrap().to_string(), "16 KiB/s");
        assert_eq!(parse_duration("1m 30s").map(format_duration), Ok("1m 30s".to_owned()));
    }

    #[test]
    fn a_range_of_sizes_may_name_its_unit_once_or_twice() {
        let range = |least, most| Ok(SizeRange { least: Size(least), most: Size(most) });
        assert_eq!("200-500 bytes".parse(), range(200, 500));
        assert_eq!("1-4 KiB".parse(), range(1024, 4096));
        assert_eq!("512 B - 4 KiB".parse(), range(512, 4096));
        assert_eq!("1 KiB".parse(), range(1024, 1024));
        assert_eq!("200-500 bytes".parse::<SizeRange>().unwrap().to_string(), "200 B-500 B");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["", "5", "KiB", "-1 KiB", "1.5 KiB", "4 Kib", "99999999999999 GiB", "4 KiB/s"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        for text in ["", "5", "/s", "NaN/s", "inf/s", "1e300/s", "-1/s", "5/h", "5/s/s", "..5/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        for text in ["", "4 KiB", "4/s", "KiB/s"] {
            assert!(text.parse::<ByteRate>().is_err(), "{text}");
        }
        for text in ["", "-", "5-", "-5 B", "1-2-3 B", "a-5 B", "5 s"] {
            assert!(text.parse::<SizeRange>().is_err(), "{text}");
        }
        for text in ["", "5", "s", "-5s", "5 parsecs", "99999999999h", "18446744073709551615s1000ms", "2y"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
