mod aggregate;
mod estimate;
mod group;
mod normalize;
mod values;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::graph::Graph;
use super::level::{BlockResult, Column, Edges, Level};
use super::limits::{self, MAX_RENDERED_NODES, MAX_RESULT_BYTES};
use super::sink::{ObjectText, Sink as _};
use super::{Result, facets};
use crate::plan::{BlockPlan, EdgePlan, FieldKind, FieldPlan, Plan};

/// Writes the answer to all blocks that answer something, in the order of the text.
pub(super) fn answer(
    plan: &Plan,
    results: &BTreeMap<usize, BlockResult>,
    graph: &Graph<'_>,
    debug: bool,
) -> Result<String> {
    let mut out = String::new();
    let mut object = ObjectText::open(&mut out);
    let mut renderer = Renderer { graph, debug, visited: 0, path: None };
    for (block, result) in plan.blocks.iter().zip(results.values()).filter(|(block, _)| !block.silent) {
        object.try_member(&block.name, |out| renderer.block(block, result, out).map(|()| true))?;
    }
    object.close_always();
    Ok(out)
}

/// Writes nodes; holds what bounds the writing.
pub(super) struct Renderer<'a> {
    graph: &'a Graph<'a>,
    debug: bool,
    visited: u64,
    /// The nodes from the root to the node at hand, if none of them may be shown below it again.
    path: Option<Vec<u64>>,
}

/// Writes the elements of an array, parted by commas.
struct ArrayText<'o> {
    out: &'o mut String,
    empty: bool,
}

impl<'o> ArrayText<'o> {
    fn open(out: &'o mut String) -> ArrayText<'o> {
        out.push('[');
        ArrayText { out, empty: true }
    }

    /// Adds an element, unless `write` says that there is none.
    fn element(&mut self, write: impl FnOnce(&mut String) -> Result<bool>) -> Result<()> {
        let before = self.out.len();
        if !self.empty {
            self.out.push(',');
        }
        match write(self.out)? {
            true => self.empty = false,
            false => self.out.truncate(before),
        }
        Ok(())
    }

    /// Closes the array; whether it has elements.
    fn close(self) -> bool {
        self.out.push(']');
        !self.empty
    }
}

impl Renderer<'_> {
    fn block(&mut self, block: &BlockPlan, result: &BlockResult, out: &mut String) -> Result<()> {
        let mut array = ArrayText::open(out);
        if block.root.is_none() {
            aggregate::elements(self.graph, &block.fields, &mut array)?;
            array.close();
            return Ok(());
        }
        if let (Some(plan), Some(column)) = (&block.group, &result.groups) {
            group::element(self.graph, plan, column, &result.nodes, &mut array)?;
            array.close();
            return Ok(());
        }
        self.path = block.ignore_reflex.then(Vec::new);
        // What @ignorereflex leaves out depends on the path: then the visits are counted as they happen.
        if self.path.is_none() {
            estimate::check(&result.nodes, &result.level)?;
        }
        for field in block.fields.iter().filter(|field| matches!(field.kind, FieldKind::CountUid)) {
            array.element(|out| Ok(write_count(out, &field.key, result.nodes.len())))?;
        }
        for uid in &result.nodes {
            if block.normalize {
                self.flat_elements(&block.fields, &result.level, *uid, &mut array)?;
            } else {
                array.element(|out| self.node(&block.fields, &result.level, *uid, out, |_| {}))?;
            }
        }
        array.close();
        Ok(())
    }

    fn flat_elements(
        &mut self,
        fields: &[FieldPlan],
        level: &Level,
        uid: u64,
        array: &mut ArrayText<'_>,
    ) -> Result<()> {
        for flat in self.flattened(fields, level, uid)? {
            array.element(|out| Ok(normalize::write(&flat, out)))?;
        }
        Ok(())
    }

    /// Counts a visit to a node, against answers without end.
    fn visit(&mut self, out: &str) -> Result<()> {
        self.visited += 1;
        limits::check("leads to nodes in its answer,", self.visited, MAX_RENDERED_NODES)?;
        limits::check("has an answer of bytes,", out.len() as u64, MAX_RESULT_BYTES as u64)
    }

