//! The requests.

use std::ops::Range;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, EncodingType, MultipartUpload, Object};
use aws_smithy_types::base64;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use md5::{Digest, Md5};
use percent_encoding::percent_decode_str;

use super::S3Client;
use crate::bucket::{
    Answer, BucketClient, Class, Condition, Fetched, Head, ListPage, Listed, Part, PendingUpload, Refusal, Stored,
    UploadMarker, UploadPage,
};

/// From this size on, a body is hashed off the async threads: a fifth of a millisecond's work.
const HASHED_ASIDE_BYTES: usize = 128 << 10;

#[async_trait]
impl BucketClient for S3Client {
    async fn credentials_source(&self) -> String {
        self.identity.source().await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> Answer<Stored> {
        let md5 = md5_of(&body).await?;
        let put = |s3: &aws_sdk_s3::Client| {
            let request = s3.put_object().bucket(&self.bucket).key(key).content_md5(&md5);
            request.set_if_none_match(if_none_match(condition)).body(ByteStream::from(body.clone())).send()
        };
        Ok(Stored { etag: unquoted(self.ask(put).await?.e_tag) })
    }

    async fn create_multipart(&self, key: &str) -> Answer<String> {
        let created = self.ask(|s3| s3.create_multipart_upload().bucket(&self.bucket).key(key).send()).await?;
        created.upload_id.filter(|id| !id.is_empty()).ok_or_else(|| lacks("the id of an upload"))
    }

    async fn upload_part(&self, key: &str, upload_id: &str, number: u32, body: Bytes) -> Answer<Part> {
        let md5 = md5_of(&body).await?;
        let number_sent =
            i32::try_from(number).map_err(|_| Refusal::plain(Class::Invalid, format!("part {number} of an upload")))?;
        let upload = |s3: &aws_sdk_s3::Client| {
            let request = s3.upload_part().bucket(&self.bucket).key(key).upload_id(upload_id).part_number(number_sent);
            request.content_md5(&md5).body(ByteStream::from(body.clone())).send()
        };
        let etag = unquoted(self.ask(upload).await?.e_tag).ok_or_else(|| lacks("the ETag of a part"))?;
        Ok(Part { number, etag })
    }

    async fn complete_multipart(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[Part],
        condition: Condition,
    ) -> Answer<Stored> {
        let parts = parts
            .iter()
            .map(|part| {
                CompletedPart::builder()
                    .set_part_number(i32::try_from(part.number).ok())
                    .e_tag(quoted(&part.etag))
                    .build()
            })
            .collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = |s3: &aws_sdk_s3::Client| {
            let request = s3.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload_id);
            request.set_if_none_match(if_none_match(condition)).multipart_upload(parts.clone()).send()
        };
        let done = self.ask(complete).await?;
        // S3 answers "200" before it has done the work. What follows says what was made; of an answer that ended early nothing is left.
        if done.e_tag.is_none() && done.key.is_none() && done.location.is_none() {
            return Err(lacks("the completed object"));
        }
        Ok(Stored { etag: unquoted(done.e_tag) })
    }

    async fn abort_multipart(&self, key: &str, upload_id: &str) -> Answer<()> {
        let abort = |s3: &aws_sdk_s3::Client| {
            s3.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload_id).send()
        };
        self.ask(abort).await.map(drop)
    }

    // Keys are not asked for percent-encoded as in `list`: Ceph encodes them here without saying so, and every key below the prefix is
    // one of ours.
    async fn list_multipart(&self, prefix: &str, after: Option<&UploadMarker>) -> Answer<UploadPage> {
        let list = |s3: &aws_sdk_s3::Client| {
            let request = s3.list_multipart_uploads().bucket(&self.bucket).prefix(prefix);
            request
                .set_key_marker(after.map(|marker| marker.key.clone()))
                .set_upload_id_marker(after.map(|marker| marker.upload_id.clone()))
                .send()
        };
        let page = self.ask(list).await?;
        let next = match (page.is_truncated, page.next_key_marker) {
            (Some(true), Some(key)) => {
                Some(UploadMarker { key, upload_id: page.next_upload_id_marker.unwrap_or_default() })
            }
            (Some(true), None) => return Err(lacks("where the next page of uploads begins")),
            _ => None,
        };
        let uploads = page.uploads.unwrap_or_default().into_iter().map(pending);
        Ok(UploadPage { uploads: uploads.collect::<Answer<_>>()?, next })
    }

    async fn get(&self, key: &str, range: Range<u64>, etag: Option<&str>) -> Answer<Fetched> {
        let get = |s3: &aws_sdk_s3::Client| {
            let request = s3.get_object().bucket(&self.bucket).key(key);
            let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            request.range(bytes).set_if_match(etag.map(quoted)).send()
        };
        fetched(self.ask(get).await?, &range)
    }

    async fn head(&self, key: &str) -> Answer<Head> {
        let head = self.ask(|s3| s3.head_object().bucket(&self.bucket).key(key).send()).await?;
        Ok(Head {
            size_bytes: size(head.content_length)?,
            modified_at: time(head.last_modified)?,
            etag: unquoted(head.e_tag),
        })
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Answer<ListPage> {
        let list = |s3: &aws_sdk_s3::Client| {
            let request = s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).encoding_type(EncodingType::Url);
            request.set_continuation_token(after.map(str::to_owned)).send()
        };
        let page = self.ask(list).await?;
        let next = match (page.is_truncated, page.next_continuation_token) {
            (Some(true), None) => return Err(lacks("where the next page of a listing begins")),
            (Some(true), token) => token,
            _ => None,
        };
        let key = |text: String| decoded(text, page.encoding_type.as_ref());
        let objects = page.contents.unwrap_or_default().into_iter().map(|object| listed(object, key));
        Ok(ListPage { objects: objects.collect::<Answer<_>>()?, next })
    }

    async fn delete(&self, key: &str) -> Answer<()> {
        self.ask(|s3| s3.delete_object().bucket(&self.bucket).key(key).send()).await.map(drop)
    }
}

