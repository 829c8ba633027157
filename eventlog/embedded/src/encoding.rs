//! A record as it lies on disk.
//!
//! ```text
//!  crc32c u32 │ appended_at i64 │ total u64 │ body
//!  body: flags u8 │ headers u32 │ key u32 │ (name u32, value u32) * │ names and values │ key │ value
//! ```
//!
//! All big-endian. `total` is the sum of the stored sizes of this record and every one before it in
//! its partition, so that how much lies between two offsets is known from two of them. The checksum
//! covers the offset too: a record that turns up under another one's key is damage.

use bytes::{Buf, BufMut, Bytes};
use domain::time::Timestamp;
use eventlog_port::{Header, NewRecord, Offset, Record};

/// Bytes before the body.
pub(crate) const HEAD: usize = 4 + 8 + 8;

/// Bytes of the body before the lengths of headers, and of the lengths of one.
const LAYOUT: usize = 1 + 4 + 4;
const HEADER_LAYOUT: usize = 4 + 4;

const HAS_KEY: u8 = 1;
const HAS_VALUE: u8 = 2;
/// A header's value that is null, not empty.
const NULL: u32 = u32::MAX;

/// A stored record that can't be what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    #[error("its checksum does not match")]
    Checksum,
    #[error("it is cut short")]
    Short,
    #[error("it holds a header that is no text")]
    HeaderName,
    #[error("it is not there")]
    Missing,
}

/// Where and when a record was put, and how much its partition had held by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) offset: Offset,
    pub(crate) appended_at: Timestamp,
    pub(crate) total: u64,
}

/// A record made ready by its writer, without the stamp that only the committer can know.
#[derive(Debug)]
pub(crate) struct Unstamped {
    bytes: Vec<u8>,
    body_crc: u32,
}

impl Unstamped {
    /// Lays out `record`.
    pub(crate) fn new(record: &NewRecord) -> Self {
        let layout = LAYOUT + record.headers.len() * HEADER_LAYOUT;
        let mut bytes = Vec::with_capacity(HEAD + layout + record.size());
        bytes.resize(HEAD, 0);
        put_body(&mut bytes, record);
        let body_crc = crc32c::crc32c(&bytes[HEAD..]);
        Self { bytes, body_crc }
    }

    /// Stored size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Completes the record.
    pub(crate) fn stamp(mut self, stamp: Stamp) -> Bytes {
        let crc = checksum(self.body_crc, stamp);
        let mut head = &mut self.bytes[..HEAD];
        head.put_u32(crc);
        head.put_i64(stamp.appended_at.as_millis());
        head.put_u64(stamp.total);
        self.bytes.into()
    }
}

fn put_body(bytes: &mut Vec<u8>, record: &NewRecord) {
    let flag = |there: bool, flag| if there { flag } else { 0 };
    bytes.put_u8(flag(record.key.is_some(), HAS_KEY) | flag(record.value.is_some(), HAS_VALUE));
    bytes.put_u32(record.headers.len() as u32);
    bytes.put_u32(record.key.as_ref().map_or(0, Bytes::len) as u32);
    for header in &record.headers {
        bytes.put_u32(header.name().len() as u32);
        bytes.put_u32(
            header
                .value
                .as_ref()
                .map_or(NULL, |value| value.len() as u32),
        );
    }
    for header in &record.headers {
        bytes.put_slice(header.name().as_bytes());
        bytes.put_slice(header.value.as_deref().unwrap_or_default());
    }
    bytes.put_slice(record.key.as_deref().unwrap_or_default());
    bytes.put_slice(record.value.as_deref().unwrap_or_default());
}

fn checksum(body_crc: u32, stamp: Stamp) -> u32 {
    let mut head = [0; 24];
    let mut buffer = &mut head[..];
    buffer.put_u64(stamp.offset);
    buffer.put_i64(stamp.appended_at.as_millis());
    buffer.put_u64(stamp.total);
    crc32c::crc32c_append(body_crc, &head)
}

