//! Which process is at the other end of a connection, by what the kernel says.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A connection: its sender's end and the other. A sender's end alone may be that of several, to one place and to another,
/// and of some that have just ended.
type Connection = (SocketAddr, SocketAddr);

/// The processes that run `program`, and which of their connections are known.
pub struct Senders {
    /// What the kernel calls them.
    name: String,
    known: Mutex<BTreeMap<Connection, Known>>,
}

#[derive(Clone)]
struct Known {
    pid: u32,
    descriptor: PathBuf,
    socket: PathBuf,
}

impl Senders {
    /// Processes of `program`.
    #[must_use]
    pub fn new(program: &Path) -> Self {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        // The kernel keeps so many bytes of it.
        let name = name.chars().take(15).collect();
        Self {
            name,
            known: Mutex::default(),
        }
    }

    /// The process whose end of `connection` the sender's is; `None` when it has none such any more.
    pub fn pid(&self, connection: Connection) -> Option<u32> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A descriptor that is still that socket: nobody else can have its addresses.
        if let Some(found) = known.get(&connection)
            && fs::read_link(&found.descriptor).is_ok_and(|link| link == found.socket)
        {
            return Some(found.pid);
        }
        let found = self.look(connection)?;
        let pid = found.pid;
        known.insert(connection, found);
        Some(pid)
    }

    fn look(&self, connection: Connection) -> Option<Known> {
        let socket = PathBuf::from(format!("socket:[{}]", inode(connection)?));
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let Some(pid) = pid else { continue };
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            if name.trim_end() != self.name {
                continue;
            }
            let descriptors = fs::read_dir(entry.path().join("fd")).into_iter();
            for descriptor in descriptors.flatten().flatten() {
                let descriptor = descriptor.path();
                if fs::read_link(&descriptor).is_ok_and(|link| link == socket) {
                    return Some(Known {
                        pid,
                        descriptor,
                        socket,
                    });
                }
            }
        }
        None
    }
}

/// The number of the socket at the sender's end.
fn inode((from, to): Connection) -> Option<u64> {
    let (from, to) = (shown(from)?, shown(to)?);
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let mut rows = table.lines().skip(1).map(str::split_whitespace);
    rows.find_map(|mut row| {
        let is_it = row.nth(1)? == from && row.next()? == to;
        is_it.then(|| row.nth(6)?.parse().ok())?
    })
}

/// An address as the kernel's table has it.
fn shown(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else {
        return None;
    };
    let ip = u32::from_ne_bytes(address.ip().octets());
    Some(format!("{ip:08X}:{:04X}", address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This process.
    fn here() -> Senders {
        let comm = fs::read_to_string("/proc/self/comm").unwrap();
        Senders::new(Path::new(comm.trim_end()))
    }

    #[test]
    fn this_process_is_found_by_its_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let senders = here();
        let connection = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        assert_eq!(senders.pid(connection), Some(std::process::id()));
        assert_eq!(
            senders.pid(connection),
            Some(std::process::id()),
            "once known"
        );
        drop(stream);
        assert_eq!(senders.pid(connection), None);
    }

    /// The kernel gives a port again for another place while a connection from it to the first is still in its table.
    #[tokio::test]
    async fn a_port_that_had_another_connection_is_told_from_it() {
        let senders = here();
        for _ in 0..20 {
            let [first, second] =
                [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
            let from = connect("127.0.0.1:0".parse().unwrap(), &first)
                .await
                .local_addr()
                .unwrap();
            // Theirs is closed after ours, so that ours is what the kernel keeps for a minute.
            drop(first.accept().unwrap());
            let stream = connect(from, &second).await;
            let connection = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
            assert_eq!(senders.pid(connection), Some(std::process::id()));
        }
    }

    async fn connect(from: SocketAddr, to: &std::net::TcpListener) -> tokio::net::TcpStream {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(from).unwrap();
        socket.connect(to.local_addr().unwrap()).await.unwrap()
    }
}
