//! Whose credentials sign. What depends on the environment runs in a process of its own, which [`child`] is.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::fake::{Asked, Fake, reply};
use super::{SECRET, TOKEN, at, in_region, keys};
use crate::Result;
use crate::bucket::{BucketClient, Class, Condition};
use crate::credentials::Credentials;
use crate::locations::{LocationOptions, ObjectStoreEnvironment};
use crate::s3::S3Client;

/// What a child does: `delete` some objects, or `upload` one in parts, slowly.
const TASK: &str = "S3_TEST_TASK";
/// The bucket it does it in.
const BUCKET: &str = "S3_TEST_BUCKET";
/// Parts of an upload and objects to delete.
pub(super) const STEPS: usize = 4;
/// Between the parts of an upload.
pub(super) const PAUSE: Duration = Duration::from_secs(2);
/// The least that S3 takes for a part that is not the last.
const PART_BYTES: usize = 5 << 20;

#[tokio::test]
#[ignore = "is run by other tests, in a process of its own"]
async fn child() {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(task), Some(bucket)) = (variable(TASK), variable(BUCKET)) else { return };
    let options =
        LocationOptions { environment: ObjectStoreEnvironment::read(variable).unwrap(), ..LocationOptions::default() };
    match S3Client::connect(&at(&format!("s3:///{bucket}")), None, &options).await {
        Ok(client) => {
            println!("SOURCE {}", client.credentials_source().await);
            let done = if task == "upload" { upload(&client).await } else { delete(&client).await };
            println!(
                "DONE {}",
                done.err().map_or_else(|| "well".into(), |refusal| format!("{:?} {refusal}", refusal.class))
            );
        }
        Err(err) => println!("SOURCE {err}"),
    }
}

async fn delete(client: &S3Client) -> crate::bucket::Answer<()> {
    for step in 0..STEPS {
        client.delete(&format!("object-{step}")).await?;
    }
    Ok(())
}

async fn upload(client: &S3Client) -> crate::bucket::Answer<()> {
    let id = client.create_multipart("slow").await?;
    let mut parts = Vec::new();
    for number in 1..=u32::try_from(STEPS).unwrap() {
        parts.push(client.upload_part("slow", &id, number, Bytes::from(vec![b'x'; PART_BYTES])).await?);
        tokio::time::sleep(PAUSE).await;
    }
    client.complete_multipart("slow", &id, &parts, Condition::None).await?;
    Ok(())
}

/// What a child said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) source: String,
    pub(super) done: String,
    pub(super) all: String,
}

/// Runs [`child`] with nothing in its environment but `variables`.
pub(super) async fn run_child(task: &str, bucket: &str, variables: &BTreeMap<&str, String>) -> Said {
    let home = tempfile::tempdir().unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("{module}::child"), "--ignored", "--nocapture"]);
    command.env_clear().env("HOME", home.path()).env(TASK, task).env(BUCKET, bucket).envs(variables);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let all = format!("{}{}", String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{all}");
    let line = |word: &str| all.lines().find_map(|line| line.split_once(word)).map_or("", |(_, rest)| rest.trim());
    Said { source: line("SOURCE ").to_owned(), done: line("DONE ").to_owned(), all: all.clone() }
}

fn in_seconds(seconds: u64) -> String {
    let at = OffsetDateTime::from(SystemTime::now() + Duration::from_secs(seconds));
    at.format(&Rfc3339).unwrap()
}

/// Credentials as container and instance metadata give them.
pub(super) fn session(key: &str, secret: &str, token: &str, seconds: u64) -> Vec<u8> {
    let expiration = in_seconds(seconds);
    let body = format!(
        r#"{{"Code":"Success","Type":"AWS-HMAC","LastUpdated":"2026-01-01T00:00:00Z","AccessKeyId":"{key}","SecretAccessKey":"{secret}","Token":"{token}","Expiration":"{expiration}"}}"#
    );
    reply(200, "Content-Type: application/json\r\n", &body)
}

