//! Words of a text: borders by Unicode's rules (UAX 29), then lower case, then compatibility form (NFKC).

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;

/// What kind of word it is, which bigrams of Chinese, Japanese and Korean text depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Letters, digits and underscores.
    Letters,
    /// One Chinese character or hiragana, or a run of katakana, `at` this byte of the text.
    Ideographs {
        /// Where it begins.
        at: usize,
        /// Where it ends.
        end: usize,
    },
}

/// Calls `each` with every word of `text` in order, in lower case and normalised.
pub(super) fn for_each(text: &str, mut each: impl FnMut(&str, Word)) {
    if text.is_ascii() {
        return for_each_ascii(text, |word| each(word, Word::Letters));
    }
    let mut word = String::new();
    for (at, segment) in text.split_word_bound_indices() {
        let Some(first) = segment.chars().next().filter(|c| begins_word(*c)) else { continue };
        let is_ideographic = is_han_or_hiragana(first) || is_katakana(first);
        let kind = if is_ideographic { Word::Ideographs { at, end: at + segment.len() } } else { Word::Letters };
        word.clear();
        put_lower(segment, &mut word);
        if is_nfkc_quick(word.chars()) != IsNormalized::Yes {
            word = word.nfkc().collect();
        }
        each(&word, kind);
    }
}

/// The same for ASCII alone, where the rules are few: letters, digits and `_` stick together; `'` and `.` between two letters
/// or two digits, `:` between letters, and `,` and `;` between digits stay inside the word.
fn for_each_ascii(text: &str, mut each: impl FnMut(&str)) {
    let bytes = text.as_bytes();
    let mut word = String::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_word_byte(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        at = end_of_ascii_word(bytes, at);
        if bytes[start..at].iter().any(u8::is_ascii_uppercase) {
            word.clear();
            word.extend(text[start..at].chars().map(|c| c.to_ascii_lowercase()));
            each(&word);
        } else {
            each(&text[start..at]);
        }
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn end_of_ascii_word(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += 1;
        let Some(byte) = bytes.get(at) else { return at };
        if is_word_byte(*byte) {
            continue;
        }
        let Some(after) = bytes.get(at + 1) else { return at };
        let before = bytes[at - 1];
        let letters = before.is_ascii_alphabetic() && after.is_ascii_alphabetic();
        let digits = before.is_ascii_digit() && after.is_ascii_digit();
        let inside = match byte {
            b'\'' | b'.' => letters || digits,
            b':' => letters,
            b',' | b';' => digits,
            _ => false,
        };
        if !inside {
            return at;
        }
    }
}

/// Lower case letter by letter; a sigma in capitals at the end of a word becomes the final form.
fn put_lower(segment: &str, out: &mut String) {
    for (at, c) in segment.char_indices() {
        if c == 'Σ' && at + c.len_utf8() == segment.len() {
            out.push('ς');
        } else {
            out.extend(c.to_lowercase().next()); // of several only the first: one letter stays one letter
        }
    }
}

/// Whether a segment that begins with `c` is a word, and not blanks, punctuation or signs. Thai and other scripts without
/// borders between words have no words outside their own languages.
fn begins_word(c: char) -> bool {
    match c {
        ..'\u{80}' => c.is_ascii() && is_word_byte(c as u8),
        '\u{c0}'..='\u{2c1}' => c != '×' && c != '÷',
        '\u{400}'..='\u{481}' => true,
        _ => is_han_or_hiragana(c) || sticks_to_words(c),
    }
}

/// Asks the rules themselves: letters, digits, katakana and connectors stick to an underscore, marks stick to anything.
fn sticks_to_words(c: char) -> bool {
    let joins = |before: char| {
        let mut buffer = [0; 8];
        let len = before.encode_utf8(&mut buffer).len();
        let len = len + c.encode_utf8(&mut buffer[len..]).len();
        let pair = std::str::from_utf8(&buffer[..len]).expect("two characters were just encoded");
        pair.split_word_bounds().nth(1).is_none()
    };
    joins('_') && !joins('!')
}

fn is_han_or_hiragana(c: char) -> bool {
    matches!(c,
        '\u{2e80}'..='\u{2fd5}' | '々' | '〇' | '\u{3021}'..='\u{3029}' | '\u{3038}'..='\u{303b}' | '\u{3041}'..='\u{3096}'
        | '\u{309d}'..='\u{309f}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{1b001}'..='\u{1b11f}' | '\u{1b150}'..='\u{1b152}' | '\u{20000}'..='\u{323af}')
}

fn is_katakana(c: char) -> bool {
    matches!(c, '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9d}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        for_each(text, |word, _| words.push(word.to_owned()));
        words
    }

    #[test]
    fn words_are_parted_by_the_borders_of_unicode() {
        for (text, expected) in [
            ("Michonne's friend", &["michonne's", "friend"][..]),
            ("a.b 3.5 a.3 1,000;2 x:y 10:30", &["a.b", "3.5", "a", "3", "1,000;2", "x:y", "10", "30"]),
            ("snake_case _ -dash- end.", &["snake_case", "_", "dash", "end"]),
            ("'quoted' don''t", &["quoted", "don", "t"]),
            ("3d a1b2", &["3d", "a1b2"]),
            ("", &[]),
            ("!!! …—½", &[]),
            ("Ünïcode ÅNGSTRÖM ﬁne", &["ünïcode", "ångström", "fine"]),
            ("ΟΔΟΣ ΣΑΣ", &["οδος", "σας"]),
            ("İstanbul", &["istanbul"]),
            ("Don’t", &["don’t"]),
            ("アン・リー", &["アン", "リー"]),
            ("漢字かな", &["漢", "字", "か", "な"]),
            ("한국어 텍스트", &["한국어", "텍스트"]),
            ("สวัสดี é", &["é"]),
            ("Россия №5", &["россия", "5"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_path_finds_the_words_of_the_slow_one(text in "[ -~]{0,40}") {
            let slow = format!("{text} é");
            let mut slow = words(&slow);
            slow.pop();
            prop_assert_eq!(words(&text), slow);
        }

        #[test]
        fn words_of_words_are_themselves(text in "\\PC{0,30}") {
            for word in words(&text) {
                prop_assert!(!word.is_empty());
            }
        }
    }
}
