use std::fmt::{self, Display, Formatter};

use super::{
    BlockPlan, Check, FieldKind, FieldPlan, FilterPlan, OrderBy, OrderPlan, Paging, Plan, Source, Test, UidSet,
    ValueTest,
};

impl Display for Plan {
    /// One line a step, indented by level.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.schema.is_some() {
            writeln!(f, "schema")?;
        }
        self.order.iter().try_for_each(|at| self.blocks[*at].fmt(f))
    }
}

impl Display for BlockPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        match &self.root {
            Some(root) => write!(f, ": {root}")?,
            None => write!(f, ": no nodes")?,
        }
        write_choice(f, self.filter.as_ref(), &self.order, self.paging)?;
        writeln!(f)?;
        write_fields(f, &self.fields, 1)
    }
}

fn write_choice(
    f: &mut Formatter<'_>,
    filter: Option<&FilterPlan>,
    order: &[OrderPlan],
    paging: Paging,
) -> fmt::Result {
    if let Some(filter) = filter {
        write!(f, ", filter {filter}")?;
    }
    for OrderPlan { by, descending } in order {
        let direction = if *descending { "descending" } else { "ascending" };
        match by {
            OrderBy::Predicate(predicate, lang) => write!(f, ", order {predicate}@{} {direction}", lang.tag())?,
            OrderBy::Variable(name) => write!(f, ", order val({name}) {direction}")?,
        }
    }
    if paging != Paging::default() {
        write!(f, ", after {} offset {} first {}", paging.after, paging.offset, paging.first)?;
    }
    Ok(())
}

fn write_fields(f: &mut Formatter<'_>, fields: &[FieldPlan], level: usize) -> fmt::Result {
    for field in fields {
        write!(f, "{:width$}{}", "", field.key, width = 2 * level)?;
        match &field.kind {
            FieldKind::Edge(edge) => {
                let direction = if edge.reverse { "reverse edges" } else { "edges" };
                write!(f, ": {direction} of {}", edge.predicate)?;
                write_choice(f, edge.filter.as_ref(), &edge.order, edge.paging)?;
                writeln!(f)?;
                write_fields(f, &edge.fields, level + 1)?;
            }
            FieldKind::Value(value) => writeln!(f, ": values of {}", value.predicate)?,
            FieldKind::Count { predicate, reverse, .. } => {
                writeln!(f, ": count of {}{predicate}", if *reverse { "~" } else { "" })?
            }
            _ => writeln!(f)?,
        }
    }
    Ok(())
}

impl Display for FilterPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (parts, word) = match self {
            FilterPlan::And(parts) => (parts, " and "),
            FilterPlan::Or(parts) => (parts, " or "),
            FilterPlan::Not(part) => return write!(f, "not {part}"),
            FilterPlan::Test(test) => return write!(f, "{test}"),
        };
        f.write_str("(")?;
        for (at, part) in parts.iter().enumerate() {
            write!(f, "{}{part}", if at == 0 { "" } else { word })?;
        }
        f.write_str(")")
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (&self.source, self.exact) {
            (Some(source), true) => write!(f, "{source}"),
            (Some(source), false) => write!(f, "{source}, then {}", self.check),
            (None, _) => write!(f, "{}", self.check),
        }
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Source::Nothing => f.write_str("nothing"),
            Source::Uids(set) => write!(f, "{set}"),
            Source::Scan { predicate, reverse } => write!(f, "scan of {}{predicate}", if *reverse { "~" } else { "" }),
            Source::Terms { predicate, groups } => {
                let terms: usize = groups.iter().map(Vec::len).sum();
                write!(f, "index of {predicate}, {terms} terms in {} groups", groups.len())
            }
            Source::Range { predicate, first, last, .. } => {
                let end = |end: &Option<Vec<u8>>| {
                    end.as_ref().map_or_else(|| "..".to_owned(), |term| format!("{:02x?}", &term[..term.len().min(8)]))
                };
                write!(f, "index of {predicate} from {} to {}", end(first), end(last))
            }
            Source::Counts { predicate, reverse, from, to } => {
                write!(f, "counts of {}{predicate} from {from} to {to}", if *reverse { "~" } else { "" })
            }
            Source::Variable(name) => write!(f, "nodes of {name}"),
        }
    }
}

impl Display for UidSet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} uids", self.uids.len())?;
        self.variables.iter().try_for_each(|name| write!(f, " and {name}"))
    }
}

impl Display for Check {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Check::Never => f.write_str("nothing"),
            Check::Uids(set) => write!(f, "one of {set}"),
            Check::Has { predicate, lang, .. } => write!(f, "has {predicate}@{}", lang.tag()),
            Check::Value { predicate, test: ValueTest::Geo(test), .. } => write!(f, "value of {predicate} {test}"),
            Check::Value { predicate, lang, .. } => write!(f, "value of {predicate}@{}", lang.tag()),
            Check::Count { predicate, from, to, .. } => write!(f, "count of {predicate} from {from} to {to}"),
            Check::EdgeTo { predicate, uids, .. } => write!(f, "edge {predicate} to one of {uids}"),
            Check::Variable { name, .. } => write!(f, "value of variable {name}"),
        }
    }
}
