use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::testing::{Traits, conformance_with};

const TRAITS: Traits = Traits { is_rigorous: true, leaves_litter: true };

/// Parts and ranges that make several of the suite's large objects.
fn suite_options() -> BucketOptions {
    BucketOptions {
        part_bytes: 5 << 20,
        range_bytes: 1 << 20,
        claim_wait: Duration::from_millis(4),
        ..BucketOptions::default()
    }
}

async fn conforms(quirks: Quirks, traits: Traits) {
    let stores = AtomicUsize::new(0);
    conformance_with(traits, async || {
        stores.fetch_add(1, Ordering::Relaxed);
        Arc::new(place_with(&FakeStore::new(quirks.clone()), suite_options())) as Arc<dyn Destination>
    })
    .await;
    assert!(stores.into_inner() > 15, "the suite ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_conforms() {
    conforms(Quirks::default(), TRAITS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_conforms_that_ignores_conditions() {
    conforms(Quirks { honours_condition: false, honours_condition_on_complete: false, ..Quirks::default() }, TRAITS)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_conforms_that_does_not_know_conditions_and_has_etags_of_its_own() {
    let quirks = Quirks { knows_condition: false, etags: Etags::Random, lists_uploads: false, ..Quirks::default() };
    let stores = AtomicUsize::new(0);
    conformance_with(Traits { leaves_litter: false, ..TRAITS }, async || {
        stores.fetch_add(1, Ordering::Relaxed);
        let options = BucketOptions { verify_etags: false, ..suite_options() };
        Arc::new(place_with(&FakeStore::new(quirks.clone()), options)) as Arc<dyn Destination>
    })
    .await;
    assert!(stores.into_inner() > 15, "the suite ran");
}
