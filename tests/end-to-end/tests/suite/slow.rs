//! A way to a store that takes as long as it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Passes on what comes to its address. Dropped, it is gone with all its connections.
pub(crate) struct SlowWay {
    pub(crate) address: SocketAddr,
    millis: Arc<AtomicU64>,
    _passing: JoinSet<()>,
}

impl SlowWay {
    /// To `node`, as fast as may be.
    pub(crate) async fn to(node: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (node, millis) = (node.to_owned(), Arc::<AtomicU64>::default());
        let delay = Arc::clone(&millis);
        let mut passing = JoinSet::new();
        passing.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (node, delay) = (node.clone(), Arc::clone(&delay));
                connections.spawn(async move {
                    if let Ok(server) = TcpStream::connect(&node).await {
                        pass(client, server, &delay).await;
                    }
                });
            }
        });
        Self {
            address,
            millis,
            _passing: passing,
        }
    }

    /// From here on what is asked waits so long.
    pub(crate) fn takes(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap();
        self.millis.store(millis, Ordering::SeqCst);
    }
}

/// Until either side ends.
async fn pass(client: TcpStream, server: TcpStream, delay: &AtomicU64) {
    let (mut asking, mut to_client) = client.into_split();
    let (mut answering, mut to_server) = server.into_split();
    let asks = async {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(count @ 1..) = asking.read(&mut bytes).await {
            sleep(Duration::from_millis(delay.load(Ordering::SeqCst))).await;
            if to_server.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
    };
    let answers = copy(&mut answering, &mut to_client);
    tokio::select! {
        biased;
        () = asks => {}
        _ = answers => {}
    }
}
