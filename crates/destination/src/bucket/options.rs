//! Every number that requests to a bucket depend on.

use std::time::Duration;

/// Sizes, numbers and times of requests to object stores. The defaults suit stores near and far; tests make them small.
#[derive(Clone, Debug)]
pub struct BucketOptions {
    /// Bytes of the first parts of an upload, and the largest object that is written with one request. S3 refuses parts under 5 MiB.
    pub part_bytes: usize,
    /// Parts that are sent at the same time. Memory of an upload: one part more than these.
    pub parts_in_flight: usize,
    /// Bytes of one request of a download.
    pub range_bytes: u64,
    /// Requests of one download at the same time. Memory of a download: one range more than these.
    pub ranges_in_flight: usize,
    /// How often one request is sent at most. With one answer in four lost, a request fails for good once in a million times.
    pub attempts: u32,
    /// The longest wait before the first repetition; each further one may be twice as long. The wait is random, from nothing to that, so
    /// that clients who failed together do not come back together.
    pub first_wait: Duration,
    /// The longest wait before any repetition.
    pub longest_wait: Duration,
    /// The longest `Retry-After` that is obeyed.
    pub longest_retry_after: Duration,
    /// After this time (and that of one attempt) no further attempt of a request is begun.
    pub request_patience: Duration,
    /// After this time (and that of one attempt) without any answer, an operation of many requests begins no further attempt: a dead
    /// store fails all of them in the time of one.
    pub operation_patience: Duration,
    /// How long a request may take, besides the time for its bytes.
    pub answer_timeout: Duration,
    /// How long completing an upload in parts may take. S3 says that it takes minutes for large objects.
    pub complete_timeout: Duration,
    /// Bytes a second that a request must reach. Four parts at once over 1 Mbit/s have 31 kB/s each.
    pub least_rate_bytes: u64,
    /// In any such time a body being read must bring [`BucketOptions::stall_bytes`].
    pub stall_timeout: Duration,
    /// See [`BucketOptions::stall_timeout`].
    pub stall_bytes: u64,
    /// For how long a claim counts, on stores that do not honour conditions: a writer uses at most half of it, and who finds an older one
    /// knows that its writer died.
    pub claim_lifetime: Duration,
    /// How long to try for a claim against others.
    pub claim_patience: Duration,
    /// The longest wait between two looks at the claims of others. It is random.
    pub claim_wait: Duration,
    /// Objects in one listing, beyond which it is refused: what is listed is held in memory.
    pub listed_objects: usize,
    /// Pages of one listing, beyond which it is refused.
    pub listed_pages: usize,
    /// Whether ETags in the form of an MD5 are taken for one. Stores that encrypt with keys of a key service are recognised; to be switched
    /// off for others whose ETags look like an MD5 and are none.
    pub verify_etags: bool,
}

impl Default for BucketOptions {
    fn default() -> BucketOptions {
        BucketOptions {
            part_bytes: 8 << 20,
            parts_in_flight: 4,
            range_bytes: 8 << 20,
            ranges_in_flight: 4,
            attempts: 10,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(20),
            longest_retry_after: Duration::from_secs(60),
            request_patience: Duration::from_secs(120),
            operation_patience: Duration::from_secs(180),
            answer_timeout: Duration::from_secs(30),
            complete_timeout: Duration::from_secs(300),
            least_rate_bytes: 16 << 10,
            stall_timeout: Duration::from_secs(30),
            stall_bytes: 128 << 10,
            claim_lifetime: Duration::from_secs(600),
            claim_patience: Duration::from_secs(60),
            claim_wait: Duration::from_millis(500),
            listed_objects: 5_000_000,
            listed_pages: 50_000,
            verify_etags: true,
        }
    }
}

impl BucketOptions {
    /// How long one attempt of a request that moves `bytes` may take.
    pub(super) fn attempt_timeout(&self, bytes: u64) -> Duration {
        self.answer_timeout + Duration::from_secs_f64(bytes as f64 / self.least_rate_bytes.max(1) as f64)
    }

    /// How long to wait after the `attempt`-th attempt (from 1): exponential, with full jitter.
    pub(super) fn wait_after(&self, attempt: u32, retry_after: Option<Duration>) -> Duration {
        let doubled = self.first_wait.saturating_mul(2u32.saturating_pow(attempt - 1));
        let backoff = doubled.min(self.longest_wait).mul_f64(rand::random::<f64>());
        backoff.max(retry_after.unwrap_or_default().min(self.longest_retry_after))
    }
}