/// The stamp of a stored record, its body unread and unchecked.
pub(crate) fn peek(offset: Offset, mut stored: &[u8]) -> Result<Stamp, Damage> {
    if stored.len() < HEAD {
        return Err(Damage::Short);
    }
    stored.advance(4);
    let appended_at = Timestamp::from_millis(stored.get_i64());
    Ok(Stamp {
        offset,
        appended_at,
        total: stored.get_u64(),
    })
}

/// A stored record, checked. Its parts share the stored bytes.
pub(crate) fn decode(offset: Offset, stored: Bytes) -> Result<Record, Damage> {
    let stamp = peek(offset, &stored)?;
    let crc = (&stored[..4]).get_u32();
    let body = stored.slice(HEAD..);
    if checksum(crc32c::crc32c(&body), stamp) != crc {
        return Err(Damage::Checksum);
    }
    read_body(stamp, body)
}

fn read_body(stamp: Stamp, body: Bytes) -> Result<Record, Damage> {
    let mut layout = &body[..];
    if layout.len() < LAYOUT {
        return Err(Damage::Short);
    }
    let (flags, count) = (layout.get_u8(), layout.get_u32() as usize);
    let key_length = layout.get_u32() as usize;
    let mut rest = body.slice_ref(layout);
    let mut lengths = take(&mut rest, count.saturating_mul(HEADER_LAYOUT))?;
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        let name = take(&mut rest, lengths.get_u32() as usize)?;
        let value = match lengths.get_u32() {
            NULL => None,
            length => Some(take(&mut rest, length as usize)?),
        };
        headers.push(Header::from_parts(name, value).map_err(|_| Damage::HeaderName)?);
    }
    let key = take(&mut rest, key_length)?;
    Ok(Record {
        offset: stamp.offset,
        appended_at: stamp.appended_at,
        key: (flags & HAS_KEY != 0).then_some(key),
        headers,
        value: (flags & HAS_VALUE != 0).then_some(rest),
    })
}

fn take(from: &mut Bytes, length: usize) -> Result<Bytes, Damage> {
    if from.len() < length {
        return Err(Damage::Short);
    }
    Ok(from.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            offset: 7,
            appended_at: Timestamp::from_millis(-3),
            total: 99,
        }
    }

    fn record() -> NewRecord {
        NewRecord {
            key: Some("key".into()),
            headers: vec![
                Header::new("a", "1"),
                Header::from_parts(Bytes::from_static(b"null"), None).unwrap(),
                Header::new("a", ""),
            ],
            value: Some("value".into()),
        }
    }

    fn long_name() -> Header {
        Header::from_parts(vec![b'n'; 70_000].into(), Some("value".into())).unwrap()
    }

    #[test]
    fn a_record_comes_back() {
        for record in [
            record(),
            NewRecord::default(),
            NewRecord {
                value: Some(Bytes::new()),
                ..NewRecord::default()
            },
            NewRecord {
                key: Some(Bytes::new()),
                ..NewRecord::default()
            },
            NewRecord {
                headers: vec![Header::new("", ""); 70_000],
                ..record()
            },
            NewRecord {
                headers: vec![long_name()],
                ..record()
            },
        ] {
            let unstamped = Unstamped::new(&record);
            let length = unstamped.len();
            let stored = unstamped.stamp(stamp());
            assert_eq!(stored.len(), length);
            assert_eq!(peek(7, &stored), Ok(stamp()));
            let read = decode(7, stored).unwrap();
            assert_eq!(
                (read.offset, read.appended_at),
                (7, Timestamp::from_millis(-3))
            );
            assert_eq!(
                (read.key, read.headers, read.value),
                (record.key, record.headers, record.value)
            );
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let stored = Unstamped::new(&record()).stamp(stamp());
        for bit in 0..stored.len() * 8 {
            let mut damaged = stored.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                decode(7, damaged.into()),
                Err(Damage::Checksum),
                "bit {bit}"
            );
        }
        for length in 0..stored.len() {
            assert!(
                decode(7, stored.slice(..length)).is_err(),
                "cut to {length}"
            );
        }
        assert_eq!(
            decode(8, stored),
            Err(Damage::Checksum),
            "under another offset"
        );
    }
}
