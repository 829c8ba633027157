//! What a receiver does once it has a request.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// An answer, or something worse.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status, a short body, and headers.
    Status(u16, Vec<(&'static str, String)>),
    /// A good answer with so many bytes of body.
    Large(usize),
    /// Nothing, for as long as the other side waits.
    Hang,
    /// A good head, and a byte of the body now and then, for ever.
    Drip,
    /// The connection is reset.
    Reset,
    /// Half of a head, and the connection is closed.
    HalfAHead,
}

impl Reply {
    /// A bare status.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }

    /// A status with one header.
    #[must_use]
    pub fn with(status: u16, name: &'static str, value: impl Into<String>) -> Self {
        Self::Status(status, vec![(name, value.into())])
    }

    /// Does it. The connection comes back if it may be used again.
    pub(super) async fn give(&self, mut stream: TcpStream) -> io::Result<Option<TcpStream>> {
        match self {
            Self::Status(status, headers) => {
                stream
                    .write_all(answer(*status, headers).as_bytes())
                    .await?;
                return Ok(Some(stream));
            }
            Self::Large(bytes) => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&vec![b'x'; *bytes]).await?;
            }
            Self::Hang => std::future::pending::<()>().await,
            Self::Drip => drip(stream).await?,
            Self::Reset => stream.set_zero_linger()?,
            Self::HalfAHead => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await?,
        }
        Ok(None)
    }
}

fn answer(status: u16, headers: &[(&'static str, String)]) -> String {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = if status == 204 {
        ""
    } else {
        "content-length: 2\r\n"
    };
    let body = if status == 204 { "" } else { "ok" };
    format!("HTTP/1.1 {status} Said\r\n{length}{headers}\r\n{body}")
}

async fn drip(mut stream: TcpStream) -> io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        .await?;
    loop {
        stream.write_all(b".").await?;
        stream.flush().await?;
        sleep(Duration::from_millis(50)).await;
    }
}
