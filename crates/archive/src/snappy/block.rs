//! One block: its length as a varint, then literals and copies of what came before.

/// Appends the block to `out`, which is empty.
///
/// # Errors
/// What is wrong with the bytes. Nothing is allocated for what they only claim.
pub(super) fn decompress(input: &[u8], out: &mut Vec<u8>, max_bytes: usize, is_s2: bool) -> Result<(), &'static str> {
    let mut input = Input(input);
    let len = input.length()?;
    if len > max_bytes {
        return Err("a block that is longer than its format allows");
    }
    let mut last_offset = 0;
    while let Some(tag) = input.byte() {
        match tag & 3 {
            0 => literal(&mut input, tag, out, len)?,
            kind => {
                let copy = Copy::read(&mut input, kind, tag)?;
                let offset = match copy.offset {
                    0 if is_s2 && kind == 1 => last_offset,
                    offset => offset,
                };
                copy_back(out, offset, copy.len, len)?;
                last_offset = offset;
            }
        }
    }
    if out.len() == len { Ok(()) } else { Err("a block that is shorter than it says") }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("a block that ends within an element")?;
        self.0 = rest;
        Ok(taken)
    }

    /// A little-endian number of `count` bytes, at most four.
    fn number(&mut self, count: usize) -> Result<usize, &'static str> {
        Ok(self.take(count)?.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// The length of the block: seven bits a byte, the lowest first, at most 32 bits.
    fn length(&mut self) -> Result<usize, &'static str> {
        let mut length = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte().ok_or("a block without its length")?;
            length |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return usize::try_from(length).map_err(|_| "a block of an impossible length");
            }
        }
        Err("a block of an impossible length")
    }
}

/// Lengths of literals: up to 60 stand in the tag, longer ones in one to four bytes behind it.
fn literal(input: &mut Input<'_>, tag: u8, out: &mut Vec<u8>, max: usize) -> Result<(), &'static str> {
    let code = usize::from(tag >> 2);
    let len = if code < 60 { code } else { input.number(code - 59)? }.saturating_add(1);
    if len > max - out.len() {
        return Err("a block that is longer than it says");
    }
    out.extend_from_slice(input.take(len)?);
    Ok(())
}

struct Copy {
    /// How far back; for kind 1, S2 writes 0 for "as far as the last time".
    offset: usize,
    len: usize,
}

impl Copy {
    fn read(input: &mut Input<'_>, kind: u8, tag: u8) -> Result<Copy, &'static str> {
        let long = usize::from(tag >> 2) + 1;
        match kind {
            1 => Copy::near(input, tag),
            2 => Ok(Copy { offset: input.number(2)?, len: long }),
            _ => Ok(Copy { offset: input.number(4)?, len: long }),
        }
    }

    /// Eleven bits of offset. With offset 0 the length goes on behind the tag, as S2 has it.
    fn near(input: &mut Input<'_>, tag: u8) -> Result<Copy, &'static str> {
        let offset = usize::from(tag & 0xe0) << 3 | input.number(1)?;
        let code = usize::from(tag >> 2 & 7);
        let len = match (offset, code) {
            (0, 5) => input.number(1)? + 8,
            (0, 6) => input.number(2)? + 260,
            (0, 7) => input.number(3)? + 65_540,
            _ => code + 4,
        };
        Ok(Copy { offset, len })
    }
}

fn copy_back(out: &mut Vec<u8>, offset: usize, len: usize, max: usize) -> Result<(), &'static str> {
    if offset == 0 || offset > out.len() {
        return Err("a copy from before the beginning of its block");
    }
    if len > max - out.len() {
        return Err("a block that is longer than it says");
    }
    // A copy may reach into what it is writing: then it repeats.
    let mut left = len;
    while left > 0 {
        let from = out.len() - offset;
        let piece = left.min(offset);
        out.extend_from_within(from..from + piece);
        left -= piece;
    }
    Ok(())
}
