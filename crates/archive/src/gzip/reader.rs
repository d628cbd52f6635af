use std::fmt;
use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use libdeflater::Decompressor;

use super::member::{self, END_MEMBER, HEADER_BYTES, Header};
use super::{in_flight, read_full};
use crate::Error;
use crate::ordered::Ordered;

/// Bytes read at once where the stream has to be taken as it comes.
const STREAM_BUFFER_BYTES: usize = 64 << 10;

/// Decompresses any gzip stream, ours on several threads.
///
/// If the first member carries our length subfield, all must, and the end member must be the last: then members are read
/// ahead and decompressed in parallel, with bounded memory. Anything else is read as a stream by flate2.
/// Errors are [`Error`]s inside [`io::Error`] and name the offset.
pub struct GzipReader<R: Read> {
    mode: Mode<R>,
}

enum Mode<R: Read> {
    Members(Box<Members<R>>),
    Stream(Box<Stream<R>>),
}

impl<R: Read> GzipReader<R> {
    /// Looks at the first bytes; with 0 `workers` the caller's thread decompresses.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Truncated`] if there is less than a header, or what `input` fails with.
    pub fn new(mut input: R, workers: usize) -> Result<GzipReader<R>, Error> {
        let mut head = [0; HEADER_BYTES];
        let got = read_full(&mut input, &mut head)?;
        let mode = match Header::read(&head[..got]) {
            _ if got == 0 => return Err(Error::Truncated { offset: 0 }),
            Header::NotGzip if got < 3 => return Err(Error::Truncated { offset: got as u64 }),
            Header::NotGzip => return Err(Error::Unknown),
            Header::Other => Mode::Stream(Box::new(Stream::new(head[..got].to_vec(), input))),
            Header::Sized(_) | Header::Absurd => Mode::Members(Box::new(Members::new(head, input, workers))),
        };
        Ok(GzipReader { mode })
    }

    /// Gives the stream back. After an end was reported, it stands there too.
    pub fn into_inner(self) -> R {
        match self.mode {
            Mode::Members(members) => members.input,
            Mode::Stream(stream) => stream.decoder.into_inner().into_inner().input.into_inner().1,
        }
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.mode {
            Mode::Members(members) => members.read(buf),
            Mode::Stream(stream) => stream.read(buf),
        }
    }
}

impl<R: Read> fmt::Debug for GzipReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            Mode::Members(_) => "members",
            Mode::Stream(_) => "stream",
        };
        f.debug_tuple("GzipReader").field(&mode).finish()
    }
}

/// A member on its way: where it began, its bytes and the block they hold.
#[derive(Default)]
struct Member {
    offset: u64,
    bytes: Vec<u8>,
    block: Vec<u8>,
    damage: Option<&'static str>,
}

struct Members<R> {
    input: R,
    /// The header of the first member, read to find out what the stream is.
    head: Option<[u8; HEADER_BYTES]>,
    offset: u64,
    /// The end member was met.
    ended: bool,
    pool: Ordered<Member>,
    current: Member,
    /// How much of the current block was handed out.
    taken: usize,
    spare: Vec<Member>,
}

impl<R: Read> Members<R> {
    fn new(head: [u8; HEADER_BYTES], input: R, workers: usize) -> Members<R> {
        let pool = Ordered::new(workers.min(super::MAX_WORKERS), in_flight(workers), || {
            let mut decompressor = Decompressor::new();
            move |mut member: Member| {
                member.damage = member::decompress(&mut decompressor, &member.bytes, &mut member.block).err();
                member
            }
        });
        let (current, spare) = (Member::default(), Vec::new());
        Members { input, head: Some(head), offset: 0, ended: false, pool, current, taken: 0, spare }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.current.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let rest = &self.current.block[self.taken..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        Ok(len)
    }

    fn next_block(&mut self) -> io::Result<bool> {
        while !self.ended && !self.pool.is_full() {
            match self.read_member()? {
                Some(member) => self.pool.submit(member)?,
                None => self.ended = true,
            }
        }
        let Some(member) = self.pool.next()? else { return Ok(false) };
        if let Some(what) = member.damage {
            return Err(damage(member.offset, what));
        }
        self.spare.push(std::mem::replace(&mut self.current, member));
        self.taken = 0;
        Ok(true)
    }

    /// The next member's bytes, or `None` when it was the end member and the stream ended with it.
    fn read_member(&mut self) -> io::Result<Option<Member>> {
        let (offset, head) = (self.offset, self.next_head()?);
        let size = match Header::read(&head) {
            Header::Sized(size) => size,
            Header::Absurd => return Err(damage(offset, "a member with an impossible length")),
            Header::Other | Header::NotGzip => return Err(damage(offset, "no member of this archive begins here")),
        };
        let mut member = self.spare.pop().unwrap_or_default();
        member.offset = offset;
        member.bytes.resize(size, 0);
        member.bytes[..HEADER_BYTES].copy_from_slice(&head);
        let got = read_full(&mut self.input, &mut member.bytes[HEADER_BYTES..])?;
        self.offset += (HEADER_BYTES + got) as u64;
        if HEADER_BYTES + got < size {
            return Err(Error::Truncated { offset: self.offset }.into());
        }
        if member.bytes == END_MEMBER {
            return self.expect_end().map(|()| None);
        }
        Ok(Some(member))
    }

    fn next_head(&mut self) -> io::Result<[u8; HEADER_BYTES]> {
        if let Some(head) = self.head.take() {
            return Ok(head);
        }
        let mut head = [0; HEADER_BYTES];
        let got = read_full(&mut self.input, &mut head)?;
        if got < HEADER_BYTES {
            return Err(Error::Truncated { offset: self.offset + got as u64 }.into());
        }
        Ok(head)
    }

    fn expect_end(&mut self) -> io::Result<()> {
        match read_full(&mut self.input, &mut [0])? {
            0 => Ok(()),
            _ => Err(damage(self.offset, "bytes after the end of the archive")),
        }
    }
}

/// A stream of which the first bytes were read already.
type Replayed<R> = Chain<Cursor<Vec<u8>>, R>;

/// Gzip as others write it.
struct Stream<R: Read> {
    decoder: MultiGzDecoder<BufReader<Counted<Replayed<R>>>>,
}

/// Counts what passes, so that an error can say where.
struct Counted<R> {
    input: R,
    count: u64,
}

impl<R: Read> Stream<R> {
    fn new(head: Vec<u8>, input: R) -> Stream<R> {
        let input = Counted { input: Cursor::new(head).chain(input), count: 0 };
        Stream { decoder: MultiGzDecoder::new(BufReader::with_capacity(STREAM_BUFFER_BYTES, input)) }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buf).map_err(|err| self.place(err))
    }

    /// flate2's complaints about the data get the offset; what `input` failed with stays as it is.
    fn place(&self, err: io::Error) -> io::Error {
        let buffered = self.decoder.get_ref();
        let offset = buffered.get_ref().count - buffered.buffer().len() as u64;
        match err.kind() {
            io::ErrorKind::UnexpectedEof => Error::Truncated { offset }.into(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                err.downcast::<Error>().unwrap_or_else(|err| Error::Gzip { offset, what: err.to_string() }).into()
            }
            _ => err,
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buf)?;
        self.count += read as u64;
        Ok(read)
    }
}

fn damage(offset: u64, what: &str) -> io::Error {
    Error::Gzip { offset, what: what.into() }.into()
}
