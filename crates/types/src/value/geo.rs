use crate::Malformed;

/// Longitude and latitude in degrees. Their ranges are not checked.
pub type Coord = [f64; 2];

/// A shape on the globe. Points, polygons and multipolygons can be indexed; the others can only be stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Geo {
    /// One place.
    Point(Coord),
    /// Several places.
    MultiPoint(Vec<Coord>),
    /// A path.
    LineString(Vec<Coord>),
    /// Several paths.
    MultiLineString(Vec<Vec<Coord>>),
    /// An outer ring and its holes; a ring ends where it begins.
    Polygon(Vec<Vec<Coord>>),
    /// Several polygons.
    MultiPolygon(Vec<Vec<Vec<Coord>>>),
}

/// The numbers of geometry types in well-known binary.
mod kind {
    pub(super) const POINT: u32 = 1;
    pub(super) const LINE_STRING: u32 = 2;
    pub(super) const POLYGON: u32 = 3;
    pub(super) const MULTI_POINT: u32 = 4;
    pub(super) const MULTI_LINE_STRING: u32 = 5;
    pub(super) const MULTI_POLYGON: u32 = 6;
}

impl Geo {
    /// The name of the kind of shape, as GeoJSON has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Geo::Point(_) => "Point",
            Geo::MultiPoint(_) => "MultiPoint",
            Geo::LineString(_) => "LineString",
            Geo::MultiLineString(_) => "MultiLineString",
            Geo::Polygon(_) => "Polygon",
            Geo::MultiPolygon(_) => "MultiPolygon",
        }
    }

    /// Appends the shape as well-known binary: little-endian, two-dimensional, without a reference system.
    pub(crate) fn put_wkb(&self, out: &mut Vec<u8>) {
        match self {
            Geo::Point(coord) => put_point(*coord, out),
            Geo::LineString(line) => put_line(line, out),
            Geo::Polygon(rings) => put_polygon(rings, out),
            Geo::MultiPoint(points) => {
                put_head(kind::MULTI_POINT, points.len(), out);
                points.iter().for_each(|p| put_point(*p, out));
            }
            Geo::MultiLineString(lines) => {
                put_head(kind::MULTI_LINE_STRING, lines.len(), out);
                lines.iter().for_each(|l| put_line(l, out));
            }
            Geo::MultiPolygon(polygons) => {
                put_head(kind::MULTI_POLYGON, polygons.len(), out);
                polygons.iter().for_each(|p| put_polygon(p, out));
            }
        }
    }

    /// Reads well-known binary of either byte order. Other dimensions, collections and reference systems are refused.
    pub(crate) fn from_wkb(bytes: &[u8]) -> Result<Geo, Malformed> {
        let mut reader = Wkb { rest: bytes };
        let geo = reader.geo().ok_or(BAD)?;
        if reader.rest.is_empty() { Ok(geo) } else { Err(BAD) }
    }
}

const BAD: Malformed = Malformed { what: "geo value" };

fn put_u32(n: usize, out: &mut Vec<u8>) {
    let n = u32::try_from(n).expect("a shape in memory has fewer than 2^32 parts");
    out.extend_from_slice(&n.to_le_bytes());
}

fn put_kind(kind: u32, out: &mut Vec<u8>) {
    out.push(1);
    out.extend_from_slice(&kind.to_le_bytes());
}

fn put_head(kind: u32, count: usize, out: &mut Vec<u8>) {
    put_kind(kind, out);
    put_u32(count, out);
}

fn put_coord(coord: Coord, out: &mut Vec<u8>) {
    coord.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
}

fn put_coords(coords: &[Coord], out: &mut Vec<u8>) {
    put_u32(coords.len(), out);
    coords.iter().for_each(|c| put_coord(*c, out));
}

fn put_point(coord: Coord, out: &mut Vec<u8>) {
    put_kind(kind::POINT, out);
    put_coord(coord, out);
}

fn put_line(line: &[Coord], out: &mut Vec<u8>) {
    put_kind(kind::LINE_STRING, out);
    put_coords(line, out);
}

fn put_polygon(rings: &[Vec<Coord>], out: &mut Vec<u8>) {
    put_head(kind::POLYGON, rings.len(), out);
    rings.iter().for_each(|ring| put_coords(ring, out));
}

struct Wkb<'a> {
    rest: &'a [u8],
}

impl Wkb<'_> {
    fn geo(&mut self) -> Option<Geo> {
        let (big_endian, kind) = self.head()?;
        Some(match kind {
            kind::POINT => Geo::Point(self.coord(big_endian)?),
            kind::LINE_STRING => Geo::LineString(self.coords(big_endian)?),
            kind::POLYGON => Geo::Polygon(self.rings(big_endian)?),
            kind::MULTI_POINT => Geo::MultiPoint(self.parts(big_endian, kind::POINT, Wkb::coord)?),
            kind::MULTI_LINE_STRING => Geo::MultiLineString(self.parts(big_endian, kind::LINE_STRING, Wkb::coords)?),
            kind::MULTI_POLYGON => Geo::MultiPolygon(self.parts(big_endian, kind::POLYGON, Wkb::rings)?),
            _ => return None,
        })
    }

    /// The byte order and the kind, with which every shape and every part of a multi-shape begins.
    fn head(&mut self) -> Option<(bool, u32)> {
        let (order, rest) = self.rest.split_first()?;
        self.rest = rest;
        let big_endian = match order {
            0 => true,
            1 => false,
            _ => return None,
        };
        Some((big_endian, self.number(big_endian)?))
    }

    fn number(&mut self, big_endian: bool) -> Option<u32> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(if big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) })
    }

    /// A count of things of at least `least_bytes` each: never more than the bytes at hand can hold, so that a lying
    /// count reserves nothing.
    fn count(&mut self, big_endian: bool, least_bytes: usize) -> Option<usize> {
        let count = usize::try_from(self.number(big_endian)?).ok()?;
        (count <= self.rest.len() / least_bytes).then_some(count)
    }

    fn coord(&mut self, big_endian: bool) -> Option<Coord> {
        let mut coord = [0.0; 2];
        for n in &mut coord {
            let (bytes, rest) = self.rest.split_first_chunk()?;
            self.rest = rest;
            *n = if big_endian { f64::from_be_bytes(*bytes) } else { f64::from_le_bytes(*bytes) };
        }
        Some(coord)
    }

    fn coords(&mut self, big_endian: bool) -> Option<Vec<Coord>> {
        let count = self.count(big_endian, 16)?;
        (0..count).map(|_| self.coord(big_endian)).collect()
    }

    fn rings(&mut self, big_endian: bool) -> Option<Vec<Vec<Coord>>> {
        let count = self.count(big_endian, 4)?;
        (0..count).map(|_| self.coords(big_endian)).collect()
    }

    fn parts<T>(
        &mut self,
        big_endian: bool,
        kind: u32,
        mut read: impl FnMut(&mut Self, bool) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = self.count(big_endian, 5)?;
        let mut part = || {
            let (big_endian, found) = self.head()?;
            if found == kind { read(self, big_endian) } else { None }
        };
        (0..count).map(|_| part()).collect()
    }
}
