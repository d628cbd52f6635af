//! Makes the nodes of the sample, one after the other, each from random numbers of its own.

use std::io::{self, Write};

use super::nquad::{Date, Decimal, Facet, Kind, Node, NquadWriter, Object};
use super::rng::Rng;
use super::title::{Language, Title};
use super::words::{COUNTRIES, FAMILY, GENRES, GIVEN, NOUNS, PLACE_HEADS, PLACE_TAILS, TRADES};

/// How flat the head of a distribution is, see [`Rng::zipf`]: a few genres and countries have most of the films, while
/// the busiest of a thousand actors has about one role in 160.
const STEEP: u64 = 1;
const FLAT: u64 = 32;
/// Casts differ less than careers do: at a million nodes the largest has about 150 roles.
const FLATTER: u64 = 256;

/// How many nodes of each kind a sample has; they sum up to its scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Population {
    pub(super) genres: u64,
    pub(super) countries: u64,
    pub(super) places: u64,
    pub(super) people: u64,
    /// The first of the people direct films, the others play in them.
    pub(super) directors: u64,
    pub(super) films: u64,
    pub(super) performances: u64,
}

impl Population {
    /// Splits `scale` nodes, 20 at least, so that no kind is empty.
    pub(super) fn of(scale: u64) -> Self {
        let genres = (scale / 400).clamp(2, GENRES.len() as u64);
        let countries = (scale / 200).clamp(2, COUNTRIES.len() as u64);
        let places = (scale / 50).max(2);
        let films = scale * 7 / 20;
        let directors = (scale / 20).max(1);
        let people = directors + scale / 4;
        let performances = scale - genres - countries - places - films - people;
        Self { genres, countries, places, people, directors, films, performances }
    }

    fn director(&self, rng: &mut Rng) -> Node {
        Kind::Person.node(rng.zipf(self.directors, FLAT))
    }

    fn actor(&self, rng: &mut Rng) -> Node {
        Kind::Person.node(self.directors + rng.zipf(self.people - self.directors, FLAT))
    }
}

/// Writes the facts of one node after the other.
pub(super) struct Generator<'a, W: Write> {
    pub(super) writer: NquadWriter<'a, W>,
    pub(super) population: Population,
    /// The name being put together, reused from node to node.
    text: String,
}

impl<'a, W: Write> Generator<'a, W> {
    pub(super) fn new(out: &'a mut W, population: Population) -> Self {
        Self { writer: NquadWriter::new(out), population, text: String::new() }
    }

    /// Writes every node: what is pointed at by many comes first.
    pub(super) fn write_all(&mut self) -> io::Result<()> {
        let Population { genres, countries, places, people, films, performances, .. } = self.population;
        (0..genres).try_for_each(|index| self.genre(index))?;
        (0..countries).try_for_each(|index| self.country(index))?;
        (0..places).try_for_each(|index| self.place(index))?;
        (0..people).try_for_each(|index| self.person(index))?;
        (0..films).try_for_each(|index| self.film(index))?;
        (0..performances).try_for_each(|index| self.performance(index))
    }

    fn genre(&mut self, index: u64) -> io::Result<()> {
        let node = Kind::Genre.node(index);
        let [english, german, french] = GENRES[index as usize];
        self.writer.fact(node, "dgraph.type", Object::Text("Genre"))?;
        self.writer.fact(node, "name", Object::Text(english))?;
        self.writer.fact(node, "name", Object::Tagged(english, "en"))?;
        self.writer.fact(node, "name", Object::Tagged(german, "de"))?;
        self.writer.fact(node, "name", Object::Tagged(french, "fr"))
    }

    fn country(&mut self, index: u64) -> io::Result<()> {
        let node = Kind::Country.node(index);
        let country = &COUNTRIES[index as usize];
        let degrees = |units| Decimal { units: units * 10, decimals: 1 };
        self.writer.fact(node, "dgraph.type", Object::Text("Country"))?;
        self.writer.fact(node, "name", Object::Text(country.english))?;
        self.writer.fact(node, "name", Object::Tagged(country.english, "en"))?;
        self.writer.fact(node, "name", Object::Tagged(country.german, "de"))?;
        self.writer.fact(node, "country.code", Object::Text(country.code))?;
        self.writer.fact(node, "loc", Object::Point(degrees(country.longitude), degrees(country.latitude)))
    }