async fn md5_of(body: &Bytes) -> Answer<String> {
    let (body, aside) = (body.clone(), body.len() >= HASHED_ASIDE_BYTES);
    let hash = move || base64::encode(Md5::digest(&body));
    if !aside {
        return Ok(hash());
    }
    tokio::task::spawn_blocking(hash).await.map_err(|err| Refusal::plain(Class::Unavailable, err.to_string()))
}

fn if_none_match(condition: Condition) -> Option<String> {
    match condition {
        Condition::None => None,
        Condition::Absent => Some("*".into()),
    }
}

fn pending(upload: MultipartUpload) -> Answer<PendingUpload> {
    Ok(PendingUpload {
        key: upload.key.ok_or_else(|| lacks("the key of an upload"))?,
        upload_id: upload.upload_id.ok_or_else(|| lacks("the id of an upload"))?,
        begun_at: time(upload.initiated)?,
    })
}

fn listed(object: Object, key: impl Fn(String) -> Answer<String>) -> Answer<Listed> {
    Ok(Listed {
        key: key(object.key.ok_or_else(|| lacks("a key in a listing"))?)?,
        size_bytes: size(object.size)?,
        modified_at: time(object.last_modified)?,
    })
}

/// The bytes of an answer to a ranged request. A store that sends something else than it was asked for is not believed.
fn fetched(answer: GetObjectOutput, range: &Range<u64>) -> Answer<Fetched> {
    let announced_bytes = size(answer.content_length)?;
    let object_bytes = match answer.content_range.as_deref().map(content_range) {
        Some(Some((first, total))) if first == range.start => total,
        Some(_) => return Err(Refusal::nonsense("the store sent another range of the object than it was asked for")),
        // Everything, which is right if that is what was asked for.
        None if range.start == 0 && announced_bytes <= range.end => announced_bytes,
        None => return Err(Refusal::nonsense("the store sent the whole object and not the range it was asked for")),
    };
    let etag_is_opaque = answer.sse_customer_algorithm.is_some()
        || answer.server_side_encryption.is_some_and(|how| how.as_str().starts_with("aws:"));
    let (etag, body) = (unquoted(answer.e_tag), chunks(answer.body));
    Ok(Fetched { object_bytes, announced_bytes, etag, etag_is_opaque, body })
}

/// Reads `bytes <first>-<last>/<total>` (RFC 9110 section 14.4).
fn content_range(text: &str) -> Option<(u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.parse().ok()?, total.parse().ok()?))
}

fn chunks(body: ByteStream) -> BoxStream<'static, Answer<Bytes>> {
    stream::unfold(body, |mut body| async move {
        let chunk = body.next().await?;
        Some((chunk.map_err(|err| Refusal::of_connection(err.into())), body))
    })
    .boxed()
}

/// Keys come percent-encoded if the store says so: XML cannot hold every character. A space is `+` then, as in forms, or `%20`.
fn decoded(key: String, encoding: Option<&EncodingType>) -> Answer<String> {
    match encoding {
        Some(EncodingType::Url) => {
            let spaced = key.replace('+', " ");
            let text = percent_decode_str(&spaced).decode_utf8();
            text.map(|key| key.into_owned()).map_err(|_| Refusal::nonsense(format!("a key is not UTF-8: {key}")))
        }
        _ => Ok(key),
    }
}

fn unquoted(etag: Option<String>) -> Option<String> {
    etag.map(|etag| etag.trim_matches('"').to_owned()).filter(|etag| !etag.is_empty())
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

fn size(size: Option<i64>) -> Answer<u64> {
    size.and_then(|size| u64::try_from(size).ok()).ok_or_else(|| lacks("a size"))
}

fn time(time: Option<DateTime>) -> Answer<SystemTime> {
    time.and_then(|time| SystemTime::try_from(time).ok()).ok_or_else(|| lacks("a time"))
}

fn lacks(what: &str) -> Refusal {
    Refusal::nonsense(format!("the store's answer lacks {what}"))
}
