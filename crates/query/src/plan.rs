//! From a syntax tree and a schema to what has to be read.
//!
//! Planning is pure: it resolves query variables, checks every name against the schema, converts literals to the types they are compared
//! with, chooses an index for every root function and decides what still has to be checked against stored values. The result can be
//! printed; `exec` obeys it.

mod bind;
mod blocks;
mod compare;
mod expand;
mod fields;
mod functions;
mod geo;
mod group;
mod pattern;
mod print;
mod variables;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use graphdb_types::{Namespace, Predicate, Schema, Tokenizer, Uid, ValType, Value};
use thiserror::Error;

use crate::dql::ast::{Aggregate, Math, SchemaQuery};
use crate::dql::{Document, Position};

pub use geo::GeoTest;
pub use pattern::Pattern;

pub(crate) use expand::expanded_fields;

/// A query that is well written but cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {message}")]
pub struct PlanError {
    /// Where the part stands that cannot be answered.
    pub at: Position,
    /// Why, and what to do instead.
    pub message: String,
}

pub(crate) type Planned<T> = Result<T, PlanError>;

pub(crate) fn refuse<T>(at: Position, message: impl Into<String>) -> Planned<T> {
    Err(PlanError { at, message: message.into() })
}

/// What a request reads, in the order in which it has to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The blocks in the order of the text.
    pub blocks: Vec<BlockPlan>,
    /// Indexes of `blocks` in an order in which every variable is filled before it is used.
    pub order: Vec<usize>,
    /// A question about the schema.
    pub schema: Option<SchemaQuery>,
}

/// One block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockPlan {
    /// The key of the answer.
    pub name: String,
    /// Whether the block only fills variables.
    pub silent: bool,
    /// The uid variable that takes the nodes.
    pub variable: Option<String>,
    /// Where the nodes come from; `None` for a block that only holds aggregates.
    pub root: Option<Test>,
    /// Which of them stay.
    pub filter: Option<FilterPlan>,
    /// In which order.
    pub order: Vec<OrderPlan>,
    /// How many.
    pub paging: Paging,
    /// `@cascade` with the names it is limited to.
    pub cascade: Option<Vec<String>>,
    /// Whether the answer is flattened to aliased fields.
    pub normalize: bool,
    /// Whether nodes on the way to a node are left out below it.
    pub ignore_reflex: bool,
    /// `@groupby`: then `fields` is empty.
    pub group: Option<GroupPlan>,
    /// What is asked of each.
    pub fields: Vec<FieldPlan>,
}

/// A condition on nodes, with a way to find all candidates if there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// Finds every node that may pass; `None` if only given nodes can be tested.
    pub source: Option<Source>,
    /// Whether everything that the source finds passes.
    pub exact: bool,
    /// Decides for one node.
    pub check: Check,
}

/// A way to find nodes.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// No node.
    Nothing,
    /// The nodes named in the query and those of variables, each as often as it is named.
    Uids(UidSet),
    /// Every node with a value or an edge.
    Scan {
        /// Of this predicate.
        predicate: Predicate,
        /// Edges that point at the node.
        reverse: bool,
    },
    /// Nodes that stand under all terms of at least one group.
    Terms {
        /// The index.
        predicate: Predicate,
        /// Index terms, with the tokenizer's byte.
        groups: Vec<Vec<Vec<u8>>>,
    },
    /// Nodes that stand under a term within a range.
    Range {
        /// The index.
        predicate: Predicate,
        /// What every term begins with.
        prefix: Vec<u8>,
        /// The first term, if the range has a lower end.
        first: Option<Vec<u8>>,
        /// The last term, if the range has an upper end.
        last: Option<Vec<u8>>,
        /// Whether the terms at the ends are left out.
        open: bool,
    },
    /// Nodes with a number of values or edges within a range.
    Counts {
        /// The count index.
        predicate: Predicate,
        /// Edges that point at the node.
        reverse: bool,
        /// The least number, at least 1.
        from: u32,
        /// The greatest number.
        to: u32,
    },
    /// Nodes that have a value in a variable.
    Variable(String),
}

/// Nodes named in the query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UidSet {
    /// Literals.
    pub uids: Vec<Uid>,
    /// Variables.
    pub variables: Vec<String>,
}