/// Plays S3, the token service, the metadata of a container and that of an instance. It is none of them.
fn cloud(asked: &Asked) -> Vec<u8> {
    match (asked.method.as_str(), asked.target.as_str()) {
        ("PUT", "/latest/api/token") => reply(200, "x-aws-ec2-metadata-token-ttl-seconds: 600\r\n", "metadata-token"),
        ("GET", "/latest/meta-data/iam/security-credentials/") => reply(200, "", "role"),
        ("GET", "/latest/meta-data/iam/security-credentials/role") => session("INSTANCE", SECRET, TOKEN, 3600),
        ("GET", "/container") => session("CONTAINER", SECRET, TOKEN, 3600),
        ("POST", "/") => reply(200, "Content-Type: text/xml\r\n", &assumed_role(asked)),
        _ => reply(204, "", ""),
    }
}

fn assumed_role(asked: &Asked) -> String {
    let body = String::from_utf8_lossy(&asked.body);
    assert!(body.contains("Action=AssumeRoleWithWebIdentity") && body.contains("WebIdentityToken=jwt"), "{body}");
    format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>WEB</AccessKeyId>\
         <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken><Expiration>{}</Expiration>\
         </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        in_seconds(3600)
    )
}

/// Who signed the requests to the bucket.
fn signers(asked: &[Asked]) -> Vec<&str> {
    asked.iter().filter(|asked| asked.target.starts_with("/bucket")).map(|asked| asked.key().unwrap()).collect()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_environment_is_asked_in_the_order_of_aws() {
    let fake = Fake::start(cloud).await;
    let here = format!("http://{}", fake.address);
    let folder = tempfile::tempdir().unwrap();
    let file = format!("[default]\naws_access_key_id = FILE\naws_secret_access_key = {SECRET}\n");
    let mut variables = BTreeMap::from([
        ("AWS_REGION", "here".to_owned()),
        ("AWS_ENDPOINT_URL_S3", here.clone()),
        ("AWS_ENDPOINT_URL_STS", here.clone()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", here.clone()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{here}/container")),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", write(folder.path(), "jwt", "jwt")),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/role".into()),
        ("AWS_SHARED_CREDENTIALS_FILE", write(folder.path(), "credentials", &file)),
        ("AWS_ACCESS_KEY", "ENVIRONMENT".into()),
        ("AWS_SECRET_KEY", SECRET.into()),
    ]);
    for (source, key, variable) in [
        ("environment AWS_ACCESS_KEY_ID", "ENVIRONMENT", "AWS_ACCESS_KEY"),
        ("profile \"default\" of AWS's shared files", "FILE", "AWS_SHARED_CREDENTIALS_FILE"),
        ("web identity", "WEB", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("container metadata", "CONTAINER", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        ("instance metadata", "INSTANCE", ""),
    ] {
        let said = run_child("delete", "bucket", &variables).await;
        assert_eq!((said.source.as_str(), said.done.as_str()), (source, "well"), "{}", said.all);
        assert_eq!(signers(&fake.take()), [key; STEPS]);
        assert!(!said.all.contains("canary"), "{}", said.all);
        variables.remove(variable);
        if variable == "AWS_ACCESS_KEY" {
            variables.remove("AWS_SECRET_KEY");
        }
    }
    variables.insert("AWS_EC2_METADATA_DISABLED", "true".into());
    let said = run_child("delete", "bucket", &variables).await;
    for part in [
        "profile \"default\"",
        "web identity",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "container metadata",
        "AWS_EC2_METADATA_DISABLED",
        "anonymous: true",
    ] {
        assert!(said.source.contains(part), "{part}: {}", said.source);
    }
    assert!(signers(&fake.take()).is_empty(), "nothing is sent unsigned");

    let forbidding = Fake::always(reply(403, "", "")).await;
    variables.remove("AWS_EC2_METADATA_DISABLED");
    variables.insert("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{}", forbidding.address));
    variables.insert("AWS_PROFILE", "ops".into());
    let said = run_child("delete", "bucket", &variables).await;
    for part in ["profile \"ops\"", "instance metadata: ", "anonymous: true"] {
        assert!(said.source.contains(part), "{part}: {}", said.source);
    }
}