    fn place(&mut self, index: u64) -> io::Result<()> {
        let mut rng = Rng::of(Kind::Place as u64, index);
        let node = Kind::Place.node(index);
        let country = rng.zipf(self.population.countries, STEEP);
        let name = put(&mut self.text, &[rng.pick(&PLACE_HEADS), rng.pick(&PLACE_TAILS)]);
        self.writer.fact(node, "dgraph.type", Object::Text("Place"))?;
        self.writer.fact(node, "name", Object::Tagged(name, "en"))?;
        self.writer.fact(node, "country", Object::Node(Kind::Country.node(country)))?;
        let centre = &COUNTRIES[country as usize];
        let (longitude, latitude) = (near(&mut rng, centre.longitude), near(&mut rng, centre.latitude));
        self.writer.fact(node, "loc", Object::Point(longitude, latitude))?;
        let magnitude = 10_u64.pow(rng.between(2, 6) as u32);
        self.writer.fact(node, "population", Object::Int(rng.between(magnitude, magnitude * 10 - 1)))
    }

    fn person(&mut self, index: u64) -> io::Result<()> {
        let mut rng = Rng::of(Kind::Person as u64, index);
        let node = Kind::Person.node(index);
        self.writer.fact(node, "dgraph.type", Object::Text("Person"))?;
        if index < self.population.directors {
            self.writer.fact(node, "dgraph.type", Object::Text("Director"))?;
        }
        self.person_names(node, &mut rng)?;
        self.writer.fact(node, "birth_date", Object::Date(date(&mut rng, 1900, 2004)))?;
        let place = rng.zipf(self.population.places, FLAT);
        self.writer.fact(node, "born_in", Object::Node(Kind::Place.node(place)))?;
        let height = Decimal { units: rng.between(148, 205) as i64, decimals: 2 };
        self.writer.fact(node, "height", Object::Float(height))?;
        if rng.chance(20) {
            let spouse = Kind::Person.node(rng.below(self.population.people));
            let facets =
                [("since", Facet::Date(date(&mut rng, 1930, 2024))), ("divorced", Facet::Bool(rng.chance(40)))];
            if spouse != node {
                self.writer.fact_with(node, "spouse", Object::Node(spouse), &facets)?;
            }
        }
        Ok(())
    }

    fn person_names(&mut self, node: Node, rng: &mut Rng) -> io::Result<()> {
        let (given, family) = (rng.pick(&GIVEN), rng.pick(&FAMILY));
        let initial = char::from(b'A' + rng.below(26) as u8);
        let mut letter = [0; 4];
        let initial = &*initial.encode_utf8(&mut letter);
        let name = put(&mut self.text, &[given[0], " ", initial, ". ", family[0]]);
        self.writer.fact(node, "name", Object::Tagged(name, "en"))?;
        if rng.chance(25) {
            let name = put(&mut self.text, &[given[1], " ", family[1]]);
            self.writer.fact(node, "name", Object::Tagged(name, "ru"))?;
        }
        if rng.chance(30) {
            let alias = put(&mut self.text, &[&given[0][..1], ". ", family[0]]);
            self.writer.fact(node, "alias", Object::Text(alias))?;
        }
        if rng.chance(10) {
            let alias = put(&mut self.text, &[given[0], " ", rng.pick(&FAMILY)[0], "-", family[0]]);
            self.writer.fact(node, "alias", Object::Text(alias))?;
        }
        Ok(())
    }

    fn film(&mut self, index: u64) -> io::Result<()> {
        let mut rng = Rng::of(Kind::Film as u64, index);
        let node = Kind::Film.node(index);
        self.writer.fact(node, "dgraph.type", Object::Text("Film"))?;
        self.film_code(node)?;
        self.titles(node, &mut rng)?;
        let release = date(&mut rng, 1930, 2025);
        self.writer.fact(node, "initial_release_date", Object::Date(release))?;
        self.writer.fact(node, "film.runtime", Object::Int(rng.between(60, 200)))?;
        let score = Decimal { units: (rng.between(10, 100) + rng.between(10, 100)) as i64 / 2, decimals: 1 };
        let votes = 1 + rng.zipf(100_000, FLAT);
        self.writer.fact_with(node, "film.score", Object::Float(score), &[("votes", Facet::Int(votes))])?;
        self.writer.fact(node, "film.in_color", Object::Bool(release.year > 1965 || rng.chance(30)))?;
        if rng.chance(40) {
            self.writer.fact(node, "film.budget", Object::Int(rng.between(10, 20_000) * 10_000))?;
        }
        self.film_edges(node, &mut rng)
    }

    fn film_code(&mut self, film: Node) -> io::Result<()> {
        use std::fmt::Write as _;
        self.text.clear();
        write!(self.text, "F{:07}", film.index).expect("a String takes any text");
        self.writer.fact(film, "film.code", Object::Text(&self.text))
    }