/// Decides whether a node passes.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// None passes.
    Never,
    /// It is one of these.
    Uids(UidSet),
    /// It has a value or an edge.
    Has {
        /// Of this predicate.
        predicate: Predicate,
        /// Edges that point at the node.
        reverse: bool,
        /// In this language.
        lang: Lang,
    },
    /// One of its values passes.
    Value {
        /// Of this predicate.
        predicate: Predicate,
        /// In this language.
        lang: Lang,
        /// What the value must be.
        test: ValueTest,
    },
    /// The number of its values or edges lies within a range.
    Count {
        /// Of this predicate.
        predicate: Predicate,
        /// Edges that point at the node.
        reverse: bool,
        /// The least number.
        from: u64,
        /// The greatest number.
        to: u64,
    },
    /// It points at one of these.
    EdgeTo {
        /// With this predicate.
        predicate: Predicate,
        /// Or is pointed at by them.
        reverse: bool,
        /// The other ends.
        uids: UidSet,
    },
    /// Its value in a variable passes.
    Variable {
        /// The value variable.
        name: String,
        /// How it is compared.
        op: CompareOp,
        /// Literals, read as the type of the value.
        operands: Vec<String>,
    },
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum CompareOp {
    Eq,
    Le,
    Lt,
    Ge,
    Gt,
    Between,
}

/// Which values of a predicate a function looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lang {
    /// Those without a language.
    Untagged,
    /// Those in this language.
    Tagged(String),
    /// All (`.`).
    Any,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueTest {
    /// Equal to one of these.
    AnyOf(Vec<Value>),
    /// Within a range; the bool says whether the end itself passes.
    Range {
        /// The lower end.
        low: Option<(Value, bool)>,
        /// The upper end.
        high: Option<(Value, bool)>,
    },
    /// It has all, or any, of these tokens.
    Tokens {
        /// What makes the tokens.
        tokenizer: Tokenizer,
        /// Ascending.
        tokens: Vec<Vec<u8>>,
        /// Whether it must have all.
        all: bool,
    },
    /// It matches a regular expression.
    Matches(Pattern),
    /// It is within an edit distance of a text.
    Near {
        /// The text.
        text: String,
        /// The greatest number of changed, added or removed characters.
        distance: usize,
    },
    /// It is a shape that lies in a certain way.
    Geo(GeoTest),
}

/// A boolean expression over tests.
#[derive(Clone, Debug, PartialEq)]
pub enum FilterPlan {
    /// All of them.
    And(Vec<FilterPlan>),
    /// At least one of them.
    Or(Vec<FilterPlan>),
    /// Not this.
    Not(Box<FilterPlan>),
    /// One test.
    Test(Box<Test>),
}

/// What nodes are ordered by.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderPlan {
    /// The key.
    pub by: OrderBy,
    /// Whether the greatest comes first. Nodes without a value come last in either case.
    pub descending: bool,
}

/// Where the key of an order comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderBy {
    /// The value of a predicate.
    Predicate(Predicate, Lang),
    /// A value variable.
    Variable(String),
}

/// How many nodes are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// How many; the last ones if negative; all if 0.
    pub first: i64,
    /// How many are left out at the beginning.
    pub offset: usize,
    /// Only nodes with a greater uid.
    pub after: Uid,
}

/// One field of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldPlan {
    /// The key in the answer.
    pub key: String,
    /// Whether the key is the query's own choice.
    pub aliased: bool,
    /// The variable that takes the nodes or values.
    pub variable: Option<String>,
    /// What is read.
    pub kind: FieldKind,
}

/// What a field reads.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldKind {
    /// The node's uid.
    Uid,
    /// How many nodes there are at this level.
    CountUid,
    /// Values.
    Value(ValuePlan),
    /// Edges to other nodes.
    Edge(Box<EdgePlan>),
    /// How many values or edges there are.
    Count {
        /// Of this predicate.
        predicate: Predicate,
        /// Edges that point at the node.
        reverse: bool,
        /// Which ends count.
        filter: Option<FilterPlan>,
    },
    /// The value of a variable.
    Val(String),
    /// One value made of all values of a variable.
    Aggregate(Aggregate, String),
    /// The value of an expression.
    Math(Math),
    /// Whether a password is the right one.
    CheckPassword(Predicate, String),
    /// The fields of types.
    Expand(ExpandPlan),
}

/// The values of a predicate.
#[derive(Clone, Debug, PartialEq)]
pub struct ValuePlan {
    /// Of this predicate.
    pub predicate: Predicate,
    /// What the schema says of it; values of another type are converted.
    pub value_type: ValType,
    /// Whether it has many values, which print as an array.
    pub list: bool,
    /// Languages in the order they are preferred.
    pub langs: Vec<Lang>,
    /// Whether values in every language are printed, each under its own key.
    pub all_languages: bool,
    /// Which facets are printed.
    pub facets: Option<FacetsPlan>,
}

