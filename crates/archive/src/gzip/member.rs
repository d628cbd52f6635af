//! One member: a 20-byte header with its own length, a deflate stream, CRC-32 and size.

use libdeflater::{Compressor, Decompressor, crc32};

use super::BLOCK_BYTES;

/// Magic, deflate, FEXTRA, no time, no flags, unknown system, 8 bytes of extra field, subfield `GD` with 4 bytes.
const HEADER_START: [u8; 16] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 8, 0, b'G', b'D', 4, 0];

/// [`HEADER_START`] and the member's length in 4 bytes.
pub(super) const HEADER_BYTES: usize = HEADER_START.len() + 4;

/// CRC-32 and length of the decompressed data.
const TRAILER_BYTES: usize = 8;

/// The longest member that is read. Deflate stores what it cannot compress with 5 bytes for each 5,000 and more; a
/// sixteenth is far above that, so that other writers of the subfield may be clumsy.
const MAX_MEMBER_BYTES: usize = BLOCK_BYTES + BLOCK_BYTES / 16 + 256;

/// The member that ends every archive: it holds nothing.
pub(super) const END_MEMBER: [u8; 30] = [
    0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 8, 0, b'G', b'D', 4, 0, 30, 0, 0, 0, //
    3, 0, // an empty deflate stream
    0, 0, 0, 0, 0, 0, 0, 0,
];

/// What the first bytes of a member say.
pub(super) enum Header {
    /// One of ours, of so many bytes with its header.
    Sized(usize),
    /// One of ours with a length that no member can have.
    Absurd,
    /// Gzip, but without our subfield.
    Other,
    /// Not gzip.
    NotGzip,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Header {
        if !bytes.starts_with(&HEADER_START[..3]) {
            return Header::NotGzip;
        }
        let Some((&HEADER_START, size)) = bytes.split_first_chunk() else {
            return Header::Other;
        };
        let Some(size) = size.first_chunk() else {
            return Header::Other;
        };
        let size = u32::from_le_bytes(*size) as usize;
        let possible = HEADER_BYTES + TRAILER_BYTES + 2..=MAX_MEMBER_BYTES;
        if possible.contains(&size) { Header::Sized(size) } else { Header::Absurd }
    }
}

/// Replaces `member` by the member that holds `block`.
pub(super) fn compress(compressor: &mut Compressor, block: &[u8], member: &mut Vec<u8>) {
    debug_assert!(block.len() <= BLOCK_BYTES);
    let bound = compressor.deflate_compress_bound(block.len());
    member.resize(HEADER_BYTES + bound + TRAILER_BYTES, 0);
    let deflated = compressor
        .deflate_compress(block, &mut member[HEADER_BYTES..])
        .expect("the buffer has the length that libdeflate asks for");
    let size = HEADER_BYTES + deflated + TRAILER_BYTES;
    let number = |n: usize| u32::try_from(n).expect("a block is far below 4 GiB").to_le_bytes();
    member[..HEADER_START.len()].copy_from_slice(&HEADER_START);
    member[HEADER_START.len()..HEADER_BYTES].copy_from_slice(&number(size));
    member.truncate(HEADER_BYTES + deflated);
    member.extend_from_slice(&crc32(block).to_le_bytes());
    member.extend_from_slice(&number(block.len()));
}

/// Replaces `block` by what `member` holds. `member` is as long as its header says.
///
/// Never allocates more than [`BLOCK_BYTES`]: what would decompress to more is refused.
pub(super) fn decompress(
    decompressor: &mut Decompressor,
    member: &[u8],
    block: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let too_short = "a member without a trailer";
    let (rest, size) = member.split_last_chunk().ok_or(too_short)?;
    let (rest, crc) = rest.split_last_chunk().ok_or(too_short)?;
    let deflated = rest.get(HEADER_BYTES..).ok_or(too_short)?;
    let size = u32::from_le_bytes(*size) as usize;
    if size > BLOCK_BYTES {
        return Err("a member that says it holds more than one block");
    }
    block.resize(size, 0);
    match decompressor.deflate_decompress(deflated, block) {
        Ok(len) if len == size => {}
        Ok(_) => return Err("a member that holds less than it says"),
        Err(libdeflater::DecompressionError::InsufficientSpace) => return Err("a member that holds more than it says"),
        Err(libdeflater::DecompressionError::BadData) => return Err("invalid deflate data"),
    }
    if crc32(block) != u32::from_le_bytes(*crc) {
        return Err("wrong CRC-32");
    }
    Ok(())
}