    fn film_edges(&mut self, film: Node, rng: &mut Rng) -> io::Result<()> {
        for (position, genre) in distinct(rng, 3, self.population.genres).enumerate() {
            let weight = Decimal { units: 100 / (position as i64 + 1), decimals: 2 };
            let genre = Object::Node(Kind::Genre.node(genre));
            self.writer.fact_with(film, "genre", genre, &[("weight", Facet::Float(weight))])?;
        }
        for country in distinct(rng, 2, self.population.countries) {
            self.writer.fact(film, "country", Object::Node(Kind::Country.node(country)))?;
        }
        if rng.chance(50) {
            let place = Kind::Place.node(rng.zipf(self.population.places, FLAT));
            let facets = [("days", Facet::Int(rng.between(1, 60)))];
            self.writer.fact_with(film, "filmed_in", Object::Node(place), &facets)?;
        }
        let director = self.population.director(rng);
        self.writer.fact(director, "director.film", Object::Node(film))?;
        let second = self.population.director(rng);
        if second != director && rng.chance(8) {
            let facets = [("credit", Facet::Text("co-director"))];
            self.writer.fact_with(second, "director.film", Object::Node(film), &facets)?;
        }
        Ok(())
    }

    /// A title in one to four languages, other titles of the film, and a line of advertisement.
    fn titles(&mut self, film: Node, rng: &mut Rng) -> io::Result<()> {
        let title = Title::draw(rng);
        let percent_with = [100, 60, 40, 25];
        for (language, percent) in Language::ALL.into_iter().zip(percent_with) {
            if !rng.chance(percent) {
                continue;
            }
            title.write(&mut self.text, language);
            let facets: &[_] = if language.tag() == "en" { &[] } else { &[("dubbed", Facet::Bool(rng.chance(50)))] };
            self.writer.fact_with(film, "name", Object::Tagged(&self.text, language.tag()), facets)?;
        }
        for position in 0..rng.zipf(4, STEEP) {
            Title::alias(rng, position).write(&mut self.text, Language::English);
            self.writer.fact(film, "alias", Object::Text(&self.text))?;
        }
        if rng.chance(40) {
            let nouns = [rng.pick(&NOUNS)[0], rng.pick(&NOUNS)[0]];
            let tagline = put(&mut self.text, &["Nobody who has seen the ", nouns[0], " forgets the ", nouns[1], "."]);
            self.writer.fact(film, "tagline", Object::Tagged(tagline, "en"))?;
        }
        Ok(())
    }

    /// A role: the edges between a film and one who plays in it go through it, both ways.
    fn performance(&mut self, index: u64) -> io::Result<()> {
        let mut rng = Rng::of(Kind::Performance as u64, index);
        let node = Kind::Performance.node(index);
        let film = Kind::Film.node(rng.zipf(self.population.films, FLATTER));
        let actor = self.population.actor(&mut rng);
        self.writer.fact(node, "dgraph.type", Object::Text("Performance"))?;
        self.writer.fact(node, "performance.film", Object::Node(film))?;
        self.writer.fact(node, "performance.actor", Object::Node(actor))?;
        let billing = Facet::Int(rng.between(1, 40));
        self.writer.fact_with(film, "starring", Object::Node(node), &[("billing", billing)])?;
        self.writer.fact(actor, "actor.film", Object::Node(node))?;
        let character = put(&mut self.text, &[rng.pick(&GIVEN)[0], " the ", rng.pick(&TRADES)]);
        self.writer.fact(node, "performance.character", Object::Tagged(character, "en"))?;
        if rng.chance(15) {
            self.writer.fact(node, "performance.note", Object::Tagged("uncredited", "en"))?;
        }
        Ok(())
    }
}

/// Puts the parts of a name together in `text`, which keeps its memory from node to node.
fn put<'t>(text: &'t mut String, parts: &[&str]) -> &'t str {
    text.clear();
    text.extend(parts.iter().copied());
    text
}

/// Between one and `most` (4 at most) different ranks below `count`, low ones more often.
fn distinct(rng: &mut Rng, most: u64, count: u64) -> impl Iterator<Item = u64> {
    let mut drawn = [u64::MAX; 4];
    let mut len = 0;
    for _ in 0..rng.between(1, most) {
        let rank = rng.zipf(count, STEEP);
        if !drawn.contains(&rank) {
            drawn[len] = rank;
            len += 1;
        }
    }
    drawn.into_iter().take(len)
}

fn date(rng: &mut Rng, first_year: u64, last_year: u64) -> Date {
    Date { year: rng.between(first_year, last_year), month: rng.between(1, 12), day: rng.between(1, 28) }
}

/// A coordinate within two degrees of `degrees`.
fn near(rng: &mut Rng, degrees: i64) -> Decimal {
    Decimal { units: degrees * 10_000 - 20_000 + rng.below(40_001) as i64, decimals: 4 }
}
