//! The options of a session: whom to connect to, where to listen, certificates and passwords.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use feed_program::say::say;

/// The port of zenoh, where none is given.
const PORT: u16 = 7447;

/// Whom a session connects to, where it listens, and who may.
#[derive(Clone, Debug, Default, Args)]
pub struct EngineOptions {
    /// Connect to this address: tcp/HOST:PORT, tls/HOST:PORT or HOST:PORT; repeat it for several
    #[arg(long, value_name = "ENDPOINT")]
    pub connect: Vec<String>,

    /// Listen here: PORT (on loopback only; 7447 if nothing is given), or tcp/0.0.0.0:PORT for other machines
    #[arg(long, value_name = "ENDPOINT", num_args = 0..=1, default_missing_value = "7447")]
    pub listen: Vec<String>,

    /// The certificates of those whose signature is trusted, as PEM
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// The certificate it listens with, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// The certificate it connects with, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_client_key")]
    pub tls_client_cert: Option<PathBuf>,

    /// The private key of --tls-client-cert, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_client_cert")]
    pub tls_client_key: Option<PathBuf>,

    /// Accept only those who show a certificate signed by one of --tls-ca
    #[arg(long, requires = "tls_ca")]
    pub tls_require_client: bool,

    /// The name it connects with
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,

    /// A file with the password of --user: one line
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,

    /// A file with who may connect: a line NAME:PASSWORD each
    #[arg(long, value_name = "FILE")]
    pub users_file: Option<PathBuf>,

    /// Compress what is sent; both sides have to ask for it
    #[arg(long)]
    pub compress: bool,

    /// After how long without a word a session is taken for dead. A process that ends is noticed at once; this is for
    /// a machine or a cable. One that stands still for longer, too, loses its session
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub lease: u64,

    /// Tests only: how long a blocked put waits before the session is closed, if not an hour.
    #[arg(skip)]
    pub wait_before_close: Option<Duration>,
}

impl EngineOptions {
    /// The addresses to connect to, with their protocol.
    ///
    /// # Errors
    /// An address without a port, or of a protocol that is not compiled in.
    pub fn connect_to(&self) -> anyhow::Result<Vec<String>> {
        self.connect.iter().map(|given| endpoint(given, self.tls_ca.is_some()).context("--connect")).collect()
    }

    /// The addresses to listen at, with their protocol.
    ///
    /// # Errors
    /// An address without a port, or of a protocol that is not compiled in.
    pub fn listen_at(&self) -> anyhow::Result<Vec<String>> {
        self.listen.iter().map(|given| endpoint(given, self.tls_cert.is_some()).context("--listen")).collect()
    }

    /// Name and password to connect with. Warns of a file that others may read.
    ///
    /// # Errors
    /// A file that cannot be read, or is empty.
    pub fn credentials(&self) -> anyhow::Result<Option<(String, String)>> {
        let (Some(user), Some(path)) = (&self.user, &self.password_file) else { return Ok(None) };
        let text = secret(path).context("--password-file")?;
        let password = text.lines().next().unwrap_or_default();
        ensure!(
            !password.is_empty(),
            "--password-file: {}: its first line is empty: write the password there",
            path.display()
        );
        Ok(Some((user.clone(), password.to_owned())))
    }

    /// The file of who may connect, checked. Warns of a file that others may read.
    ///
    /// # Errors
    /// A file that cannot be read, a line that is not `NAME:PASSWORD`, or a file without any.
    pub fn users(&self) -> anyhow::Result<Option<&Path>> {
        let Some(path) = &self.users_file else { return Ok(None) };
        let text = secret(path).context("--users-file")?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let mut users = 0;
        for (index, line) in lines {
            let whole =
                line.split_once(':').is_some_and(|(name, word)| !name.trim().is_empty() && !word.trim().is_empty());
            ensure!(whole, "--users-file: {}: line {} is not NAME:PASSWORD", path.display(), index + 1);
            users += 1;
        }
        // zenoh lets everybody in if it is empty.
        ensure!(users > 0, "--users-file: {}: nobody is in it: write a line NAME:PASSWORD for each", path.display());
        Ok(Some(path))
    }
}

/// `given` with the protocol, and loopback for a port alone.
fn endpoint(given: &str, tls: bool) -> anyhow::Result<String> {
    let protocol = if tls { "tls" } else { "tcp" };
    if given.is_empty() {
        return Ok(format!("{protocol}/127.0.0.1:{PORT}"));
    }
    if let Ok(port) = given.parse::<u16>() {
        return Ok(format!("{protocol}/127.0.0.1:{port}"));
    }
    let (protocol, address) = given.split_once('/').unwrap_or((protocol, given));
    if !matches!(protocol, "tcp" | "tls") {
        bail!("{given}: {protocol} is not a protocol of feed-bridge: tcp and tls are");
    }
    let port = address.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>()));
    ensure!(matches!(port, Some(Ok(_))), "{given}: no host and port: expected {protocol}/HOST:PORT");
    Ok(format!("{protocol}/{address}"))
}

/// The text of a file that is nobody else's business.
fn secret(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mode = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        say(format_args!(
            "feed-bridge: {}: others may read it (mode {:o}): chmod 600 it",
            path.display(),
            mode & 0o777
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_on_loopback() {
        assert_eq!(endpoint("", false).unwrap(), "tcp/127.0.0.1:7447");
        assert_eq!(endpoint("9000", false).unwrap(), "tcp/127.0.0.1:9000");
        assert_eq!(endpoint("9000", true).unwrap(), "tls/127.0.0.1:9000");
        assert_eq!(endpoint("host:1", true).unwrap(), "tls/host:1");
        assert_eq!(endpoint("tcp/0.0.0.0:7447", true).unwrap(), "tcp/0.0.0.0:7447");
    }

    #[test]
    fn what_is_no_endpoint_is_refused_by_what_it_lacks() {
        assert!(endpoint("udp/host:1", false).unwrap_err().to_string().contains("tcp and tls are"));
        assert!(endpoint("host", false).unwrap_err().to_string().contains("tcp/HOST:PORT"));
        assert!(endpoint("host:70000", false).is_err());
    }
}
