use std::f64::consts::{FRAC_PI_2, PI};

use s2::cap::Cap;
use s2::cell::Cell;
use s2::edge_crossings::{Crossing, EdgeCrosser};
use s2::point::{ORIGIN, Point, ordered_ccw, point_area};
use s2::predicates::robust_sign;
use s2::r3::vector::Vector;
use s2::rect::Rect;
use s2::rect_bounder::RectBounder;
use s2::region::Region;
use s2::s1::{Angle, Rad, interval};

/// Edges that are passed over together if they are far from what is asked about: borders of countries have 100,000 of them.
const CHUNK_EDGES: usize = 64;

/// The inside of a ring on the globe: whichever side of it is smaller, so that the direction of a ring does not matter.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    /// Anticlockwise around the inside; no two neighbours are equal.
    places: Vec<Point>,
    /// Whether the inside has the point from which crossings are counted.
    has_origin: bool,
    chunks: Vec<Chunk>,
}

/// Some successive edges.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    /// The places they join, one more than there are edges.
    pub(super) places: Vec<Point>,
    /// Around all of them.
    cap: Cap,
    /// Of the angle from the middle to the rim of `cap`; 1 if that is a right angle or more.
    sin_radius: f64,
}

impl Ring {
    /// The ring through `places`, of which no two neighbours are equal but perhaps the last and the first.
    ///
    /// # Errors
    /// When the places are no ring but a path: then the cap around them.
    pub(crate) fn new(mut places: Vec<Point>) -> Result<Ring, Cap> {
        if places.len() > 1 && places.first() == places.last() {
            places.pop();
        }
        let area = signed_area(&places);
        if places.len() < 3 || area == 0.0 {
            return Err(cap_around(&places));
        }
        if area < 0.0 {
            places.reverse();
        }
        let chunks = chunks(&[&places[..], &places[..1]].concat());
        let mut ring = Ring { places, has_origin: false, chunks };
        ring.has_origin = ring.contains(&ring.places[1]) != ring.owns_second_place();
        Ok(ring)
    }

    /// Each vertex belongs to the inside or not by the direction in which its two edges leave it; this fixes what the parity of
    /// crossings alone leaves open.
    fn owns_second_place(&self) -> bool {
        let [before, place, after] = [&self.places[0], &self.places[1], &self.places[2]];
        ordered_ccw(&place.ortho(), before, after, place)
    }

    /// Whether a place is inside. One on the border is or is not.
    pub(crate) fn contains(&self, place: &Point) -> bool {
        let mut crosser = EdgeCrosser::new(&ORIGIN, place);
        let normal = direction(ORIGIN.0.cross(&place.0));
        let near = self.chunks.iter().filter(|chunk| chunk.is_near_circle(normal));
        let edges = near.flat_map(|chunk| chunk.places.windows(2));
        edges.fold(self.has_origin, |inside, edge| inside != crosser.edge_or_vertex_crossing(&edge[0], &edge[1]))
    }

    /// A place on the ring.
    pub(super) fn first(&self) -> &Point {
        &self.places[0]
    }

    /// Whether an edge touches the cell.
    fn touches(&self, cell: &Cell) -> bool {
        let around = cell.cap_bound();
        let mut near = self.chunks.iter().filter(|chunk| chunk.cap.intersects(&around));
        near.any(|chunk| chunk.has_place_in(cell) || chunk.crosses(cell))
    }
}

impl Chunk {
    /// Whether an edge of the one properly crosses an edge of the other.
    pub(super) fn crosses_chunk(&self, other: &Chunk) -> bool {
        self.cap.intersects(&other.cap)
            && self.places.windows(2).any(|edge| {
                let mut crosser = EdgeCrosser::new(&edge[0], &edge[1]);
                other.places.windows(2).any(|edge| crosser.crossing_sign(&edge[0], &edge[1]) == Crossing::Cross)
            })
    }

    /// The angle from a place to the nearest edge. Infinite if that is surely above `most`.
    pub(super) fn angle_to(&self, place: &Point, most: f64) -> f64 {
        if self.cap.center().distance(place).rad() - self.cap.radius().rad() > most {
            return f64::INFINITY;
        }
        let to_places = self.places.iter().map(|p| p.distance(place).rad());
        let to_edges = self.places.windows(2).filter_map(|edge| angle_to_inner(&edge[0], &edge[1], place));
        to_places.chain(to_edges).fold(f64::INFINITY, f64::min)
    }

    /// Whether the edges may meet the great circle that `normal` stands upon. A normal of no length tells nothing.
    fn is_near_circle(&self, normal: Vector) -> bool {
        normal.dot(&self.cap.center().0).abs() <= self.sin_radius
    }

