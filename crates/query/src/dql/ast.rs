//! The syntax tree of DQL.

use super::Position;

/// A whole request: blocks, or one question about the schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// What `query name(...)` declares.
    pub variables: Vec<VariableDeclaration>,
    /// The blocks in the order they were written.
    pub blocks: Vec<Block>,
    /// `schema { ... }`; then there are no blocks.
    pub schema: Option<SchemaQuery>,
    /// `fragment name { ... }`; empty once they are put in place.
    pub fragments: Vec<Fragment>,
}

/// `$name: type = default`
#[derive(Clone, Debug, PartialEq)]
pub struct VariableDeclaration {
    /// With the `$`.
    pub name: String,
    /// Whether a value must be given (`!`).
    pub required: bool,
    /// The type its values must have.
    pub value_type: VariableType,
    /// Used when the request gives none.
    pub default: Option<String>,
    /// Where it is declared.
    pub at: Position,
}

/// What a query variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum VariableType {
    String,
    Int,
    Float,
    Bool,
}

/// `schema(pred: [a, b]) { type index }`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SchemaQuery {
    /// Only these predicates; all if empty.
    pub predicates: Vec<String>,
    /// Only these types.
    pub types: Vec<String>,
    /// Only these members; all if empty.
    pub members: Vec<String>,
}

/// A named set of fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    /// The name behind `...`.
    pub name: String,
    /// What it stands for.
    pub fields: Vec<Field>,
    /// Where it is defined.
    pub at: Position,
}

/// A name with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub at: Position,
}

/// `x as name(func: ..., first: 10) @directives { fields }`
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The key of the answer, or `var` or `shortest`.
    pub name: String,
    /// The uid variable that takes the block's nodes.
    pub variable: Option<Name>,
    /// Where the nodes come from; a block without may only hold aggregates.
    pub func: Option<Function>,
    /// Order and paging.
    pub args: Arguments,
    /// The arguments that only `shortest` has.
    pub path: Vec<(Name, Argument)>,
    /// `@filter` and the like.
    pub directives: Directives,
    /// What is asked of each node.
    pub fields: Vec<Field>,
    /// Where it begins.
    pub at: Position,
}

impl Block {
    /// Whether it answers nothing and only fills variables.
    pub fn is_var(&self) -> bool {
        self.name == "var"
    }
}

/// Order and paging.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments {
    /// In the order in which they break ties.
    pub order: Vec<Order>,
    /// How many; from the end if negative.
    pub first: Option<Term>,
    /// How many to leave out at the beginning.
    pub offset: Option<Term>,
    /// Only nodes with a greater uid.
    pub after: Option<Term>,
}

/// `orderasc: key` or `orderdesc: key`
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// What is compared.
    pub by: OrderKey,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// Where it stands.
    pub at: Position,
}

/// What nodes are ordered by.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderKey {
    /// The value of a predicate.
    Attribute(Attribute),
    /// A value variable.
    Val(Name),
}

/// A predicate as a query names it: `~friend`, `name@en:de:.`, `name@*`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The bare name.
    pub name: String,
    /// Whether edges are followed backwards.
    pub reverse: bool,
    /// Languages, the preferred first; `.` is any, `*` is all.
    pub langs: Vec<String>,
    /// Where it stands.
    pub at: Position,
}

impl Attribute {
    /// The name as the answer shows it, with `~` and languages.
    pub fn display(&self) -> String {
        let tilde = if self.reverse { "~" } else { "" };
        match self.langs.is_empty() {
            true => format!("{tilde}{}", self.name),
            false => format!("{tilde}{}@{}", self.name, self.langs.join(":")),
        }
    }

    /// Whether every language is asked for.
    pub fn all_languages(&self) -> bool {
        self.langs.iter().any(|lang| lang == "*")
    }
}

/// What stands behind `@`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directives {
    /// `@filter(...)`
    pub filter: Option<Filter>,
    /// `@facets`, at most one of each form.
    pub facets: Facets,
    /// `@cascade`, with the names it is limited to.
    pub cascade: Option<Vec<String>>,
    /// `@normalize`
    pub normalize: bool,
    /// `@ignorereflex`
    pub ignore_reflex: bool,
    /// `@groupby(...)`: keys with their aliases.
    pub group_by: Option<Vec<(Option<String>, Attribute)>>,
    /// `@recurse(...)`
    pub recurse: Option<Recurse>,
}

/// `@recurse(depth: n, loop: bool)`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recurse {
    /// How many levels; no limit if absent or 0.
    pub depth: Option<Term>,
    /// Whether an edge may be followed again.
    pub allow_loop: Option<Term>,
}

/// All `@facets` of a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facets {
    /// What is printed.
    pub shown: Option<FacetsShown>,
    /// Order of edges by their facets.
    pub order: Vec<FacetOrder>,
    /// `@facets(eq(close, true))`
    pub filter: Option<Filter>,
}

impl Facets {
    /// Whether the field has no `@facets` at all.
    pub fn is_empty(&self) -> bool {
        self.shown.is_none() && self.order.is_empty() && self.filter.is_none()
    }
}

/// Which facets are printed.
#[derive(Clone, Debug, PartialEq)]
pub enum FacetsShown {
    /// `@facets`
    All,
    /// `@facets(a, alias: b, v as c)`
    Named(Vec<FacetItem>),
}

/// One name in `@facets(...)`
#[derive(Clone, Debug, PartialEq)]
pub struct FacetItem {
    /// The facet.
    pub key: String,
    /// The key of the answer.
    pub alias: Option<String>,
    /// The value variable that takes it.
    pub variable: Option<Name>,
}

