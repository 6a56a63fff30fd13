//! Where a bridge connects and listens, and how it proves who it is.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::Args;
use feed_program::say::say;
use serde_json::Value;

/// The port of zenoh.
const PORT: u16 = 7447;

/// Where to connect and to listen, and how safely.
#[derive(Clone, Debug, Default, Args)]
pub struct EngineOptions {
    /// Connect to this address, such as tcp/10.0.0.7:7447 or tls/feeds.example.com:7447; again for further ones
    #[arg(long, value_name = "ADDRESS")]
    pub connect: Vec<Endpoint>,

    /// Listen on this address: tcp/0.0.0.0:7447 for all of the network, a port or nothing for this machine only
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "7447")]
    pub listen: Vec<Endpoint>,

    /// Certificate of the authority that the other side's certificate must be signed by (PEM), for tls/…
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// Certificate of this side (PEM): to listen on tls/…, or for the other side to see (--tls-mutual)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Both sides show a certificate, not only the one that listens
    #[arg(long, requires_all = ["tls_ca", "tls_cert"])]
    pub tls_mutual: bool,

    /// Name with which to connect
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,

    /// File with the password: its first line
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,

    /// File of those who may connect here: NAME:PASSWORD on each line. Without it, everybody may
    #[arg(long, value_name = "FILE")]
    pub users_file: Option<PathBuf>,

    /// Compress what is sent, if the other side does so, too
    #[arg(long)]
    pub compress: bool,

    /// For tests: how long a full link is waited for before its session is closed, in us
    #[arg(skip)]
    pub wait_before_close_us: Option<u64>,
}

/// An address as zenoh has them: `tcp/HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(pub String);

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (protocol, place) = text.split_once('/').unwrap_or(("tcp", text));
        if !["tcp", "tls"].contains(&protocol) {
            return Err(format!("{protocol}/ is not known: tcp/HOST:PORT or tls/HOST:PORT expected"));
        }
        let place = match place.parse::<u16>() {
            Ok(port) => format!("127.0.0.1:{port}"),
            Err(_) if place.is_empty() => return Err(format!("{protocol}/HOST:PORT expected")),
            Err(_) => match place.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => place.to_owned(),
                Some((_, port)) if !port.ends_with(']') => return Err(format!("{port:?} is no port")),
                _ => format!("{place}:{PORT}"),
            },
        };
        Ok(Endpoint(format!("{protocol}/{place}")))
    }
}

impl EngineOptions {
    /// The addresses to listen on.
    pub fn listen_endpoints(&self) -> impl Iterator<Item = String> + '_ {
        self.listen.iter().map(|endpoint| endpoint.0.clone())
    }

    /// Checks what the command line cannot.
    ///
    /// # Errors
    /// What is missing, with the option that helps.
    pub fn check(&self) -> Result<(), String> {
        if self.connect.is_empty() && self.listen.is_empty() {
            return Err(
                "nowhere to connect to: give --connect ADDRESS, or --listen for the other side to connect".to_owned()
            );
        }
        let is_tls = |endpoint: &&Endpoint| endpoint.0.starts_with("tls/");
        if self.connect.iter().any(|endpoint| is_tls(&endpoint)) && self.tls_ca.is_none() {
            return Err("--connect tls/…: needs --tls-ca FILE, or nobody knows who answers".to_owned());
        }
        if self.listen.iter().any(|endpoint| is_tls(&endpoint)) && self.tls_cert.is_none() {
            return Err("--listen tls/…: needs --tls-cert FILE and --tls-key FILE".to_owned());
        }
        Ok(())
    }

    /// Sets what proves who is who.
    pub(crate) fn secure(&self, set: &mut dyn FnMut(&str, Value) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let tls = "transport/link/tls";
        if let Some(ca) = &self.tls_ca {
            set(&format!("{tls}/root_ca_certificate"), path(ca, "--tls-ca")?)?;
        }
        if let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let (cert, key_path) = (path(cert, "--tls-cert")?, path(key, "--tls-key")?);
            warn_if_open(key, "--tls-key");
            set(&format!("{tls}/listen_certificate"), cert.clone())?;
            set(&format!("{tls}/listen_private_key"), key_path.clone())?;
            if self.tls_mutual {
                set(&format!("{tls}/enable_mtls"), true.into())?;
                set(&format!("{tls}/connect_certificate"), cert)?;
                set(&format!("{tls}/connect_private_key"), key_path)?;
            }
        }
        if let (Some(user), Some(file)) = (&self.user, &self.password_file) {
            let text = std::fs::read_to_string(file).with_context(|| format!("--password-file {}", file.display()))?;
            warn_if_open(file, "--password-file");
            let Some(password) = text.lines().next().filter(|line| !line.is_empty()) else {
                bail!("--password-file {}: the first line is empty: write the password there", file.display());
            };
            set("transport/auth/usrpwd/user", user.as_str().into())?;
            set("transport/auth/usrpwd/password", password.into())?;
        }
        if let Some(file) = &self.users_file {
            let text = std::fs::read_to_string(file).with_context(|| format!("--users-file {}", file.display()))?;
            warn_if_open(file, "--users-file");
            let fine = |line: &str| {
                line.split_once(':').is_some_and(|(name, password)| !name.is_empty() && !password.is_empty())
            };
            if let Some(number) = text.lines().position(|line| !line.is_empty() && !fine(line)) {
                bail!("--users-file {}: line {}: NAME:PASSWORD expected", file.display(), number + 1);
            }
            if text.lines().all(str::is_empty) {
                bail!("--users-file {}: names nobody: nobody could connect", file.display());
            }
            set("transport/auth/usrpwd/dictionary_file", path(file, "--users-file")?)?;
        }
        Ok(())
    }
}

/// A file's path, if it can be read.
fn path(file: &Path, option: &str) -> anyhow::Result<Value> {
    std::fs::File::open(file).with_context(|| format!("{option} {}", file.display()))?;
    let Some(text) = file.to_str() else { bail!("{option} {}: the path is no UTF-8", file.display()) };
    Ok(text.into())
}

/// Says so if others may read a secret.
fn warn_if_open(file: &Path, option: &str) {
    use std::os::unix::fs::PermissionsExt;
    if file.metadata().is_ok_and(|facts| facts.permissions().mode() & 0o077 != 0) {
        let file = file.display();
        say(format_args!("feed-bridge: {option} {file}: others may read it: chmod 600 {file}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_host_is_this_machine() {
        for (text, expected) in [
            ("7447", "tcp/127.0.0.1:7447"),
            ("tls/7000", "tls/127.0.0.1:7000"),
            ("tcp/0.0.0.0:7447", "tcp/0.0.0.0:7447"),
            ("10.0.0.7", "tcp/10.0.0.7:7447"),
            ("host:1", "tcp/host:1"),
            ("tcp/[::1]:7447", "tcp/[::1]:7447"),
            ("tls/[::1]", "tls/[::1]:7447"),
        ] {
            assert_eq!(text.parse(), Ok(Endpoint(expected.to_owned())), "{text}");
        }
        for text in ["udp/1.2.3.4:1", "tcp/", "tcp/host:x", "host:70000", ":7447"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
