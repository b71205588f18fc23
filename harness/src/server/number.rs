//! Numbers as Redis reads and writes them.

/// Reads an integer as strictly as Redis does: no sign but `-`, no leading zeros, no spaces.
pub(crate) fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [] => return None,
        [b'0'] => return (!negative).then_some(0),
        [b'0', ..] => return None,
        _ => {}
    }
    let mut value = 0i64;
    for digit in digits {
        let digit = i64::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?);
        value = value.checked_mul(10)?;
        value = if negative { value.checked_sub(digit)? } else { value.checked_add(digit)? };
    }
    Some(value)
}

/// Reads a floating-point number; not-a-number is none.
pub(crate) fn parse_float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    // Redis takes what is too large for a double for an error, but "inf" itself is welcome.
    let spelled = text.trim_start_matches(['+', '-']).starts_with(['i', 'I']);
    (!value.is_nan() && (value.is_finite() || spelled)).then_some(value)
}

/// Writes an integer at the end of `out`.
pub(crate) fn push_int(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// The decimal text of an integer.
pub(crate) fn int_text(value: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(8);
    push_int(&mut out, value);
    out
}

/// The shortest text that reads back as this number, laid out as `%.17g` would be.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".to_owned() } else { "0".to_owned() };
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..17).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// A number as `%.17g` writes it.
pub(crate) fn float_text_17(value: f64) -> String {
    general(value, 17)
}

/// A number as `%.14g` writes it, Lua's own form.
pub(crate) fn float_text_14(value: f64) -> String {
    general(value, 14)
}

/// `%.<digits>g` of C.
fn general(value: f64, digits: usize) -> String {
    if !value.is_finite() || value == 0.0 {
        return float_text(value);
    }
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let decimals = i32::try_from(digits).unwrap_or(17) - 1 - exponent;
    if exponent < -4 || decimals < 0 {
        let mantissa = if mantissa.contains('.') { trimmed(mantissa) } else { mantissa };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let plain = format!("{value:.*}", usize::try_from(decimals).unwrap_or(0));
    if plain.contains('.') { trimmed(&plain).to_owned() } else { plain }
}

/// A decimal without the zeros at its end.
fn trimmed(text: &str) -> &str {
    text.trim_end_matches('0').trim_end_matches('.')
}

/// A number as `INCRBYFLOAT` writes it: no exponent, no zeros at the end.
pub(crate) fn plain_float_text(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value}") }
}

/// Adds two decimal texts. Where both have at most 17 digits after the point, the sum is rounded as the long doubles of Redis on
/// the usual machines are: to 64 binary digits.
pub(crate) fn add_decimals(a: &[u8], b: &[u8]) -> Option<String> {
    if let (Some(a), Some(b)) = (fixed(a), fixed(b)) {
        let sum = as_long_double(a).checked_add(as_long_double(b))?;
        return Some(fixed_text(as_long_double(sum)));
    }
    let sum = parse_float(a)? + parse_float(b)?;
    sum.is_finite().then(|| plain_float_text(sum))
}

const FRACTION_DIGITS: usize = 17;

/// A decimal as a multiple of 10^-17, if it is one and not too large.
fn fixed(text: &[u8]) -> Option<i128> {
    let Some(at) = text.iter().position(|byte| byte.eq_ignore_ascii_case(&b'e')) else { return plain(text) };
    let exponent = parse_int(text[at + 1..].strip_prefix(b"+").unwrap_or(&text[at + 1..]))?;
    let shift = 10i128.checked_pow(u32::try_from(exponent.unsigned_abs()).ok()?)?;
    let mantissa = plain(&text[..at])?;
    let value = if exponent < 0 {
        (mantissa % shift == 0).then_some(mantissa / shift)?
    } else {
        mantissa.checked_mul(shift)?
    };
    (value.unsigned_abs() < 10u128.pow(37)).then_some(value)
}

