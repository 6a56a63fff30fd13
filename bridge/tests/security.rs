//! Who gets in and who does not: certificates, passwords, and garbage on the port.

mod sessions;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use feed_bridge::engine::Engine;
use feed_bridge::engine_options::EngineOptions;
use feed_bridge::zenoh::ZenohEngine;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sessions::{connecting, listening, pair, port, wait_for};
use tempfile::TempDir;

/// Long enough for ten attempts to connect.
const ATTEMPTS: Duration = Duration::from_secs(3);

fn file(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A CA and a certificate for `host` signed by it: the files of CA, certificate and key.
fn certified(directory: &Path, name: &str, host: &str) -> [PathBuf; 3] {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    [
        file(directory, &format!("{name}.ca"), &ca.pem()),
        file(directory, &format!("{name}.cert"), &certificate.pem()),
        file(directory, &format!("{name}.key"), &key.serialize_pem()),
    ]
}

/// Whether one session reaches the other. No is known only by waiting.
fn reaches(listener: EngineOptions, connector: EngineOptions) -> bool {
    let here = ZenohEngine::open(&listener).unwrap();
    let there = ZenohEngine::open(&connector).unwrap();
    let mut waited = Duration::ZERO;
    while waited < ATTEMPTS && there.peers() == 0 {
        thread::sleep(Duration::from_millis(50));
        waited += Duration::from_millis(50);
    }
    assert_eq!(here.peers(), there.peers());
    there.peers() == 1
}

#[test]
fn only_a_certificate_of_the_ca_and_of_the_name_is_trusted() {
    let directory = TempDir::new().unwrap();
    let [ca, cert, key] = certified(directory.path(), "right", "localhost");
    let [foreign, ..] = certified(directory.path(), "foreign", "localhost");
    let [other_ca, other_cert, other_key] = certified(directory.path(), "other", "elsewhere");
    let tls = |ca: &PathBuf, cert: &PathBuf, key: &PathBuf| {
        let port = port();
        let listener = EngineOptions { tls_cert: Some(cert.clone()), tls_key: Some(key.clone()), ..listening(&port) };
        reaches(listener, EngineOptions { tls_ca: Some(ca.clone()), ..connecting(&port) })
    };
    assert!(tls(&ca, &cert, &key));
    assert!(!tls(&foreign, &cert, &key), "a certificate of another CA was trusted");
    assert!(!tls(&other_ca, &other_cert, &other_key), "a certificate for another name was trusted");
}

#[test]
fn a_certificate_that_is_none_is_told_with_its_flag() {
    let directory = TempDir::new().unwrap();
    let none = file(directory.path(), "none", "hello");
    for path in [none, directory.path().join("absent")] {
        let error =
            ZenohEngine::open(&EngineOptions { tls_ca: Some(path.clone()), ..connecting(&port()) }).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("--tls-ca") && error.contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn only_the_right_password_gets_in() {
    let directory = TempDir::new().unwrap();
    let users = file(directory.path(), "users", "anna:secret\n");
    let password = |name: &str, text: &str| {
        let port = port();
        let listener = EngineOptions { users_file: Some(users.clone()), ..listening(&port) };
        let password_file = Some(file(directory.path(), "password", text));
        reaches(listener, EngineOptions { user: Some(name.to_owned()), password_file, ..connecting(&port) })
    };
    assert!(password("anna", "secret\n"));
    assert!(!password("anna", "wrong\n"), "a wrong password got in");
    assert!(!password("bert", "secret\n"), "a wrong name got in");
    let port = port();
    let listener = EngineOptions { users_file: Some(users.clone()), ..listening(&port) };
    assert!(!reaches(listener, connecting(&port)), "somebody without a password got in");
}

#[test]
fn a_file_of_nobody_lets_nobody_in() {
    let directory = TempDir::new().unwrap();
    for text in ["", "\n", "anna\n", "anna:\n", ":secret\n"] {
        let users_file = Some(file(directory.path(), "users", text));
        let error = ZenohEngine::open(&EngineOptions { users_file, ..listening(&port()) }).unwrap_err().to_string();
        assert!(error.contains("NAME:PASSWORD") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn garbage_on_the_port_disturbs_nobody() {
    let port = port();
    let here = ZenohEngine::open(&listening(&port)).unwrap();
    let there = ZenohEngine::open(&connecting(&port)).unwrap();
    wait_for("a connection", || here.peers() == 1 && there.peers() == 1);
    for length in [1usize, 3, 100, 65_536, 1_000_000] {
        let mut stranger = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        let garbage: Vec<u8> = (0..length).map(|at| (at * 31 % 256) as u8).collect();
        // It may have been hung up on.
        let _ = stranger.write_all(&garbage);
    }
    let (send, received) = std::sync::mpsc::channel();
    let inlet = move |frame: &[u8]| send.send(frame.to_vec()).unwrap();
    let _held = there.subscribe("feed/test", Box::new(inlet)).unwrap();
    let mut outlet = here.outlet("feed/test").unwrap();
    wait_for("a subscriber", || outlet.has_subscribers());
    outlet.put(b"as before").unwrap();
    assert_eq!(received.recv_timeout(sessions::PATIENCE).unwrap(), b"as before");
    assert_eq!((here.peers(), there.peers()), (1, 1));
    drop(pair());
}
