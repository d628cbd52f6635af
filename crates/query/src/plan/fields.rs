use std::collections::HashSet;

use graphdb_types::{PredicateSchema, ValType};

use super::blocks::{check_name, paging};
use super::{
    EdgePlan, ExpandPlan, FacetFilter, FacetsPlan, FieldKind, FieldPlan, Lang, Planned, Planner, ValuePlan, refuse,
};
use crate::dql::ast::{self, AggregateOf, Attribute, Expand, FacetsShown, Field};

impl Planner<'_> {
    pub(super) fn fields(&self, fields: &[Field]) -> Planned<Vec<FieldPlan>> {
        let named: Vec<String> = fields.iter().filter_map(shown_name).collect();
        let mut seen = HashSet::new();
        let mut plans = Vec::with_capacity(fields.len());
        for field in fields {
            let plan = self.field(field, &named)?;
            // `expand` has no key of its own, and `x as math(...)` without an alias shows nothing.
            let is_hidden =
                matches!(plan.kind, FieldKind::Expand(_)) || (matches!(plan.kind, FieldKind::Math(_)) && !plan.aliased);
            if !is_hidden && !seen.insert(plan.key.clone()) {
                return refuse(
                    field.at,
                    format!("`{}` is asked for twice in one block; give one of them an alias", plan.key),
                );
            }
            plans.push(plan);
        }
        Ok(plans)
    }

    fn field(&self, field: &Field, named: &[String]) -> Planned<FieldPlan> {
        if field.directives.ignore_reflex {
            return refuse(field.at, "@ignorereflex stands at a block, not at a field");
        }
        let (key, kind) = self.kind(field, named)?;
        if field.directives.group_by.is_some() && !matches!(kind, FieldKind::Edge(_)) {
            return refuse(field.at, format!("`{key}` leads to no nodes that could be grouped"));
        }
        let takes_edges = matches!(kind, FieldKind::Edge(_) | FieldKind::Expand(_) | FieldKind::Count { .. });
        if !takes_edges && field.directives.filter.is_some() {
            return refuse(field.at, format!("`{key}` leads to no nodes that a @filter could choose from"));
        }
        if !matches!(kind, FieldKind::Edge(_)) && field.args != ast::Arguments::default() {
            return refuse(field.at, format!("`{key}` leads to no nodes that could be ordered or paged"));
        }
        let fills_variable = match &kind {
            FieldKind::Value(value) => !value.list && !value.all_languages,
            FieldKind::Uid | FieldKind::Edge(_) | FieldKind::Count { .. } | FieldKind::Math(_) => true,
            _ => false,
        };
        if field.variable.is_some() && !fills_variable {
            return refuse(field.at, format!("not supported yet: a variable of `{key}`"));
        }
        let variable = field.variable.as_ref().map(|name| name.text.clone());
        Ok(FieldPlan { key: field.alias.clone().unwrap_or(key), aliased: field.alias.is_some(), variable, kind })
    }

    /// The usual key and what is read.
    fn kind(&self, field: &Field, named: &[String]) -> Planned<(String, FieldKind)> {
        Ok(match &field.kind {
            ast::FieldKind::Uid => ("uid".to_owned(), FieldKind::Uid),
            ast::FieldKind::CountUid => ("count".to_owned(), FieldKind::CountUid),
            ast::FieldKind::Attribute(attribute) => (attribute.display(), self.attribute(field, attribute)?),
            ast::FieldKind::Count(attribute) => {
                (format!("count({})", attribute.display()), self.count(field, attribute)?)
            }
            ast::FieldKind::Val(name) => (format!("val({})", name.text), FieldKind::Val(name.text.clone())),
            ast::FieldKind::Aggregate(aggregate, AggregateOf::Val(name)) => (
                format!("{}(val({}))", aggregate.name(), name.text),
                FieldKind::Aggregate(*aggregate, name.text.clone()),
            ),
            ast::FieldKind::Aggregate(aggregate, AggregateOf::Attribute(_)) => {
                return refuse(field.at, format!("`{}` takes a value variable: {0}(val(x))", aggregate.name()));
            }
            ast::FieldKind::CheckPassword(attribute, password) => {
                let schema = self.schema.predicate(&self.predicate(&attribute.name));
                if schema.is_some_and(|schema| schema.value_type != ValType::Password) {
                    return refuse(
                        field.at,
                        format!("checkpwd needs a predicate of type password; {} is none", attribute.name),
                    );
                }
                let kind = FieldKind::CheckPassword(self.predicate(&attribute.name), password.text.clone());
                (format!("checkpwd({})", attribute.name), kind)
            }
            ast::FieldKind::Expand(expand) => ("expand".to_owned(), self.expand(field, expand, named)?),
            ast::FieldKind::Math(expression) => {
                if field.alias.is_none() && field.variable.is_none() {
                    return refuse(field.at, "math needs an alias or the name of a variable: `total: math(...)`");
                }
                check_math(field, expression)?;
                ("math".to_owned(), FieldKind::Math(expression.clone()))
            }
            ast::FieldKind::Spread(name) => {
                return refuse(name.at, format!("the fragment `{}` is not defined", name.text));
            }
        })
    }

    fn attribute(&self, field: &Field, attribute: &Attribute) -> Planned<FieldKind> {
        check_name(attribute.at, &attribute.name)?;
        let schema = self.schema.predicate(&self.predicate(&attribute.name)).cloned().unwrap_or_default();
        self.check_reverse(attribute)?;
        if attribute.reverse || schema.value_type == ValType::Uid {
            if !attribute.langs.is_empty() {
                return refuse(attribute.at, format!("`{}` has edges, which have no languages", attribute.name));
            }
            return Ok(FieldKind::Edge(Box::new(self.edge(field, attribute, &schema)?)));
        }
        let facets = &field.directives.facets;
        if facets.filter.is_some() || !facets.order.is_empty() {
            return refuse(
                field.at,
                format!("`{}` has values: its facets can be shown, not filtered or ordered by", attribute.name),
            );
        }
        self.check_languages(attribute)?;
        Ok(FieldKind::Value(ValuePlan {
            predicate: self.predicate(&attribute.name),
            value_type: schema.value_type,
            list: schema.list,
            langs: if attribute.langs.is_empty() {
                vec![Lang::Untagged]
            } else {
                attribute.langs.iter().map(|lang| Lang::named(lang)).collect()
            },
            all_languages: attribute.all_languages(),
            facets: self.facets_shown(field)?,
        }))
    }

    fn edge(&self, field: &Field, attribute: &Attribute, schema: &PredicateSchema) -> Planned<EdgePlan> {
        let directives = &field.directives;
        let fields = field.fields.as_deref().unwrap_or_default();
        let group = directives.group_by.as_ref().map(|keys| self.group(field.at, keys, fields)).transpose()?;
        Ok(EdgePlan {
            predicate: self.predicate(&attribute.name),
            reverse: attribute.reverse,
            single: !attribute.reverse && !schema.list,
            filter: directives.filter.as_ref().map(|filter| self.filter(filter)).transpose()?,
            facet_filter: directives.facets.filter.as_ref().map(|filter| self.facet_filter(filter)).transpose()?,
            facet_order: directives.facets.order.iter().map(|order| (order.key.clone(), order.descending)).collect(),
            facets: self.facets_shown(field)?,
            order: self.orders(&field.args.order)?,
            paging: paging(&field.args)?,
            cascade: directives.cascade.clone(),
            normalize: directives.normalize,
            fields: if group.is_none() { self.fields(fields)? } else { Vec::new() },
            group,
        })
    }

    fn count(&self, field: &Field, attribute: &Attribute) -> Planned<FieldKind> {
        self.check_reverse(attribute)?;
        if !field.directives.facets.is_empty() {
            return refuse(field.at, "a count has no facets");
        }
        let predicate = self.predicate(&attribute.name);
        let filter = field.directives.filter.as_ref().map(|filter| self.filter(filter)).transpose()?;
        let has_edges = attribute.reverse
            || self.schema.predicate(&predicate).is_none_or(|schema| schema.value_type == ValType::Uid);
        if filter.is_some() && !has_edges {
            return refuse(
                field.at,
                format!("`{}` leads to no nodes that a @filter could choose from", attribute.name),
            );
        }
        Ok(FieldKind::Count { predicate, reverse: attribute.reverse, filter })
    }

    fn expand(&self, field: &Field, expand: &Expand, named: &[String]) -> Planned<FieldKind> {
        let types = match expand {
            Expand::All => None,
            Expand::Types(types) => Some(types.clone()),
            Expand::Val(_) => return refuse(field.at, "not supported yet: expand(val(x))"),
        };
        Ok(FieldKind::Expand(ExpandPlan {
            types,
            fields: field.fields.as_ref().map(|fields| self.fields(fields)).transpose()?,
            filter: field.directives.filter.as_ref().map(|filter| self.filter(filter)).transpose()?,
            named: named.to_vec(),
        }))
    }

    fn facets_shown(&self, field: &Field) -> Planned<Option<FacetsPlan>> {
        let Some(shown) = &field.directives.facets.shown else {
            return Ok(None);
        };
        let FacetsShown::Named(items) = shown else {
            return Ok(Some(FacetsPlan::All));
        };
        match items.iter().find_map(|item| item.variable.as_ref()) {
            Some(variable) => refuse(variable.at, "not supported yet: variables of facets"),
            None => {
                Ok(Some(FacetsPlan::Named(items.iter().map(|item| (item.key.clone(), item.alias.clone())).collect())))
            }
        }
    }

    fn facet_filter(&self, filter: &ast::Filter) -> Planned<FacetFilter> {
        Ok(match filter {
            ast::Filter::And(parts) => {
                FacetFilter::And(parts.iter().map(|part| self.facet_filter(part)).collect::<Planned<_>>()?)
            }
            ast::Filter::Or(parts) => {
                FacetFilter::Or(parts.iter().map(|part| self.facet_filter(part)).collect::<Planned<_>>()?)
            }
            ast::Filter::Not(part) => FacetFilter::Not(Box::new(self.facet_filter(part)?)),
            ast::Filter::Function(function) => self.facet_test(function)?,
        })
    }

    /// A tag on a predicate that has none would silently find nothing.
    pub(super) fn check_languages(&self, attribute: &Attribute) -> Planned<()> {
        let schema = self.schema.predicate(&self.predicate(&attribute.name));
        match !attribute.langs.is_empty() && schema.is_some_and(|schema| !schema.lang) {
            true => refuse(
                attribute.at,
                format!("`{}` has no @lang in the schema, so it has no languages to ask for", attribute.name),
            ),
            false => Ok(()),
        }
    }

    pub(super) fn check_reverse(&self, attribute: &Attribute) -> Planned<()> {
        let schema = self.schema.predicate(&self.predicate(&attribute.name));
        match attribute.reverse && schema.is_some_and(|schema| !schema.reverse) {
            true => refuse(
                attribute.at,
                format!("Predicate {} doesn't have reverse edge: it has no @reverse in the schema", attribute.name),
            ),
            false => Ok(()),
        }
    }
}