/// The same without an exponent.
fn plain(text: &[u8]) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
    if whole.is_empty() || whole.len() > 20 || fraction.len() > FRACTION_DIGITS {
        return None;
    }
    let mut value = 0i128;
    let padding = std::iter::repeat_n(&b'0', FRACTION_DIGITS - fraction.len());
    for digit in whole.iter().chain(fraction).chain(padding) {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value = value * 10 + i128::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// The nearest number of 64 binary digits, again as a multiple of 10^-17.
fn as_long_double(value: i128) -> i128 {
    const ONE: u128 = 10u128.pow(17);
    let (whole, fraction) = (value.unsigned_abs() / ONE, value.unsigned_abs() % ONE);
    let whole_bits = 128 - whole.leading_zeros();
    let rounded = if whole_bits >= 64 {
        let unit = ONE << (whole_bits - 64);
        rounded_quotient(value.unsigned_abs(), unit) * unit
    } else {
        let unit = 1u128 << (64 - whole_bits).min(63);
        whole * ONE + rounded_quotient(rounded_quotient(fraction * unit, ONE) * ONE, unit)
    };
    let rounded = i128::try_from(rounded).unwrap_or(i128::MAX);
    if value < 0 { -rounded } else { rounded }
}

/// A quotient to the nearest number, halves to the even one.
fn rounded_quotient(value: u128, by: u128) -> u128 {
    let (quotient, twice) = (value / by, value % by * 2);
    quotient + u128::from(twice > by || twice == by && quotient % 2 == 1)
}

fn fixed_text(value: i128) -> String {
    let digits = format!("{:0>18}", value.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - FRACTION_DIGITS);
    let fraction = fraction.trim_end_matches('0');
    let sign = if value < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_strictly_and_written_back() {
        for value in [0, 1, -1, 9, 10, -10, i64::MAX, i64::MIN] {
            assert_eq!(parse_int(&int_text(value)), Some(value));
        }
        for text in ["", "-", "-0", "+1", "01", " 1", "1 ", "9223372036854775808", "1x", "0x1"] {
            assert_eq!(parse_int(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn floats_are_written_as_redis_writes_them() {
        let cases =
            [(3.0, "3"), (0.5, "0.5"), (-1e20, "-1e+20"), (1e-7, "1e-07"), (1e16, "10000000000000000")];
        for (value, text) in cases {
            assert_eq!(float_text(value), text);
        }
        assert_eq!(float_text_17(0.1), "0.10000000000000001");
        assert_eq!(float_text_17(3.0), "3");
        assert_eq!(float_text_17(1e20), "1e+20");
        assert_eq!(float_text_14(0.1), "0.1");
        assert_eq!(float_text_14(1e14), "1e+14");
        assert_eq!(parse_float(b"+inf"), Some(f64::INFINITY));
        assert_eq!(parse_float(b"nan"), None);
        assert_eq!(parse_float(b"1e999"), None);
    }

    #[test]
    fn decimals_add_up_without_binary_noise() {
        assert_eq!(add_decimals(b"0.1", b"0.2").as_deref(), Some("0.3"));
        assert_eq!(add_decimals(b"10.50", b"-0.5").as_deref(), Some("10"));
        assert_eq!(add_decimals(b"-0.25", b"0").as_deref(), Some("-0.25"));
        assert_eq!(add_decimals(b"5.0e3", b"200").as_deref(), Some("5200"));
        let large = b"9223372036854775807";
        assert_eq!(add_decimals(large, b"0.5").as_deref(), Some("9223372036854775807.5"));
        assert_eq!(add_decimals(large, b"-1.25").as_deref(), Some("9223372036854775806"));
        assert_eq!(add_decimals(large, b"10.75").as_deref(), Some("9223372036854775818"));
        // From 2^63 on nothing behind the point is left, and a half goes to the even neighbour.
        assert_eq!(add_decimals(b"9223372036854775907", b"0.5").as_deref(), Some("9223372036854775908"));
        assert_eq!(add_decimals(b"9223372036854775908", b"0.5").as_deref(), Some("9223372036854775908"));
        assert_eq!(add_decimals(b"9223372036854775908", b"0.51").as_deref(), Some("9223372036854775909"));
        assert_eq!(add_decimals(b"-9223372036854775907", b"-0.5").as_deref(), Some("-9223372036854775908"));
        assert_eq!(add_decimals(b"18446744073709551616", b"1").as_deref(), Some("18446744073709551616"));
        assert_eq!(add_decimals(b"18446744073709551616", b"3").as_deref(), Some("18446744073709551620"));
        assert_eq!(add_decimals(b"x", b"1"), None);
    }
}