#[tokio::test]
async fn a_profile_of_the_environment_is_read_from_the_shared_files() {
    let fake = Fake::start(cloud).await;
    let folder = tempfile::tempdir().unwrap();
    let file =
        format!("[ops]\naws_access_key_id = OPS\naws_secret_access_key = {SECRET}\naws_session_token = {TOKEN}\n");
    let variables = BTreeMap::from([
        ("AWS_ENDPOINT_URL", format!("http://{}", fake.address)),
        ("AWS_SHARED_CREDENTIALS_FILE", write(folder.path(), "credentials", &file)),
        ("AWS_CONFIG_FILE", write(folder.path(), "config", "[profile ops]\nregion = eu-south-2\n")),
        ("AWS_PROFILE", "ops".into()),
    ]);
    let said = run_child("delete", "bucket", &variables).await;
    assert_eq!(said.source, "profile \"ops\" of AWS's shared files", "{}", said.all);
    let asked = fake.take();
    assert_eq!(signers(&asked), ["OPS"; STEPS]);
    assert_eq!((asked[0].region(), asked[0].header("x-amz-security-token")), (Some("eu-south-2"), Some(TOKEN)));
}

#[tokio::test]
async fn sessions_are_renewed_before_they_end() {
    // A quarter of a minute is less than the reserve, so that each request needs a new session; an hour is enough for all.
    for (seconds, distinct) in [(15, STEPS), (3600, 1)] {
        let issued = Arc::new(AtomicU32::new(0));
        let fake = Fake::start({
            let issued = issued.clone();
            move |asked| match asked.target.as_str() {
                "/container" => {
                    let number = issued.fetch_add(1, Ordering::SeqCst);
                    session(&format!("KEY{number}"), SECRET, &format!("TOKEN{number}"), seconds)
                }
                _ => reply(204, "", ""),
            }
        })
        .await;
        let variables = BTreeMap::from([
            ("AWS_REGION", "here".to_owned()),
            ("AWS_ENDPOINT_URL_S3", format!("http://{}", fake.address)),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/container", fake.address)),
        ]);
        let said = run_child("delete", "bucket", &variables).await;
        assert_eq!((said.source.as_str(), said.done.as_str()), ("container metadata", "well"), "{}", said.all);
        let asked = fake.take();
        let mut keys = signers(&asked);
        assert_eq!(keys.len(), STEPS);
        keys.dedup();
        assert_eq!(keys.len(), distinct, "{keys:?}");
        for asked in asked.iter().filter(|asked| asked.target.starts_with("/bucket")) {
            let token = asked.key().unwrap().replace("KEY", "TOKEN");
            assert_eq!(asked.header("x-amz-security-token"), Some(token.as_str()), "key and token are of one session");
        }
    }
}

/// A node with keys in its environment, and perhaps a file.
fn node(file: Option<&str>, profile: Option<&str>) -> LocationOptions {
    let mut options = in_region("here");
    options.credential_file = file.map(Into::into);
    options.profile = profile.map(Into::into);
    if let Credentials::Keys(keys) = keys("ENVIRONMENT") {
        options.environment.aws = Some(keys);
    }
    options
}

/// The source, and the key that signed.
async fn used(fake: &Fake, credentials: Option<&Credentials>, options: &LocationOptions) -> Result<(String, String)> {
    let at = at(&format!("s3://{}/bucket?secure=false", fake.address));
    let client = S3Client::connect(&at, credentials, options).await?;
    client.delete("key").await.unwrap();
    Ok((client.credentials_source().await, fake.take()[0].key().unwrap().to_owned()))
}

