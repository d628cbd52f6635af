//! Blocks of Snappy and S2 made of chosen elements: each form of a literal, a copy and a repeat, with each length of it.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::frames::Kv;
use crate::snappy::{self, Block, Element, S2, SNAPPY, SNAPPY_CHUNK, repeat_fits};
use crate::stored::read;
use crate::wire::{Message, uvarint};

/// What a block may be made of before it is known what stands before each element.
type Seed = (u8, u16, u16);

/// Every seed becomes an element that is possible where it stands.
fn elements(seeds: &[Seed], is_s2: bool) -> Vec<Element> {
    let mut block = Block::default();
    let mut elements = Vec::new();
    for (what, a, b) in seeds {
        let element = element(&block, *what, usize::from(*a), usize::from(*b), is_s2);
        if !is_s2 && block.plain.len() + len_of(&element) > SNAPPY_CHUNK {
            break;
        }
        block.push(&element);
        elements.push(element);
    }
    elements
}

fn element(block: &Block, what: u8, a: usize, b: usize, is_s2: bool) -> Element {
    let written = block.plain.len();
    match what % 6 {
        1 if written > 0 => Element::Copy { offset: 1 + a % written.min(2047), len: 4 + b % 8, kind: 1 },
        2 if written > 0 => Element::Copy { offset: 1 + a % written.min(65_535), len: 1 + b % 64, kind: 2 },
        3 if written > 0 => Element::Copy { offset: 1 + (a * 7919 + b) % written, len: 1 + b % 64, kind: 3 },
        4 | 5 if is_s2 && block.last_offset > 0 => repeat(a, b),
        _ => literal(a, b),
    }
}

/// Up to 60 bytes have their length in the tag; 1 to 4 bytes behind it may hold any that fits.
fn literal(a: usize, b: usize) -> Element {
    let extra = b % 5;
    let len = 1 + a % [60, 256, 3000, 3000, 3000][extra];
    Element::Literal { bytes: (0..len).map(|at| (at * at + a + b) as u8).collect(), extra }
}

fn repeat(a: usize, b: usize) -> Element {
    let class = (b % 8) as u8;
    let len = match class {
        0..=4 => usize::from(class) + 4,
        5 => 8 + a % 256,
        6 => 260 + a % 4096,
        _ => 65_540 + a % 256,
    };
    Element::Repeat { len, class }
}

fn len_of(element: &Element) -> usize {
    match element {
        Element::Literal { bytes, .. } => bytes.len(),
        Element::Copy { len, .. } | Element::Repeat { len, .. } => *len,
    }
}

/// A stream whose one key-value has the blocks' data for its value: the header uncompressed, then a chunk for each block.
fn carry(name: &[u8; 6], blocks: &[Block]) -> (Vec<u8>, Kv) {
    let value: Vec<u8> = blocks.iter().flat_map(|block| block.plain.clone()).collect();
    let kv = Message::default().bytes(1, b"key").bytes(3, [8]).number(4, 5).finish();
    let value_head = [&[0x12][..], &uvarint(value.len() as u64)].concat();
    let kv_len = (kv.len() + value_head.len() + value.len()) as u64;
    let list_head = [&[0x0a][..], &uvarint(kv_len)].concat();
    let frame_len = (list_head.len() as u64 + kv_len).to_le_bytes();
    let head = [&frame_len[..], &list_head, &kv, &value_head].concat();
    let mut stream = [snappy::identifier(name), snappy::uncompressed(&head)].concat();
    blocks.iter().for_each(|block| stream.extend(snappy::compressed(block)));
    (stream, Kv { key: b"key".to_vec(), value, user_meta: 8, version: 5 })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn blocks_of_any_elements_read_equal(seeds in vec(vec(any::<Seed>(), 1..40), 1..4), is_s2: bool) {
        let blocks: Vec<_> = seeds.iter().map(|seeds| Block::of(&elements(seeds, is_s2))).collect();
        let (stream, kv) = carry(if is_s2 { S2 } else { SNAPPY }, &blocks);
        prop_assert_eq!(read(&stream, None).unwrap(), [kv]);
    }

    #[test]
    fn compressed_data_read_equal(data in vec(0u8..6, 0..3000), repeats in 1usize..40, is_s2: bool) {
        let data = data.repeat(repeats);
        let chunk_len = if is_s2 { 1 << 20 } else { SNAPPY_CHUNK };
        let blocks: Vec<_> = data.chunks(chunk_len).map(|piece| snappy::compress(piece, is_s2)).collect();
        let (stream, kv) = carry(if is_s2 { S2 } else { SNAPPY }, &blocks);
        prop_assert_eq!(&kv.value, &data);
        prop_assert_eq!(read(&stream, None).unwrap(), [kv]);
    }
}

