use std::fmt::{self, Display, Formatter};

use graphdb_types::token::{self, TokenError};
use graphdb_types::value::{Coord, Geo};
use graphdb_types::{PredicateSchema, Tokenizer, ValType, Value};
use serde_json::{Value as Json, json};

use super::{Check, Planned, Planner, Source, Test, ValueTest, refuse};
use crate::dql::ast::{Argument, Attribute, Function, FunctionName, Term};

/// What is said where a polygon belongs.
const POLYGON: &str = "a polygon like [[[0, 0], [1, 0], [1, 1], [0, 0]]], whose rings end where they begin";

/// How a stored shape must lie.
#[derive(Clone, Debug, PartialEq)]
pub enum GeoTest {
    /// Some part of it is at most so far from a place; polygons are 0 from what is inside them.
    Near {
        /// The place.
        center: Coord,
        /// The greatest distance over the ground, above 0.
        meters: f64,
    },
    /// All of it is inside this polygon.
    Within(Geo),
    /// It is a polygon that all of this point or polygon is inside of.
    Contains(Geo),
    /// It shares a place with this polygon.
    Intersects(Geo),
}

impl GeoTest {
    /// Whether a value is a shape that lies so.
    pub(crate) fn passes(&self, value: &Value) -> bool {
        let Value::Geo(shape) = value else { return false };
        match self {
            GeoTest::Near { center, meters } => shape.is_near(*center, *meters),
            GeoTest::Within(polygon) => polygon.contains(shape),
            GeoTest::Contains(inner) => shape.contains(inner),
            GeoTest::Intersects(polygon) => shape.intersects(polygon),
        }
    }

    /// The index terms of every shape that may lie so.
    fn tokens(&self) -> Result<Vec<Vec<u8>>, TokenError> {
        match self {
            GeoTest::Near { center, meters } => token::geo_near_tokens(*center, *meters),
            GeoTest::Within(shape) | GeoTest::Contains(shape) | GeoTest::Intersects(shape) => {
                token::geo_query_tokens(shape)
            }
        }
    }
}

impl Display for GeoTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            GeoTest::Near { center: [longitude, latitude], meters } => {
                write!(f, "within {meters} m of [{longitude}, {latitude}]")
            }
            GeoTest::Within(shape) => write!(f, "inside a {}", shape.kind()),
            GeoTest::Contains(shape) => write!(f, "around a {}", shape.kind()),
            GeoTest::Intersects(shape) => write!(f, "touching a {}", shape.kind()),
        }
    }
}

impl Planner<'_> {
    /// Plans `near`, `within`, `contains` and `intersects`.
    pub(super) fn geo(&self, function: &Function, at_root: bool) -> Planned<Test> {
        let attribute = self.subject(function)?;
        let lang = self.lang(attribute)?;
        let test = geo_test(function)?;
        let tokens = match test.tokens() {
            Ok(tokens) => tokens,
            Err(TokenError::Shape { why, .. }) => return refuse(function.at, format!("{}: {why}", name(function))),
            Err(error) => return refuse(function.at, error.to_string()),
        };
        let Some(schema) = self.known(attribute) else {
            return Ok(Test::never());
        };
        let predicate = self.predicate(&attribute.name);
        let source = is_indexed(function, attribute, schema, at_root)?.then(|| {
            let groups = tokens.into_iter().map(|token| vec![token]).collect();
            Source::Terms { predicate: predicate.clone(), groups }
        });
        // Terms stand for cells of a grid, which reach over the borders of the shapes they cover.
        Ok(Test { source, exact: false, check: Check::Value { predicate, lang, test: ValueTest::Geo(test) } })
    }
}

/// A root needs the index; a filter can look at the values without it.
fn is_indexed(function: &Function, attribute: &Attribute, schema: &PredicateSchema, at_root: bool) -> Planned<bool> {
    let indexed = schema.tokenizers.contains(&Tokenizer::Geo);
    if at_root && !indexed {
        return refuse(function.at, format!("Attribute {} is not indexed with type geo", attribute.name));
    }
    match schema.value_type {
        ValType::Geo => Ok(indexed),
        other => refuse(
            function.at,
            format!("{} takes a predicate of type geo; {} is {}", name(function), attribute.name, other.name()),
        ),
    }
}

fn name(function: &Function) -> &'static str {
    function.name.name()
}

fn geo_test(function: &Function) -> Planned<GeoTest> {
    if function.name == FunctionName::Near {
        return near(function);
    }
    let [argument] = &function.args[..] else {
        return refuse(function.at, format!("{} takes a predicate and one shape", name(function)));
    };
    let shape = shape(argument);
    match (function.name, shape) {
        (FunctionName::Within, Some(polygon @ Geo::Polygon(_))) => Ok(GeoTest::Within(polygon)),
        (FunctionName::Intersects, Some(polygon @ Geo::Polygon(_))) => Ok(GeoTest::Intersects(polygon)),
        (FunctionName::Contains, Some(inner)) => Ok(GeoTest::Contains(inner)),
        (FunctionName::Contains, None) => {
            refuse(function.at, format!("contains takes a point like [1, 2] or {POLYGON}"))
        }
        _ => refuse(function.at, format!("{} takes {POLYGON}", name(function))),
    }
}

fn near(function: &Function) -> Planned<GeoTest> {
    let [place, Argument::Term(distance)] = &function.args[..] else {
        return refuse(function.at, "near takes a predicate, a place like [1, 2] and a distance in meters");
    };
    let Some(Geo::Point(center)) = shape(place) else {
        return refuse(function.at, "near takes a place like [1, 2]: longitude and latitude in degrees");
    };
    match distance.text.trim().parse::<f64>() {
        Ok(meters) if meters.is_finite() && meters > 0.0 => Ok(GeoTest::Near { center, meters }),
        _ => refuse(distance.at, format!("near takes a distance above 0 in meters, found {:?}", distance.text)),
    }
}

/// A point or a polygon with closed rings, told apart by how deep its lists are.
fn shape(argument: &Argument) -> Option<Geo> {
    let coordinates = coordinates(argument)?;
    let kind = match depth(&coordinates) {
        1 => "Point",
        3 => "Polygon",
        _ => return None,
    };
    let shape = Geo::from_json(&json!({ "type": kind, "coordinates": coordinates }))?;
    let is_closed = |ring: &Vec<Coord>| !ring.is_empty() && ring.first() == ring.last();
    match &shape {
        Geo::Polygon(rings) if !rings.iter().all(is_closed) => None,
        _ => Some(shape),
    }
}

/// How many lists stand in each other.
fn depth(json: &Json) -> usize {
    json.as_array().map_or(0, |list| 1 + list.first().map_or(0, depth))
}

/// Lists of numbers, as they stand in the query or in the text of a query variable.
fn coordinates(argument: &Argument) -> Option<Json> {
    match argument {
        Argument::Term(Term { text, .. }) => serde_json::from_str(text).ok(),
        Argument::List(list) => list.iter().map(coordinates).collect::<Option<Vec<_>>>().map(Json::Array),
        Argument::Val(_) | Argument::Uid(_) => None,
    }
}
