//! Tokens of shapes: cells of the S2 grid. A shape stands under every cell of its cover (`c/`) and under the ancestors of
//! those cells (`p/`), themselves included; a search looks for both, so that larger and smaller cells meet.

mod ring;

use s2::cellid::CellID;
use s2::latlng::LatLng;
use s2::point::Point;
use s2::region::{Region, RegionCoverer};

use super::TokenError;
use crate::value::{Coord, Geo};
use ring::Ring;

/// The coarsest cells that have tokens: some 300 km wide.
const MIN_LEVEL: u8 = 5;
/// The finest: some 150 m wide.
const MAX_LEVEL: u8 = 16;
/// How many cells cover a polygon, if the coarsest ones are fine enough for so few.
const MAX_CELLS: usize = 18;
/// The fewest places of a ring, the last of which is the first.
const MIN_RING_PLACES: usize = 4;

/// The tokens of a shape, sorted, each once.
pub(super) fn tokens(id: u8, shape: &Geo) -> Result<Vec<Vec<u8>>, TokenError> {
    let refuse = |why| TokenError::Shape { kind: shape.kind(), why };
    if !shape.is_finite() {
        return Err(refuse("coordinates must be finite numbers"));
    }
    let cover = match shape {
        Geo::Point(coord) => vec![CellID::from(place(*coord)).parent(MAX_LEVEL.into())],
        Geo::Polygon(rings) => polygon_cover(rings).map_err(refuse)?,
        Geo::MultiPolygon(polygons) => {
            let covers: Result<Vec<_>, _> = polygons.iter().map(|rings| polygon_cover(rings)).collect();
            covers.map_err(refuse)?.concat()
        }
        _ => return Err(refuse("the geo index takes Point, Polygon and MultiPolygon")),
    };
    Ok(cell_tokens(id, &cover))
}

fn cell_tokens(id: u8, cover: &[CellID]) -> Vec<Vec<u8>> {
    let mut tokens = Vec::with_capacity(cover.len() * 2 + usize::from(MAX_LEVEL));
    for cell in cover {
        tokens.push(token(id, b'c', *cell));
        tokens.extend((u64::from(MIN_LEVEL)..=cell.level()).map(|level| token(id, b'p', cell.parent(level))));
    }
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

/// The id in hex without trailing zeros, which is how S2 writes cells.
fn token(id: u8, kind: u8, cell: CellID) -> Vec<u8> {
    let hex = format!("{:016x}", cell.0);
    let mut token = vec![id, kind, b'/'];
    token.extend_from_slice(hex.trim_end_matches('0').as_bytes());
    token
}

fn place([longitude, latitude]: Coord) -> Point {
    Point::from(LatLng::from_degrees(latitude, longitude))
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

fn cover<R: Region + 'static>(region: &R) -> Vec<CellID> {
    let coverer = RegionCoverer { min_level: MIN_LEVEL, max_level: MAX_LEVEL, level_mod: 1, max_cells: MAX_CELLS };
    coverer.covering(region).0
}
