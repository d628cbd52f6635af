//! Porter's stemmer of 1980 for English, with the two later departures of its author (`bli`, `logi`) that Dgraph has too.
//!
//! A word is `[C](VC)^m[V]`: runs of consonants and vowels. Each step looks for its longest suffix and, if the stem before it
//! is long enough in `m`, replaces it.

/// Stems a lower-case word in place. Words of one or two letters stay; letters outside `a-z` count as consonants.
pub(super) fn stem(word: &mut String) {
    if word.is_ascii() {
        let mut bytes = std::mem::take(word).into_bytes();
        stem_bytes(&mut bytes);
        *word = String::from_utf8(bytes).expect("an ASCII word stays ASCII");
    } else {
        stem_foreign(word);
    }
}

/// Every distinct foreign letter gets a byte of its own, so that one letter counts once.
fn stem_foreign(word: &mut String) {
    let mut letters = Vec::new();
    let mut bytes = Vec::with_capacity(word.len());
    for c in word.chars() {
        let byte = if c.is_ascii() {
            c as u8
        } else {
            let at = letters.iter().position(|l| *l == c).unwrap_or_else(|| {
                letters.push(c);
                letters.len() - 1
            });
            match u8::try_from(at) {
                Ok(at @ ..0x80) => 0x80 | at,
                _ => return, // no word has so many letters
            }
        };
        bytes.push(byte);
    }
    stem_bytes(&mut bytes);
    let letter = |b: u8| if b.is_ascii() { char::from(b) } else { letters[usize::from(b & 0x7f)] };
    *word = bytes.into_iter().map(letter).collect();
}

fn stem_bytes(word: &mut Vec<u8>) {
    if word.len() <= 2 {
        return;
    }
    plural(word);
    past_and_gerund(word);
    final_y(word);
    replace(word, &DOUBLE_SUFFIXES);
    replace(word, &SINGLE_SUFFIXES);
    remove_last_suffix(word);
    tidy(word);
}

/// Suffixes and what they become after a stem with `m > 0`; of two that fit, the longer stands first.
const DOUBLE_SUFFIXES: [(&str, &str); 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
];

const SINGLE_SUFFIXES: [(&str, &str); 7] =
    [("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

/// Removed after a stem with `m > 1`.
const LAST_SUFFIXES: [&str; 19] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
];

/// A `y` is a consonant at the start and after a vowel; in a run of them every second one is.
fn is_consonant(word: &[u8], at: usize) -> bool {
    if word[at] != b'y' {
        return !is_plain_vowel(word[at]);
    }
    let run = word[..=at].iter().rev().take_while(|b| **b == b'y').count();
    let before = word[..=at - (run - 1)].split_last().and_then(|(_, before)| before.last());
    let first_is_consonant = before.is_none_or(|b| is_plain_vowel(*b));
    first_is_consonant == (run % 2 == 1)
}

fn is_plain_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u')
}

/// How often a consonant follows a vowel: `m`.
fn measure(stem: &[u8]) -> usize {
    let mut count = 0;
    let mut after_vowel = None;
    for letter in stem {
        let is_vowel = is_plain_vowel(*letter) || (*letter == b'y' && after_vowel == Some(false));
        count += usize::from(after_vowel == Some(true) && !is_vowel);
        after_vowel = Some(is_vowel);
    }
    count
}

fn has_vowel(stem: &[u8]) -> bool {
    // A `y` that is not the first letter is a vowel or stands after one.
    stem.iter().enumerate().any(|(at, b)| is_plain_vowel(*b) || (*b == b'y' && at > 0))
}

fn ends_in_double_consonant(word: &[u8]) -> bool {
    matches!(word, [.., a, b] if a == b) && is_consonant(word, word.len() - 1)
}

/// Whether the word ends in consonant, vowel, consonant other than w, x and y: `-wil`, `-hop`.
fn ends_short(word: &[u8]) -> bool {
    let len = word.len();
    len >= 3
        && is_consonant(word, len - 3)
        && !is_consonant(word, len - 2)
        && is_consonant(word, len - 1)
        && !matches!(word[len - 1], b'w' | b'x' | b'y')
}

fn plural(word: &mut Vec<u8>) {
    if word.ends_with(b"sses") || word.ends_with(b"ies") {
        word.truncate(word.len() - 2);
    } else if word.ends_with(b"s") && !word.ends_with(b"ss") {
        word.pop();
    }
}

fn past_and_gerund(word: &mut Vec<u8>) {
    if let Some(stem) = word.strip_suffix(b"eed") {
        if measure(stem) > 0 {
            word.pop();
        }
        return;
    }
    let Some(stem) = word.strip_suffix(b"ed").or_else(|| word.strip_suffix(b"ing")) else { return };
    if !has_vowel(stem) {
        return;
    }
    word.truncate(stem.len());
    if word.ends_with(b"at") || word.ends_with(b"bl") || word.ends_with(b"iz") {
        word.push(b'e');
    } else if ends_in_double_consonant(word) && !matches!(word.last(), Some(b'l' | b's' | b'z')) {
        word.pop();
    } else if measure(word) == 1 && ends_short(word) {
        word.push(b'e');
    }
}

