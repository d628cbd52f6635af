use graphdb_types::{PredicateSchema, Tokenizer, Uid, ValType, Value, token};

use super::blocks::check_name;
use super::compare::flatten;
use super::variables::uid_variable;
use super::{
    Check, CompareOp, FacetFilter, FilterPlan, Lang, Pattern, Planned, Planner, Source, Test, UidSet, ValueTest, refuse,
};
use crate::dql::ast::{Argument, Attribute, Filter, Function, FunctionName, Subject, Term, TermKind};

/// The predicate that holds the names of a node's types.
const TYPE_PREDICATE: &str = "dgraph.type";

/// The longest text that `match` compares, in characters: the cost grows with its square.
const MAX_MATCH_CHARS: usize = 1_000;

impl Planner<'_> {
    /// Plans a function that has to find nodes.
    pub(super) fn root(&self, function: &Function) -> Planned<Test> {
        let test = self.function(function, true)?;
        match test.source {
            Some(_) => Ok(test),
            None => refuse(function.at, format!("{} cannot be used at root", function.name.name())),
        }
    }

    pub(super) fn filter(&self, filter: &Filter) -> Planned<FilterPlan> {
        Ok(match filter {
            Filter::And(parts) => FilterPlan::And(parts.iter().map(|part| self.filter(part)).collect::<Planned<_>>()?),
            Filter::Or(parts) => FilterPlan::Or(parts.iter().map(|part| self.filter(part)).collect::<Planned<_>>()?),
            Filter::Not(part) => FilterPlan::Not(Box::new(self.filter(part)?)),
            Filter::Function(function) => FilterPlan::Test(Box::new(self.function(function, false)?)),
        })
    }

    fn function(&self, function: &Function, at_root: bool) -> Planned<Test> {
        match function.name {
            FunctionName::Has => self.has(function),
            FunctionName::Uid => self.uids(function),
            FunctionName::UidIn => self.uid_in(function),
            FunctionName::Type => self.has_type(function),
            FunctionName::Eq => self.compare(function, CompareOp::Eq, at_root),
            FunctionName::Le => self.compare(function, CompareOp::Le, at_root),
            FunctionName::Lt => self.compare(function, CompareOp::Lt, at_root),
            FunctionName::Ge => self.compare(function, CompareOp::Ge, at_root),
            FunctionName::Gt => self.compare(function, CompareOp::Gt, at_root),
            FunctionName::Between => self.compare(function, CompareOp::Between, at_root),
            FunctionName::AllOfTerms => self.tokens(function, Tokenizer::Term, true),
            FunctionName::AnyOfTerms => self.tokens(function, Tokenizer::Term, false),
            FunctionName::AllOfText => self.tokens(function, Tokenizer::FullText, true),
            FunctionName::AnyOfText => self.tokens(function, Tokenizer::FullText, false),
            FunctionName::Regexp => self.regexp(function, at_root),
            FunctionName::Match => self.fuzzy(function),
            FunctionName::CheckPassword => {
                refuse(function.at, "checkpwd is a field, not a function of roots and filters")
            }
            FunctionName::Near | FunctionName::Within | FunctionName::Contains | FunctionName::Intersects => {
                self.geo(function, at_root)
            }
            FunctionName::SimilarTo | FunctionName::Ngram | FunctionName::AllOf | FunctionName::AnyOf => {
                refuse(function.at, format!("not supported yet: {}", function.name.name()))
            }
        }
    }

    /// The predicate that a function looks at.
    pub(super) fn subject<'f>(&self, function: &'f Function) -> Planned<&'f Attribute> {
        match &function.subject {
            Subject::Attribute(attribute) => {
                check_name(attribute.at, &attribute.name)?;
                Ok(attribute)
            }
            _ => refuse(function.at, format!("{} takes the name of a predicate", function.name.name())),
        }
    }

    /// The language a function looks at: the first of a list, as everywhere but in fields.
    pub(super) fn lang(&self, attribute: &Attribute) -> Planned<Lang> {
        self.check_languages(attribute)?;
        match attribute.all_languages() {
            true => refuse(attribute.at, "`@*` stands at fields only; `@.` looks at values in any language"),
            false => Ok(Lang::named(attribute.langs.first().map_or("", String::as_str))),
        }
    }

    pub(super) fn known(&self, attribute: &Attribute) -> Option<&PredicateSchema> {
        self.schema.predicate(&self.predicate(&attribute.name))
    }

    fn has(&self, function: &Function) -> Planned<Test> {
        let attribute = self.subject(function)?;
        if attribute.name == "uid" {
            return refuse(function.at, "every node has a uid; `has` takes a predicate");
        }
        if !function.args.is_empty() {
            return refuse(function.at, "`has` takes one predicate");
        }
        self.check_reverse(attribute)?;
        let (predicate, reverse) = (self.predicate(&attribute.name), attribute.reverse);
        let check = Check::Has { predicate: predicate.clone(), reverse, lang: self.lang(attribute)? };
        // The scan looks at the values it passes, so it knows their languages.
        Ok(Test { source: Some(Source::Scan { predicate, reverse }), exact: false, check })
    }

    fn uids(&self, function: &Function) -> Planned<Test> {
        let set = uid_set(&function.args)?;
        Ok(Test { source: Some(Source::Uids(set.clone())), exact: true, check: Check::Uids(set) })
    }

    fn uid_in(&self, function: &Function) -> Planned<Test> {
        let attribute = self.subject(function)?;
        self.check_reverse(attribute)?;
        if self.known(attribute).is_some_and(|schema| schema.value_type != ValType::Uid) {
            return refuse(attribute.at, format!("uid_in takes a predicate of type uid; {} is none", attribute.name));
        }
        let uids = uid_set(&function.args)?;
        let check = Check::EdgeTo { predicate: self.predicate(&attribute.name), reverse: attribute.reverse, uids };
        Ok(Test { source: None, exact: false, check })
    }

    fn has_type(&self, function: &Function) -> Planned<Test> {
        let names = texts(&function.args)?;
        let [name] = &names[..] else {
            return refuse(function.at, "`type` takes the name of one type");
        };
        let predicate = self.predicate(TYPE_PREDICATE);
        let value = Value::String((*name).to_owned());
        let indexed =
            self.schema.predicate(&predicate).is_some_and(|schema| schema.tokenizers.contains(&Tokenizer::Exact));
        let groups = vec![token::query_tokens(Tokenizer::Exact, name, "")];
        let source = match indexed && !name.is_empty() {
            true => Source::Terms { predicate: predicate.clone(), groups },
            false => Source::Scan { predicate: predicate.clone(), reverse: false },
        };
        let check = Check::Value { predicate, lang: Lang::Any, test: ValueTest::AnyOf(vec![value]) };
        Ok(Test { source: Some(source), exact: indexed && !name.is_empty(), check })
    }

    fn tokens(&self, function: &Function, tokenizer: Tokenizer, all: bool) -> Planned<Test> {
        let attribute = self.subject(function)?;
        let lang = self.lang(attribute)?;
        let texts = texts(&function.args)?;
        let [text] = &texts[..] else {
            return refuse(function.at, format!("{} takes a predicate and one text", function.name.name()));
        };
        let Some(schema) = self.known(attribute) else {
            return Ok(Test::never());
        };
        if !schema.tokenizers.contains(&tokenizer) {
            return refuse(
                function.at,
                format!("Attribute {} is not indexed with type {}", attribute.name, tokenizer.name()),
            );
        }
        let tokens = token::query_tokens(tokenizer, text, lang.tag());
        if tokens.is_empty() {
            return Ok(Test::never());
        }
        let predicate = self.predicate(&attribute.name);
        let groups = if all { vec![tokens.clone()] } else { tokens.iter().map(|token| vec![token.clone()]).collect() };
        // One term of a list may come from one value and another from the next: as in the index, the list counts as a whole.
        let check =
            Check::Value { predicate: predicate.clone(), lang, test: ValueTest::Tokens { tokenizer, tokens, all } };
        Ok(Test { source: Some(Source::Terms { predicate, groups }), exact: !schema.lang, check })
    }

    fn regexp(&self, function: &Function, at_root: bool) -> Planned<Test> {
        let attribute = self.subject(function)?;
        let lang = self.lang(attribute)?;
        let [Argument::Term(Term { text, kind, at })] = &function.args[..] else {
            return refuse(function.at, "regexp takes a predicate and one expression like /x.*y/i");
        };
        let flags = match kind {
            TermKind::Regex { flags } => flags.as_str(),
            _ => return refuse(*at, "regexp takes an expression between slashes, like /x.*y/i"),
        };
        if !matches!(flags, "" | "i") {
            return refuse(*at, format!("unknown flags {flags:?} of a regular expression; only `i` is known"));
        }
        let expression = match Pattern::new(text, flags == "i") {
            Ok(expression) => expression,
            Err(message) => return refuse(*at, message),
        };
        let Some(schema) = self.known(attribute) else {
            return Ok(Test::never());
        };
        if !matches!(schema.value_type, ValType::String | ValType::Default) {
            return refuse(
                function.at,
                format!("regexp takes a predicate of type string; {} is {}", attribute.name, schema.value_type.name()),
            );
        }
        let predicate = self.predicate(&attribute.name);
        let source = if at_root { Some(self.regexp_source(function, attribute, schema, &expression)?) } else { None };
        Ok(Test { source, exact: false, check: Check::Value { predicate, lang, test: ValueTest::Matches(expression) } })
    }

    fn regexp_source(
        &self,
        function: &Function,
        attribute: &Attribute,
        schema: &PredicateSchema,
        expression: &Pattern,
    ) -> Planned<Source> {
        if !schema.tokenizers.contains(&Tokenizer::Trigram) {
            return refuse(
                function.at,
                format!("Attribute {} does not have trigram index for regex matching.", attribute.name),
            );
        }
        match expression.required() {
            Some(texts) => Ok(Source::Terms { predicate: self.predicate(&attribute.name), groups: trigrams(&texts) }),
            None => refuse(function.at, "regular expression is too wide-ranging and can't be executed efficiently"),
        }
    }

    fn fuzzy(&self, function: &Function) -> Planned<Test> {
        let attribute = self.subject(function)?;
        let lang = self.lang(attribute)?;
        let texts = texts(&function.args)?;
        let [text, distance] = &texts[..] else {
            return refuse(function.at, "match takes a predicate, a text and the greatest distance");
        };
        let Ok(distance) = distance.parse::<usize>() else {
            return refuse(function.at, format!("match takes a distance of 0 or more, found {distance:?}"));
        };
        if text.chars().count() > MAX_MATCH_CHARS {
            return refuse(function.at, format!("match compares texts of at most {MAX_MATCH_CHARS} characters"));
        }
        let Some(schema) = self.known(attribute) else {
            return Ok(Test::never());
        };
        if !schema.tokenizers.contains(&Tokenizer::Trigram) {
            return refuse(
                function.at,
                format!("Attribute {} does not have trigram index for fuzzy matching.", attribute.name),
            );
        }
        let predicate = self.predicate(&attribute.name);
        let groups = token::query_tokens(Tokenizer::Trigram, text, "").into_iter().map(|token| vec![token]).collect();
        let test = ValueTest::Near { text: (*text).to_owned(), distance };
        Ok(Test {
            source: Some(Source::Terms { predicate: predicate.clone(), groups }),
            exact: false,
            check: Check::Value { predicate, lang, test },
        })
    }

    /// A function within `@facets(...)`.
    pub(super) fn facet_test(&self, function: &Function) -> Planned<FacetFilter> {
        let key = self.subject(function)?.name.clone();
        let operands: Vec<String> = texts(&function.args)?.into_iter().map(str::to_owned).collect();
        let op = match function.name {
            FunctionName::Eq => CompareOp::Eq,
            FunctionName::Le => CompareOp::Le,
            FunctionName::Lt => CompareOp::Lt,
            FunctionName::Ge => CompareOp::Ge,
            FunctionName::Gt => CompareOp::Gt,
            FunctionName::AllOfTerms | FunctionName::AnyOfTerms => {
                let all = function.name == FunctionName::AllOfTerms;
                let terms = operands.iter().flat_map(|text| token::query_tokens(Tokenizer::Term, text, "")).collect();
                return Ok(FacetFilter::Terms { key, terms, all });
            }
            _ => return refuse(function.at, format!("{} cannot be used on facets", function.name.name())),
        };
        match operands.len() == 1 || (op == CompareOp::Eq && !operands.is_empty()) {
            true => Ok(FacetFilter::Compare { key, op, operands }),
            false => refuse(function.at, format!("{} on a facet takes one value", function.name.name())),
        }
    }
}

