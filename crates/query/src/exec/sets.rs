//! Ascending lists of uids without repeats, as sets.

/// A list this many times longer than the other is searched instead of walked.
const GALLOP: usize = 16;

/// What is in both.
pub(super) fn intersect(a: &[u64], b: &[u64]) -> Vec<u64> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() * GALLOP < long.len() {
        return search_each(short, long);
    }
    let mut both = Vec::with_capacity(short.len());
    let (mut x, mut y) = (0, 0);
    while x < short.len() && y < long.len() {
        match short[x].cmp(&long[y]) {
            std::cmp::Ordering::Less => x += 1,
            std::cmp::Ordering::Greater => y += 1,
            std::cmp::Ordering::Equal => {
                both.push(short[x]);
                x += 1;
                y += 1;
            }
        }
    }
    both
}

fn search_each(short: &[u64], mut long: &[u64]) -> Vec<u64> {
    let mut both = Vec::with_capacity(short.len());
    for uid in short {
        // Doubling steps from where the last search ended: short distances are found in few steps.
        let mut step = 1;
        while step < long.len() && long[step] < *uid {
            step *= 2;
        }
        let end = long.len().min(step + 1);
        match long[..end].binary_search(uid) {
            Ok(at) => {
                both.push(*uid);
                long = &long[at + 1..];
            }
            Err(at) => long = &long[at..],
        }
    }
    both
}

/// What is in `a` and not in `b`.
pub(super) fn difference(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut rest = b;
    let is_in_b = |uid: &u64| {
        rest = &rest[rest.partition_point(|other| other < uid)..];
        rest.first() == Some(uid)
    };
    let mut is_in_b = is_in_b;
    a.iter().filter(|uid| !is_in_b(uid)).copied().collect()
}

/// What is in any of them.
pub(super) fn union(lists: impl IntoIterator<Item = Vec<u64>>) -> Vec<u64> {
    let mut lists = lists.into_iter();
    let mut all = lists.next().unwrap_or_default();
    let mut mixed = false;
    for list in lists {
        mixed = mixed || !list.is_empty();
        all.extend(list);
    }
    if mixed {
        all.sort_unstable();
        all.dedup();
    }
    all
}

/// Everything in `rows`, ascending, each once.
pub(super) fn union_of_rows(rows: &[Vec<u64>]) -> Vec<u64> {
    let mut all: Vec<u64> = rows.concat();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_what_sets_say(a: BTreeSet<u8>, b in proptest::collection::btree_set(any::<u16>(), 0..400)) {
            let a: BTreeSet<u64> = a.into_iter().map(u64::from).collect();
            let b: BTreeSet<u64> = b.into_iter().map(u64::from).collect();
            let lists = |set: &BTreeSet<u64>| set.iter().copied().collect::<Vec<_>>();
            prop_assert_eq!(intersect(&lists(&a), &lists(&b)), a.intersection(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(intersect(&lists(&b), &lists(&a)), a.intersection(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(difference(&lists(&a), &lists(&b)), a.difference(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(union([lists(&a), lists(&b)]), a.union(&b).copied().collect::<Vec<_>>());
        }
    }
}
