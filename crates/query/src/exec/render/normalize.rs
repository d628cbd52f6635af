use std::collections::BTreeMap;

use super::{Renderer, values};
use crate::exec::Result;
use crate::exec::level::{Column, Level};
use crate::exec::limits::{self, MAX_COMBINATIONS};
use crate::exec::sink::{ObjectText, Pairs, Sink as _};
use crate::plan::{FieldKind, FieldPlan};

/// The aliased fields along one path, with the JSON text of their values.
pub(super) type Flat = BTreeMap<String, String>;

impl Renderer<'_> {
    /// The paths from a node: its own aliased fields, multiplied by those of the ends of each of its edges.
    pub(super) fn flattened(&mut self, fields: &[FieldPlan], level: &Level, uid: u64) -> Result<Vec<Flat>> {
        self.visit("")?;
        let Some(at) = level.place(uid) else { return Ok(Vec::new()) };
        let mut paths = vec![Flat::new()];
        for (field, column) in fields.iter().zip(&level.columns) {
            let branch = match (&field.kind, column) {
                (FieldKind::Edge(plan), Column::Edges(edges)) => {
                    let mut branch = Vec::new();
                    for end in &edges.rows[at] {
                        branch.extend(self.flattened(&plan.fields, &edges.below, *end)?);
                        limits::check("makes flattened paths,", branch.len() as u64, MAX_COMBINATIONS)?;
                    }
                    branch
                }
                _ if field.aliased => {
                    let mut own = Pairs::default();
                    values::write(self.graph, field, column, fields, uid, at, &mut own)?;
                    vec![own.0.into_iter().collect()]
                }
                _ => continue,
            };
            if !branch.is_empty() {
                paths = Self::multiply(&paths, &branch)?;
            }
        }
        paths.retain(|path| !path.is_empty());
        Ok(paths)
    }

    fn multiply(paths: &[Flat], branch: &[Flat]) -> Result<Vec<Flat>> {
        let product = (paths.len() as u64).saturating_mul(branch.len() as u64);
        limits::check("makes flattened paths,", product, MAX_COMBINATIONS)?;
        let join = |path: &Flat, more: &Flat| {
            path.iter().chain(more).map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        Ok(paths.iter().flat_map(|path| branch.iter().map(move |more| join(path, more))).collect())
    }
}

/// Writes one path as an object.
pub(super) fn write(flat: &Flat, out: &mut String) -> bool {
    let mut object = ObjectText::open(out);
    for (key, value) in flat {
        object.member(key, |out| {
            out.push_str(value);
            true
        });
    }
    object.close()
}
