//! Covers of shapes by cells of the S2 grid: the same cells that Dgraph stores, so that it finds shapes by our index keys.
//!
//! The cells depend on the order in which larger ones are parted, and that order on how the queue breaks ties. So the queue is a binary heap
//! whose sifts are spelt out, and not one of the standard library's.

use s2::cell::Cell;
use s2::cellid::CellID;
use s2::cellunion::CellUnion;
use s2::region::{Region, RegionCoverer};

/// The coarsest cells that have tokens: some 300 km wide.
pub(super) const MIN_LEVEL: u8 = 5;
/// The finest: some 150 m wide.
pub(super) const MAX_LEVEL: u8 = 16;
/// How many cells cover a shape, if the coarsest ones are fine enough for so few.
const MAX_CELLS: usize = 18;
/// How many cells around the shape the search begins with.
const FIRST_CELLS: usize = 4;

/// The cells that cover a region, in order of their ids.
pub(super) fn cover<R: Region>(region: &R) -> Vec<CellID> {
    let mut coverer = Coverer { region, done: Vec::new(), queue: Queue(Vec::new()) };
    coverer.begin();
    while let Some(largest) = coverer.queue.pop() {
        coverer.part(largest);
    }
    let mut cells = CellUnion(coverer.done);
    cells.normalize();
    cells.denormalize(MIN_LEVEL.into(), 1);
    cells.0
}

struct Coverer<'a, R> {
    region: &'a R,
    done: Vec<CellID>,
    queue: Queue,
}

/// A cell that meets the region, and what of its four quarters does.
struct Candidate {
    cell: Part,
    quarters: Vec<Part>,
}

/// A cell that meets the region.
struct Part {
    cell: Cell,
    /// Whether it is not to be parted: it lies within the region, or is as fine as they get.
    is_final: bool,
}

impl<R: Region> Coverer<'_, R> {
    fn begin(&mut self) {
        let around = RegionCoverer { min_level: 0, max_level: MAX_LEVEL, level_mod: 1, max_cells: FIRST_CELLS };
        for id in around.fast_covering(self.region).0 {
            if let Some(part) = self.look(id) {
                self.add(part);
            }
        }
    }

    fn look(&self, id: CellID) -> Option<Part> {
        let cell = Cell::from(id);
        self.region.intersects_cell(&cell).then(|| {
            let level = cell.level();
            let is_final = level >= MAX_LEVEL || (level >= MIN_LEVEL && self.region.contains_cell(&cell));
            Part { cell, is_final }
        })
    }

    /// Takes a cell into the cover, or into the queue of those that may be parted.
    fn add(&mut self, cell: Part) {
        if cell.is_final {
            return self.done.push(cell.cell.id);
        }
        let quarters: Vec<Part> = cell.cell.id.child_iter().filter_map(|id| self.look(id)).collect();
        let all_final = quarters.len() == 4 && quarters.iter().all(|quarter| quarter.is_final);
        if all_final && cell.cell.level() >= MIN_LEVEL {
            self.done.push(cell.cell.id);
        } else if !quarters.is_empty() {
            self.queue.push(Candidate { cell, quarters });
        }
    }

    /// Puts the quarters in the place of a cell, if that does not make too many; a cell that is too large is parted all the same.
    fn part(&mut self, Candidate { cell, quarters }: Candidate) {
        let then = self.done.len() + self.queue.0.len() + quarters.len();
        if cell.cell.level() < MIN_LEVEL || quarters.len() == 1 || then <= MAX_CELLS {
            quarters.into_iter().for_each(|quarter| self.add(quarter));
        } else {
            self.done.push(cell.cell.id);
        }
    }
}

impl Candidate {
    /// The least is parted first: large cells, then those with few quarters in the region, then those with few final ones.
    fn rank(&self) -> (u8, usize, usize) {
        let finals = self.quarters.iter().filter(|quarter| quarter.is_final).count();
        (self.cell.cell.level(), self.quarters.len(), finals)
    }
}

/// A binary heap with the least rank at its root. Of equal ranks it gives out first what the usual sifts bring up first: going up and going
/// down, equals stay where they are, and of two equal children the left one rises.
struct Queue(Vec<Candidate>);

impl Queue {
    fn is_less(&self, a: usize, b: usize) -> bool {
        self.0[a].rank() < self.0[b].rank()
    }

    fn push(&mut self, candidate: Candidate) {
        self.0.push(candidate);
        let mut at = self.0.len() - 1;
        while at > 0 && self.is_less(at, (at - 1) / 2) {
            self.0.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    fn pop(&mut self) -> Option<Candidate> {
        let last = self.0.len().checked_sub(1)?;
        self.0.swap(0, last);
        let least = self.0.pop();
        let mut at = 0;
        while let Some(child) = self.lesser_child(at).filter(|child| self.is_less(*child, at)) {
            self.0.swap(at, child);
            at = child;
        }
        least
    }

    fn lesser_child(&self, at: usize) -> Option<usize> {
        let [left, right] = [2 * at + 1, 2 * at + 2];
        if right < self.0.len() && self.is_less(right, left) {
            Some(right)
        } else {
            (left < self.0.len()).then_some(left)
        }
    }
}