    fn has_place_in(&self, cell: &Cell) -> bool {
        self.places.iter().any(|place| cell.contains_point(place))
    }

    fn crosses(&self, cell: &Cell) -> bool {
        let corners = cell.vertices();
        (0..4).any(|k| {
            let mut crosser = EdgeCrosser::new(&corners[k], &corners[(k + 1) % 4]);
            self.places.windows(2).any(|edge| crosser.crossing_sign(&edge[0], &edge[1]) != Crossing::DoNotCross)
        })
    }
}

/// The vector with length one, or without length if it is too short for its direction to be exact.
fn direction(vector: Vector) -> Vector {
    if vector.norm() > 1e-6 { vector.normalize() } else { Vector::new(0.0, 0.0, 0.0) }
}

/// The edges of a path in the order of its places; one place alone is an edge to itself.
pub(super) fn chunks(path: &[Point]) -> Vec<Chunk> {
    let starts = (0..path.len().saturating_sub(1).max(path.len().min(1))).step_by(CHUNK_EDGES);
    let chunk = |start: usize| {
        let places = path[start..path.len().min(start + CHUNK_EDGES + 1)].to_vec();
        let cap = cap_around(&places);
        let radius = cap.radius().rad();
        let sin_radius = if radius < FRAC_PI_2 { radius.sin() } else { 1.0 };
        Chunk { places, cap, sin_radius }
    };
    starts.map(chunk).collect()
}

impl Region for Ring {
    /// Around the ring's rectangle of latitudes and longitudes, not around its places: which cells cover a ring depends on it.
    fn cap_bound(&self) -> Cap {
        self.rect_bound().cap_bound()
    }

    fn rect_bound(&self) -> Rect {
        let mut bounder = RectBounder::new();
        let places = self.places.iter().chain(&self.places[..1]);
        places.for_each(|place| bounder.add_point(place));
        let mut bound = bounder.get_bound();
        let [north, south] = [1.0, -1.0].map(|z| self.contains(&Point::from_coords(0.0, 0.0, z)));
        if north || south {
            bound.lng = interval::FULL;
        }
        if north {
            bound.lat.hi = FRAC_PI_2;
        }
        if south {
            bound.lat.lo = -FRAC_PI_2;
        }
        bound
    }

    fn contains_cell(&self, cell: &Cell) -> bool {
        !self.touches(cell) && self.contains(&cell.center())
    }

    fn intersects_cell(&self, cell: &Cell) -> bool {
        self.touches(cell) || self.contains(&cell.center())
    }
}

/// The angle from a place to the edge from `a` to `b`, if the nearest spot of it is not one of its ends.
fn angle_to_inner(a: &Point, b: &Point, place: &Point) -> Option<f64> {
    let normal = a.0.cross(&b.0).normalize();
    let is_between = normal.cross(&a.0).dot(&place.0) > 0.0 && normal.cross(&b.0).dot(&place.0) < 0.0;
    is_between.then(|| normal.dot(&place.0).clamp(-1.0, 1.0).asin().abs())
}

/// Positive if the smaller side of the ring is on the left.
fn signed_area(places: &[Point]) -> f64 {
    let Some((first, rest)) = places.split_first() else { return 0.0 };
    let triangle = |pair: &[Point]| {
        let area = point_area(first, &pair[0], &pair[1]);
        if !area.is_finite() {
            return 0.0;
        }
        match robust_sign(first, &pair[0], &pair[1]) {
            s2::predicates::Direction::Clockwise => -area,
            s2::predicates::Direction::CounterClockwise => area,
            s2::predicates::Direction::Indeterminate => 0.0,
        }
    };
    let area: f64 = rest.windows(2).map(triangle).sum();
    // Half the globe is 2π: what seems larger is the other side, seen from outside.
    if area.abs() > 2.0 * PI { -area } else { area }
}

/// A cap around all places, and so around the smaller side of a ring through them. The whole globe if they reach around it.
fn cap_around(places: &[Point]) -> Cap {
    /// More than rounding can lose.
    const MARGIN: f64 = 1e-9;
    let sum = places.iter().fold(Vector::new(0.0, 0.0, 0.0), |sum, place| sum + place.0);
    if sum.norm() == 0.0 {
        return Cap::full();
    }
    let center = Point::from(sum.normalize());
    let radius = places.iter().map(|place| center.distance(place).rad()).fold(0.0, f64::max) + MARGIN;
    if radius >= FRAC_PI_2 {
        return Cap::full();
    }
    Cap::from_center_angle(&center, &Angle::from(Rad(radius)))
}
