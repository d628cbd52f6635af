//! The framing of Snappy and of S2, and blocks made of chosen elements.
#![allow(dead_code, reason = "shared by test binaries, of which none needs all")]

use std::collections::HashMap;

use crate::wire::uvarint;

pub(crate) const SNAPPY: &[u8; 6] = b"sNaPpY";
pub(crate) const S2: &[u8; 6] = b"S2sTwO";

/// Bytes that a chunk of Snappy holds at most.
pub(crate) const SNAPPY_CHUNK: usize = 65_536;

/// One element of a block.
#[derive(Clone, Debug)]
pub(crate) enum Element {
    /// Bytes as they are; `extra` bytes behind the tag hold the length, 0 to 4.
    Literal { bytes: Vec<u8>, extra: usize },
    /// `len` bytes from `offset` back, by a tag of kind 1, 2 or 3.
    Copy { offset: usize, len: usize, kind: u8 },
    /// S2 alone: `len` bytes from as far back as the last time; `class` is the code in the tag, 5 to 7 for longer forms.
    Repeat { len: usize, class: u8 },
}

/// Element by element, what a block holds and how it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) plain: Vec<u8>,
    elements: Vec<u8>,
    /// How far back the last copy went; 0 before the first.
    pub(crate) last_offset: usize,
}

impl Block {
    pub(crate) fn of(elements: &[Element]) -> Block {
        let mut block = Block::default();
        elements.iter().for_each(|element| block.push(element));
        block
    }

    /// The length of what it holds, then its elements.
    pub(crate) fn packed(&self) -> Vec<u8> {
        [uvarint(self.plain.len() as u64), self.elements.clone()].concat()
    }

    pub(crate) fn push(&mut self, element: &Element) {
        match element {
            Element::Literal { bytes, extra } => self.literal(bytes, *extra),
            Element::Copy { offset, len, kind } => {
                self.copy(*offset, *len);
                self.elements.extend(copy_tag(*offset, *len, *kind));
            }
            Element::Repeat { len, class } => {
                self.copy(self.last_offset, *len);
                self.elements.extend(repeat_tag(*len, *class));
            }
        }
    }

    fn literal(&mut self, bytes: &[u8], extra: usize) {
        let len = bytes.len() - 1;
        assert!(if extra == 0 { len < 60 } else { len < 1 << (8 * extra) }, "{len} does not fit {extra} bytes");
        let code = if extra == 0 { len } else { 59 + extra };
        self.elements.push((code << 2) as u8);
        self.elements.extend(&len.to_le_bytes()[..extra]);
        self.elements.extend(bytes);
        self.plain.extend(bytes);
    }

    /// Byte by byte, since a copy may read what it writes.
    fn copy(&mut self, offset: usize, len: usize) {
        assert!(offset > 0 && offset <= self.plain.len(), "{offset} back from {}", self.plain.len());
        for _ in 0..len {
            self.plain.push(self.plain[self.plain.len() - offset]);
        }
        self.last_offset = offset;
    }
}

fn copy_tag(offset: usize, len: usize, kind: u8) -> Vec<u8> {
    match kind {
        1 => {
            assert!((4..12).contains(&len) && offset < 2048, "{len} from {offset}");
            vec![((offset >> 8) << 5 | (len - 4) << 2 | 1) as u8, offset as u8]
        }
        2 | 3 => {
            let width = if kind == 2 { 2 } else { 4 };
            assert!((1..=64).contains(&len) && offset < 1 << (8 * width), "{len} from {offset}");
            [&[((len - 1) << 2) as u8 | kind][..], &offset.to_le_bytes()[..width]].concat()
        }
        _ => panic!("copies are of kind 1 to 3, not {kind}"),
    }
}

/// The least length of each longer form of a repeat, and the bytes behind the tag and the zero.
const REPEATS: [(usize, usize); 3] = [(8, 1), (260, 2), (65_540, 3)];

