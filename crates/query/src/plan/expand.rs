use std::collections::BTreeSet;

use graphdb_types::{Namespace, Predicate, Schema, ValType};

use super::{EdgePlan, ExpandPlan, FacetsPlan, FieldKind, FieldPlan, Lang, Paging, ValuePlan};

/// The fields that `expand` stands for: those of the types, in the order of their definitions, each once. Values come with every language
/// and all facets, edges with all facets and what the query asks of their ends.
pub(crate) fn expanded_fields(plan: &ExpandPlan, types: &[String], schema: &Schema) -> Result<Vec<FieldPlan>, String> {
    let mut seen = BTreeSet::new();
    let mut fields = Vec::new();
    for name in types {
        let Some(definition) = schema.type_def(&Predicate { namespace: Namespace::ROOT, name: name.as_str().into() })
        else {
            continue;
        };
        for field in &definition.fields {
            if !seen.insert(field.as_str()) {
                continue;
            }
            if plan.named.contains(field) {
                return Err(format!("`{field}` is asked for by name and by `expand`; give the named one an alias"));
            }
            fields.extend(one(plan, field, schema));
        }
    }
    Ok(fields)
}

fn one(plan: &ExpandPlan, field: &str, schema: &Schema) -> Option<FieldPlan> {
    let (name, reverse) = field.strip_prefix('~').map_or((field, false), |name| (name, true));
    let predicate = Predicate { namespace: Namespace::ROOT, name: name.into() };
    let known = schema.predicate(&predicate)?;
    let kind = if reverse || known.value_type == ValType::Uid {
        FieldKind::Edge(Box::new(EdgePlan {
            single: !reverse && !known.list,
            predicate,
            reverse,
            filter: plan.filter.clone(),
            facet_filter: None,
            facet_order: Vec::new(),
            facets: Some(FacetsPlan::All),
            order: Vec::new(),
            paging: Paging::default(),
            cascade: None,
            normalize: false,
            group: None,
            fields: plan.fields.clone()?,
        }))
    } else {
        FieldKind::Value(ValuePlan {
            predicate,
            value_type: known.value_type,
            list: known.list,
            langs: vec![Lang::Untagged],
            all_languages: known.lang,
            facets: Some(FacetsPlan::All),
        })
    };
    let key = if matches!(&kind, FieldKind::Value(value) if value.all_languages) {
        format!("{field}@*")
    } else {
        field.to_owned()
    };
    Some(FieldPlan { key, aliased: false, variable: None, kind })
}
