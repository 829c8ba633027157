//! Whether a server answers as a client asks. That a port is open says nothing: an engine's proxy opens it first.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A Kafka Metadata request, version 4, for no topic.
const METADATA: &[u8] = b"\0\0\0\x0f\0\x03\0\x04\0\0\0\x01\xff\xff\0\0\0\0\0";

/// A CQL OPTIONS frame, version 4.
const OPTIONS: &[u8] = b"\x04\0\0\0\x05\0\0\0\0";

/// The opcode of its answer.
const SUPPORTED: u8 = 6;

/// The broker at `port` knows at least one broker: itself.
pub(crate) async fn kafka(port: u16) -> bool {
    // Length, correlation id, throttle time, and the number of brokers.
    let answer = ask::<16>(port, METADATA).await;
    answer.is_some_and(|answer| answer[12..] != [0; 4])
}

/// The node at `port` takes CQL.
pub(crate) async fn cql(port: u16) -> bool {
    let answer = ask::<5>(port, OPTIONS).await;
    answer.is_some_and(|answer| answer[4] == SUPPORTED)
}

/// The first bytes of what is answered to `request`.
async fn ask<const N: usize>(port: u16, request: &[u8]) -> Option<[u8; N]> {
    let asked = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(request).await?;
        let mut answer = [0; N];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    timeout(PATIENCE, asked).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    /// Somebody who answers `answer` to whatever is asked.
    async fn answering(answer: &'static [u8]) -> (u16, JoinSet<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 9];
                stream.read_exact(&mut asked).await.unwrap();
                stream.write_all(answer).await.unwrap();
            }
        });
        (port, serving)
    }

    #[tokio::test]
    async fn only_who_answers_like_a_server_is_ready() {
        let (nobody, _serving) = answering(b"").await;
        assert!(!kafka(nobody).await);
        assert!(!cql(nobody).await);
        let (alone, _serving) = answering(b"\0\0\0\x0c\0\0\0\x01\0\0\0\0\0\0\0\0").await;
        assert!(!kafka(alone).await, "it knows no broker yet");
        let (broker, _serving) = answering(b"\0\0\0\x0c\0\0\0\x01\0\0\0\0\0\0\0\x01").await;
        assert!(kafka(broker).await);
        let (error, _serving) = answering(b"\x84\0\0\0\0").await;
        assert!(!cql(error).await);
        let (node, _serving) = answering(b"\x84\0\0\0\x06").await;
        assert!(cql(node).await);
    }
}
