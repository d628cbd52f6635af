#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

fn layer(source: &str, values: &[(&str, &str)]) -> Layer {
    let values = values.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Layer { source: source.into(), values }
}

fn fold(layers: &[(&str, &[(&str, &str)])]) -> anyhow::Result<Config> {
    Config::fold(layers.iter().map(|(source, values)| layer(source, values)).collect())
}

fn refusal(values: &[(&str, &str)]) -> String {
    let error = fold(&[("command line", values)]).unwrap_err();
    assert!(error.is::<crate::failure::Misuse>(), "{error}");
    error.to_string()
}

#[test]
fn without_anything_the_defaults_hold() {
    let config = fold(&[]).unwrap();
    assert_eq!(config.postings, Path::new("p"));
    assert_eq!(config.http.to_string(), "127.0.0.1:8080");
    assert_eq!((config.cache_bytes, config.keep_replaced.as_secs(), config.sync), (256 << 20, 86_400, true));
    assert_eq!((config.gzip_level, config.log_format), (GzipLevel::default(), LogFormat::Text));
    assert!(config.token.is_none() && config.key.is_none() && !config.is_whitelisted && !config.core_dumps);
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let sources = ["flag", "environment", "file"];
    for present in 1..8 {
        let layers: Vec<Layer> = (0..3)
            .map(|i| {
                if present & (1 << i) == 0 {
                    layer(sources[i], &[])
                } else {
                    layer(sources[i], &[("postings", sources[i])])
                }
            })
            .collect();
        let first = (0..3).find(|i| present & (1 << i) != 0).unwrap();
        assert_eq!(Config::fold(layers).unwrap().postings, Path::new(sources[first]));
    }
}

#[test]
fn members_of_super_flags_have_the_rank_of_their_layer() {
    let file = ("file", &[("encryption-key-file", "from-file")][..]);
    let environment = ("environment", &[("encryption", "key-file=from-environment;")][..]);
    let flag = ("flag", &[("encryption-key-file", "from-flag")][..]);
    let key = |layers: &[_]| fold(layers).unwrap().key.unwrap();
    assert_eq!(key(&[environment, file]), KeySource::File("from-environment".into()));
    assert_eq!(key(&[flag, environment, file]), KeySource::File("from-flag".into()));
}

#[test]
fn a_key_has_one_source_whichever_layers_name_it() {
    let file = ("file", &[("encryption-key-file", "k")][..]);
    let vault = ("environment", &[("vault", "addr=http://v:8200; role-id-file=r; acl-field=; acl-format=base64;")][..]);
    for layers in [[file, vault], [vault, file]] {
        let error = fold(&layers).unwrap_err();
        let text = error.to_string();
        assert!(error.is::<crate::failure::Misuse>(), "{text}");
        assert!(text.contains("--encryption-key-file (file)") && text.contains("--vault-addr (environment)"), "{text}");
    }
    assert!(matches!(fold(&[vault]).unwrap().key, Some(KeySource::Vault(_))));
    // An empty value of a stronger layer takes back what a weaker one says.
    let none = ("flag", &[("encryption-key-file", "")][..]);
    assert!(matches!(fold(&[none, file, vault]).unwrap().key, Some(KeySource::Vault(_))));
    assert_eq!(fold(&[none, file]).unwrap().key, None);
}

#[test]
fn security_holds_whitelist_and_token() {
    let config = fold(&[("flag", &[("security", "whitelist=10.0.0.0/8,127.0.0.9; token=abc")])]).unwrap();
    assert!(config.whitelist.allows([10, 9, 9, 9].into()) && config.is_whitelisted);
    assert_eq!(config.token, Some(Token::Text("abc".into())));
    assert!(!format!("{config:?}").contains("abc"));
    assert_eq!(fold(&[("flag", &[("security", "token=")])]).unwrap().token, None);
}

#[test]
fn a_token_of_a_stronger_layer_replaces_either_form() {
    let weak = ("file", &[("auth-token-file", "weak")][..]);
    assert_eq!(fold(&[("flag", &[("security", "token=abc")]), weak]).unwrap().token, Some(Token::Text("abc".into())));
    assert_eq!(fold(&[("flag", &[]), weak]).unwrap().token, Some(Token::File("weak".into())));
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    for (values, part) in [
        (&[("security", "whitelst=1.2.3.4")][..], "whitelst"),
        (&[("encryption", "key_file=a; vault=b")], "vault"),
        (&[("security", "whitelist=1.2.3.4"), ("whitelist", "1.2.3.4")], "twice"),
        (&[("security", "token=a"), ("auth-token-file", "b")], "both"),
        (&[("gzip-level", "13")], "--gzip-level (command line)"),
        (&[("gzip-level", "0")], "1 to 12"),
        (&[("http", "nonsense")], "127.0.0.1:8080"),
        (&[("http", "127.0.0.1:65000"), ("port-offset", "1000")], "65535"),
        (&[("keep-replaced", "soon")], "soon"),
        (&[("sync", "maybe")], "maybe"),
        (&[("log-format", "xml")], "xml"),
        (&[("whitelist", "10.0.0.0/99")], "10.0.0.0/99"),
        (&[("acl", "secret-file=x")], "access control"),
        (&[("vault", "addr=http://v:8200")], "--vault-roleid-file"),
        (&[("vault", "role-id-file=r; path=secret")], "secret/data/dgraph"),
        (&[("vault", "role-id-file=r; acl-field=hmac")], "access control"),
        (&[("vault", "role_id_file=r"), ("vault-roleid-file", "r")], "twice"),
        (&[("vault-roleid-file", "r"), ("vault-addr", "localhost:8200")], "no address"),
        (&[("vault-roleid-file", "r"), ("vault-format", "hex")], "base64 or raw"),
        (&[("cache-mb", "0")], "--cache-mb"),
    ] {
        let message = refusal(values);
        assert!(message.contains(part), "{values:?}: {message}");
    }
}

