//! The newest commit that everybody may see.

use std::sync::{Condvar, Mutex, PoisonError};

use graphdb_types::Ts;

/// The newest commit that everybody may see.
#[derive(Debug)]
pub(crate) struct Published {
    ts: Mutex<Ts>,
    raised: Condvar,
}

impl Published {
    pub(crate) fn new(ts: Ts) -> Published {
        Published { ts: Mutex::new(ts), raised: Condvar::new() }
    }

    pub(crate) fn get(&self) -> Ts {
        *self.ts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn raise(&self, to: Ts) {
        let mut ts = self.ts.lock().unwrap_or_else(PoisonError::into_inner);
        *ts = (*ts).max(to);
        self.raised.notify_all();
    }

    pub(crate) fn wait_for(&self, wanted: Ts) {
        let ts = self.ts.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.raised.wait_while(ts, |ts| *ts < wanted));
    }
}
