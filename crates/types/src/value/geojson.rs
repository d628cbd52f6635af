use serde_json::Value as Json;

use super::geo::{Coord, Geo};
use super::number::write_coordinate;

impl Geo {
    /// Reads GeoJSON text. Single quotes may stand for double ones, as they do in N-Quads. `None` if it is no JSON, no
    /// known kind of shape, or if a coordinate has not exactly two numbers.
    pub fn parse(text: &str) -> Option<Geo> {
        let parsed = serde_json::from_str(text).or_else(|_| serde_json::from_str(&text.replace('\'', "\"")));
        Geo::from_json(&parsed.ok()?)
    }

    /// Reads a GeoJSON object; members other than `type` and `coordinates` are ignored.
    pub fn from_json(json: &Json) -> Option<Geo> {
        let coordinates = json.get("coordinates")?;
        Some(match json.get("type")?.as_str()? {
            "Point" => Geo::Point(coord(coordinates)?),
            "MultiPoint" => Geo::MultiPoint(coords(coordinates)?),
            "LineString" => Geo::LineString(coords(coordinates)?),
            "MultiLineString" => Geo::MultiLineString(rings(coordinates)?),
            "Polygon" => Geo::Polygon(rings(coordinates)?),
            "MultiPolygon" => Geo::MultiPolygon(list(coordinates, rings)?),
            _ => return None,
        })
    }

    /// Appends the shape as a GeoJSON object. False, with `out` untouched, if a coordinate is not finite: JSON has no such
    /// numbers.
    pub fn write_geojson(&self, out: &mut String) -> bool {
        if !self.is_finite() {
            return false;
        }
        out.push_str("{\"type\":\"");
        out.push_str(self.kind());
        out.push_str("\",\"coordinates\":");
        match self {
            Geo::Point(c) => put_coord(c, out),
            Geo::MultiPoint(line) | Geo::LineString(line) => put_coords(line, out),
            Geo::MultiLineString(lines) | Geo::Polygon(lines) => put_rings(lines, out),
            Geo::MultiPolygon(polygons) => put_list(polygons, out, |p, out| put_rings(p, out)),
        }
        out.push('}');
        true
    }

    /// Whether every coordinate is a finite number.
    pub(crate) fn is_finite(&self) -> bool {
        let finite = |c: &Coord| c.iter().all(|n| n.is_finite());
        match self {
            Geo::Point(c) => finite(c),
            Geo::MultiPoint(line) | Geo::LineString(line) => line.iter().all(finite),
            Geo::MultiLineString(lines) | Geo::Polygon(lines) => lines.iter().flatten().all(finite),
            Geo::MultiPolygon(polygons) => polygons.iter().flatten().flatten().all(finite),
        }
    }
}

fn list<T>(json: &Json, read: impl Fn(&Json) -> Option<T>) -> Option<Vec<T>> {
    json.as_array()?.iter().map(read).collect()
}

fn coord(json: &Json) -> Option<Coord> {
    match json.as_array()?.as_slice() {
        [longitude, latitude] => Some([longitude.as_f64()?, latitude.as_f64()?]),
        _ => None,
    }
}

fn coords(json: &Json) -> Option<Vec<Coord>> {
    list(json, coord)
}

fn rings(json: &Json) -> Option<Vec<Vec<Coord>>> {
    list(json, coords)
}

fn put_list<T>(items: &[T], out: &mut String, put: impl Fn(&T, &mut String)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put(item, out);
    }
    out.push(']');
}

fn put_coord(coord: &Coord, out: &mut String) {
    put_list(coord, out, |n, out| write_coordinate(*n, out));
}

fn put_coords(line: &[Coord], out: &mut String) {
    put_list(line, out, put_coord);
}

fn put_rings(lines: &[Vec<Coord>], out: &mut String) {
    put_list(lines, out, |l, out| put_coords(l, out));
}
