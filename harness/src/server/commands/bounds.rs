//! The bounds of ranges in sorted sets: by score, as in `(1.5 +inf`, and by member, as in `[a (c`.

use super::super::call::Refusal;
use super::super::number::parse_float;

/// A range of scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScoreRange {
    low: (f64, bool),
    high: (f64, bool),
}

impl ScoreRange {
    pub(crate) fn read(low: &[u8], high: &[u8]) -> Result<Self, Refusal> {
        let bound = |text: &[u8]| {
            let (text, open) = match text {
                [b'(', rest @ ..] => (rest, true),
                text => (text, false),
            };
            parse_float(text).map(|bound| (bound, open)).ok_or("ERR min or max is not a float")
        };
        Ok(Self { low: bound(low)?, high: bound(high)? })
    }

    pub(crate) fn holds(&self, score: f64) -> bool {
        let (low, high) = (self.low.0, self.high.0);
        (if self.low.1 { score > low } else { score >= low })
            && (if self.high.1 { score < high } else { score <= high })
    }
}

/// A bound of a range of members.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bound {
    Lowest,
    Highest,
    At(Vec<u8>, bool),
}

/// A range of members.
#[derive(Clone, Debug)]
pub(crate) struct MemberRange {
    low: Bound,
    high: Bound,
}

impl MemberRange {
    pub(crate) fn read(low: &[u8], high: &[u8]) -> Result<Self, Refusal> {
        let bound = |text: &[u8]| match text {
            b"-" => Ok(Bound::Lowest),
            b"+" => Ok(Bound::Highest),
            [b'(', rest @ ..] => Ok(Bound::At(rest.to_vec(), true)),
            [b'[', rest @ ..] => Ok(Bound::At(rest.to_vec(), false)),
            _ => Err("ERR min or max not valid string range item"),
        };
        Ok(Self { low: bound(low)?, high: bound(high)? })
    }

    pub(crate) fn holds(&self, member: &[u8]) -> bool {
        let above = match &self.low {
            Bound::Lowest => true,
            Bound::Highest => false,
            Bound::At(low, true) => member > &low[..],
            Bound::At(low, false) => member >= &low[..],
        };
        let below = match &self.high {
            Bound::Lowest => false,
            Bound::Highest => true,
            Bound::At(high, true) => member < &high[..],
            Bound::At(high, false) => member <= &high[..],
        };
        above && below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_open_or_closed() {
        let range = ScoreRange::read(b"(1", b"2").unwrap();
        assert!(!range.holds(1.0) && range.holds(1.5) && range.holds(2.0) && !range.holds(2.5));
        assert!(ScoreRange::read(b"-inf", b"+inf").unwrap().holds(f64::INFINITY));
        assert!(ScoreRange::read(b"x", b"2").is_err());
        let range = MemberRange::read(b"[a", b"(c").unwrap();
        assert!(range.holds(b"a") && range.holds(b"bz") && !range.holds(b"c"));
        assert!(MemberRange::read(b"-", b"+").unwrap().holds(b""));
        assert!(!MemberRange::read(b"+", b"-").unwrap().holds(b"a"));
        assert!(MemberRange::read(b"a", b"[c").is_err());
    }
}
