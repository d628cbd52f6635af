use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

/// A regular expression that can tell which texts it needs.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    needs: Option<Vec<String>>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

/// The least length of a text that the trigram index can find, in bytes.
const TRIGRAM_BYTES: usize = 3;

/// The most texts an expression may stand for: each is a look-up.
const MAX_EXPANSIONS: usize = 64;

/// The largest class of characters that is spelled out; a letter without case has at most three forms.
const MAX_CLASS: usize = 8;

impl Pattern {
    /// Compiles an expression; with `fold_case`, letters match in either case.
    ///
    /// # Errors
    /// What is wrong with the expression, as text.
    pub fn new(expression: &str, fold_case: bool) -> Result<Pattern, String> {
        let folded = if fold_case { format!("(?i){expression}") } else { expression.to_owned() };
        let wrong = |error: String| format!("not a regular expression: {}", error.lines().last().unwrap_or_default());
        let hir = regex_syntax::parse(&folded).map_err(|error| wrong(error.to_string()))?;
        let regex = Regex::new(&folded).map_err(|error| wrong(error.to_string()))?;
        Ok(Pattern { regex, needs: required(&hir) })
    }

    /// Whether some part of `text` matches.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The expression, with `(?i)` in front if it ignores case.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Texts of three bytes or more, at least one of which is in every text that matches. `None` if there are none, or too many.
    pub fn required(&self) -> Option<Vec<String>> {
        self.needs.clone()
    }
}

fn required(hir: &Hir) -> Option<Vec<String>> {
    let whole = spelled_out(hir).filter(|texts| long_enough(texts));
    whole.or_else(|| match hir.kind() {
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Concat(parts) => longest_run(parts).or_else(|| parts.iter().find_map(required)),
        HirKind::Alternation(parts) => {
            let all = parts.iter().map(required).collect::<Option<Vec<_>>>()?.concat();
            (all.len() <= MAX_EXPANSIONS).then_some(all)
        }
        _ => None,
    })
}

fn long_enough(texts: &[String]) -> bool {
    !texts.is_empty() && texts.iter().all(|text| text.len() >= TRIGRAM_BYTES)
}

/// The texts of the longest run of neighbours that can be spelled out.
fn longest_run(parts: &[Hir]) -> Option<Vec<String>> {
    let runs = (0..parts.len()).map(|start| {
        let mut run = vec![String::new()];
        for part in &parts[start..] {
            match spelled_out(part).and_then(|texts| product(&run, &texts)) {
                Some(longer) => run = longer,
                None => break,
            }
        }
        run
    });
    runs.filter(|run| long_enough(run)).max_by_key(|run| run.iter().map(String::len).min())
}

/// Every text that an expression matches, if they are few.
fn spelled_out(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(vec![String::new()]),
        HirKind::Literal(literal) => Some(vec![String::from_utf8(literal.0.to_vec()).ok()?]),
        HirKind::Class(Class::Unicode(class)) => {
            let chars = || class.iter().flat_map(|range| range.start()..=range.end());
            (chars().take(MAX_CLASS + 1).count() <= MAX_CLASS).then(|| chars().map(String::from).collect())
        }
        HirKind::Class(Class::Bytes(_)) | HirKind::Repetition(_) => None,
        HirKind::Capture(capture) => spelled_out(&capture.sub),
        HirKind::Concat(parts) => {
            parts.iter().try_fold(vec![String::new()], |run, part| product(&run, &spelled_out(part)?))
        }
        HirKind::Alternation(parts) => {
            let all = parts.iter().map(spelled_out).collect::<Option<Vec<_>>>()?.concat();
            (all.len() <= MAX_EXPANSIONS).then_some(all)
        }
    }
}

fn product(run: &[String], texts: &[String]) -> Option<Vec<String>> {
    let fits = run.len() * texts.len() <= MAX_EXPANSIONS;
    fits.then(|| run.iter().flat_map(|head| texts.iter().map(move |tail| format!("{head}{tail}"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(expression: &str, fold_case: bool) -> Option<usize> {
        Pattern::new(expression, fold_case)
            .map(|pattern| pattern.required().map(|texts| texts.len()))
            .expect("it compiles")
    }

    #[test]
    fn an_expression_is_refused_unless_every_branch_has_three_fixed_bytes() {
        for wide in ["^Al", "a.", "[a-z]{3}", ".*", "^A.*e$", "abc|x", "(abc)?"] {
            assert_eq!(needs(wide, false), None, "{wide}");
        }
        for (narrow, texts) in
            [("Bob|Carol", 2), ("^abc$", 1), ("x.*abc", 1), ("(abc)+x", 1), ("a[bc]d", 2), ("okyo", 1), ("é.é", 0)]
        {
            assert_eq!(needs(narrow, false), (texts > 0).then_some(texts), "{narrow}");
        }
    }

    #[test]
    fn without_case_every_form_of_a_letter_is_looked_up() {
        let pattern = Pattern::new("kat", true).expect("it compiles");
        let texts = pattern.required().expect("three letters");
        assert_eq!(texts.len(), 3 * 2 * 2, "k has a third form, the Kelvin sign: {texts:?}");
        assert!(pattern.is_match("KAT") && texts.contains(&"KAT".to_owned()));
    }
}
