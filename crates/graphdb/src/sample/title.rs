//! Titles of films: the same title in several languages.

use super::rng::Rng;
use super::words::NOUNS;

/// A language that titles are translated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    French,
    Japanese,
}

impl Language {
    pub(super) const ALL: [Self; 4] = [Self::English, Self::German, Self::French, Self::Japanese];

    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Japanese => "ja",
        }
    }

    fn and(self) -> &'static str {
        match self {
            Self::English => " and ",
            Self::German => " und ",
            Self::French => " et ",
            Self::Japanese => "と",
        }
    }

    fn without(self) -> &'static str {
        match self {
            Self::English => " without ",
            Self::German => " ohne ",
            Self::French => " sans ",
            Self::Japanese => "なき", // the noun that is missing stands before it
        }
    }

    fn comma(self) -> &'static str {
        if self == Self::Japanese { "、" } else { ", " }
    }
}

/// How the nouns of a title are joined.
#[derive(Debug, Clone, Copy)]
enum Pattern {
    And,
    Without,
    Three,
}

/// A title apart from its language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Title {
    pattern: Pattern,
    /// Positions in [`NOUNS`].
    nouns: [usize; 3],
    /// The number of a sequel, 1 for the first film, which does not say it.
    part: u64,
}

impl Title {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let pattern = rng.pick(&[Pattern::And, Pattern::Without, Pattern::Three, Pattern::Three]);
        Self::of(pattern, rng)
    }

    /// Draws another title of a film: those at different positions, 0 to 2, are never equal.
    pub(super) fn alias(rng: &mut Rng, position: u64) -> Self {
        Self::of([Pattern::And, Pattern::Without, Pattern::Three][position as usize], rng)
    }

    fn of(pattern: Pattern, rng: &mut Rng) -> Self {
        let mut noun = || rng.below(NOUNS.len() as u64) as usize;
        let nouns = [noun(), noun(), noun()];
        let part = if rng.chance(8) { rng.between(2, 5) } else { 1 };
        Self { pattern, nouns, part }
    }

    /// Replaces the content of `text` by this title in `language`.
    pub(super) fn write(&self, text: &mut String, language: Language) {
        let [a, b, c] = self.nouns.map(|noun| NOUNS[noun][language as usize]);
        text.clear();
        match (self.pattern, language) {
            (Pattern::And, _) => text.extend([a, language.and(), b]),
            (Pattern::Without, Language::Japanese) => text.extend([b, language.without(), a]),
            (Pattern::Without, _) => text.extend([a, language.without(), b]),
            (Pattern::Three, _) => text.extend([a, language.comma(), b, language.and(), c]),
        }
        if self.part > 1 {
            text.extend([' ', char::from(b'0' + self.part as u8)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_says_the_same_in_every_language() {
        let title = Title { pattern: Pattern::Without, nouns: [0, 1, 2], part: 2 };
        let mut text = String::from("something else");
        let all = Language::ALL.map(|language| {
            title.write(&mut text, language);
            text.clone()
        });
        assert_eq!(all, ["Wind without Fire 2", "Wind ohne Feuer 2", "Vent sans Feu 2", "火なき風 2"]);
    }
}
