//! Blocks of Snappy and S2 that an encoder made which knows what they hold. Changed bytes of a stream hardly ever have the
//! right checksum; here every input is a plan of elements, and every stream is valid.

use super::compressed;

/// The most that a block of Snappy may hold.
const MAX_SNAPPY_BYTES: usize = 64 << 10;

/// Blocks of S2 may hold 4 MiB; here as much as the longest form of a repetition needs, so that an input stays fast.
const MAX_S2_BYTES: usize = 80 << 10;

/// Blocks of one stream.
const MAX_BLOCKS: usize = 3;

/// Whatever elements a block is made of, it is read as what they mean.
pub fn check(plan: &[u8]) {
    let (stream, value) = encode(plan);
    let (entries, object) = compressed::read(&stream[..]).unwrap_or_else(|err| panic!("{err}: {stream:?}"));
    let [entry] = &entries[..] else { panic!("one key-value was written, {} were read", entries.len()) };
    assert!(entry.kv().value == value, "{:?} is not {value:?}", entry.kv().value);
    assert_eq!(object.size_bytes, stream.len() as u64);
}

/// The stream that `plan` makes and the one value in it.
pub fn encode(plan: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut plan = Plan(plan);
    let is_s2 = plan.byte() & 1 == 1;
    let mut blocks = vec![Block::default()];
    while let Some(block) = blocks.last_mut().filter(|_| !plan.0.is_empty()) {
        if !block.element(&mut plan, is_s2) {
            if blocks.len() == MAX_BLOCKS {
                break;
            }
            blocks.push(Block::default());
        }
    }
    let value: Vec<u8> = blocks.iter().flat_map(|block| &block.data).copied().collect();
    let mut stream = if is_s2 { b"\xff\x06\0\0S2sTwO".to_vec() } else { b"\xff\x06\0\0sNaPpY".to_vec() };
    let head = frame_head(value.len());
    put_chunk(&mut stream, 0x01, &head, &head);
    for block in &blocks {
        put_chunk(&mut stream, 0x00, &block.stored(), &block.data);
    }
    (stream, value)
}

/// What stands before a value of `len` bytes that is all of a frame but its beginning.
fn frame_head(len: usize) -> Vec<u8> {
    let mut kv = vec![0x1a, 1, 8];
    graphdb_types::put_len_prefix(&mut kv, 2, len);
    let mut list = Vec::new();
    graphdb_types::put_len_prefix(&mut list, 1, kv.len() + len);
    let frame_len = (list.len() + kv.len() + len) as u64;
    [&frame_len.to_le_bytes()[..], &list, &kv].concat()
}

/// Appends a chunk of `kind` whose body stands for `data`.
pub fn put_chunk(stream: &mut Vec<u8>, kind: u8, body: &[u8], data: &[u8]) {
    let checksum = crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8);
    stream.push(kind);
    stream.extend_from_slice(&(body.len() as u32 + 4).to_le_bytes()[..3]);
    stream.extend_from_slice(&checksum.to_le_bytes());
    stream.extend_from_slice(body);
}

/// The input, read as choices. Past its end every choice is 0.
struct Plan<'a>(&'a [u8]);

impl Plan<'_> {
    fn byte(&mut self) -> usize {
        self.number(1)
    }

    /// A number of `count` bytes.
    fn number(&mut self, count: usize) -> usize {
        self.take(count).iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    fn take(&mut self, count: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// One block: its elements, and what they mean.
#[derive(Default)]
struct Block {
    elements: Vec<u8>,
    data: Vec<u8>,
    last_offset: usize,
}

impl Block {
    /// Adds the next element of the plan; `false` when the block ends.
    fn element(&mut self, plan: &mut Plan<'_>, is_s2: bool) -> bool {
        let choice = plan.byte();
        let room = if is_s2 { MAX_S2_BYTES } else { MAX_SNAPPY_BYTES } - self.data.len();
        match choice % 8 {
            0 => return false,
            1 | 2 => self.literal(plan, choice >> 3, room),
            3 if is_s2 && self.last_offset > 0 => self.repeat(plan, choice >> 3, room),
            kind => self.copy(plan, kind, choice >> 3, room),
        }
        true
    }

    /// Lengths in the tag, or in one to four bytes behind it, also where fewer would do.
    fn literal(&mut self, plan: &mut Plan<'_>, choice: usize, room: usize) {
        let bytes = plan.take((1 + choice / 5).min(room));
        if bytes.is_empty() {
            return;
        }
        let code = bytes.len() - 1;
        match choice % 5 {
            0 => self.elements.push((code << 2) as u8),
            extra => {
                self.elements.push(((59 + extra) << 2) as u8);
                self.elements.extend_from_slice(&(code as u32).to_le_bytes()[..extra]);
            }
        }
        self.elements.extend_from_slice(bytes);
        self.data.extend_from_slice(bytes);
    }

    /// The three kinds of copies, from any place that the kind can name.
    fn copy(&mut self, plan: &mut Plan<'_>, kind: usize, choice: usize, room: usize) {
        let (len, max_offset) = match kind {
            0..5 => (4 + choice % 8, 0x7ff),
            5 | 6 => (1 + plan.byte() % 64, 0xffff),
            _ => (1 + plan.byte() % 64, MAX_S2_BYTES),
        };
        let reach = self.data.len().min(max_offset);
        if reach == 0 || len > room {
            return;
        }
        let offset = 1 + plan.number(3) % reach;
        let long = ((len - 1) << 2) as u8;
        match kind {
            0..5 => self.elements.extend([(offset >> 8 << 5 | (len - 4) << 2 | 1) as u8, offset as u8]),
            5 | 6 => self.elements.extend([long | 2, offset as u8, (offset >> 8) as u8]),
            _ => {
                self.elements.push(long | 3);
                self.elements.extend_from_slice(&(offset as u32).to_le_bytes());
            }
        }
        self.repeat_data(offset, len);
    }

    /// S2: once more from as far back as the last copy; four forms of length.
    fn repeat(&mut self, plan: &mut Plan<'_>, choice: usize, room: usize) {
        let (code, count, base) = [(choice % 5, 0, 4), (5, 1, 8), (6, 2, 260), (7, 3, 65_540)][choice % 4];
        let Some(spare) = room.checked_sub(base + 4) else { return };
        let behind = plan.number(count) % (spare + 1);
        let len = base + if count == 0 { code } else { behind };
        self.elements.extend([(code << 2 | 1) as u8, 0]);
        self.elements.extend_from_slice(&(behind as u32).to_le_bytes()[..count]);
        self.repeat_data(self.last_offset, len);
    }

    fn repeat_data(&mut self, offset: usize, len: usize) {
        for _ in 0..len {
            self.data.push(self.data[self.data.len() - offset]);
        }
        self.last_offset = offset;
    }

    fn stored(&self) -> Vec<u8> {
        let mut stored = Vec::new();
        graphdb_types::put_uvarint(&mut stored, self.data.len() as u64);
        stored.extend_from_slice(&self.elements);
        stored
    }
}