/// Some bytes that do not repeat, as the ground that copies stand on.
fn ground(len: usize) -> Element {
    Element::Literal { bytes: (0..len).map(|at| (at ^ at >> 8) as u8).collect(), extra: 4 }
}

#[test]
fn repeats_of_every_class_read_equal_at_the_ends_of_their_lengths() {
    let longest = (1 << 24) - 1 + 65_540;
    let lengths = [4, 5, 7, 8, 9, 259, 260, 263, 264, 65_539, 65_540, 65_541, 65_795, 65_796, 1 << 20, 4_000_000];
    let mut tried = 0;
    for len in lengths {
        for class in (0..8).filter(|class| repeat_fits(len, *class)) {
            for offset in [1, 3, 300] {
                let copy = Element::Copy { offset, len: 4, kind: 3 };
                let block = Block::of(&[ground(300), copy, Element::Repeat { len, class }]);
                let (stream, kv) = carry(S2, &[block]);
                assert!(read(&stream, None).unwrap() == [kv], "{len} bytes from {offset}, class {class}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 3 * 22, "lengths between two classes are written by both");
    assert!(repeat_fits(longest, 7) && !repeat_fits(longest + 1, 7), "the longest is beyond any block");
}

#[test]
fn literals_of_every_form_read_equal_at_the_ends_of_their_lengths() {
    for (len, extra) in
        [(1, 0), (60, 0), (1, 1), (61, 1), (256, 1), (257, 2), (65_536, 2), (1, 3), (65_536, 3), (1, 4), (65_536, 4)]
    {
        let bytes: Vec<u8> = (0..len).map(|at| (at * 31 + at / 256) as u8).collect();
        let (stream, kv) = carry(SNAPPY, &[Block::of(&[Element::Literal { bytes, extra }])]);
        assert!(read(&stream, None).unwrap() == [kv], "{len} bytes, {extra} behind the tag");
    }
}

#[test]
fn copies_reach_from_the_end_of_a_block_to_its_beginning() {
    let far = [(2047, 1), (2047, 2), (65_000, 2), (65_535, 2), (65_536, 3), (3_000_000, 3), (2047, 3)];
    for (offset, kind) in far {
        let block = Block::of(&[ground(offset), Element::Copy { offset, len: 11, kind }]);
        let is_s2 = block.plain.len() > SNAPPY_CHUNK;
        let (stream, kv) = carry(if is_s2 { S2 } else { SNAPPY }, &[block]);
        assert!(read(&stream, None).unwrap() == [kv], "{offset} back by kind {kind}");
    }
}

#[test]
fn the_last_offset_belongs_to_its_block() {
    let first = Block::of(&[ground(9), Element::Copy { offset: 3, len: 4, kind: 2 }]);
    let mut second = Block::of(&[ground(9)]);
    second.last_offset = 3;
    second.push(&Element::Repeat { len: 4, class: 0 });
    let (stream, _) = carry(S2, &[first, second]);
    assert!(read(&stream, None).is_err(), "a repeat of another block's offset");
}