/// Which facets are printed.
#[derive(Clone, Debug, PartialEq)]
pub enum FacetsPlan {
    /// All.
    All,
    /// These, with the whole key of the answer if it is the query's own.
    Named(Vec<(String, Option<String>)>),
}

/// The edges of a predicate.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgePlan {
    /// Of this predicate.
    pub predicate: Predicate,
    /// Followed backwards.
    pub reverse: bool,
    /// Whether there is at most one, which prints as an object.
    pub single: bool,
    /// Which ends stay.
    pub filter: Option<FilterPlan>,
    /// Which edges stay by their facets.
    pub facet_filter: Option<FacetFilter>,
    /// The order of edges by their facets: keys, and whether the greatest comes first.
    pub facet_order: Vec<(String, bool)>,
    /// Which facets are printed.
    pub facets: Option<FacetsPlan>,
    /// The order of ends by their values.
    pub order: Vec<OrderPlan>,
    /// How many.
    pub paging: Paging,
    /// `@cascade` with the names it is limited to.
    pub cascade: Option<Vec<String>>,
    /// Whether the answer below is flattened.
    pub normalize: bool,
    /// `@groupby` over the ends: then `fields` is empty.
    pub group: Option<GroupPlan>,
    /// What is asked of the ends.
    pub fields: Vec<FieldPlan>,
}

/// A boolean expression over facets.
#[derive(Clone, Debug, PartialEq)]
pub enum FacetFilter {
    /// All of them.
    And(Vec<FacetFilter>),
    /// At least one of them.
    Or(Vec<FacetFilter>),
    /// Not this.
    Not(Box<FacetFilter>),
    /// A comparison; literals are read as the type of the facet.
    Compare {
        /// The facet.
        key: String,
        /// How.
        op: CompareOp,
        /// With what.
        operands: Vec<String>,
    },
    /// The text has all, or any, of these terms.
    Terms {
        /// The facet.
        key: String,
        /// Term tokens.
        terms: Vec<Vec<u8>>,
        /// Whether it must have all.
        all: bool,
    },
}

/// `@groupby(...)`
#[derive(Clone, Debug, PartialEq)]
pub struct GroupPlan {
    /// What nodes of one group have in common, with the keys of the answer.
    pub keys: Vec<(String, GroupKey)>,
    /// What is answered of each group, with the keys of the answer.
    pub members: Vec<(String, GroupMember)>,
}

/// What nodes are grouped by.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupKey {
    /// The node an edge leads to; a node with several edges is in several groups.
    Edge {
        /// Of this predicate.
        predicate: Predicate,
        /// Followed backwards.
        reverse: bool,
    },
    /// The value of a predicate, of a list the first.
    Value(Predicate, Lang),
}

/// What is answered of a group.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupMember {
    /// How many nodes it has.
    Count,
    /// One value made of those of a variable.
    Aggregate(Aggregate, String),
}

/// `expand(...)`
#[derive(Clone, Debug, PartialEq)]
pub struct ExpandPlan {
    /// The types; those of each node if `None`.
    pub types: Option<Vec<String>>,
    /// What is asked of the ends of edges; without a block edges are left out.
    pub fields: Option<Vec<FieldPlan>>,
    /// Which ends stay.
    pub filter: Option<FilterPlan>,
    /// Keys that the query asks for by name already.
    pub named: Vec<String>,
}

/// What is said of a variable that is filled and not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnusedVariables {
    /// It is a mistake.
    Refuse,
    /// The mutations of an upsert use it.
    Allow,
}

/// Plans a request.
///
/// # Errors
/// What the schema does not allow, with the place in the text: missing indexes, literals that do not convert, unknown variables, and what
/// is not supported yet.
pub fn plan(
    document: &Document,
    schema: &Schema,
    given: &BTreeMap<String, String>,
    unused: UnusedVariables,
) -> Result<Plan, PlanError> {
    let document = bind::bind(document.clone(), given)?;
    let order = variables::order(&document, unused)?;
    let planner = Planner { schema, namespace: Namespace::ROOT };
    let blocks = document.blocks.iter().map(|block| planner.block(block)).collect::<Planned<_>>()?;
    Ok(Plan { blocks, order, schema: document.schema })
}

/// What planning looks at.
#[derive(Clone, Copy)]
pub(crate) struct Planner<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) namespace: Namespace,
}

impl Planner<'_> {
    pub(crate) fn predicate(&self, name: &str) -> Predicate {
        Predicate { namespace: self.namespace, name: name.into() }
    }
}
