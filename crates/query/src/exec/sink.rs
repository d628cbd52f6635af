use graphdb_types::value::write_json_string;

/// Takes the members of an object one after the other.
pub(super) trait Sink {
    /// Adds a member, unless `write` says that it has no value.
    fn member(&mut self, key: &str, write: impl FnOnce(&mut String) -> bool);
}

/// Writes members to the end of a text. An object that gets none leaves no trace.
pub(super) struct ObjectText<'o> {
    out: &'o mut String,
    start: usize,
    empty: bool,
}

impl<'o> ObjectText<'o> {
    pub(super) fn open(out: &'o mut String) -> ObjectText<'o> {
        let start = out.len();
        out.push('{');
        ObjectText { out, start, empty: true }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    /// As [`Sink::member`], for a value whose writing can fail.
    pub(super) fn try_member<E>(
        &mut self,
        key: &str,
        write: impl FnOnce(&mut String) -> Result<bool, E>,
    ) -> Result<(), E> {
        let before = self.out.len();
        if !self.empty {
            self.out.push(',');
        }
        write_json_string(key, self.out);
        self.out.push(':');
        match write(self.out)? {
            true => self.empty = false,
            false => self.out.truncate(before),
        }
        Ok(())
    }

    /// Closes the object; false if it had no member and is gone.
    pub(super) fn close(self) -> bool {
        match self.empty {
            true => self.out.truncate(self.start),
            false => self.out.push('}'),
        }
        !self.empty
    }

    /// Closes the object even if it is empty.
    pub(super) fn close_always(self) {
        self.out.push('}');
    }
}

impl Sink for ObjectText<'_> {
    fn member(&mut self, key: &str, write: impl FnOnce(&mut String) -> bool) {
        let written: Result<(), std::convert::Infallible> = self.try_member(key, |out| Ok(write(out)));
        match written {
            Ok(()) => {}
        }
    }
}

/// Collects members with the JSON text of their values.
#[derive(Default)]
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl Sink for Pairs {
    fn member(&mut self, key: &str, write: impl FnOnce(&mut String) -> bool) {
        let mut value = String::new();
        if write(&mut value) {
            self.0.push((key.to_owned(), value));
        }
    }
}
