//! Index tokens: what an index key says about a value.
//!
//! A token is the id byte of its [`Tokenizer`] and what the tokenizer made of the value. One subject stands under every
//! token of its value. The bytes are Dgraph's (`archive/FORMAT.md`, index tokens), with these exceptions, where a Dgraph
//! that was given our index keys needs its index dropped and added again:
//!
//! - `exact` of a language-tagged value orders by bytes; Dgraph has a collation key of the language there. The id byte
//!   0x03 and the language in front keep such tokens apart from untagged ones, as in Dgraph.
//! - `fulltext` in languages other than English keeps stop words and stems with the snowball stemmers; Dgraph removes stop
//!   words and has light stemmers for some languages.
//! - `float` of numbers beyond 64 bits stops at the limits of int64, so that tokens stay in the order of values.

mod cover;
mod fulltext;
mod geo;
mod porter;
mod stop_words;
#[cfg(test)]
mod tests;
mod words;

use blake2::{Blake2b256, Digest};

use crate::value::{ConversionError, Coord, Geo};
use crate::{Tokenizer, Value};

/// The id byte of `exact` tokens of language-tagged values.
const EXACT_TAGGED: u8 = 0x03;
/// Parts the language from the text in them.
const UNIT_SEPARATOR: u8 = 0x1f;
/// How much of a string `sha256` takes: the hexadecimal form of a digest.
const SHA256_BYTES: usize = 64;

/// Why a value gives no tokens.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TokenError {
    /// The value is not, and does not become, of the type that the tokenizer works on.
    #[error("could not index a value with {}", .tokenizer.name())]
    WrongType {
        /// The tokenizer.
        tokenizer: Tokenizer,
        /// Why the value does not become one that it takes.
        source: ConversionError,
    },
    /// A shape that the geo index does not take.
    #[error("could not index a {kind}: {why}")]
    Shape {
        /// The kind of shape, as GeoJSON names it.
        kind: &'static str,
        /// What the index asks for.
        why: &'static str,
    },
}

/// The tokens of `value`, sorted, each once. `lang` is the value's language tag, empty if it has none: text then counts as
/// English. A value of another type than the tokenizer's is converted first, as `eq` converts what it is given.
///
/// Empty text has one token (empty but for the id) of every text tokenizer but `fulltext`, `trigram` and `sha256`.
///
/// # Errors
/// When the value cannot be converted, and for shapes that the geo index does not take: others than points, polygons and
/// multipolygons, rings that are open or shorter than four places, coordinates that are not finite.
pub fn tokens(tokenizer: Tokenizer, value: &Value, lang: &str) -> Result<Vec<Vec<u8>>, TokenError> {
    let converted;
    let value = if takes(tokenizer, value) {
        value
    } else {
        let source = value.convert(tokenizer.value_type());
        converted = source.map_err(|source| TokenError::WrongType { tokenizer, source })?;
        &converted
    };
    Ok(match value {
        Value::Default(text) | Value::String(text) => text_tokens(tokenizer, text, lang),
        Value::Int(n) => vec![number(tokenizer, *n)],
        Value::Float(n) => vec![number(tokenizer, *n as i64)],
        Value::Bool(b) => vec![number(tokenizer, i64::from(*b))],
        Value::DateTime(at) => vec![calendar(tokenizer, *at)],
        Value::Geo(shape) => geo::tokens(shape)?,
        Value::BigFloat(text) => vec![number(tokenizer, whole_of_decimal(text))],
        Value::Binary(_) | Value::Password(_) | Value::VFloat(_) => Vec::new(),
    })
}

/// The tokens to look up for a search text: those of `anyofterms`, `alloftext` and the like. Empty text finds nothing.
pub fn query_tokens(tokenizer: Tokenizer, text: &str, lang: &str) -> Vec<Vec<u8>> {
    if text.is_empty() { Vec::new() } else { text_tokens(tokenizer, text, lang) }
}

/// The `geo` tokens to look up for everything that may share a place with `shape`: every indexed shape that does stands under
/// at least one of them, and so do some that do not, which have to be checked.
///
/// # Errors
/// As [`tokens`] for shapes.
pub fn geo_query_tokens(shape: &Geo) -> Result<Vec<Vec<u8>>, TokenError> {
    geo::query_tokens(shape)
}

/// The `geo` tokens to look up for everything that may lie within `meters` of `center`; finds have to be checked.
///
/// # Errors
/// When a coordinate is not finite, or the distance is negative or no number.
pub fn geo_near_tokens(center: Coord, meters: f64) -> Result<Vec<Vec<u8>>, TokenError> {
    geo::near_tokens(center, meters)
}

/// The bytes that begin all tokens a range over `tokenizer` goes through, for values tagged `lang`. Within them byte order is
/// value order if the tokenizer is sortable.
pub fn range_prefix(tokenizer: Tokenizer, lang: &str) -> Vec<u8> {
    if tokenizer == Tokenizer::Exact { exact_prefix(lang) } else { vec![tokenizer.id()] }
}

/// The language that a tag counts as: its first part in lower case, English for no tag and for tags that are none.
pub fn base_language(tag: &str) -> String {
    let base = tag.split(['-', '_']).next().unwrap_or_default();
    let is_language = (2..=3).contains(&base.len()) && base.bytes().all(|b| b.is_ascii_alphabetic());
    if is_language { base.to_ascii_lowercase() } else { ENGLISH.into() }
}

