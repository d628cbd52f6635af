//! Tokens of shapes: cells of the S2 grid. A shape stands under every cell of its cover (`c/`) and under the ancestors of
//! those cells (`p/`), themselves included; a search looks for both, so that larger and smaller cells meet.

use std::f64::consts::PI;

use s2::cap::Cap;
use s2::cellid::CellID;
use s2::point::Point;
use s2::s1::{Angle, Rad};

use super::TokenError;
use super::cover::{MAX_LEVEL, MIN_LEVEL, cover};
use crate::Tokenizer;
use crate::value::geometry::{EARTH_RADIUS_METERS, Ring, place};
use crate::value::{Coord, Geo};

/// The fewest places of a ring, the last of which is the first.
const MIN_RING_PLACES: usize = 4;

/// The tokens of a shape, sorted, each once.
pub(super) fn tokens(shape: &Geo) -> Result<Vec<Vec<u8>>, TokenError> {
    Ok(sorted(shape_cover(shape)?.into_iter().flat_map(|cell| {
        let parents = ancestors(cell).map(|parent| token(b'p', parent));
        parents.chain([token(b'c', cell)])
    })))
}

/// The tokens to look up for everything that may share a place with `shape`: what lies in its cells, and what covers them.
pub(super) fn query_tokens(shape: &Geo) -> Result<Vec<Vec<u8>>, TokenError> {
    Ok(lookups(shape_cover(shape)?))
}

/// The same for everything within `meters` of a place.
pub(super) fn near_tokens(center: Coord, meters: f64) -> Result<Vec<Vec<u8>>, TokenError> {
    if !center.iter().all(|n| n.is_finite()) || meters.is_nan() || meters < 0.0 {
        return Err(TokenError::Shape {
            kind: "Point",
            why: "coordinates must be finite numbers and the distance 0 or more",
        });
    }
    let radius = (meters / EARTH_RADIUS_METERS).min(PI);
    Ok(lookups(cover(&Cap::from_center_angle(&place(center), &Angle::from(Rad(radius))))))
}

fn lookups(cover: Vec<CellID>) -> Vec<Vec<u8>> {
    sorted(cover.into_iter().flat_map(|cell| {
        let covering = ancestors(cell).map(|parent| token(b'c', parent));
        covering.chain([token(b'p', cell)])
    }))
}

fn shape_cover(shape: &Geo) -> Result<Vec<CellID>, TokenError> {
    let refuse = |why| TokenError::Shape { kind: shape.kind(), why };
    if !shape.is_finite() {
        return Err(refuse("coordinates must be finite numbers"));
    }
    match shape {
        Geo::Point(coord) => Ok(vec![CellID::from(place(*coord)).parent(MAX_LEVEL.into())]),
        Geo::Polygon(rings) => polygon_cover(rings).map_err(refuse),
        Geo::MultiPolygon(polygons) => {
            let covers: Result<Vec<_>, _> = polygons.iter().map(|rings| polygon_cover(rings)).collect();
            Ok(covers.map_err(refuse)?.concat())
        }
        _ => Err(refuse("the geo index takes Point, Polygon and MultiPolygon")),
    }
}

/// A cell and the larger ones it lies in, as far as they have tokens.
fn ancestors(cell: CellID) -> impl Iterator<Item = CellID> {
    (u64::from(MIN_LEVEL)..=cell.level()).map(move |level| cell.parent(level))
}

fn sorted(tokens: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut tokens: Vec<Vec<u8>> = tokens.collect();
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

/// The id in hex without trailing zeros, which is how S2 writes cells.
fn token(kind: u8, cell: CellID) -> Vec<u8> {
    let hex = format!("{:016x}", cell.0);
    let mut token = vec![Tokenizer::Geo.id(), kind, b'/'];
    token.extend_from_slice(hex.trim_end_matches('0').as_bytes());
    token
}

/// Holes do not count: a search checks its finds against the shape itself.
fn polygon_cover(rings: &[Vec<Coord>]) -> Result<Vec<CellID>, &'static str> {
    let outer = rings.first().ok_or("a polygon needs a ring")?;
    if outer.len() < MIN_RING_PLACES {
        return Err("a ring needs four places, the last of which is the first");
    }
    if outer.first() != outer.last() {
        return Err("a ring must end where it begins");
    }
    let mut places: Vec<Point> = outer[1..].iter().map(|coord| place(*coord)).collect();
    places.dedup();
    Ok(match Ring::new(places) {
        Ok(ring) => cover(&ring),
        Err(cap) => cover(&cap), // the ring has no inside
    })
}