    /// Writes a node; false, and nothing, if it has nothing to show. `add` gets the object before it is closed.
    fn node(
        &mut self,
        fields: &[FieldPlan],
        level: &Level,
        uid: u64,
        out: &mut String,
        add: impl FnOnce(&mut ObjectText<'_>),
    ) -> Result<bool> {
        self.visit(out)?;
        let Some(at) = level.place(uid) else { return Ok(false) };
        if let Some(path) = &mut self.path {
            path.push(uid);
        }
        let mut object = ObjectText::open(out);
        self.members(fields, &level.columns, fields, uid, at, &mut object)?;
        add(&mut object);
        if self.debug && !object.is_empty() && !fields.iter().any(|field| field.key == "uid") {
            object.member("uid", |out| values::write_uid(uid, out));
        }
        if let Some(path) = &mut self.path {
            path.pop();
        }
        Ok(object.close())
    }

    /// Writes the members of a node. `named` are the fields whose keys `name@*` must not repeat.
    fn members(
        &mut self,
        fields: &[FieldPlan],
        columns: &[Column],
        named: &[FieldPlan],
        uid: u64,
        at: usize,
        object: &mut ObjectText<'_>,
    ) -> Result<()> {
        for (field, column) in fields.iter().zip(columns) {
            match (&field.kind, column) {
                (FieldKind::Edge(plan), Column::Edges(edges)) => self.edge(field, plan, edges, at, object)?,
                (FieldKind::Expand(_), Column::Expanded(inner, columns)) => {
                    self.members(inner, columns, named, uid, at, object)?
                }
                _ => values::write(self.graph, field, column, named, uid, at, object)?,
            }
        }
        Ok(())
    }

    fn edge(
        &mut self,
        field: &FieldPlan,
        plan: &EdgePlan,
        edges: &Edges,
        at: usize,
        object: &mut ObjectText<'_>,
    ) -> Result<()> {
        let row = &edges.rows[at];
        if row.is_empty() {
            return Ok(());
        }
        if plan.single && !plan.normalize && plan.group.is_none() {
            return object.try_member(&field.key, |out| match row.first() {
                Some(uid) => self.end(field, plan, edges, at, *uid, out),
                None => Ok(false),
            });
        }
        object.try_member(&field.key, |out| {
            let mut array = ArrayText::open(out);
            if let (Some(plan), Some(column)) = (&plan.group, &edges.groups) {
                group::element(self.graph, plan, column, row, &mut array)?;
                return Ok(array.close());
            }
            for uid in row {
                if plan.normalize {
                    self.flat_elements(&plan.fields, &edges.below, *uid, &mut array)?;
                } else {
                    array.element(|out| self.end(field, plan, edges, at, *uid, out))?;
                }
            }
            for count in plan.fields.iter().filter(|field| matches!(field.kind, FieldKind::CountUid)) {
                array.element(|out| Ok(write_count(out, &count.key, row.len())))?;
            }
            Ok(array.close())
        })
    }

    /// Writes the node at the end of an edge, with the facets of the edge.
    fn end(
        &mut self,
        field: &FieldPlan,
        plan: &EdgePlan,
        edges: &Edges,
        at: usize,
        uid: u64,
        out: &mut String,
    ) -> Result<bool> {
        if self.path.as_ref().is_some_and(|path| path.contains(&uid)) {
            return Ok(false);
        }
        let mut shown = Vec::new();
        if let (Some(facets), Some(list)) = (&plan.facets, edges.lists.get(at)) {
            for (key, facet) in facets::shown(facets, &field.key, facets::of(list, uid)) {
                shown.push((key, facets::value(facet)?));
            }
        }
        self.node(&plan.fields, &edges.below, uid, out, |object| {
            for (key, value) in shown {
                object.member(&key, |out| value.write_json(out));
            }
        })
    }
}

fn write_count(out: &mut String, key: &str, count: usize) -> bool {
    let mut object = ObjectText::open(out);
    object.member(key, |out| write!(out, "{count}").is_ok());
    object.close()
}
