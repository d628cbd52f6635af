use graphdb_types::{PredicateSchema, Tokenizer, ValType, Value, token};

use super::functions::texts;
use super::{Check, CompareOp, Lang, Planned, Planner, Source, Test, ValueTest, refuse};
use crate::dql::ast::{Argument, Attribute, Function, Subject, Term};

/// Tokenizers that can find equal values, the most selective first.
const FOR_EQUALITY: [Tokenizer; 11] = [
    Tokenizer::Exact,
    Tokenizer::Hash,
    Tokenizer::Int,
    Tokenizer::Float,
    Tokenizer::Bool,
    Tokenizer::Hour,
    Tokenizer::Day,
    Tokenizer::Month,
    Tokenizer::Year,
    Tokenizer::Term,
    Tokenizer::Trigram,
];

impl Planner<'_> {
    /// Plans `eq`, `le`, `lt`, `ge`, `gt` and `between`.
    pub(super) fn compare(&self, function: &Function, op: CompareOp, at_root: bool) -> Planned<Test> {
        match &function.subject {
            Subject::Count(attribute) => self.compare_count(function, attribute, op, at_root),
            Subject::Val(name) => {
                let operands = operands(function, op)?;
                let source = Some(Source::Variable(name.text.clone()));
                Ok(Test { source, exact: false, check: Check::Variable { name: name.text.clone(), op, operands } })
            }
            Subject::Len(_) => refuse(function.at, "len(x) stands in the condition of an upsert only"),
            _ => self.compare_value(function, op, at_root),
        }
    }

    fn compare_value(&self, function: &Function, op: CompareOp, at_root: bool) -> Planned<Test> {
        let attribute = self.subject(function)?;
        if let Some(Argument::Val(name)) = function.args.iter().find(|argument| matches!(argument, Argument::Val(_))) {
            return refuse(name.at, format!("not supported yet: {}(p, val(x))", function.name.name()));
        }
        let lang = self.lang(attribute)?;
        let texts = operands(function, op)?;
        let Some(schema) = self.known(attribute) else {
            return Ok(Test::never());
        };
        let values = self.literals(function, attribute, schema, &texts)?;
        if op == CompareOp::Eq {
            self.equal(function, attribute, schema, lang, values, at_root)
        } else {
            self.range(function, attribute, schema, lang, op, values, at_root)
        }
    }

    fn literals(
        &self,
        function: &Function,
        attribute: &Attribute,
        schema: &PredicateSchema,
        texts: &[String],
    ) -> Planned<Vec<Value>> {
        if matches!(
            schema.value_type,
            ValType::Uid | ValType::Password | ValType::Geo | ValType::VFloat | ValType::Binary | ValType::Object
        ) {
            let of = schema.value_type.name();
            return refuse(
                function.at,
                format!("{} is of type {of}, which {} does not compare", attribute.name, function.name.name()),
            );
        }
        let parse = |text: &String| {
            Value::parse(schema.value_type, text).or_else(|error| {
                refuse(function.at, format!("{text:?} cannot be compared with {}: {error}", attribute.name))
            })
        };
        texts.iter().map(parse).collect()
    }

    fn equal(
        &self,
        function: &Function,
        attribute: &Attribute,
        schema: &PredicateSchema,
        lang: Lang,
        values: Vec<Value>,
        at_root: bool,
    ) -> Planned<Test> {
        let predicate = self.predicate(&attribute.name);
        if at_root && schema.tokenizers.is_empty() {
            return refuse(function.at, format!("Predicate {} is not indexed", attribute.name));
        }
        let (source, exact) = match best_for_equality(schema, &lang)
            .and_then(|tokenizer| Some((tokenizer, groups(tokenizer, &values, &lang)?)))
        {
            Some((tokenizer, groups)) => {
                let mixes_languages =
                    schema.lang && !(tokenizer == Tokenizer::Exact && lang == Lang::Untagged) && lang != Lang::Any;
                (Source::Terms { predicate: predicate.clone(), groups }, !tokenizer.is_lossy() && !mixes_languages)
            }
            // No index can name the candidates (a text too short for trigrams, say): every value is looked at.
            None => (Source::Scan { predicate: predicate.clone(), reverse: false }, false),
        };
        let source = (at_root || !matches!(source, Source::Scan { .. })).then_some(source);
        Ok(Test { source, exact, check: Check::Value { predicate, lang, test: ValueTest::AnyOf(values) } })
    }

    #[expect(clippy::too_many_arguments, reason = "one step of a decision, split for reading")]
    fn range(
        &self,
        function: &Function,
        attribute: &Attribute,
        schema: &PredicateSchema,
        lang: Lang,
        op: CompareOp,
        mut values: Vec<Value>,
        at_root: bool,
    ) -> Planned<Test> {
        if schema.value_type == ValType::Bool {
            return refuse(function.at, format!("{} is of type bool, which has no order", attribute.name));
        }
        let predicate = self.predicate(&attribute.name);
        let sortable = schema.tokenizers.iter().copied().find(|tokenizer| tokenizer.is_sortable());
        if at_root && sortable.is_none() {
            return refuse(
                function.at,
                format!("Attribute:{} does not have proper index for comparison", attribute.name),
            );
        }
        let (low, high) = ends(op, &mut values);
        let source = match sortable {
            Some(tokenizer) if tokenizer != Tokenizer::Exact || lang != Lang::Any => {
                Some(range_source(tokenizer, predicate.clone(), &lang, &low, &high, op))
            }
            _ if at_root => Some(Source::Scan { predicate: predicate.clone(), reverse: false }),
            _ => None,
        };
        let is_range = matches!(source, Some(Source::Range { .. }));
        let exact =
            is_range && sortable.is_some_and(|tokenizer| !tokenizer.is_lossy()) && matches!(lang, Lang::Untagged);
        Ok(Test { source, exact, check: Check::Value { predicate, lang, test: ValueTest::Range { low, high } } })
    }

    fn compare_count(&self, function: &Function, attribute: &Attribute, op: CompareOp, at_root: bool) -> Planned<Test> {
        self.check_reverse(attribute)?;
        let Some((from, to)) = count_range(function, op)? else {
            return Ok(Test::never());
        };
        let predicate = self.predicate(&attribute.name);
        let check = Check::Count { predicate: predicate.clone(), reverse: attribute.reverse, from, to };
        let Some(schema) = self.known(attribute) else {
            return Ok(if at_root { Test::never() } else { Test { source: None, exact: false, check } });
        };
        if at_root && !schema.count {
            return refuse(
                function.at,
                format!(
                    "Need @count directive in schema for attr: {} for fn: {} at root",
                    attribute.name,
                    function.name.name()
                ),
            );
        }
        if at_root && (to == 0 || (from == 0 && op != CompareOp::Le && op != CompareOp::Lt)) {
            return refuse(
                function.at,
                "nodes without any are not counted in the index; a filter can look for a count of 0, a root cannot",
            );
        }
        let limit = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        // A node without any is in no count list, so the index answers a filter only when such nodes are not asked for.
        let source = (schema.count && (at_root || from > 0)).then(|| Source::Counts {
            predicate,
            reverse: attribute.reverse,
            from: limit(from).max(1),
            to: limit(to),
        });
        Ok(Test { source, exact: true, check })
    }
}

