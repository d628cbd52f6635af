use std::collections::BTreeMap;

use super::{PlanError, Planned, refuse};
use crate::dql::Document;
use crate::dql::ast::{
    Argument, Arguments, Directives, Field, FieldKind, Filter, Function, Term, TermKind, VariableDeclaration,
    VariableType,
};

/// Puts the values of query variables where they are used.
pub(super) fn bind(mut document: Document, given: &BTreeMap<String, String>) -> Planned<Document> {
    let mut values = BTreeMap::new();
    for declared in &document.variables {
        values.insert(declared.name.clone(), value(declared, given)?);
    }
    if let Some(stranger) = given.keys().find(|name| !values.contains_key(*name)) {
        let at = crate::dql::Position::START;
        return refuse(
            at,
            format!(
                "a value is given for `{stranger}`, which the query does not declare; declare it in `query name({stranger}: string)`"
            ),
        );
    }
    let binder = Binder { values };
    for block in &mut document.blocks {
        if let Some(func) = &mut block.func {
            binder.function(func)?;
        }
        binder.arguments(&mut block.args)?;
        block.path.iter_mut().try_for_each(|(_, argument)| binder.argument(argument))?;
        binder.directives(&mut block.directives)?;
        binder.fields(&mut block.fields)?;
    }
    Ok(document)
}

fn value(declared: &VariableDeclaration, given: &BTreeMap<String, String>) -> Planned<String> {
    let text = match given.get(&declared.name).or(declared.default.as_ref()) {
        Some(text) => text.clone(),
        None if declared.required => {
            return refuse(declared.at, format!("the query variable `{}` needs a value", declared.name));
        }
        None => return Ok(String::new()),
    };
    let fits = match declared.value_type {
        VariableType::String => true,
        VariableType::Int => text.parse::<i64>().is_ok(),
        VariableType::Float => text.parse::<f64>().is_ok(),
        VariableType::Bool => matches!(text.as_str(), "true" | "false"),
    };
    match fits {
        true => Ok(text),
        false => refuse(
            declared.at,
            format!(
                "{text:?} is not a value for the query variable `{}`, whose type is {:?}",
                declared.name, declared.value_type
            ),
        ),
    }
}

struct Binder {
    values: BTreeMap<String, String>,
}

impl Binder {
    fn term(&self, term: &mut Term) -> Result<(), PlanError> {
        if term.kind != TermKind::Variable {
            return Ok(());
        }
        match self.values.get(&term.text) {
            Some(value) => {
                term.text.clone_from(value);
                term.kind = TermKind::Quoted;
                Ok(())
            }
            None => refuse(term.at, format!("the query variable `{}` is used but not declared", term.text)),
        }
    }

    fn optional(&self, term: &mut Option<Term>) -> Planned<()> {
        term.as_mut().map_or(Ok(()), |term| self.term(term))
    }

    fn argument(&self, argument: &mut Argument) -> Planned<()> {
        match argument {
            Argument::Term(term) => self.term(term),
            Argument::List(list) => list.iter_mut().try_for_each(|argument| self.argument(argument)),
            Argument::Uid(terms) => terms.iter_mut().try_for_each(|term| self.term(term)),
            Argument::Val(_) => Ok(()),
        }
    }

    fn function(&self, function: &mut Function) -> Planned<()> {
        function.args.iter_mut().try_for_each(|argument| self.argument(argument))
    }

    fn filter(&self, filter: &mut Filter) -> Planned<()> {
        match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter_mut().try_for_each(|part| self.filter(part)),
            Filter::Not(part) => self.filter(part),
            Filter::Function(function) => self.function(function),
        }
    }

    fn arguments(&self, args: &mut Arguments) -> Planned<()> {
        self.optional(&mut args.first)?;
        self.optional(&mut args.offset)?;
        self.optional(&mut args.after)
    }

    fn directives(&self, directives: &mut Directives) -> Planned<()> {
        if let Some(filter) = &mut directives.filter {
            self.filter(filter)?;
        }
        if let Some(filter) = &mut directives.facets.filter {
            self.filter(filter)?;
        }
        match &mut directives.recurse {
            Some(recurse) => self.optional(&mut recurse.depth).and_then(|()| self.optional(&mut recurse.allow_loop)),
            None => Ok(()),
        }
    }

    fn fields(&self, fields: &mut [Field]) -> Planned<()> {
        for field in fields {
            if let FieldKind::CheckPassword(_, password) = &mut field.kind {
                self.term(password)?;
            }
            self.arguments(&mut field.args)?;
            self.directives(&mut field.directives)?;
            self.fields(field.fields.as_deref_mut().unwrap_or_default())?;
        }
        Ok(())
    }
}
