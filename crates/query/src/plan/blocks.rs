use std::collections::{BTreeSet, HashSet};

use graphdb_types::{Uid, ValType};

use super::{BlockPlan, OrderBy, OrderPlan, Paging, Planned, Planner, refuse};
use crate::dql::Position;
use crate::dql::ast::{Arguments, Block, Field, FieldKind, Math, Name, Order, OrderKey, Term};

impl Planner<'_> {
    pub(super) fn block(&self, block: &Block) -> Planned<BlockPlan> {
        self.refuse_unsupported(block)?;
        let root = block.func.as_ref().map(|func| self.root(func)).transpose()?;
        match root {
            None => self.refuse_fields_without_nodes(block)?,
            Some(_) if block.directives.group_by.is_some() => {}
            Some(_) => {
                refuse_aggregates(&block.fields)?;
                refuse_other_levels(&block.fields, &defined_below(&block.fields))?;
            }
        }
        let paging = paging(&block.args)?;
        if paging.first < 0 && !block.args.order.is_empty() {
            return refuse(
                block.at,
                "a negative `first` cannot be combined with an order; turn the order around instead",
            );
        }
        let directives = &block.directives;
        let group = directives.group_by.as_ref().map(|keys| self.group(block.at, keys, &block.fields)).transpose()?;
        let fields = if group.is_none() { self.fields(&block.fields)? } else { Vec::new() };
        Ok(BlockPlan {
            name: block.name.clone(),
            silent: block.is_var(),
            variable: block.variable.as_ref().map(|name| name.text.clone()),
            root,
            filter: directives.filter.as_ref().map(|filter| self.filter(filter)).transpose()?,
            order: self.orders(&block.args.order)?,
            paging,
            cascade: directives.cascade.clone(),
            normalize: directives.normalize,
            ignore_reflex: directives.ignore_reflex,
            group,
            fields,
        })
    }

    fn refuse_unsupported(&self, block: &Block) -> Planned<()> {
        if block.name == "shortest" {
            return refuse(block.at, "not supported yet: shortest");
        }
        if block.directives.recurse.is_some() {
            return refuse(block.at, "not supported yet: @recurse");
        }
        Ok(())
    }

    fn refuse_fields_without_nodes(&self, block: &Block) -> Planned<()> {
        let is_aggregate = |kind: &FieldKind| matches!(kind, FieldKind::Aggregate(..));
        match block.fields.iter().find(|field| !is_aggregate(&field.kind)) {
            Some(field) => {
                refuse(field.at, format!("the block `{}` has no `func:` and may only hold aggregates", block.name))
            }
            None => Ok(()),
        }
    }

    pub(super) fn orders(&self, orders: &[Order]) -> Planned<Vec<OrderPlan>> {
        let mut seen = HashSet::new();
        let mut plans = Vec::with_capacity(orders.len());
        for order in orders {
            let by = self.order_by(order)?;
            if !seen.insert(format!("{by:?}")) {
                return refuse(order.at, "the order names the same key twice");
            }
            plans.push(OrderPlan { by, descending: order.descending });
        }
        Ok(plans)
    }

    fn order_by(&self, order: &Order) -> Planned<OrderBy> {
        let attribute = match &order.by {
            OrderKey::Val(name) => return Ok(OrderBy::Variable(name.text.clone())),
            OrderKey::Attribute(attribute) => attribute,
        };
        let predicate = self.predicate(&attribute.name);
        let name = &attribute.name;
        let Some(schema) = self.schema.predicate(&predicate) else {
            return refuse(order.at, format!("Cannot sort by unknown attribute {name}"));
        };
        let sortable = matches!(
            schema.value_type,
            ValType::Int | ValType::Float | ValType::String | ValType::Default | ValType::DateTime | ValType::BigFloat
        );
        if attribute.reverse || schema.list || !sortable {
            let list = if schema.list { "a list of " } else { "" };
            return refuse(order.at, format!("Cannot sort by {name}: it is {list}{}", schema.value_type.name()));
        }
        if attribute.langs.len() > 1 || attribute.all_languages() {
            return refuse(order.at, format!("sorting by {name} takes one language"));
        }
        Ok(OrderBy::Predicate(predicate, self.lang(attribute)?))
    }
}

/// Aggregates stand in a block of their own.
fn refuse_aggregates(fields: &[Field]) -> Planned<()> {
    for field in fields.iter().filter(|field| field.directives.group_by.is_none()) {
        if let FieldKind::Aggregate(aggregate, _) = &field.kind {
            return refuse(
                field.at,
                format!("not supported yet: {} beside nodes; use a block without `func:`", aggregate.name()),
            );
        }
        refuse_aggregates(field.fields.as_deref().unwrap_or_default())?;
    }
    Ok(())
}

/// The variables that fields fill, at any level.
fn defined_below(fields: &[Field]) -> BTreeSet<String> {
    let own = fields.iter().filter_map(|field| field.variable.as_ref()).map(|name| name.text.clone());
    own.chain(fields.iter().flat_map(|field| defined_below(field.fields.as_deref().unwrap_or_default()))).collect()
}

/// Within one block, a value used at another level than it is read at would have to be carried along the edges between them.
fn refuse_other_levels(fields: &[Field], of_block: &BTreeSet<String>) -> Planned<()> {
    let here: BTreeSet<&str> =
        fields.iter().filter_map(|field| field.variable.as_ref()).map(|name| name.text.as_str()).collect();
    for field in fields {
        for name in used_values(&field.kind) {
            if of_block.contains(&name.text) && !here.contains(name.text.as_str()) {
                return refuse(
                    name.at,
                    format!("not supported yet: the value variable `{}` used at another level of its block", name.text),
                );
            }
        }
        refuse_other_levels(field.fields.as_deref().unwrap_or_default(), of_block)?;
    }
    Ok(())
}

fn used_values(kind: &FieldKind) -> Vec<&Name> {
    fn of_math(math: &Math) -> Vec<&Name> {
        match math {
            Math::Number(_) => Vec::new(),
            Math::Variable(name) => vec![name],
            Math::Call(_, operands) => operands.iter().flat_map(of_math).collect(),
        }
    }
    match kind {
        FieldKind::Val(name) => vec![name],
        FieldKind::Math(math) => of_math(math),
        _ => Vec::new(),
    }
}

/// Reads `first`, `offset` and `after`.
pub(super) fn paging(args: &Arguments) -> Planned<Paging> {
    let offset = number(args.offset.as_ref())?.max(0);
    let after = match &args.after {
        Some(term) => match term.text.parse::<Uid>() {
            Ok(uid) => uid,
            Err(_) => return refuse(term.at, format!("`after` needs a uid, found {:?}", term.text)),
        },
        None => Uid::default(),
    };
    Ok(Paging { first: number(args.first.as_ref())?, offset: usize::try_from(offset).unwrap_or(usize::MAX), after })
}

fn number(term: Option<&Term>) -> Planned<i64> {
    match term {
        None => Ok(0),
        Some(term) => {
            term.text.parse().or_else(|_| refuse(term.at, format!("expected a whole number, found {:?}", term.text)))
        }
    }
}

/// Refuses a predicate name that no store has.
pub(super) fn check_name(at: Position, name: &str) -> Planned<()> {
    match name.len() > graphdb_types::MAX_PREDICATE_BYTES {
        true => refuse(at, format!("a predicate name has at most {} bytes", graphdb_types::MAX_PREDICATE_BYTES)),
        false => Ok(()),
    }
}
