//! The backup engine: plan, backup, restore, list.
