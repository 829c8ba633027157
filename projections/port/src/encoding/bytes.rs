//! Numbers and texts as bytes: variable lengths, since most numbers are small.

use std::str::FromStr;

use super::{Damage, VERSION};

/// A value under way.
#[derive(Debug)]
pub struct Writer(Vec<u8>);

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An empty value of the version of today.
    #[must_use]
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.push(VERSION);
        Self(bytes)
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Bytes whose number is known.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Seven bits a byte, the lowest first (LEB128).
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number as u8) | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// The sign in the lowest bit, so that small numbers of either sign are short.
    pub fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    /// Bytes behind their number.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }

    /// A text behind its length.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// The value.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A value being read. Whatever it can't read is an error, and nothing is read after one.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Begins behind the version.
    pub const fn new(bytes: &'a [u8]) -> Result<Self, Damage> {
        match bytes {
            [VERSION, rest @ ..] => Ok(Self(rest)),
            [other, ..] => Err(Damage::Version(*other)),
            [] => Err(Damage::Short),
        }
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Damage> {
        let (byte, rest) = self.0.split_first().ok_or(Damage::Short)?;
        self.0 = rest;
        Ok(*byte)
    }

    /// Bytes whose number is known.
    pub fn raw<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (front, rest) = self.0.split_first_chunk::<N>().ok_or(Damage::Short)?;
        self.0 = rest;
        Ok(*front)
    }

    /// A number (LEB128).
    pub fn number(&mut self) -> Result<u64, Damage> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damage::Value("a number"))
    }

    /// A number that fits a smaller type.
    pub fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Damage> {
        T::try_from(self.number()?).map_err(|_| Damage::Value("a number"))
    }

    /// A number with a sign.
    pub fn signed(&mut self) -> Result<i64, Damage> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    /// Bytes behind their number.
    pub fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.small::<usize>()?;
        let (front, rest) = self.0.split_at_checked(length).ok_or(Damage::Short)?;
        self.0 = rest;
        Ok(front)
    }

    /// A text behind its length.
    pub fn str(&mut self) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damage::Value("a text"))
    }

    /// A text of a kind.
    pub fn text<T: FromStr>(&mut self) -> Result<T, Damage> {
        self.str()?.parse().map_err(|_| Damage::Value("a text"))
    }

    /// There is nothing more.
    pub const fn end(self) -> Result<(), Damage> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Damage::Long)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let signed = [0, 1, -1, 63, -64, i64::MAX, i64::MIN];
        let mut to = Writer::new();
        numbers.iter().for_each(|n| to.number(*n));
        signed.iter().for_each(|n| to.signed(*n));
        to.text("é");
        let bytes = to.finish();
        let mut from = Reader::new(&bytes).unwrap();
        assert_eq!(numbers.map(|_| from.number().unwrap()), numbers);
        assert_eq!(signed.map(|_| from.signed().unwrap()), signed);
        assert_eq!(from.text::<String>(), Ok("é".to_owned()));
        from.end().unwrap();
    }

    #[test]
    fn what_is_damaged_is_told() {
        assert_eq!(Reader::new(&[]).err(), Some(Damage::Short));
        assert_eq!(Reader::new(&[9]).err(), Some(Damage::Version(9)));
        let read = |bytes: &[u8]| Reader::new(bytes).unwrap().number();
        assert_eq!(read(&[VERSION, 0x80]), Err(Damage::Short));
        let too_large = [[VERSION].as_slice(), &[0xff; 9], &[2]].concat();
        assert_eq!(read(&too_large), Err(Damage::Value("a number")));
        let mut from = Reader::new(&[VERSION, 3, b'a']).unwrap();
        assert_eq!(from.bytes(), Err(Damage::Short));
        assert_eq!(Reader::new(&[VERSION, 0]).unwrap().end(), Err(Damage::Long));
    }
}