/// `@facets(orderasc: key)`
#[derive(Clone, Debug, PartialEq)]
pub struct FacetOrder {
    /// The facet.
    pub key: String,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// Something asked of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The key of the answer in place of the usual one.
    pub alias: Option<String>,
    /// The variable that takes the nodes or values.
    pub variable: Option<Name>,
    /// What is asked.
    pub kind: FieldKind,
    /// Order and paging of an edge.
    pub args: Arguments,
    /// `@filter` and the like.
    pub directives: Directives,
    /// What is asked of the nodes an edge leads to; `None` without a block.
    pub fields: Option<Vec<Field>>,
    /// Where it begins.
    pub at: Position,
}

/// What a field asks.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldKind {
    /// `uid`
    Uid,
    /// A value or an edge.
    Attribute(Attribute),
    /// `count(pred)`
    Count(Attribute),
    /// `count(uid)`
    CountUid,
    /// `val(x)`
    Val(Name),
    /// `min(val(x))`
    Aggregate(Aggregate, AggregateOf),
    /// `math(...)`
    Math(Math),
    /// `expand(_all_)` or `expand(Type1, Type2)`
    Expand(Expand),
    /// `checkpwd(pred, "text")`
    CheckPassword(Attribute, Term),
    /// `...name`
    Spread(Name),
}

/// What an aggregate is taken of.
#[derive(Clone, Debug, PartialEq)]
pub enum AggregateOf {
    /// A value variable.
    Val(Name),
    /// A predicate; only within `@groupby`.
    Attribute(Attribute),
}

/// Which fields `expand` stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Expand {
    /// Those of the types a node has.
    All,
    /// Those of these types.
    Types(Vec<String>),
    /// The predicates named by a value variable.
    Val(Name),
}

/// A way to make one value of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Aggregate {
    Min,
    Max,
    Sum,
    Avg,
}

impl Aggregate {
    /// The name in text.
    pub fn name(self) -> &'static str {
        match self {
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Sum => "sum",
            Aggregate::Avg => "avg",
        }
    }
}

/// An arithmetic expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Math {
    /// A number.
    Number(Term),
    /// A value variable.
    Variable(Name),
    /// An operator or function with its operands.
    Call(String, Vec<Math>),
}

/// A boolean expression over functions.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them; every node passes an empty one.
    And(Vec<Filter>),
    /// At least one of them.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// A function.
    Function(Function),
}

/// `eq(name@en, "Ann", "Bob")`
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Which one.
    pub name: FunctionName,
    /// What is looked at.
    pub subject: Subject,
    /// What it is compared with.
    pub args: Vec<Argument>,
    /// Where it begins.
    pub at: Position,
}

/// The functions of roots and filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum FunctionName {
    Eq,
    Le,
    Lt,
    Ge,
    Gt,
    Between,
    AllOfTerms,
    AnyOfTerms,
    AllOfText,
    AnyOfText,
    Regexp,
    Match,
    Has,
    Uid,
    UidIn,
    Type,
    Near,
    Within,
    Contains,
    Intersects,
    CheckPassword,
    SimilarTo,
    Ngram,
    AllOf,
    AnyOf,
}

impl FunctionName {
    /// Every function with its name.
    pub const ALL: [(FunctionName, &'static str); 25] = [
        (FunctionName::Eq, "eq"),
        (FunctionName::Le, "le"),
        (FunctionName::Lt, "lt"),
        (FunctionName::Ge, "ge"),
        (FunctionName::Gt, "gt"),
        (FunctionName::Between, "between"),
        (FunctionName::AllOfTerms, "allofterms"),
        (FunctionName::AnyOfTerms, "anyofterms"),
        (FunctionName::AllOfText, "alloftext"),
        (FunctionName::AnyOfText, "anyoftext"),
        (FunctionName::Regexp, "regexp"),
        (FunctionName::Match, "match"),
        (FunctionName::Has, "has"),
        (FunctionName::Uid, "uid"),
        (FunctionName::UidIn, "uid_in"),
        (FunctionName::Type, "type"),
        (FunctionName::Near, "near"),
        (FunctionName::Within, "within"),
        (FunctionName::Contains, "contains"),
        (FunctionName::Intersects, "intersects"),
        (FunctionName::CheckPassword, "checkpwd"),
        (FunctionName::SimilarTo, "similar_to"),
        (FunctionName::Ngram, "ngram"),
        (FunctionName::AllOf, "allof"),
        (FunctionName::AnyOf, "anyof"),
    ];

    /// The name in text.
    pub fn name(self) -> &'static str {
        FunctionName::ALL.iter().find(|(function, _)| *function == self).map_or("", |(_, name)| name)
    }

    /// The function with this name, in any case.
    pub fn from_name(name: &str) -> Option<FunctionName> {
        FunctionName::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(function, _)| *function)
    }
}

/// What a function looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// Nothing: `uid(...)`, `type(...)`.
    None,
    /// The values or edges of a predicate.
    Attribute(Attribute),
    /// `count(pred)`
    Count(Attribute),
    /// `val(x)`
    Val(Name),
    /// `len(x)`: how many nodes or values a variable has.
    Len(Name),
}

/// Something a subject is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A literal, a query variable, or the bare name of a uid variable.
    Term(Term),
    /// `[a, b]`
    List(Vec<Argument>),
    /// `val(x)`
    Val(Name),
    /// `uid(x, 0x1)`
    Uid(Vec<Term>),
}

/// One word of the text that stands for a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What it says; a query variable with its `$`.
    pub text: String,
    /// How it was written.
    pub kind: TermKind,
    /// Where it stands.
    pub at: Position,
}

/// How a term was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermKind {
    /// Without quotes: a number, a word.
    Bare,
    /// In double quotes.
    Quoted,
    /// `$name`
    Variable,
    /// `/pattern/flags`
    Regex {
        /// The letters behind the second slash.
        flags: String,
    },
}
