//! A proxy before the brokers, to cut connections with.
//!
//! A slot is a listener of the brokers' whose advertised port is this proxy's: clients that come
//! through it stay behind it.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the proxy does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Forward,
    /// Connections stay; nothing passes.
    Stall,
    /// Requests pass, answers don't; connections are dead from here on.
    SwallowAnswers,
    /// Every connection is closed, new ones too.
    Refuse,
    /// A byte in the midst of every answer is changed, but for small ones.
    Corrupt,
    End,
}

/// A proxy of one slot: one listener a broker.
pub(crate) struct Proxy {
    mode: watch::Sender<Mode>,
    bootstrap: String,
}

impl Proxy {
    /// Takes the first slot that is free, as soon as one is.
    pub(crate) async fn start() -> Self {
        let slots = crate::broker::variable("POSTRIDER_TEST_KAFKA_PROXIES");
        loop {
            for slot in slots.split(' ') {
                if let Ok(listeners) = listen(slot).await {
                    return Self::serve(listeners);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn serve(listeners: Vec<(TcpListener, u16)>) -> Self {
        let address = |(l, _): &(TcpListener, u16)| l.local_addr().expect("bound").to_string();
        let bootstrap = listeners.iter().map(address).collect::<Vec<_>>().join(",");
        let (mode, modes) = watch::channel(Mode::Forward);
        let to_std = |(l, to): (TcpListener, u16)| (l.into_std().expect("a socket"), to);
        let listeners: Vec<_> = listeners.into_iter().map(to_std).collect();
        // A runtime of its own: it must go on while a test blocks.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async move {
                let mut all = JoinSet::new();
                for (listener, to) in listeners {
                    let listener = TcpListener::from_std(listener).expect("a socket");
                    all.spawn(accept(listener, to, modes.clone()));
                }
                while all.join_next().await.is_some() {}
            });
        });
        Self { mode, bootstrap }
    }

    /// Where clients bootstrap.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Mode::End);
    }
}

async fn listen(slot: &str) -> io::Result<Vec<(TcpListener, u16)>> {
    let mut listeners = Vec::new();
    for pair in slot.split(',') {
        let (here, there) = pair.split_once('-').expect("two ports");
        let port = |text: &str| text.parse::<u16>().expect("a port");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port(here))).await?;
        listeners.push((listener, port(there)));
    }
    Ok(listeners)
}

async fn accept(listener: TcpListener, to: u16, modes: watch::Receiver<Mode>) {
    let mut connections = JoinSet::new();
    let mut end = modes.clone();
    loop {
        tokio::select! {
            biased;
            _ = end.wait_for(|mode| *mode == Mode::End) => return,
            _ = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(connection(client, to, modes.clone()));
                }
            }
        }
    }
}

async fn connection(client: TcpStream, to: u16, modes: watch::Receiver<Mode>) {
    let mut closed = modes.clone();
    let refused = *modes.borrow() == Mode::Refuse;
    if refused {
        return;
    }
    let Ok(broker) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    tokio::select! {
        biased;
        _ = closed.wait_for(|mode| matches!(mode, Mode::Refuse | Mode::End)) => {}
        _ = copy(from_client, to_broker, modes.clone(), false) => {}
        _ = copy(from_broker, to_client, modes, true) => {}
    }
}

/// Copies until either end closes.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    answers: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut dead = false;
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        drop(modes.wait_for(|mode| *mode != Mode::Stall).await);
        let mode = *modes.borrow();
        if answers && mode == Mode::Corrupt && count > 1_000 {
            buffer[count / 2] ^= 1;
        }
        // A stream that has lost bytes is no use any more.
        dead |= answers && mode == Mode::SwallowAnswers;
        if !dead {
            to.write_all(&buffer[..count]).await?;
        }
    }
}
