//! The server, and places at it that are reached through a proxy of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use graphdb_backup::{Credentials, LocationRequest, Locations};
use graphdb_destination::testing::fault_proxy::FaultProxy;
use graphdb_destination::testing::servers::Rgw;
use graphdb_destination::{AccessKeys, BucketOptions, BucketScheme, Destination, LocationOptions};

use crate::source::Source;

/// So few that a job's listings have many pages.
const PAGE_ENTRIES: usize = 2;

/// How large backups are, and the pieces that they travel in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) part_bytes: usize,
    /// Of all texts in the store; the archive of a full backup has three quarters of them.
    text_bytes: usize,
}

impl Sizes {
    /// Many parts and little data: many cases in little time.
    pub(crate) const SMALL: Sizes = Sizes { part_bytes: 64 << 10, text_bytes: 1 << 20 };

    /// The smallest parts that S3 takes, more than the buffers of a connection hold: it breaks while bytes are on their way.
    pub(crate) const LARGE: Sizes = Sizes { part_bytes: 5 << 20, text_bytes: 16 << 20 };
}

/// What all jobs share.
pub(crate) struct Lab {
    rgw: Rgw,
    bucket: String,
    pub(crate) sizes: Sizes,
    pub(crate) source: Source,
    places: AtomicUsize,
}

/// A folder in the bucket that one job has for itself.
pub(crate) struct Place {
    pub(crate) proxy: FaultProxy,
    pub(crate) through_proxy: Arc<dyn Destination>,
    pub(crate) direct: Arc<dyn Destination>,
    /// The folder, which keys begin with.
    pub(crate) folder: String,
}

impl Lab {
    /// `None`, after a loud message, if the server is not installed.
    pub(crate) async fn new(sizes: Sizes) -> Option<Lab> {
        let rgw = Rgw::start_with_parts_of(sizes.part_bytes)?;
        let bucket = rgw.account().fresh_bucket().await;
        Some(Lab { rgw, bucket, sizes, source: Source::new(sizes.text_bytes), places: AtomicUsize::new(1) })
    }

    pub(crate) async fn place(&self, scheme: BucketScheme, options: BucketOptions) -> Place {
        let folder = format!("case-{}", self.places.fetch_add(1, Ordering::Relaxed));
        let server: SocketAddr = self.rgw.endpoint().strip_prefix("http://").unwrap().parse().unwrap();
        let proxy = FaultProxy::start(server).await.unwrap();
        proxy.set_page_entries(PAGE_ENTRIES);
        proxy.watch_for(self.rgw.account().secret_key.expose());
        let at = |address| format!("{scheme}://{address}/{}/{folder}?secure=false", self.bucket);
        let through_proxy = self.open(at(proxy.address()), options.clone()).await;
        let direct = self.open(at(server), self.patient()).await;
        Place { proxy, through_proxy, direct, folder }
    }

    async fn open(&self, location: String, bucket: BucketOptions) -> Arc<dyn Destination> {
        let account = self.rgw.account();
        let keys = AccessKeys {
            access_key: account.access_key.clone(),
            secret_key: account.secret_key.clone(),
            session_token: None,
        };
        let options = LocationOptions { region: Some(account.region.clone()), bucket, ..LocationOptions::default() };
        let request = LocationRequest { location: Some(location), credentials: Some(Credentials::Keys(keys)) };
        Locations::new(options).open(&request).await.unwrap()
    }

    /// Keys of multipart uploads in a folder that were neither completed nor aborted, as the server tells.
    pub(crate) async fn open_uploads(&self, place: &Place) -> Vec<String> {
        let client = self.rgw.account().client();
        let prefix = format!("{}/", place.folder);
        let page = client.list_multipart_uploads().bucket(&self.bucket).prefix(prefix).send().await.unwrap();
        page.uploads().iter().map(|upload| upload.key().unwrap_or_default().to_owned()).collect()
    }

    /// Gives up soon: a case that has to fail should not take minutes. Answers take milliseconds, on a busy machine a hundred. The waits add up to
    /// a second, three times as long as a port is refused.
    pub(crate) fn impatient(&self) -> BucketOptions {
        BucketOptions {
            part_bytes: self.sizes.part_bytes,
            parts_in_flight: 2,
            range_bytes: self.sizes.part_bytes as u64,
            ranges_in_flight: 2,
            attempts: 10,
            first_wait: Duration::from_millis(20),
            longest_wait: Duration::from_millis(400),
            longest_retry_after: Duration::from_millis(300),
            request_patience: Duration::from_secs(6),
            operation_patience: Duration::from_secs(6),
            answer_timeout: Duration::from_secs(3),
            complete_timeout: Duration::from_secs(3),
            least_rate_bytes: 1 << 20,
            stall_timeout: Duration::from_secs(2),
            stall_bytes: 1 << 10,
            ..BucketOptions::default()
        }
    }

    /// Outlasts many faults in a row.
    pub(crate) fn patient(&self) -> BucketOptions {
        BucketOptions {
            attempts: 60,
            request_patience: Duration::from_secs(60),
            operation_patience: Duration::from_secs(60),
            ..self.impatient()
        }
    }
}
