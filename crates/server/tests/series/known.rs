//! What the query language has not yet, or answers otherwise for a reason.

/// A query of a series whose answer may differ.
pub(crate) struct Known {
    series: &'static str,
    query: &'static str,
    /// Why.
    pub(crate) reason: &'static str,
    /// What is asked instead, so that the data is looked at all the same: the blocks of its answer must be those that were recorded.
    pub(crate) instead: &'static str,
}

const NO_SIMILAR_TO: &str = "similar_to is not supported";
const NO_NGRAM: &str = "the function ngram is not supported";

const COUNTS_LANGUAGES: &str = "v21.12 counts the values of all languages; here, as since v24.1, they count as one";

const KNOWN: [Known; 4] = [
    Known {
        series: "v21.12-random",
        query: "count p1",
        reason: COUNTS_LANGUAGES,
        instead: "{ m(func: gt(count(p1), 2)) { uid } }",
    },
    Known {
        series: "v24.1-kinds-aes256",
        query: "vec",
        reason: NO_SIMILAR_TO,
        instead: "{ q(func: has(emb)) { uid emb amount } }",
    },
    Known {
        series: "v25.4-kinds",
        query: "vec",
        reason: NO_SIMILAR_TO,
        instead: "{ q(func: has(emb)) { uid emb amount grams } }",
    },
    Known { series: "v25.4-kinds", query: "gram", reason: NO_NGRAM, instead: "{ b(func: ge(amount, 0)) { uid } }" },
];

/// What is known of a query of a series.
pub(crate) fn known(series: &str, query: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.series == series && known.query == query)
}