/// The ends of a range and whether they belong to it.
type Ends = (Option<(Value, bool)>, Option<(Value, bool)>);

fn ends(op: CompareOp, values: &mut Vec<Value>) -> Ends {
    let mut next = |inclusive| (!values.is_empty()).then(|| (values.remove(0), inclusive));
    match op {
        CompareOp::Le => (None, next(true)),
        CompareOp::Lt => (None, next(false)),
        CompareOp::Ge => (next(true), None),
        CompareOp::Gt => (next(false), None),
        CompareOp::Eq | CompareOp::Between => (next(true), next(true)),
    }
}

fn range_source(
    tokenizer: Tokenizer,
    predicate: graphdb_types::Predicate,
    lang: &Lang,
    low: &Option<(Value, bool)>,
    high: &Option<(Value, bool)>,
    op: CompareOp,
) -> Source {
    let term = |end: &Option<(Value, bool)>| {
        let (value, _) = end.as_ref()?;
        token::tokens(tokenizer, value, lang.tag()).ok()?.into_iter().next()
    };
    // The term at an open end holds other values too if the index is lossy: then it stays in and values are checked.
    let open = matches!(op, CompareOp::Lt | CompareOp::Gt) && !tokenizer.is_lossy();
    Source::Range {
        predicate,
        prefix: token::range_prefix(tokenizer, lang.tag()),
        first: term(low),
        last: term(high),
        open,
    }
}

