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

/// The end of a topic's name, and of one that no broker has, without the prefix of the first.
const KNOWN: &[u8] = b".stream";
const UNKNOWN: &[u8] = b"_stream";

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
    /// The brokers don't know topics whose names end on [`KNOWN`], like one that has not heard yet of a new topic.
    Lag,
    End,
}

/// A proxy of one slot: one listener a broker.
pub(crate) struct Proxy {
    mode: watch::Sender<Mode>,
    /// How often an answer said in [`Mode::Lag`] that the topic is not there.
    denials: watch::Sender<usize>,
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
        let denials = watch::Sender::new(0);
        let bytes = Bytes {
            modes,
            denials: denials.clone(),
        };
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
                    all.spawn(accept(listener, to, bytes.clone()));
                }
                while all.join_next().await.is_some() {}
            });
        });
        Self {
            mode,
            denials,
            bootstrap,
        }
    }

    /// Where clients bootstrap.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Waits until so many more answers have denied the topic.
    pub(crate) async fn denies(&self, times: usize) {
        let mut denials = self.denials.subscribe();
        let until = *denials.borrow() + times;
        drop(denials.wait_for(|denials| *denials >= until).await);
    }
}

/// What a connection must know of the proxy.
#[derive(Clone)]
struct Bytes {
    modes: watch::Receiver<Mode>,
    denials: watch::Sender<usize>,
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

async fn accept(listener: TcpListener, to: u16, bytes: Bytes) {
    let mut connections = JoinSet::new();
    let mut end = bytes.modes.clone();
    loop {
        tokio::select! {
            biased;
            _ = end.wait_for(|mode| *mode == Mode::End) => return,
            _ = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(connection(client, to, bytes.clone()));
                }
            }
        }
    }
}

async fn connection(client: TcpStream, to: u16, bytes: Bytes) {
    let mut closed = bytes.modes.clone();
    let refused = *closed.borrow() == Mode::Refuse;
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
        _ = copy(from_client, to_broker, bytes.clone(), false) => {}
        _ = copy(from_broker, to_client, bytes, true) => {}
    }
}

/// Copies until either end closes.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    bytes: Bytes,
    answers: bool,
) -> io::Result<()> {
    let Bytes { mut modes, denials } = bytes;
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
        if mode == Mode::Lag && exchange_names(&mut buffer[..count]) && answers {
            denials.send_modify(|denials| *denials += 1);
        }
        // A stream that has lost bytes is no use any more.
        dead |= answers && mode == Mode::SwallowAnswers;
        if !dead {
            to.write_all(&buffer[..count]).await?;
        }
    }
}

/// Puts the unknown name in the place of the known one, and the other way round; whether there was any.
fn exchange_names(bytes: &mut [u8]) -> bool {
    let mut found = false;
    for start in 0..bytes.len().saturating_sub(KNOWN.len() - 1) {
        let name = &mut bytes[start..start + KNOWN.len()];
        let other = match &*name {
            KNOWN => UNKNOWN,
            UNKNOWN => KNOWN,
            _ => continue,
        };
        name.copy_from_slice(other);
        found = true;
    }
    found
}
