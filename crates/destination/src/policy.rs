//! Which places a node may be sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use crate::location::{BucketLocation, BucketScheme, Endpoint};
use crate::{Error, Location, Result};

mod links;

/// Which places a node may be sent to. The default allows all but addresses that nobody keeps backups at: link-local ones (where clouds
/// hand out credentials) and unspecified ones.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Allowed kinds of places; empty allows all.
    pub schemes: Vec<Scheme>,
    /// Directories that local places must be in; empty allows all.
    pub paths: Vec<PathBuf>,
    /// Hosts that stores and key servers must be at; empty allows all but the addresses above. A host that is named here is allowed
    /// whatever its address. `*.example.org` names every host below, and `*` every host.
    pub hosts: Vec<String>,
}

/// A kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A directory.
    File,
    /// `s3://`
    S3,
    /// `minio://`
    Minio,
}

/// AWS S3 by its hosts, when the location names none.
const AWS: &str = "s3.amazonaws.com";

impl Policy {
    /// Whether a place may be used, by its text. Addresses are checked again when a host is looked up.
    ///
    /// # Errors
    /// [`Error::NotAllowed`].
    pub fn check(&self, location: &Location) -> Result<()> {
        let refuse = |why: String| Err(Error::NotAllowed { location: location.to_string(), why });
        let scheme = Scheme::of(location);
        if !self.schemes.is_empty() && !self.schemes.contains(&scheme) {
            return refuse(format!("the scheme {} is not among those this node allows", scheme.name()));
        }
        match location {
            Location::File(path)
                if !self.paths.is_empty() && !self.paths.iter().any(|allowed| path.starts_with(allowed)) =>
            {
                refuse("it is not below a directory that this node allows".into())
            }
            Location::File(_) => Ok(()),
            Location::Bucket(bucket) => self.check_host(host_of(bucket)).or_else(refuse),
        }
    }

    /// Whether a local place is still allowed when symbolic links are followed, its own and those of the allowed directories. Touches the
    /// file system, and blocks.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], also for what cannot be looked at.
    pub fn check_links(&self, location: &Location) -> Result<()> {
        let Location::File(path) = location else { return Ok(()) };
        if self.paths.is_empty() {
            return Ok(());
        }
        let refuse = |why: String| Error::NotAllowed { location: location.to_string(), why };
        let real = links::follow(path).map_err(|err| refuse(format!("where it leads cannot be told ({err})")))?;
        let mut allowed = self.paths.iter().filter_map(|allowed| links::follow(allowed).ok());
        if allowed.any(|allowed| real.starts_with(allowed)) {
            Ok(())
        } else {
            Err(refuse("through a symbolic link it leads out of what this node allows".into()))
        }
    }

    /// Whether a host may be called, by its name or address.
    ///
    /// # Errors
    /// Why not, as a part of a sentence.
    pub fn check_host(&self, host: &str) -> Result<(), String> {
        if self.names(host) {
            return Ok(());
        }
        if !self.hosts.is_empty() {
            return Err(format!("the host {host} is not among those this node allows"));
        }
        if host.eq_ignore_ascii_case("metadata.google.internal") {
            return Err(REFUSED_ADDRESS.replace("{}", host));
        }
        address_of(host).map_or(Ok(()), |address| self.check_address(host, address))
    }

    /// Whether the address that a host turned out to have may be called.
    ///
    /// # Errors
    /// Why not, as a part of a sentence.
    pub fn check_address(&self, host: &str, address: IpAddr) -> Result<(), String> {
        if is_refused(address) && !self.names(host) {
            Err(REFUSED_ADDRESS.replace("{}", &address.to_string()))
        } else {
            Ok(())
        }
    }

    fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.hosts.iter().map(|allowed| allowed.to_ascii_lowercase()).any(|allowed| match allowed.strip_prefix('*') {
            Some("") => true,
            Some(suffix) if suffix.starts_with('.') => host.ends_with(suffix),
            _ => host == allowed || address_of(&host).is_some_and(|address| address_of(&allowed) == Some(address)),
        })
    }
}

