use std::cmp::Ordering;
use std::fmt::Write;

/// Reads a float as mutations write it: decimal or hexadecimal (`0x1.8p3`), digits parted by single `_`, `Inf` and
/// `Infinity` in any case with an optional sign. `None` for NaN, for numbers beyond the range of a double, for blanks.
pub fn parse_float(text: &str) -> Option<f64> {
    let stripped;
    let plain = if text.contains('_') {
        stripped = without_underscores(text)?;
        stripped.as_str()
    } else {
        text
    };
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(plain);
    if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let number = parse_hex(hex)?;
        return Some(if plain.starts_with('-') { -number } else { number });
    }
    let number: f64 = plain.parse().ok()?;
    let named = unsigned.starts_with(['i', 'I']);
    (!number.is_nan() && (number.is_finite() || named)).then_some(number)
}

/// An underscore parts two digits, or the prefix `0x` and a digit.
fn without_underscores(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_hex = unsigned.starts_with("0x") || unsigned.starts_with("0X");
    let is_digit = |b: u8| if is_hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
    let bytes = unsigned.as_bytes();
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'_') {
        let before = at.checked_sub(1).is_some_and(|i| is_digit(bytes[i])) || (is_hex && at == 2);
        let after = bytes.get(at + 1).is_some_and(|b| is_digit(*b));
        if !before || !after {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

/// A hexadecimal float after its prefix; the exponent of two is required.
fn parse_hex(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i64 = exponent.parse::<i32>().ok()?.into();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (mut mantissa, mut shift) = (0_u64, exponent);
    for (digit, is_whole) in whole.bytes().map(|b| (b, true)).chain(fraction.bytes().map(|b| (b, false))) {
        let digit = u64::from(char::from(digit).to_digit(16)?);
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            shift -= if is_whole { 0 } else { 4 };
        } else {
            mantissa |= u64::from(digit != 0); // what no longer fits only says on which side of a half we are
            shift += if is_whole { 4 } else { 0 };
        }
    }
    scale(mantissa, shift)
}

/// `mantissa` times two to the power `shift`, rounded half to even. `None` beyond the range of a double.
fn scale(mantissa: u64, shift: i64) -> Option<f64> {
    const SMALLEST: i64 = -1074; // of the subnormal doubles
    if mantissa == 0 {
        return Some(0.0);
    }
    let mantissa_top = mantissa << mantissa.leading_zeros();
    let shift = shift - i64::from(mantissa.leading_zeros());
    let drop = 11.max(SMALLEST - shift);
    if drop > 64 {
        return Some(0.0);
    }
    let wide = u128::from(mantissa_top);
    let (kept, lost, half) = (wide >> drop, wide & ((1 << drop) - 1), 1_u128 << (drop - 1));
    let kept = kept + u128::from(lost > half || (lost == half && kept & 1 == 1));
    let exponent = shift + drop;
    let power = match exponent {
        ..-1022 => f64::from_bits(1 << (exponent - SMALLEST)),
        -1022..=1023 => f64::from_bits(u64::try_from(exponent + 1023).ok()? << 52),
        _ => return None,
    };
    let number = kept as f64 * power; // exact: `kept` has 53 bits at most
    number.is_finite().then_some(number)
}

/// Compares exactly, also where a double has no room for all digits of the int. `None` for NaN.
pub(super) fn compare_int_float(int: i64, float: f64) -> Option<Ordering> {
    const END: f64 = 9_223_372_036_854_775_808.0; // 2^63
    if float.is_nan() {
        return None;
    }
    Some(if float >= END {
        Ordering::Less
    } else if float < -END {
        Ordering::Greater
    } else {
        let whole = float.trunc();
        int.cmp(&(whole as i64)).then_with(|| if float > whole { Ordering::Less } else { whole.total_cmp(&float) })
    })
}

/// Appends the shortest decimal text that reads back as `number`, with an exponent of at least two digits if the decimal
/// exponent is below -4 or above 5: `999999`, `1e+06`, `0.0001`, `1e-05`, `-0`. `letter` is `e` or `E`.
pub fn write_float(number: f64, letter: char, out: &mut String) {
    put_float(&format!("{number:e}"), letter, -4..=5, 2, out);
}

/// As JSON writes coordinates: an exponent, without leading zeros, only below -6 or above 20.
pub(super) fn write_coordinate(number: f64, out: &mut String) {
    put_float(&format!("{number:e}"), 'e', -6..=20, 1, out);
}

/// An element of a vector: always with an exponent, `1E+00`.
pub(super) fn write_element(number: f32, out: &mut String) {
    #[expect(clippy::reversed_empty_ranges, reason = "no exponent is plain")]
    put_float(&format!("{number:e}"), 'E', 1..=0, 2, out);
}

/// `scientific` is the shortest `d.ddde-x` of a number.
fn put_float(
    scientific: &str,
    letter: char,
    plain: std::ops::RangeInclusive<i32>,
    exponent_digits: usize,
    out: &mut String,
) {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        out.push_str(match scientific {
            "inf" => "+Inf",
            "-inf" => "-Inf",
            _ => "NaN",
        });
        return;
    };
    let exponent: i32 = exponent.parse().expect("the standard library prints exponents as integers");
    if plain.contains(&exponent) {
        return put_plain(mantissa, exponent, out);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let width = exponent_digits;
    write!(out, "{mantissa}{letter}{sign}{:0width$}", exponent.unsigned_abs()).expect("strings do not refuse text");
}

fn put_plain(mantissa: &str, exponent: i32, out: &mut String) {
    let digits = mantissa.trim_start_matches('-');
    if digits.len() < mantissa.len() {
        out.push('-');
    }
    let digits: Vec<char> = digits.chars().filter(|c| *c != '.').collect();
    if exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', (exponent.unsigned_abs() - 1) as usize));
        out.extend(digits);
        return;
    }
    let whole = exponent as usize + 1;
    out.extend(digits.iter().take(whole));
    out.extend(std::iter::repeat_n('0', whole.saturating_sub(digits.len())));
    if digits.len() > whole {
        out.push('.');
        out.extend(&digits[whole..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: f64) -> String {
        let mut out = String::new();
        write_float(number, 'e', &mut out);
        out
    }

    #[test]
    fn floats_are_printed_with_the_shortest_digits() {
        for (number, text) in [
            (1.5, "1.5"),
            (3.0, "3"),
            (0.0, "0"),
            (-0.0, "-0"),
            (999_999.0, "999999"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (123_456.75, "123456.75"),
            (0.0001, "0.0001"),
            (1e-5, "1e-05"),
            (-0.012, "-0.012"),
            (1e21, "1e+21"),
            (5e-324, "5e-324"),
            (1e100, "1e+100"),
        ] {
            assert_eq!(shown(number), text);
        }
    }

    #[test]
    fn floats_are_read_in_every_form_that_mutations_take() {
        for (text, number) in [
            ("1.5", 1.5),
            ("+1", 1.0),
            (".5", 0.5),
            ("1.", 1.0),
            ("1e3", 1000.0),
            ("1_23.50_0_0e+1_2", 1.235e14),
            ("0x1p-2", 0.25),
            ("-0X1.8p3", -12.0),
            ("0x_1p0", 1.0),
            ("0x1.fffffffffffff8p0", 2.0),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1p-1074", 5e-324),
            ("0x1p-1075", 0.0),
            ("0x1.00000000000000001p-1075", 5e-324),
            ("0x123456789abcdef01234p0", 8.596_805_828_370_696e22),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse_float(text), Some(number), "{text}");
        }
        for text in [
            "", " 1", "1 ", "NaN", "1e999", "-1e999", "0x1", "0x1p1024", "0xp1", "1__2", "_1", "1_", "1_.5", "e5", ".",
            "abc", "0x1p",
        ] {
            assert_eq!(parse_float(text), None, "{text}");
        }
    }

    #[test]
    fn ints_and_floats_compare_exactly() {
        for (int, float, order) in [
            (1, 1.0, Ordering::Equal),
            (1, 1.5, Ordering::Less),
            (-1, -1.5, Ordering::Greater),
            (i64::MAX, 9_223_372_036_854_775_807.0, Ordering::Less),
            (i64::MIN, -9_223_372_036_854_775_808.0, Ordering::Equal),
            (0, f64::NEG_INFINITY, Ordering::Greater),
            (9_007_199_254_740_993, 9_007_199_254_740_992.0, Ordering::Greater),
            (0, -0.0, Ordering::Equal),
        ] {
            assert_eq!(compare_int_float(int, float), Some(order), "{int} {float}");
        }
    }
}