fn best_for_equality(schema: &PredicateSchema, lang: &Lang) -> Option<Tokenizer> {
    // An exact token names its language, so there is none to look up for any language.
    let usable = |tokenizer: &Tokenizer| {
        schema.tokenizers.contains(tokenizer) && !(*tokenizer == Tokenizer::Exact && *lang == Lang::Any)
    };
    FOR_EQUALITY.into_iter().find(usable)
}

/// The terms of each value; `None` if one of them has no terms, though values may equal it.
fn groups(tokenizer: Tokenizer, values: &[Value], lang: &Lang) -> Option<Vec<Vec<Vec<u8>>>> {
    let terms = |value: &Value| token::tokens(tokenizer, value, lang.tag()).ok().filter(|terms| !terms.is_empty());
    values.iter().map(terms).collect()
}

/// The literals of a comparison, as many as it takes.
fn operands(function: &Function, op: CompareOp) -> Planned<Vec<String>> {
    let texts: Vec<String> = texts(&function.args)?.into_iter().map(str::to_owned).collect();
    let fits = match op {
        CompareOp::Eq => true,
        CompareOp::Between => texts.len() == 2,
        _ => texts.len() == 1,
    };
    let expected = if op == CompareOp::Between { "two values" } else { "one value" };
    if fits {
        Ok(texts)
    } else {
        refuse(function.at, format!("{} takes {expected}, found {}", function.name.name(), texts.len()))
    }
}

/// The least and the greatest count that pass; `None` if none can.
fn count_range(function: &Function, op: CompareOp) -> Planned<Option<(u64, u64)>> {
    let mut numbers = Vec::new();
    for text in operands(function, op)? {
        match text.parse::<i64>() {
            Ok(number) if number >= 0 => numbers.push(number.unsigned_abs()),
            _ => {
                return refuse(
                    function.at,
                    format!("a count is compared with a whole number of 0 or more, found {text:?}"),
                );
            }
        }
    }
    Ok(match (op, &numbers[..]) {
        (CompareOp::Eq, [n]) => Some((*n, *n)),
        (CompareOp::Eq, []) => None,
        (CompareOp::Eq, _) => return refuse(function.at, "eq compares a count with one number"),
        (CompareOp::Le, [n, ..]) => Some((0, *n)),
        (CompareOp::Lt, [n, ..]) => n.checked_sub(1).map(|last| (0, last)),
        (CompareOp::Ge, [n, ..]) => Some((*n, u64::MAX)),
        (CompareOp::Gt, [n, ..]) => Some((n.saturating_add(1), u64::MAX)),
        (CompareOp::Between, [from, to, ..]) => (from <= to).then_some((*from, *to)),
        _ => None,
    })
}

/// All literals, those in lists too.
pub(super) fn flatten(args: &[Argument]) -> Planned<Vec<&Term>> {
    let mut terms = Vec::new();
    for argument in args {
        match argument {
            Argument::Term(term) => terms.push(term),
            Argument::List(list) => terms.extend(flatten(list)?),
            Argument::Val(name) => return refuse(name.at, format!("a literal belongs here, found val({})", name.text)),
            Argument::Uid(terms) => {
                let at = terms.first().map_or(crate::dql::Position::START, |term| term.at);
                return refuse(at, "a literal belongs here, found uid(...)");
            }
        }
    }
    Ok(terms)
}