const ENGLISH: &str = "en";

fn takes(tokenizer: Tokenizer, value: &Value) -> bool {
    value.val_type() == tokenizer.value_type()
        || (matches!(value, Value::Default(_)) && tokenizer.value_type() == crate::ValType::String)
}

fn text_tokens(tokenizer: Tokenizer, text: &str, lang: &str) -> Vec<Vec<u8>> {
    let id = tokenizer.id();
    let mut tokens = match tokenizer {
        Tokenizer::Term => terms(id, text, lang),
        Tokenizer::FullText => fulltext::tokens(id, text, lang),
        Tokenizer::NGram => ngrams(id, &fulltext::words(text, lang)),
        Tokenizer::Exact => vec![join(exact_prefix(lang), text.as_bytes())],
        Tokenizer::Hash => vec![join(vec![id], &Blake2b256::digest(text.as_bytes()))],
        Tokenizer::Trigram => text.as_bytes().windows(3).map(|window| join(vec![id], window)).collect(),
        Tokenizer::Sha256 => sha256(id, text),
        Tokenizer::Year
        | Tokenizer::Month
        | Tokenizer::Day
        | Tokenizer::Hour
        | Tokenizer::Geo
        | Tokenizer::Int
        | Tokenizer::Float
        | Tokenizer::Bool
        | Tokenizer::BigFloat => Vec::new(),
    };
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

fn join(mut head: Vec<u8>, tail: &[u8]) -> Vec<u8> {
    head.extend_from_slice(tail);
    head
}

fn exact_prefix(lang: &str) -> Vec<u8> {
    if lang.is_empty() {
        return vec![Tokenizer::Exact.id()];
    }
    let mut prefix = vec![EXACT_TAGGED];
    prefix.extend_from_slice(base_language(lang).as_bytes());
    prefix.push(UNIT_SEPARATOR);
    prefix
}

/// Languages written without blanks between words are parted at blanks alone, and otherwise left as they are.
fn terms(id: u8, text: &str, lang: &str) -> Vec<Vec<u8>> {
    let token = |word: &str| join(vec![id], word.as_bytes());
    if text.is_empty() {
        return vec![vec![id]];
    }
    if !lang.is_empty()
        && matches!(base_language(lang).as_str(), "zh" | "ja" | "th" | "lo" | "my" | "bo" | "km" | "kxm")
    {
        return text.split(' ').map(token).collect();
    }
    let mut tokens = Vec::new();
    words::for_each(text, |word, _| tokens.push(token(word)));
    tokens
}

fn sha256(id: u8, text: &str) -> Vec<Vec<u8>> {
    text.as_bytes().get(..SHA256_BYTES).map(|start| join(vec![id], start)).into_iter().collect()
}

/// Negative numbers begin with 0, others with 1, so that byte order is the order of numbers.
fn number(tokenizer: Tokenizer, n: i64) -> Vec<u8> {
    let mut token = Vec::with_capacity(10);
    token.extend_from_slice(&[tokenizer.id(), u8::from(n >= 0)]);
    token.extend_from_slice(&n.to_be_bytes());
    token
}

/// The whole part of a decimal number, which the text is; numbers beyond 64 bits stop at the limits.
fn whole_of_decimal(text: &str) -> i64 {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (digits, is_negative) = match mantissa.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (mantissa.strip_prefix('+').unwrap_or(mantissa), false),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let exponent = exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { i64::MIN } else { i64::MAX });
    let count = (whole.len() as i64).saturating_add(exponent).clamp(0, MOST_DIGITS) as usize;
    let shifted = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat(b'0')).take(count);
    let magnitude =
        shifted.fold(0i128, |number, digit| number.saturating_mul(10) + i128::from(digit.wrapping_sub(b'0') % 10));
    let signed = if is_negative { -magnitude } else { magnitude };
    signed.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// More digits than any number of 64 bits has, and leading zeros besides: those behind do not change where it stops.
const MOST_DIGITS: i64 = 60;

/// Words that follow each other, up to so many.
const LONGEST_NGRAM: usize = 4;

/// Runs of words of so many bytes and more are stored as their BLAKE2b-256.
const HASHED_NGRAM_BYTES: usize = 30;

/// Every run of one to four words, joined with blanks.
fn ngrams(id: u8, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let runs = (1..=LONGEST_NGRAM).flat_map(|length| words.windows(length));
    runs.map(|run| match run.join(&b' ') {
        long if long.len() >= HASHED_NGRAM_BYTES => join(vec![id], &Blake2b256::digest(&long)),
        short => join(vec![id], &short),
    })
    .collect()
}

/// The calendar in UTC down to what the tokenizer counts, two bytes each.
fn calendar(tokenizer: Tokenizer, at: crate::value::DateTime) -> Vec<u8> {
    let utc = at.utc();
    let parts = [utc.year as u16, u16::from(utc.month), u16::from(utc.day), u16::from(utc.hour)];
    let count = match tokenizer {
        Tokenizer::Year => 1,
        Tokenizer::Month => 2,
        Tokenizer::Day => 3,
        _ => 4,
    };
    let mut token = Vec::with_capacity(9);
    token.push(tokenizer.id());
    parts[..count].iter().for_each(|part| token.extend_from_slice(&part.to_be_bytes()));
    token
}