#[test]
fn an_offset_moves_the_port() {
    let config = fold(&[("flag", &[("port-offset", "100"), ("http", "127.0.0.1:8080")])]).unwrap();
    assert_eq!(config.http.port(), 8180);
}

#[test]
fn flags_of_what_is_not_there_are_listed_as_ignored() {
    let config =
        fold(&[("flag", &[("zero", "localhost:5080"), ("bindall", "true"), ("cache", "size-mb=64; percentage=1,2")])])
            .unwrap();
    assert_eq!(config.ignored, ["--zero", "--bindall", "--cache percentage"]);
    assert_eq!(config.cache_bytes, 64 << 20);
}

#[test]
fn every_ignored_or_hidden_flag_of_dgraph_is_read_from_a_command_line() {
    use clap::Parser;
    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        flags: ServeFlags,
    }
    let old = "x --postings=a -w w -z zero:5080 --my=h:7080 -l 1024 --bindall --bindall=true --badger.compression snappy -o 3 --mcp";
    let alone = Alone::try_parse_from(old.replacen("--bindall ", "", 1).split(' ')).unwrap();
    let config = Config::fold(vec![alone.flags.command_line]).unwrap();
    assert_eq!((config.postings.to_str(), config.http.port()), (Some("a"), 8083));
    assert_eq!(config.ignored, ["--zero", "--my", "--wal", "--badger.compression", "--lru-mb", "--bindall", "--mcp"]);
}

#[test]
fn places_are_read_from_each_layer_and_an_empty_text_takes_one_back() {
    let names = ["backup-bucket", "backup-region", "backup-credential", "backup-profile"];
    let all = |bucket, region| [(names[0], bucket), (names[1], region), (names[2], "/c"), (names[3], "p")];
    let (flag, variable, file) = (all("s3://a", "r-1"), all("s3://b/x", "r-2"), all("/c", "r-3"));
    let layers = [("flag", &flag[..]), ("environment", &variable[..]), ("file", &file[..])];
    for (from, place, region) in [(0, "s3:///a", "r-1"), (1, "s3:///b/x", "r-2"), (2, "/c", "r-3")] {
        let places = fold(&layers[from..]).unwrap().places;
        assert_eq!(places.default.unwrap().to_string(), place);
        assert_eq!((places.region.as_deref(), places.profile.as_deref()), (Some(region), Some("p")));
        assert_eq!(places.credential_file.as_deref(), Some(Path::new("/c")));
    }
    let none = fold(&[("flag", &[("backup-bucket", ""), ("backup-region", "")]), layers[1]]).unwrap().places;
    assert!(none.default.is_none() && none.region.is_none() && none.profile.is_some());
    let nothing = fold(&[]).unwrap().places;
    assert!(nothing.default.is_none() && !nothing.request_credentials_only && nothing.policy.paths.is_empty());
}

#[test]
fn a_policy_is_read_and_binds_the_default_place_too() {
    let policy = [
        ("backup-allow-schemes", "file, minio"),
        ("backup-allow-paths", "/srv/backups,/mnt/nas"),
        ("backup-allow-hosts", "minio.example.org,*.example.net"),
    ];
    let read = fold(&[("file", &policy)]).unwrap().places.policy;
    assert_eq!((read.schemes.len(), read.paths.len(), read.hosts.len()), (2, 2, 2));
    for (bucket, part) in [
        ("s3://bucket", "the scheme s3"),
        ("/tmp", "not below a directory"),
        ("minio://other.example.org/b", "other.example.org"),
    ] {
        let places = fold(&[("flag", &[("backup-bucket", bucket)]), ("file", &policy)]).unwrap().places;
        let error = crate::places::check_default(&places).unwrap_err().to_string();
        assert!(error.contains("--backup-bucket") && error.contains(part), "{error}");
    }
    let places = fold(&[("flag", &[("backup-bucket", "minio://a.example.net/b")]), ("file", &policy)]).unwrap().places;
    assert!(crate::places::check_default(&places).is_ok());
    assert!(crate::places::check_default(&fold(&[]).unwrap().places).is_ok());
    for (flag, text) in [("schemes", "gs"), ("paths", "backups"), ("hosts", "http://x")] {
        let name = format!("backup-allow-{flag}");
        let message = refusal(&[(name.as_str(), text)]);
        assert!(message.contains(&name) && message.contains(text), "{message}");
    }
}

#[test]
fn a_shared_instance_lends_its_credentials_to_no_request() {
    let config = fold(&[("flag", &[("limit", "shared-instance=true; mutations=strict")])]).unwrap();
    assert!(config.places.request_credentials_only);
    assert_eq!(config.ignored, ["--limit mutations"]);
    assert!(!fold(&[("flag", &[("limit", "shared-instance=false")])]).unwrap().places.request_credentials_only);
    assert!(refusal(&[("limit", "shared-instance=perhaps")]).contains("perhaps"));
}

#[test]
fn help_says_how_places_and_credentials_are_found() {
    use clap::Args as _;
    let help = ServeFlags::augment_args(clap::Command::new("serve")).render_long_help().to_string();
    for part in [
        "--backup-bucket",
        "--backup-region",
        "--backup-credential",
        "--backup-profile",
        "--backup-allow-schemes",
        "--backup-allow-paths",
        "--backup-allow-hosts",
        "GRAPHDB_BACKUP_BUCKET",
        "AWS_ACCESS_KEY_ID",
        "MINIO_ROOT_USER",
        "AWS_ENDPOINT_URL_S3",
        "shared-instance",
    ] {
        assert!(help.contains(part), "{part}");
    }
}
