//! What stores say, and what it means.

use super::super::refusal::{Class, Refusal, Told};
use super::*;

fn class(status: u16, code: &str) -> Class {
    let code = Some(code.to_owned()).filter(|code| !code.is_empty());
    Refusal::of_answer(Told { status, code, ..Told::default() }).class
}

#[test]
fn refusals_are_sorted_by_their_code_and_else_by_their_status() {
    for (status, code, expected) in [
        (404, "NoSuchKey", Class::Absent),
        (404, "", Class::Absent),
        (404, "NoSuchBucket", Class::NoBucket),
        (404, "NoSuchUpload", Class::NoUpload),
        (403, "AccessDenied", Class::Denied),
        (403, "InvalidAccessKeyId", Class::Denied),
        (403, "SignatureDoesNotMatch", Class::Denied),
        (401, "", Class::Denied),
        (403, "RequestTimeTooSkewed", Class::Clock),
        (400, "ExpiredToken", Class::Expired),
        (403, "ExpiredToken", Class::Expired),
        (301, "PermanentRedirect", Class::WrongRegion(None)),
        (307, "TemporaryRedirect", Class::WrongRegion(None)),
        (400, "AuthorizationHeaderMalformed", Class::WrongRegion(None)),
        (301, "", Class::WrongRegion(None)),
        (412, "PreconditionFailed", Class::Exists),
        (412, "", Class::Exists),
        (409, "ConditionalRequestConflict", Class::Racing),
        (409, "", Class::Racing),
        (501, "NotImplemented", Class::Unsupported),
        (405, "MethodNotAllowed", Class::Unsupported),
        (403, "QuotaExceeded", Class::Full),
        (507, "", Class::Full),
        (503, "SlowDown", Class::Throttled),
        (429, "", Class::Throttled),
        (503, "", Class::Unavailable),
        (500, "InternalError", Class::Unavailable),
        (200, "InternalError", Class::Unavailable),
        (200, "SomethingNew", Class::Unavailable),
        (200, "AccessDenied", Class::Unavailable),
        (408, "", Class::Unavailable),
        (400, "BadDigest", Class::Corrupt),
        (400, "EntityTooLarge", Class::Invalid),
        (400, "", Class::Invalid),
        (416, "InvalidRange", Class::Invalid),
    ] {
        assert_eq!(class(status, code), expected, "{status} {code}");
    }
}

#[test]
fn a_denial_of_keys_of_a_session_says_that_it_may_have_ended() {
    let refusal = |status| Refusal::of_answer(Told { status, ..Told::default() }).of_session();
    assert!(refusal(403).to_string().contains("session that the keys belong to may have expired"));
    assert_eq!(refusal(403).class, Class::Denied);
    assert!(!refusal(404).to_string().contains("session"));
}

#[test]
fn only_what_passes_is_passing() {
    for (class, passing) in [
        (Class::Throttled, true),
        (Class::Unavailable, true),
        (Class::Racing, true),
        (Class::Corrupt, true),
        (Class::Absent, false),
        (Class::Denied, false),
        (Class::Exists, false),
        (Class::Full, false),
        (Class::Clock, false),
        (Class::Expired, false),
        (Class::Unsupported, false),
        (Class::Invalid, false),
    ] {
        assert_eq!(Refusal::plain(class.clone(), String::new()).is_passing(), passing, "{class:?}");
    }
}

#[test]
fn a_time_to_wait_is_read_in_seconds_and_as_a_date() {
    let wait = |text: &str| {
        Refusal::of_answer(Told { status: 503, retry_after: Some(text.into()), ..Told::default() }).retry_after
    };
    assert_eq!(wait(" 7 "), Some(Duration::from_secs(7)));
    assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
    assert!(wait("Wed, 06 Nov 2999 08:49:37 GMT").is_some_and(|wait| wait > Duration::from_secs(1 << 30)));
    assert_eq!(wait("soon"), None);
}

#[test]
fn clocks_apart_are_both_told() {
    let date = Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
    let told = Told { status: 403, code: Some("RequestTimeTooSkewed".into()), date, ..Told::default() };
    let message = Refusal::of_answer(told).to_string();
    assert!(message.contains("1994-11-06T08:49:37Z at the store") && message.contains(" s apart"), "{message}");
}

/// What an operator reads names the object, the location and the cause, and says what to do.
#[tokio::test]
async fn errors_say_what_to_do() {
    for (status, code, advice) in [
        (403, "AccessDenied", "grants s3:PutObject"),
        (403, "RequestTimeTooSkewed", "correct the clock"),
        (403, "ExpiredToken", "have expired; renew them"),
        (301, "PermanentRedirect", "and here was asked; set --backup-region"),
        (404, "NoSuchBucket", "create the bucket, or correct its name"),
        (403, "QuotaExceeded", "no space left"),
        (503, "SlowDown", "asks for fewer requests"),
        (501, "NotImplemented", "not compatible enough with S3"),
        (400, "InvalidRequest", "check host, port, bucket, region"),
        (500, "InternalError", "could not write object manifest.json"),
    ] {
        let store = store();
        store.fail_all(Verb::Put, Fault::Refuse(status, code));
        let err = place(&store).put(&name("manifest.json"), "{}".into(), Put::Replace).await.expect_err(code);
        let text = words(&err);
        assert!(text.contains(advice) && text.contains("s3://store.example/bucket/folder"), "{text}");
        let names_cause = text.contains(&format!("({status} {code})")) && text.contains("manifest.json");
        assert!(names_cause || code == "NoSuchBucket", "{text}");
        assert_eq!(err.is_retryable(), matches!(status, 500 | 503), "{text}");
    }
}

#[test]
fn both_regions_are_named() {
    let told = Told {
        status: 301,
        code: Some("PermanentRedirect".into()),
        region: Some("eu-west-1".into()),
        ..Told::default()
    };
    let attempt = crate::error::Attempt::on("write", &name("x"), "s3:///bucket");
    let err = Refusal::of_answer(told).into_error(&attempt, Some("us-east-1")).to_string();
    assert!(err.contains("region eu-west-1, and us-east-1 was asked; set --backup-region eu-west-1"), "{err}");
}

#[tokio::test]
async fn a_denied_look_has_the_words_of_the_store() {
    let store = store();
    store.plant("folder/x", "x", Duration::ZERO);
    store.script(|call| match call.verb {
        Verb::Head => Some(Fault::Refuse(403, "")),
        Verb::Get => Some(Fault::Refuse(403, "InvalidAccessKeyId")),
        _ => None,
    });
    let err = place(&store).stat(&name("x")).await.expect_err("denied");
    assert!(matches!(err, Error::Denied { .. }) && words(&err).contains("InvalidAccessKeyId"), "{}", words(&err));
}
