//! Listing objects: every page, with suspicion.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::client::Listed;
use super::options::BucketOptions;
use super::place::Place;
use super::refusal::Refusal;
use super::requests::Operation;
use crate::names::is_reserved;
use crate::{Error, ObjectMeta, Result};

/// Objects whose names begin with `prefix`, by the bytes of their names.
///
/// A bucket may hold objects of others. Those whose keys are no [`graphdb_types::ObjectName`] (`folder/`, `a//b`) cannot be ours, because
/// nothing is written here under another name; they are left out. All others are shown.
pub(super) async fn list(place: &Arc<Place>, prefix: &str) -> Result<Vec<ObjectMeta>> {
    let op = Operation::on_all(place, "list");
    let listed = all(&op, &place.prefix(prefix)).await?;
    let mut objects: Vec<ObjectMeta> = listed.into_iter().filter_map(|object| meta(place, object)).collect();
    objects.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(objects)
}

fn meta(place: &Place, listed: Listed) -> Option<ObjectMeta> {
    let Some(name) = place.name_of(&listed.key) else {
        tracing::debug!(key = listed.key, location = %place.location, "not an object of ours: its key is no object name");
        return None;
    };
    let reserved = name.segments().any(is_reserved);
    let modified_at = whole_seconds(listed.modified_at);
    (!reserved).then_some(ObjectMeta { name, size_bytes: listed.size_bytes, modified_at })
}

/// A listing may tell milliseconds; the headers of HTTP, in which a store tells of one object, cannot.
pub(super) fn whole_seconds(at: SystemTime) -> SystemTime {
    let age = at.duration_since(SystemTime::UNIX_EPOCH);
    age.map_or(at, |age| SystemTime::UNIX_EPOCH + Duration::from_secs(age.as_secs()))
}

/// Everything whose key begins with `prefix`, each once, by the bytes of the key: claims and objects of others too.
///
/// Pages that repeat objects or are out of order do no harm. Pages that lead nowhere, and more pages or objects than the options allow, are
/// errors.
pub(super) async fn all(op: &Operation, prefix: &str) -> Result<Vec<Listed>> {
    let mut listing = Listing::default();
    let mut after = None;
    loop {
        let page = op.list(prefix, after.as_deref()).await.map_err(|refusal| op.refused(refusal))?;
        let is_new = listing.add(page.objects, prefix);
        let Some(next) = page.next else { break };
        if !is_new || !listing.tokens.insert(next.clone()) {
            return Err(op.refused(Refusal::nonsense("its listing goes in circles")));
        }
        let options = &op.place.options;
        if listing.objects.len() > options.listed_objects || listing.tokens.len() > options.listed_pages {
            return Err(too_large(op, options));
        }
        after = Some(next);
    }
    Ok(listing.objects.into_values().collect())
}

fn too_large(op: &Operation, options: &BucketOptions) -> Error {
    let most =
        format!("there are more than {} objects, or {} pages of them", options.listed_objects, options.listed_pages);
    Error::Misconfigured {
        action: op.attempt.action,
        object: op.attempt.object(),
        location: op.attempt.location.clone(),
        advice: "there is too much in it; give the backups a bucket or a folder of their own".into(),
        source: most.into(),
    }
}

#[derive(Default)]
struct Listing {
    objects: BTreeMap<String, Listed>,
    tokens: HashSet<String>,
}

impl Listing {
    /// Adds a page, and says whether it was empty or brought anything new. Of two entries for one key the later one counts: the object may
    /// have been replaced meanwhile.
    fn add(&mut self, page: Vec<Listed>, prefix: &str) -> bool {
        let (empty, before) = (page.is_empty(), self.objects.len());
        // A store that ignores the prefix shows too much.
        let matching = page.into_iter().filter(|object| object.key.starts_with(prefix));
        self.objects.extend(matching.map(|object| (object.key.clone(), object)));
        empty || self.objects.len() > before
    }
}
