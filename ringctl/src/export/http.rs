//! A minimal HTTP/1.1 server: one request per connection, `GET` and `HEAD`, no request bodies.
//!
//! Written here because nothing may end an exporter: existing servers stop listening or panic when the process briefly
//! has no file descriptor left.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest request head in bytes, more than browsers or scrapers send.
const LONGEST: usize = 8 * 1024;

/// The timeout for a whole request, and for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// As sent, with the query.
    pub(crate) target: String,
}

impl Request {
    /// The target without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("")
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

impl Answer {
    /// A line of text.
    pub(crate) fn text(status: u16, line: &str) -> Self {
        Answer { status, kind: "text/plain; charset=utf-8", body: format!("{line}\n") }
    }
}

/// Reads a request. Returns the error answer if it is malformed, and `None` if the client is gone or too slow.
pub(crate) fn read(mut stream: &TcpStream) -> Option<Result<Request, Answer>> {
    let until = Instant::now() + TIMEOUT;
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    // The whole head is read, although only its first line matters: closing a socket with unread bytes would discard
    // the answer.
    while !is_complete(&head) {
        if head.len() > LONGEST {
            return Some(Err(Answer::text(431, "too long a request")));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(count) => head.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(request(&head).ok_or_else(|| Answer::text(400, "not a request of HTTP/1")))
}

/// True if the head is complete: it has an empty line.
fn is_complete(head: &[u8]) -> bool {
    head.windows(4).any(|four| four == b"\r\n\r\n") || head.windows(2).any(|two| two == b"\n\n")
}

/// Parses the first line of a head.
fn request(head: &[u8]) -> Option<Request> {
    let line = std::str::from_utf8(head.split(|&byte| byte == b'\n').next()?).ok()?;
    let mut words = line.trim_end().split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let fine =
        !method.is_empty() && target.starts_with('/') && version.starts_with("HTTP/1.") && words.next().is_none();
    fine.then(|| Request { method: method.to_owned(), target: target.to_owned() })
}

/// Writes an answer; to a `HEAD` without the body. A client that does not take all of it in time is given up.
pub(crate) fn write(mut stream: &TcpStream, answer: &Answer, head_only: bool) -> io::Result<()> {
    let Answer { status, kind, body } = answer;
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Error",
    };
    let allow = if *status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
    let mut text = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\r\n",
        body.len()
    );
    if !head_only {
        text.push_str(body);
    }
    let until = Instant::now() + TIMEOUT;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        let asked = request(b"GET /metrics?a=b HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!((&*asked.method, asked.path()), ("GET", "/metrics"));
        assert!(request(b"GET / HTTP/1.0\n\n").is_some());
        for wrong in ["", "\r\n", "GET", "GET /", "GET / HTTP/2", "GET x HTTP/1.1", " / HTTP/1.1", "GET / a HTTP/1.1"] {
            assert_eq!(request(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(request(b"\xff / HTTP/1.1\r\n"), None);
        assert!(
            is_complete(b"GET / HTTP/1.1\r\n\r\n")
                && is_complete(b"GET / HTTP/1.1\n\n")
                && !is_complete(b"GET / HTTP/1.1\r\n")
        );
    }
}
