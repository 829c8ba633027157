//! Reading a request as it comes, without anybody's HTTP code between.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// A request that came.
#[derive(Clone, Debug)]
pub struct Got {
    /// When all of it was there.
    pub at: Instant,
    /// Who sent it.
    pub from: SocketAddr,
    /// Where it was received.
    pub to: SocketAddr,
    /// The request line.
    pub line: String,
    /// The headers, names in lower case.
    pub headers: HeaderMap,
    /// The body's raw bytes.
    pub body: Bytes,
}

impl Got {
    /// A header's text, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads one request, its body with a length. `left` is what came after the one before. `None`: the other
/// side has ended the connection.
pub(super) async fn read(
    stream: &mut TcpStream,
    left: &mut Vec<u8>,
    slowly: Option<(usize, Duration)>,
) -> io::Result<Option<Got>> {
    let Some(end) = read_head(stream, left).await? else {
        return Ok(None);
    };
    let (line, headers) = parse(&left[..end])?;
    left.drain(..end + 4);
    let length = headers
        .get("content-length")
        .and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.parse().ok());
    let length: usize = length.ok_or_else(|| bad("a webhook says how long it is"))?;
    let (most, pause) = slowly.unwrap_or((usize::MAX, Duration::ZERO));
    let mut part = vec![0; most.min(64 << 10)];
    while left.len() < length {
        sleep(pause).await;
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left.extend_from_slice(&part[..read]);
    }
    let body = Bytes::from(left.drain(..length).collect::<Vec<_>>());
    Ok(Some(Got {
        at: Instant::now(),
        from: stream.peer_addr()?,
        to: stream.local_addr()?,
        line,
        headers,
        body,
    }))
}

/// Reads until the head is there, and says where it ends.
async fn read_head(stream: &mut TcpStream, left: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        let end = left.windows(4).position(|four| four == b"\r\n\r\n");
        if end.is_some() {
            return Ok(end);
        }
        let mut part = [0; 4_096];
        match stream.read(&mut part).await? {
            0 if left.is_empty() => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => left.extend_from_slice(&part[..read]),
        }
    }
}

fn parse(head: &[u8]) -> io::Result<(String, HeaderMap)> {
    let head = std::str::from_utf8(head).map_err(|_| bad("a head is ASCII"))?;
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let mut headers = HeaderMap::new();
    for field in lines {
        let (name, value) = field
            .split_once(':')
            .ok_or_else(|| bad("a field has a colon"))?;
        let name = HeaderName::try_from(name).map_err(|_| bad("a field has a name"))?;
        let value = HeaderValue::try_from(value.trim()).map_err(|_| bad("a field has a value"))?;
        headers.append(name, value);
    }
    Ok((line, headers))
}