impl Test {
    /// Nothing passes: what a function says of a predicate that nothing is known of.
    pub(super) fn never() -> Test {
        Test { source: Some(Source::Nothing), exact: true, check: Check::Never }
    }
}

/// The trigrams of each text, as a group that a value must have all of.
fn trigrams(texts: &[String]) -> Vec<Vec<Vec<u8>>> {
    texts.iter().map(|text| token::query_tokens(Tokenizer::Trigram, text, "")).collect()
}

/// The literals of a function.
pub(super) fn texts(args: &[Argument]) -> Planned<Vec<&str>> {
    flatten(args)?.into_iter().map(|term| Ok(term.text.as_str())).collect()
}

fn uid_set(args: &[Argument]) -> Planned<UidSet> {
    let mut set = UidSet::default();
    for argument in args {
        match argument {
            Argument::Term(term) => uid_term(term, &mut set)?,
            Argument::Uid(terms) => terms.iter().try_for_each(|term| uid_term(term, &mut set))?,
            Argument::List(list) => {
                let inner = uid_set(list)?;
                set.uids.extend(inner.uids);
                set.variables.extend(inner.variables);
            }
            Argument::Val(name) => {
                return refuse(name.at, format!("`val({})` is no uid; write `{}`", name.text, name.text));
            }
        }
    }
    Ok(set)
}

/// A uid, the name of a variable, or the text of a query variable: a uid or `[a, b]`.
fn uid_term(term: &Term, set: &mut UidSet) -> Planned<()> {
    if let Some(name) = uid_variable(term) {
        set.variables.push(name.to_owned());
        return Ok(());
    }
    let text = term.text.trim();
    let list = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    for word in list.map_or(vec![text], |list| list.split(',').map(str::trim).collect()) {
        match word.parse::<Uid>() {
            Ok(uid) => set.uids.push(uid),
            Err(_) if word.is_empty() => {}
            Err(_) => return refuse(term.at, format!("{word:?} is not a uid")),
        }
    }
    Ok(())
}