/// Whether a repeat of `len` can be written with `class`.
pub(crate) fn repeat_fits(len: usize, class: u8) -> bool {
    match class {
        0..=4 => len == usize::from(class) + 4,
        _ => {
            let (least, width) = REPEATS[usize::from(class) - 5];
            len >= least && len - least < 1 << (8 * width)
        }
    }
}

fn repeat_tag(len: usize, class: u8) -> Vec<u8> {
    assert!(repeat_fits(len, class), "{len} does not fit class {class}");
    let mut tag = vec![class << 2 | 1, 0];
    if class > 4 {
        let (least, width) = REPEATS[usize::from(class) - 5];
        tag.extend(&(len - least).to_le_bytes()[..width]);
    }
    tag
}

/// Compresses by taking the last place where the same four bytes stood: a real compressor's output in small.
pub(crate) fn compress(data: &[u8], is_s2: bool) -> Block {
    let mut block = Block::default();
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    let (mut at, mut literal) = (0, 0);
    while at < data.len() {
        let found = data.get(at..at + 4).and_then(|four| places.insert(four, at));
        let len = found.map_or(0, |from| common(&data[from..], &data[at..]));
        if len >= 4 {
            push_literal(&mut block, &data[literal..at]);
            push_copy(&mut block, at - found.unwrap_or(at), len, is_s2);
            at += len;
            literal = at;
        } else {
            at += 1;
        }
    }
    push_literal(&mut block, &data[literal..]);
    block
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn push_literal(block: &mut Block, bytes: &[u8]) {
    let extra = [60, 1 << 8, 1 << 16].iter().filter(|limit| bytes.len() > **limit).count();
    if !bytes.is_empty() {
        block.push(&Element::Literal { bytes: bytes.to_vec(), extra });
    }
}

fn push_copy(block: &mut Block, offset: usize, mut len: usize, is_s2: bool) {
    if is_s2 && offset == block.last_offset {
        let class = (0..8).find(|class| repeat_fits(len, *class)).expect("every length above 3 has a class");
        return block.push(&Element::Repeat { len, class });
    }
    while len > 0 {
        let piece = len.min(64);
        let kind = match (offset, piece) {
            (..2048, 4..12) => 1,
            (..65_536, _) => 2,
            _ => 3,
        };
        block.push(&Element::Copy { offset, len: piece, kind });
        len -= piece;
    }
}

/// A chunk: its type, a length of three bytes, a body.
pub(crate) fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &body.len().to_le_bytes()[..3], body].concat()
}

/// What a stream begins with.
pub(crate) fn identifier(name: &[u8; 6]) -> Vec<u8> {
    chunk(0xff, name)
}

/// A chunk that holds a block.
pub(crate) fn compressed(block: &Block) -> Vec<u8> {
    chunk(0x00, &[checksum(&block.plain), block.packed()].concat())
}

/// A chunk that holds data as they are.
pub(crate) fn uncompressed(data: &[u8]) -> Vec<u8> {
    chunk(0x01, &[checksum(data), data.to_vec()].concat())
}

/// CRC-32C, rotated to the right by 15 bits, plus a constant.
fn checksum(data: &[u8]) -> Vec<u8> {
    let crc = crc32c::crc32c(data);
    crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes().to_vec()
}

/// `data` as a stream of chunks of `chunk_len` bytes, every third of them uncompressed if `mixed`, with chunks between them
/// that a reader skips.
pub(crate) fn stream(name: &[u8; 6], data: &[u8], chunk_len: usize, mixed: bool) -> Vec<u8> {
    let mut stream = identifier(name);
    for (at, piece) in data.chunks(chunk_len).enumerate() {
        match mixed {
            true if at % 3 == 1 => stream.extend(uncompressed(piece)),
            _ => stream.extend(compressed(&compress(piece, name == S2))),
        }
        if mixed {
            let skipped = [chunk(0xfe, &[0; 9]), chunk(0x99, b"an index"), chunk(0x80, &[]), identifier(name)];
            stream.extend(&skipped[at % 4]);
        }
    }
    stream
}
