//! What the system may see of a process that holds secrets.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Has the kernel write no core dump of this process, and let no other process of its user read its memory. Root can still.
pub(crate) fn keep_out_of_core_dumps() {
    if let Err(why) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%why, "a crash may write keys and credentials into a core dump");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_not_dumped_afterwards() {
        keep_out_of_core_dumps();
        assert_eq!(rustix::process::dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
    }
}
