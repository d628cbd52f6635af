#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use clap::Parser;

use super::*;
use crate::failure::Misuse;

#[test]
fn in_a_default_place_the_host_of_s3_is_the_bucket_unless_it_can_only_be_a_host() {
    for (text, place) in [
        ("s3://backups", "s3:///backups"),
        ("s3://backups/", "s3:///backups"),
        ("S3://backups/a/b", "s3:///backups/a/b"),
        ("s3://backups.example.org/a", "s3:///backups.example.org/a"),
        ("s3:///backups/a", "s3:///backups/a"),
        ("s3://s3.us-west-2.amazonaws.com/backups/a", "s3:///backups/a"),
        ("s3://s3.cn-north-1.amazonaws.com.cn/backups", "s3://s3.cn-north-1.amazonaws.com.cn/backups"),
        ("s3://storage.googleapis.com/backups", "s3://storage.googleapis.com/backups"),
        ("s3://play.min.io:9000/backups/a", "s3://play.min.io:9000/backups/a"),
        ("s3://10.0.0.1/backups", "s3://10.0.0.1/backups"),
        ("s3://[::1]:9000/backups", "s3://[::1]:9000/backups"),
        ("s3://localhost/backups", "s3://localhost/backups"),
        ("minio://store:9000/backups/a", "minio://store:9000/backups/a"),
        ("file:///srv/backups", "/srv/backups"),
        ("/srv/backups", "/srv/backups"),
    ] {
        assert_eq!(default_place(text).unwrap().to_string(), place, "{text}");
    }
    let here = std::env::current_dir().unwrap();
    assert_eq!(default_place("./backups").unwrap().to_string(), here.join("backups").to_str().unwrap());
}

#[test]
fn parameters_of_a_default_place_are_kept() {
    let Location::Bucket(bucket) = default_place("s3://backups/a?secure=false&trace=true").unwrap() else {
        panic!("it is a bucket")
    };
    assert!(!bucket.secure && bucket.trace && bucket.bucket == "backups" && bucket.region.is_none());
    let Location::Bucket(bucket) = default_place("s3://s3.eu-central-1.amazonaws.com/backups").unwrap() else {
        panic!("it is a bucket")
    };
    assert_eq!((bucket.bucket.as_str(), bucket.region.as_deref()), ("backups", Some("eu-central-1")));
}

#[test]
fn what_is_no_default_place_is_refused_with_advice_and_without_secrets() {
    for (text, advice) in [
        ("backups", "s3://BUCKET"),
        ("backups/a", "s3://BUCKET"),
        ("s3://", "names no bucket"),
        ("s3://-x", "Invalid bucket"),
        ("s3://hunter2:hunter2@bucket/a", "carries credentials"),
        ("s3://hunter2@bucket", "carries credentials"),
        ("s3://bucket/a?secretKey=hunter2", "carries credentials"),
        ("minio://bucket", "names no bucket"),
        ("gs://bucket", "unable to handle url"),
        ("s3://bucket/../other", "not an object name"),
    ] {
        let message = default_place(text).unwrap_err();
        assert!(message.contains(advice) && !message.contains("hunter2"), "{text}: {message}");
    }
}

#[test]
fn lists_of_a_policy_are_read_and_checked() {
    assert_eq!(schemes(" file, S3,minio ,").unwrap(), [Scheme::File, Scheme::S3, Scheme::Minio]);
    assert_eq!(paths("/srv/a/../b, file:///mnt/nas").unwrap(), [Path::new("/srv/b"), Path::new("/mnt/nas")]);
    assert_eq!(
        hosts("minio.example.org, *.example.org,10.0.0.5,::1,[fe80:0::1],*").unwrap(),
        ["minio.example.org", "*.example.org", "10.0.0.5", "[::1]", "[fe80::1]", "*"]
    );
    for text in ["gs", "file s3"] {
        assert!(schemes(text).is_err(), "{text}");
    }
    for text in ["backups", "s3:///bucket", "./x"] {
        assert!(paths(text).is_err(), "{text}");
    }
    for text in ["https://host", "host:9000", "a/b", "*.", "a.*.b", "*x"] {
        assert!(hosts(text).is_err(), "{text}");
    }
    assert!(region("us-west-2").is_ok() && region("eu west").is_err() && region("x.evil/").is_err());
}

#[derive(Parser)]
struct Alone {
    #[command(flatten)]
    place: PlaceFlags,
}

fn flags(args: &[&str]) -> PlaceFlags {
    Alone::try_parse_from([&["x"], args].concat()).unwrap().place
}

#[test]
fn a_named_place_goes_before_the_default_one() {
    let flags = flags(&["--backup-bucket", "s3://backups/a"]);
    assert_eq!(flags.place(None, "--location").unwrap().shown, "s3:///backups/a");
    assert_eq!(flags.place(Some(" "), "--location").unwrap().shown, "s3:///backups/a");
    assert_eq!(flags.place(Some("/srv/backups"), "--location").unwrap().shown, "/srv/backups");
    assert_eq!(flags.default_place().unwrap().as_deref(), Some("s3:///backups/a"));
}

#[test]
fn without_any_place_the_flags_that_name_one_are_named() {
    let none = flags(&["--backup-bucket", ""]);
    assert_eq!(none.default_place().unwrap(), None);
    let error = none.place(None, "--location").unwrap_err();
    assert!(error.is::<Misuse>(), "{error}");
    assert!(error.to_string().contains("--location") && error.to_string().contains("--backup-bucket"), "{error}");
}

#[test]
fn mistakes_in_flags_are_misuse_and_name_the_flag() {
    for (args, part) in [
        (&["--backup-bucket", "backups"][..], "--backup-bucket"),
        (&["--backup-bucket", "/b", "--backup-region", "a/b"], "--backup-region"),
    ] {
        let error = flags(args).place(None, "-l").unwrap_err();
        assert!(error.is::<Misuse>() && error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_credential_file_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().join("missing"), dir.path().to_owned()] {
        let text = path.to_str().unwrap();
        let error = flags(&["--backup-credential", text]).place(Some("/b"), "-l").unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(text) && error.contains("--backup-credential"), "{error}");
    }
    let file = dir.path().join("credentials");
    std::fs::write(&file, "[default]\n").unwrap();
    assert!(flags(&["--backup-credential", file.to_str().unwrap()]).place(Some("/b"), "-l").is_ok());
}