fn text(pair: (&str, &str)) -> (String, String) {
    (pair.0.into(), pair.1.into())
}

#[tokio::test]
async fn the_request_goes_before_the_node_and_its_options_before_its_environment() {
    let fake = Fake::start(cloud).await;
    let folder = tempfile::tempdir().unwrap();
    let file = "[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n[ops]\naws_access_key_id = OPS\naws_secret_access_key = s\n";
    let file = write(folder.path(), "keys", file);
    let request = keys("REQUEST");
    let asked = used(&fake, Some(&request), &node(Some(&file), None)).await.unwrap();
    assert_eq!(asked, text(("the request", "REQUEST")));
    let asked = used(&fake, None, &node(Some(&file), None)).await.unwrap();
    assert_eq!(asked, text((&format!("profile \"default\" of {file}"), "FILE")));
    let asked = used(&fake, None, &node(Some(&file), Some("ops"))).await.unwrap();
    assert_eq!(asked, text((&format!("profile \"ops\" of {file}"), "OPS")));
    let asked = used(&fake, None, &node(None, None)).await.unwrap();
    assert_eq!(asked, text(("environment AWS_ACCESS_KEY_ID", "ENVIRONMENT")));
}

#[tokio::test]
async fn a_file_or_profile_that_is_missing_is_named_and_not_passed_over() {
    let fake = Fake::start(cloud).await;
    let folder = tempfile::tempdir().unwrap();
    let whole = write(folder.path(), "whole", "[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n");
    let half = write(folder.path(), "half", "[default]\naws_access_key_id = FILE\n");
    let empty = write(folder.path(), "empty", "");
    let wrong = write(folder.path(), "wrong", "[default\naws_access_key_id = FILE\naws_secret_access_key = canary\n");
    for (file, profile) in [
        (Some("/nowhere/keys"), None),
        (Some(whole.as_str()), Some("ops")),
        (Some(half.as_str()), None),
        (Some(empty.as_str()), None),
        (Some(wrong.as_str()), None),
        (None, Some("nobody has this profile")),
    ] {
        let refusal = used(&fake, None, &node(file, profile)).await.unwrap_err().to_string();
        for part in [file, profile].into_iter().flatten() {
            assert!(refusal.contains(part), "{part}: {refusal}");
        }
        assert!(refusal.contains("no credentials") && !refusal.contains("canary"), "{refusal}");
    }
    assert!(fake.take().is_empty());
}

#[tokio::test]
async fn a_file_that_is_replaced_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = |key: &str| format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = s\n");
    let path = write(folder.path(), "keys", &file("OLD"));
    let fake = Fake::start(cloud).await;
    let options = node(Some(&path), None);
    let identity = crate::s3::identity::Identity::find(None, &options, "here");
    let crate::s3::identity::Identity::Signed(sources) = identity else { panic!("{identity:?}") };
    let key = async || {
        use aws_credential_types::provider::ProvideCredentials;
        sources.provide_credentials().await.unwrap().access_key_id().to_owned()
    };
    assert_eq!(key().await, "OLD");
    write(folder.path(), "keys", &file("NEW"));
    assert_eq!(key().await, "NEW");
    assert!(fake.take().is_empty());
}

#[tokio::test]
async fn credentials_that_fail_for_a_while_do_not_forbid_to_try() {
    let fake = Fake::always(reply(500, "", "")).await;
    let variables = BTreeMap::from([
        ("AWS_REGION", "here".to_owned()),
        ("AWS_ENDPOINT_URL_S3", format!("http://{}", fake.address)),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/container", fake.address)),
    ]);
    let said = run_child("delete", "bucket", &variables).await;
    let unavailable = format!("{:?} no credentials: container metadata", Class::Unavailable);
    assert!(said.done.starts_with(&unavailable), "{}", said.all);
    assert!(signers(&fake.take()).is_empty());
}
