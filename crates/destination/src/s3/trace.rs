//! `?trace=true`: a line for each request.

use std::time::Instant;

use aws_sdk_s3::config::interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};

/// Logs requests: method, address, status, the store's name for the request, and how long the answer took. Headers, where the secrets are,
/// are not logged, and bodies neither.
#[derive(Debug)]
pub(super) struct Trace;

/// A request on its way.
#[derive(Debug)]
struct Sent {
    method: String,
    url: String,
    at: Instant,
}

impl Storable for Sent {
    type Storer = StoreReplace<Sent>;
}

impl Intercept for Trace {
    fn name(&self) -> &'static str {
        "Trace"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let sent = Sent { method: request.method().to_owned(), url: request.uri().to_owned(), at: Instant::now() };
        config.interceptor_state().store_put(sent);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Sent { method, url, at }) = config.load::<Sent>() else { return Ok(()) };
        let ms = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
        match context.response() {
            Some(response) => {
                let request_id = response.headers().get("x-amz-request-id").unwrap_or_default();
                tracing::info!(method, url, status = response.status().as_u16(), request_id, ms, "s3 request");
            }
            None => tracing::info!(method, url, ms, "s3 request without an answer"),
        }
        Ok(())
    }
}