fn final_y(word: &mut [u8]) {
    if let [stem @ .., last @ b'y'] = word
        && has_vowel(stem)
    {
        *last = b'i';
    }
}

fn replace(word: &mut Vec<u8>, suffixes: &[(&str, &str)]) {
    let found = suffixes.iter().find_map(|(old, new)| Some((word.strip_suffix(old.as_bytes())?, new)));
    if let Some((stem, new)) = found
        && measure(stem) > 0
    {
        word.truncate(stem.len());
        word.extend_from_slice(new.as_bytes());
    }
}

fn remove_last_suffix(word: &mut Vec<u8>) {
    let found = LAST_SUFFIXES.iter().find_map(|suffix| Some((word.strip_suffix(suffix.as_bytes())?, *suffix)));
    if let Some((stem, suffix)) = found
        && measure(stem) > 1
        && (suffix != "ion" || matches!(stem.last(), Some(b's' | b't')))
    {
        word.truncate(stem.len());
    }
}

fn tidy(word: &mut Vec<u8>) {
    if let Some(stem) = word.strip_suffix(b"e") {
        let m = measure(stem);
        if m > 1 || (m == 1 && !ends_short(stem)) {
            word.pop();
        }
    }
    if word.ends_with(b"ll") && measure(word) > 1 {
        word.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stemmed(word: &str) -> String {
        let mut word = word.to_owned();
        stem(&mut word);
        word
    }

    /// The examples of Porter's paper, taken through all steps.
    #[test]
    fn the_published_examples_are_stemmed_as_published() {
        for pair in "caresses:caress ponies:poni ties:ti caress:caress cats:cat feed:feed agreed:agre plastered:plaster \
             bled:bled motoring:motor sing:sing conflated:conflat troubled:troubl sized:size hopping:hop tanned:tan \
             falling:fall hissing:hiss fizzed:fizz failing:fail filing:file happy:happi sky:sky relational:relat \
             conditional:condit rational:ration valenci:valenc hesitanci:hesit digitizer:digit conformabli:conform \
             radicalli:radic differentli:differ vileli:vile analogousli:analog vietnamization:vietnam predication:predic \
             operator:oper feudalism:feudal decisiveness:decis hopefulness:hope callousness:callous formaliti:formal \
             sensitiviti:sensit sensibiliti:sensibl triplicate:triplic formative:form formalize:formal electriciti:electr \
             electrical:electr hopeful:hope goodness:good revival:reviv allowance:allow inference:infer airliner:airlin \
             gyroscopic:gyroscop adjustable:adjust defensible:defens irritant:irrit replacement:replac adjustment:adjust \
             dependent:depend adoption:adopt homologou:homolog communism:commun activate:activ angulariti:angular \
             homologous:homolog effective:effect bowdlerize:bowdler probate:probat rate:rate cease:ceas controll:control \
             roll:roll generalizations:gener oscillators:oscil"
            .split_whitespace()
        {
            let (word, expected) = pair.split_once(':').expect("pairs are written word:stem");
            assert_eq!(stemmed(word), expected, "{word}");
        }
    }

    #[test]
    fn the_departures_of_the_author_are_taken() {
        assert_eq!(stemmed("possibly"), "possibl");
        assert_eq!(stemmed("archaeology"), "archaeolog");
    }

    #[test]
    fn short_and_foreign_words_are_stemmed_letter_by_letter() {
        for (word, expected) in [
            ("is", "is"),
            ("as", "as"),
            ("ion", "ion"),
            ("ing", "ing"),
            ("cafés", "café"),
            ("naïvely", "naïv"),
            ("ééing", "ééing"),
            ("éées", "éée"),
        ] {
            assert_eq!(stemmed(word), expected, "{word}");
        }
    }

    #[test]
    fn a_letter_y_is_a_vowel_after_a_consonant() {
        for (word, measure_of_it) in [("y", 0), ("toy", 1), ("syzygy", 2), ("ayy", 1), ("yyy", 1), ("by", 0)] {
            assert_eq!(measure(word.as_bytes()), measure_of_it, "{word}");
            let kinds: Vec<bool> = (0..word.len()).map(|at| is_consonant(word.as_bytes(), at)).collect();
            let turns = kinds.windows(2).filter(|pair| !pair[0] && pair[1]).count();
            assert_eq!(turns, measure_of_it, "{word}");
        }
        assert_eq!(stemmed(&"y".repeat(1_000_000)).len(), 1_000_000, "long words must not exhaust the stack");
    }
}
