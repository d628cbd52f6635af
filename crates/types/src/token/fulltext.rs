use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};

use super::words::{self, Word};
use super::{base_language, join, porter, stop_words};

/// The tokens of `text`: its [`words`].
pub(super) fn tokens(id: u8, text: &str, lang: &str) -> Vec<Vec<u8>> {
    words(text, lang).into_iter().map(|word| join(vec![id], &word)).collect()
}

/// Stems of the words of `text` in order, without English stop words; pairs of characters for Chinese, Japanese and Korean.
pub(super) fn words(text: &str, lang: &str) -> Vec<Vec<u8>> {
    let base = if lang.is_empty() { Cow::Borrowed(super::ENGLISH) } else { Cow::Owned(base_language(lang)) };
    match base.as_ref() {
        "en" => english(text),
        "zh" | "ja" | "ko" => bigrams(text),
        base => other(text, algorithm(base)),
    }
}

fn english(text: &str) -> Vec<Vec<u8>> {
    let mut tokens = Vec::new();
    let mut stem = String::new();
    words::for_each(text, |word, _| {
        if !stop_words::is_english(word) {
            stem.clear();
            stem.push_str(word);
            porter::stem(&mut stem);
            tokens.push(stem.as_bytes().to_vec());
        }
    });
    tokens
}

fn other(text: &str, algorithm: Option<Algorithm>) -> Vec<Vec<u8>> {
    let stemmer = algorithm.map(Stemmer::create);
    let mut tokens = Vec::new();
    words::for_each(text, |word, _| {
        let stem = stemmer.as_ref().map_or(Cow::Borrowed(word), |stemmer| stemmer.stem(word));
        tokens.push(stem.as_bytes().to_vec());
    });
    tokens
}

/// The languages that Dgraph stems, but Hindi and Sorani, for which we have no stemmer: their words stay as they are.
fn algorithm(base: &str) -> Option<Algorithm> {
    Some(match base {
        "ar" => Algorithm::Arabic,
        "da" => Algorithm::Danish,
        "de" => Algorithm::German,
        "es" => Algorithm::Spanish,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "hu" => Algorithm::Hungarian,
        "it" => Algorithm::Italian,
        "nl" => Algorithm::Dutch,
        "no" => Algorithm::Norwegian,
        "pt" => Algorithm::Portuguese,
        "ro" => Algorithm::Romanian,
        "ru" => Algorithm::Russian,
        "sv" => Algorithm::Swedish,
        "tr" => Algorithm::Turkish,
        _ => return None,
    })
}

/// Every two neighbouring ideographs; one without a neighbour alone; words of letters as they are.
fn bigrams(text: &str) -> Vec<Vec<u8>> {
    let mut tokens = Vec::new();
    let mut run = String::new();
    let mut run_end = 0;
    words::for_each(text, |word, kind| {
        let (at, end) = match kind {
            Word::Ideographs { at, end } => (at, end),
            Word::Letters => return tokens.push(word.as_bytes().to_vec()),
        };
        if at != run_end {
            put_bigrams(&run, &mut tokens);
            run.clear();
        }
        run.push_str(word);
        run_end = end;
    });
    put_bigrams(&run, &mut tokens);
    tokens
}

fn put_bigrams(run: &str, tokens: &mut Vec<Vec<u8>>) {
    let ends: Vec<usize> = run.char_indices().map(|(at, c)| at + c.len_utf8()).collect();
    match ends.as_slice() {
        [] => {}
        [_] => tokens.push(run.as_bytes().to_vec()),
        [..] => {
            let starts = std::iter::once(0).chain(ends.iter().copied());
            tokens.extend(starts.zip(&ends[1..]).map(|(start, end)| run.as_bytes()[start..*end].to_vec()));
        }
    }
}
