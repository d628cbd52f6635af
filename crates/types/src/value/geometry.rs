//! How shapes lie to each other on the globe. Edges are parts of great circles, and the inside of a ring is its smaller side.

mod ring;

use s2::latlng::LatLng;
use s2::point::Point;

use super::geo::{Coord, Geo};
pub(crate) use ring::Ring;
use ring::{Chunk, chunks};

/// The mean radius of the globe, as Dgraph takes it.
pub(crate) const EARTH_RADIUS_METERS: f64 = 6_371_000.0;

pub(crate) fn place([longitude, latitude]: Coord) -> Point {
    Point::from(LatLng::from_degrees(latitude, longitude))
}

/// A shape taken apart.
struct Parts {
    /// One place of each piece.
    places: Vec<Point>,
    /// All edges; a point is an edge to itself.
    edges: Vec<Chunk>,
    areas: Vec<Area>,
}

/// The inside of a polygon.
struct Area {
    outer: Ring,
    holes: Vec<Ring>,
}

impl Area {
    /// `None` if the outer ring has no inside.
    fn new(rings: &[Vec<Coord>]) -> Option<Area> {
        let (outer, holes) = rings.split_first()?;
        Some(Area { outer: inside(outer)?, holes: holes.iter().filter_map(|ring| inside(ring)).collect() })
    }

    fn contains(&self, place: &Point) -> bool {
        self.outer.contains(place) && !self.holes.iter().any(|hole| hole.contains(place))
    }
}

fn inside(ring: &[Coord]) -> Option<Ring> {
    let mut places: Vec<Point> = ring.iter().map(|coord| place(*coord)).collect();
    places.dedup();
    Ring::new(places).ok()
}

impl Parts {
    /// Nothing, if a coordinate is not finite: such a shape is nowhere.
    fn of(geo: &Geo) -> Parts {
        let mut parts = Parts { places: Vec::new(), edges: Vec::new(), areas: Vec::new() };
        match geo {
            _ if !geo.is_finite() => {}
            Geo::Point(coord) => parts.add_path(&[*coord]),
            Geo::MultiPoint(coords) => coords.iter().for_each(|coord| parts.add_path(&[*coord])),
            Geo::LineString(line) => parts.add_path(line),
            Geo::MultiLineString(lines) => lines.iter().for_each(|line| parts.add_path(line)),
            Geo::Polygon(rings) => parts.add_polygon(rings),
            Geo::MultiPolygon(polygons) => polygons.iter().for_each(|rings| parts.add_polygon(rings)),
        }
        parts
    }

    fn add_path(&mut self, path: &[Coord]) {
        let mut path: Vec<Point> = path.iter().map(|coord| place(*coord)).collect();
        path.dedup();
        self.places.extend(path.first());
        self.edges.extend(chunks(&path));
    }

    fn add_polygon(&mut self, rings: &[Vec<Coord>]) {
        rings.iter().for_each(|ring| self.add_path(ring));
        self.areas.extend(Area::new(rings));
    }

    fn has(&self, place: &Point) -> bool {
        self.areas.iter().any(|area| area.contains(place))
    }

    fn crosses(&self, other: &Parts) -> bool {
        self.edges.iter().any(|edges| other.edges.iter().any(|others| edges.crosses_chunk(others)))
    }
}

impl Geo {
    /// Whether some part of the shape is at most `meters` from `center`, over the ground of a globe; 0 within polygons.
    pub fn is_near(&self, center: Coord, meters: f64) -> bool {
        let (parts, center, most) = (Parts::of(self), place(center), meters / EARTH_RADIUS_METERS);
        parts.edges.iter().any(|edges| edges.angle_to(&center, most) <= most) || parts.has(&center)
    }

    /// Whether all of `other` is inside this shape, which only polygons have an inside for. Holes are not inside. What only
    /// touches the border may count or not.
    pub fn contains(&self, other: &Geo) -> bool {
        let (outer, inner) = (Parts::of(self), Parts::of(other));
        let places_inside = inner.edges.iter().flat_map(|edges| &edges.places).all(|place| outer.has(place));
        let is_pierced = outer.areas.iter().flat_map(|area| &area.holes).any(|hole| inner.has(hole.first()));
        !inner.edges.is_empty() && places_inside && !is_pierced && !outer.crosses(&inner)
    }

