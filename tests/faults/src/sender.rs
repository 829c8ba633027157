//! Which process is at the other end of a connection, by what the kernel says.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The processes that run `program`, and which of their connections are known.
pub struct Senders {
    /// What the kernel calls them.
    name: String,
    known: Mutex<BTreeMap<SocketAddr, Known>>,
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

    /// The process whose end of a connection is `address`; `None` when it has none such any more.
    pub fn pid(&self, address: SocketAddr) -> Option<u32> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A descriptor that is still that socket: nobody else can have its address.
        if let Some(found) = known.get(&address)
            && fs::read_link(&found.descriptor).is_ok_and(|link| link == found.socket)
        {
            return Some(found.pid);
        }
        let found = self.look(address)?;
        let pid = found.pid;
        known.insert(address, found);
        Some(pid)
    }

    fn look(&self, address: SocketAddr) -> Option<Known> {
        let socket = PathBuf::from(format!("socket:[{}]", inode(address)?));
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

/// The number of the socket that is bound to `address`.
fn inode(address: SocketAddr) -> Option<u64> {
    let SocketAddr::V4(address) = address else {
        return None;
    };
    let ip = u32::from_ne_bytes(address.ip().octets());
    let wanted = format!("{ip:08X}:{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let mut rows = table.lines().skip(1).map(str::split_whitespace);
    rows.find_map(|mut row| (row.nth(1)? == wanted).then(|| row.nth(7)?.parse().ok())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_by_its_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let here = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let comm = fs::read_to_string("/proc/self/comm").unwrap();
        let senders = Senders::new(Path::new(comm.trim_end()));
        let address = here.local_addr().unwrap();
        assert_eq!(senders.pid(address), Some(std::process::id()));
        assert_eq!(senders.pid(address), Some(std::process::id()), "once known");
        drop(here);
        assert_eq!(senders.pid(address), None);
    }
}