const REFUSED_ADDRESS: &str =
    "{} is a link-local, metadata or unspecified address, which is refused unless the node's allowed hosts name it";

/// The address that a host is written as.
fn address_of(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok().map(|address: IpAddr| address.to_canonical())
}

fn host_of(bucket: &BucketLocation) -> &str {
    bucket.endpoint.as_ref().map_or(AWS, |Endpoint { host, .. }| host)
}

/// Link-local and unspecified addresses, and the metadata services that are elsewhere: AWS (IPv6) and Alibaba.
fn is_refused(address: IpAddr) -> bool {
    const METADATA: [IpAddr; 2] =
        [IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200))];
    match address.to_canonical() {
        address if METADATA.contains(&address) => true,
        IpAddr::V4(v4) => v4.is_link_local() || v4.octets()[0] == 0 || v4.is_broadcast() || v4.is_multicast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast(),
    }
}

impl Scheme {
    fn of(location: &Location) -> Scheme {
        match location {
            Location::File(_) => Scheme::File,
            Location::Bucket(BucketLocation { scheme: BucketScheme::S3, .. }) => Scheme::S3,
            Location::Bucket(BucketLocation { scheme: BucketScheme::Minio, .. }) => Scheme::Minio,
        }
    }

    /// As in a URI.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::File => "file",
            Scheme::S3 => "s3",
            Scheme::Minio => "minio",
        }
    }

    /// Reads a scheme as in a URI.
    pub fn parse(text: &str) -> Option<Scheme> {
        [Scheme::File, Scheme::S3, Scheme::Minio].into_iter().find(|scheme| scheme.name() == text)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;

    fn refusal(policy: &Policy, text: &str) -> Option<String> {
        policy.check(&Location::parse(text).unwrap()).err().map(|err| err.to_string())
    }

    #[test]
    fn addresses_that_hand_out_credentials_are_refused_unless_named() {
        let open = Policy::default();
        for host in [
            "169.254.169.254",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "[fd00:ec2::254]",
            "0.0.0.0",
            "[::]",
            "100.100.100.200",
            "metadata.google.internal",
        ] {
            let text = format!("minio://{host}:80/bucket");
            assert!(refusal(&open, &text).unwrap().contains("refused unless"), "{host}");
            let named = Policy { hosts: vec![host.into()], ..Policy::default() };
            assert_eq!(refusal(&named, &text), None, "{host}");
        }
        for text in ["minio://127.0.0.1:9000/b", "s3:///b", "s3://10.0.0.1/b", "/backups", "minio://[::1]:9000/b"] {
            assert_eq!(refusal(&open, text), None, "{text}");
        }
        let any = Policy { hosts: vec!["*".into()], ..Policy::default() };
        assert_eq!(refusal(&any, "minio://169.254.169.254/bucket"), None);
        assert!(open.check_address("rebound.example.org", "169.254.169.254".parse().unwrap()).is_err());
    }

    #[test]
    fn only_named_schemes_paths_and_hosts_are_allowed() {
        let policy = Policy {
            schemes: vec![Scheme::File, Scheme::Minio],
            paths: vec!["/srv/backups".into()],
            hosts: vec!["*.example.org".into(), "10.0.0.1".into()],
        };
        for text in [
            "/srv/backups",
            "/srv/backups/a",
            "minio://a.example.org/b",
            "minio://A.B.Example.org:1/b",
            "minio://10.0.0.1/b",
        ] {
            assert_eq!(refusal(&policy, text), None, "{text}");
        }
        for (text, part) in [
            ("/srv/backups2", "not below a directory"),
            ("/srv/backups/../other", "not below a directory"),
            ("s3:///b", "scheme s3"),
            ("minio://example.org/b", "the host example.org"),
            ("minio://a.example.org.evil/b", "the host"),
        ] {
            assert!(refusal(&policy, text).unwrap().contains(part), "{text}");
        }
    }
}