    /// Whether the shapes share a place. What only touches may count or not; equal points do.
    pub fn intersects(&self, other: &Geo) -> bool {
        let (a, b) = (Parts::of(self), Parts::of(other));
        let same_place = || a.edges.iter().flat_map(|edges| &edges.places).any(|place| b.places.contains(place));
        a.places.iter().any(|place| b.has(place))
            || b.places.iter().any(|place| a.has(place))
            || a.crosses(&b)
            || same_place()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square([west, south]: Coord, degrees: f64) -> Vec<Coord> {
        let (east, north) = (west + degrees, south + degrees);
        vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
    }

    fn polygon(corner: Coord, degrees: f64) -> Geo {
        Geo::Polygon(vec![square(corner, degrees)])
    }

    #[test]
    fn distance_counts_from_the_nearest_part() {
        let berlin = [13.405, 52.52];
        let potsdam = Geo::Point([13.0645, 52.3906]); // 27.2 km
        assert!(potsdam.is_near(berlin, 28_000.0) && !potsdam.is_near(berlin, 26_000.0));
        let land = polygon([10.0, 50.0], 5.0);
        assert!(land.is_near(berlin, 0.0), "inside");
        // The eastern border is the meridian of 15 degrees, 67.7 km to the west.
        assert!(land.is_near([16.0, 52.5], 68_000.0) && !land.is_near([16.0, 52.5], 67_000.0));
        let road = Geo::LineString(vec![[0.0, 0.0], [90.0, 0.0]]);
        assert!(road.is_near([45.0, 1.0], 111_300.0) && !road.is_near([45.0, 1.0], 111_000.0));
        assert!(!Geo::Point([f64::NAN, 0.0]).is_near([0.0, 0.0], 1e9));
    }

    #[test]
    fn a_polygon_contains_what_lies_in_it_but_not_in_its_holes() {
        let with_hole = Geo::Polygon(vec![square([0.0, 0.0], 10.0), square([4.0, 4.0], 2.0)]);
        assert!(with_hole.contains(&Geo::Point([1.0, 1.0])) && !with_hole.contains(&Geo::Point([5.0, 5.0])));
        assert!(!with_hole.contains(&Geo::Point([11.0, 5.0])));
        assert!(with_hole.contains(&polygon([1.0, 1.0], 2.0)));
        assert!(!with_hole.contains(&polygon([3.0, 3.0], 4.0)), "around the hole");
        assert!(!with_hole.contains(&polygon([4.5, 4.5], 0.5)), "in the hole");
        assert!(!with_hole.contains(&polygon([9.0, 9.0], 2.0)), "over the border");
        assert!(!polygon([1.0, 1.0], 2.0).contains(&with_hole));
        assert!(!Geo::Point([1.0, 1.0]).contains(&Geo::Point([1.0, 1.0])), "a point has no inside");
    }

    #[test]
    fn shapes_intersect_if_they_share_a_place() {
        let land = polygon([0.0, 0.0], 10.0);
        for (other, meets) in [
            (polygon([5.0, 5.0], 10.0), true),
            (polygon([2.0, 2.0], 1.0), true),
            (polygon([-5.0, -5.0], 30.0), true),
            (polygon([20.0, 0.0], 5.0), false),
            (Geo::Polygon(vec![vec![[-1.0, 4.0], [11.0, 4.0], [11.0, 5.0], [-1.0, 5.0], [-1.0, 4.0]]]), true), // across
            (Geo::MultiPolygon(vec![vec![square([20.0, 0.0], 5.0)], vec![square([2.0, 2.0], 1.0)]]), true),
            (Geo::Point([5.0, 5.0]), true),
            (Geo::Point([50.0, 5.0]), false),
            (Geo::LineString(vec![[-1.0, 5.0], [11.0, 5.0]]), true),
        ] {
            assert_eq!(land.intersects(&other), meets, "{other:?}");
            assert_eq!(other.intersects(&land), meets, "{other:?}");
        }
        assert!(Geo::Point([5.0, 5.0]).intersects(&Geo::Point([5.0, 5.0])));
        assert!(!Geo::Point([5.0, 5.0]).intersects(&Geo::Point([5.0, 5.1])));
    }
}
