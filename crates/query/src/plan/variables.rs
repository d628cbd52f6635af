use std::collections::{BTreeMap, BTreeSet};

use super::{Planned, UnusedVariables, refuse};
use crate::dql::ast::{
    AggregateOf, Argument, Arguments, Block, Directives, Expand, FacetsShown, Field, FieldKind, Filter, Function,
    FunctionName, Math, Name, OrderKey, Subject, Term, TermKind,
};
use crate::dql::{Document, Position};

/// An order of blocks in which every variable is filled before another block uses it.
pub(super) fn order(document: &Document, unused: UnusedVariables) -> Planned<Vec<usize>> {
    let uses: Vec<Uses> = document.blocks.iter().map(Uses::of_block).collect();
    check(&uses, unused)?;
    let mut order = Vec::with_capacity(uses.len());
    let mut filled = BTreeSet::new();
    let mut done = vec![false; uses.len()];
    while order.len() < uses.len() {
        let ready = |(at, block): &(usize, &Uses)| {
            !done[*at] && block.used.keys().all(|name| filled.contains(name) || block.defined.contains_key(name))
        };
        let Some((next, block)) = uses.iter().enumerate().find(ready) else {
            let at = document.blocks[done.iter().position(|done| !done).unwrap_or_default()].at;
            return refuse(at, "the variables of these blocks depend on each other in a circle");
        };
        filled.extend(block.defined.keys().cloned());
        done[next] = true;
        order.push(next);
    }
    Ok(order)
}

fn check(blocks: &[Uses], unused: UnusedVariables) -> Planned<()> {
    let mut defined = BTreeMap::new();
    let mut used = BTreeMap::new();
    for block in blocks {
        for (name, at) in &block.defined {
            if defined.insert(name.clone(), *at).is_some() {
                return refuse(*at, format!("the variable `{name}` is defined twice"));
            }
        }
        if let Some((name, at)) = &block.twice {
            return refuse(*at, format!("the variable `{name}` is defined twice"));
        }
        used.extend(block.used.iter().map(|(name, at)| (name.clone(), *at)));
    }
    let lists =
        || format!("Defined:{:?} Used:{:?}", defined.keys().collect::<Vec<_>>(), used.keys().collect::<Vec<_>>());
    if let Some((_, at)) = used.iter().find(|(name, _)| !defined.contains_key(*name)) {
        return refuse(*at, format!("Some variables are used but not defined. {}", lists()));
    }
    let is_unused = |name: &String| unused == UnusedVariables::Refuse && !used.contains_key(name);
    match defined.iter().find(|(name, _)| is_unused(name)) {
        Some((_, at)) => refuse(*at, format!("Some variables are defined but not used. {}", lists())),
        None => Ok(()),
    }
}

/// The variables that a block fills and needs.
#[derive(Default)]
struct Uses {
    defined: BTreeMap<String, Position>,
    twice: Option<(String, Position)>,
    used: BTreeMap<String, Position>,
}

impl Uses {
    fn of_block(block: &Block) -> Uses {
        let mut uses = Uses::default();
        uses.define(block.variable.as_ref());
        if let Some(func) = &block.func {
            uses.function(func);
        }
        block.path.iter().for_each(|(_, argument)| uses.uid_argument(argument));
        uses.arguments(&block.args);
        uses.directives(&block.directives);
        uses.fields(&block.fields);
        uses
    }

    fn define(&mut self, name: Option<&Name>) {
        if let Some(name) = name
            && self.defined.insert(name.text.clone(), name.at).is_some()
        {
            self.twice = Some((name.text.clone(), name.at));
        }
    }

    fn use_name(&mut self, name: &Name) {
        self.used.insert(name.text.clone(), name.at);
    }

    fn uid_term(&mut self, term: &Term) {
        if let Some(name) = uid_variable(term) {
            self.used.insert(name.to_owned(), term.at);
        }
    }

    fn uid_argument(&mut self, argument: &Argument) {
        match argument {
            Argument::Term(term) => self.uid_term(term),
            Argument::List(list) => list.iter().for_each(|argument| self.uid_argument(argument)),
            Argument::Uid(terms) => terms.iter().for_each(|term| self.uid_term(term)),
            Argument::Val(name) => self.use_name(name),
        }
    }

    fn function(&mut self, function: &Function) {
        if let Subject::Val(name) | Subject::Len(name) = &function.subject {
            self.use_name(name);
        }
        for argument in &function.args {
            match argument {
                Argument::Val(name) => self.use_name(name),
                Argument::Uid(_) => self.uid_argument(argument),
                _ if matches!(function.name, FunctionName::Uid | FunctionName::UidIn) => self.uid_argument(argument),
                _ => {}
            }
        }
    }

    fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| self.filter(part)),
            Filter::Not(part) => self.filter(part),
            Filter::Function(function) => self.function(function),
        }
    }

    fn arguments(&mut self, args: &Arguments) {
        for order in &args.order {
            if let OrderKey::Val(name) = &order.by {
                self.use_name(name);
            }
        }
    }

    fn directives(&mut self, directives: &Directives) {
        if let Some(filter) = &directives.filter {
            self.filter(filter);
        }
        if let Some(FacetsShown::Named(items)) = &directives.facets.shown {
            items.iter().for_each(|item| self.define(item.variable.as_ref()));
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            self.define(field.variable.as_ref());
            match &field.kind {
                FieldKind::Val(name)
                | FieldKind::Aggregate(_, AggregateOf::Val(name))
                | FieldKind::Expand(Expand::Val(name)) => self.use_name(name),
                FieldKind::Math(math) => self.math(math),
                _ => {}
            }
            self.arguments(&field.args);
            self.directives(&field.directives);
            self.fields(field.fields.as_deref().unwrap_or_default());
        }
    }

    fn math(&mut self, math: &Math) {
        match math {
            Math::Variable(name) => self.use_name(name),
            Math::Call(_, operands) => operands.iter().for_each(|operand| self.math(operand)),
            Math::Number(_) => {}
        }
    }
}

/// The variable that an argument of `uid(...)` names; `None` for a uid.
pub(super) fn uid_variable(term: &Term) -> Option<&str> {
    let is_word =
        term.kind == TermKind::Bare && !term.text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    is_word.then_some(term.text.as_str())
}
