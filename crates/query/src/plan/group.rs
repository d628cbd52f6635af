use graphdb_types::ValType;

use super::{GroupKey, GroupMember, GroupPlan, Planned, Planner, refuse};
use crate::dql::Position;
use crate::dql::ast::{AggregateOf, Attribute, Field, FieldKind};

impl Planner<'_> {
    /// Plans `@groupby(keys) { fields }`.
    pub(super) fn group(
        &self,
        at: Position,
        keys: &[(Option<String>, Attribute)],
        fields: &[Field],
    ) -> Planned<GroupPlan> {
        if keys.is_empty() {
            return refuse(at, "@groupby needs at least one predicate");
        }
        let keys = keys.iter().map(|(alias, attribute)| {
            let usual = || attribute.display();
            Ok((alias.clone().unwrap_or_else(usual), self.group_key(attribute)?))
        });
        let members = fields.iter().map(group_member);
        Ok(GroupPlan { keys: keys.collect::<Planned<_>>()?, members: members.collect::<Planned<_>>()? })
    }

    fn group_key(&self, attribute: &Attribute) -> Planned<GroupKey> {
        self.check_reverse(attribute)?;
        let predicate = self.predicate(&attribute.name);
        let of = self.schema.predicate(&predicate).map_or(ValType::Default, |schema| schema.value_type);
        match of {
            _ if attribute.reverse => Ok(GroupKey::Edge { predicate, reverse: true }),
            ValType::Uid => Ok(GroupKey::Edge { predicate, reverse: false }),
            ValType::Password | ValType::Geo => refuse(
                attribute.at,
                format!("nodes cannot be grouped by {}, which is of type {}", attribute.name, of.name()),
            ),
            _ => Ok(GroupKey::Value(predicate, self.lang(attribute)?)),
        }
    }
}

fn group_member(field: &Field) -> Planned<(String, GroupMember)> {
    if let Some(variable) = &field.variable {
        return refuse(variable.at, "not supported yet: variables within @groupby");
    }
    let (usual, member) = match &field.kind {
        FieldKind::CountUid => ("count".to_owned(), GroupMember::Count),
        FieldKind::Aggregate(aggregate, AggregateOf::Val(name)) => {
            (format!("{}(val({}))", aggregate.name(), name.text), GroupMember::Aggregate(*aggregate, name.text.clone()))
        }
        FieldKind::Aggregate(..) => {
            return refuse(field.at, "not supported yet: aggregates of predicates within @groupby");
        }
        _ => return refuse(field.at, "@groupby answers count(uid) and aggregates only"),
    };
    Ok((field.alias.clone().unwrap_or(usual), member))
}
