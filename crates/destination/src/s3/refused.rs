//! What went wrong, from the SDK's words to ours. Requests are never shown: their headers are secret.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};

use crate::bucket::{Class, Refusal, Told};

/// Why a request was not done.
pub(super) fn refusal<E>(err: SdkError<E, HttpResponse>) -> Refusal
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match &err {
        SdkError::ServiceError(answer) => of_answer(answer.raw(), answer.err().meta()).unwrap_or_else(|| {
            Refusal::nonsense(format!("an answer of the store makes no sense: {}", causes(answer.err())))
        }),
        // The status came, and the rest of the answer did not.
        SdkError::ResponseError(answer) if !answer.raw().status().is_success() => {
            of_answer(answer.raw(), &ErrorMetadata::default()).unwrap_or_else(|| of_connection(err))
        }
        _ => match find::<CredentialsError>(&err) {
            Some(why) => of_credentials(why),
            None => of_connection(err),
        },
    }
}

/// What a store told; `None` if it neither told an error nor had a status of one.
fn of_answer(raw: &HttpResponse, meta: &ErrorMetadata) -> Option<Refusal> {
    let status = raw.status();
    if status.is_success() && meta.code().is_none() {
        return None;
    }
    let header = |name: &str| raw.headers().get(name).map(str::to_owned);
    let told = Told {
        status: status.as_u16(),
        code: meta.code().map(str::to_owned),
        message: meta.message().filter(|words| !words.is_empty()).map(str::to_owned),
        request_id: header("x-amz-request-id"),
        region: header("x-amz-bucket-region").or_else(|| region_in(raw.body().bytes()?)),
        retry_after: header("retry-after"),
        date: header("date"),
    };
    let class = class_without_code(&told);
    let mut refusal = Refusal::of_answer(told);
    if let Some(class) = class {
        refusal.class = class;
    }
    Some(refusal)
}

/// What a status means that came without the store's word for it.
fn class_without_code(told: &Told) -> Option<Class> {
    match (told.status, &told.code) {
        // An answer to HEAD has no body to say what is bad; this header does.
        (400, None) if told.region.is_some() => Some(Class::WrongRegion(told.region.clone())),
        // A page of a proxy, or of another server: the store was not asked. Where the body is empty, the SDK gives the code `NotFound`.
        (404, None) => Some(Class::Unavailable),
        _ => None,
    }
}

/// `<Region>` of an error document, which the SDK does not pass on.
fn region_in(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Region>")?;
    let (region, _) = rest.split_once("</Region>")?;
    Some(region.trim().to_owned())
}

fn of_connection<E>(err: SdkError<E, HttpResponse>) -> Refusal
where
    E: Error + Send + Sync + 'static,
{
    match err.into_source() {
        Ok(source) => Refusal::of_connection(source),
        Err(err) => Refusal::of_connection(Box::new(err)),
    }
}

/// A request that was not sent, for want of credentials.
fn of_credentials(why: &CredentialsError) -> Refusal {
    let class = if is_final(why) { Class::Denied } else { Class::Unavailable };
    Refusal::plain(class, why_no_credentials(why))
}

/// Whether somebody has to change something before there can be credentials.
pub(super) fn is_final(why: &CredentialsError) -> bool {
    matches!(why, CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_))
}

/// A sentence about missing credentials.
pub(super) fn why_no_credentials(why: &CredentialsError) -> String {
    format!("no credentials: {}", causes(why))
}

/// The causes of an error, whose own words say nothing, from the outermost to the innermost.
pub(super) fn causes(err: &dyn Error) -> String {
    let mut words = Vec::<String>::new();
    let mut cause = err.source();
    while let Some(err) = cause {
        let word = err.to_string();
        if !words.iter().any(|known| known.contains(&word)) {
            words.push(word);
        }
        cause = err.source();
    }
    if words.is_empty() { err.to_string() } else { words.join(": ") }
}

fn find<'a, E: Error + 'static>(err: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(err), |&err| err.source()).find_map(|err| err.downcast_ref())
}