/// Refuses what needs a clock, and expressions without a variable, which belong to no node.
fn check_math(field: &Field, expression: &ast::Math) -> Planned<()> {
    fn any(expression: &ast::Math, is: &dyn Fn(&ast::Math) -> bool) -> bool {
        let inner = if let ast::Math::Call(_, operands) = expression { operands.as_slice() } else { &[] };
        is(expression) || inner.iter().any(|operand| any(operand, is))
    }
    if any(expression, &|part| matches!(part, ast::Math::Call(name, _) if name == "since")) {
        return refuse(field.at, "not supported yet: since");
    }
    match any(expression, &|part| matches!(part, ast::Math::Variable(_))) {
        true => Ok(()),
        false => refuse(field.at, "math needs at least one value variable"),
    }
}

/// The key under which `expand` would repeat this field.
fn shown_name(field: &Field) -> Option<String> {
    match &field.kind {
        ast::FieldKind::Attribute(attribute) if field.alias.is_none() => {
            Some(Attribute { langs: Vec::new(), ..attribute.clone() }.display())
        }
        _ => None,
    }
}

impl Lang {
    /// What a tag in a query asks for.
    pub(crate) fn named(tag: &str) -> Lang {
        match tag {
            "" => Lang::Untagged,
            "." => Lang::Any,
            tag => Lang::Tagged(tag.to_owned()),
        }
    }

    /// The tag; empty for none, `.` for any.
    pub fn tag(&self) -> &str {
        match self {
            Lang::Untagged => "",
            Lang::Tagged(tag) => tag,
            Lang::Any => ".",
        }
    }
}
