//! Integers as Parquet's DELTA_BINARY_PACKED, with wide differences in whole bytes.
//!
//! A file holds many series, and at each change of series times jump back by a day: the few values of a slow
//! series then cost 37 bits each, which no compressor finds a pattern in. Rounded up to five bytes the same
//! values compress to less than half. The format leaves the widths to the writer, so that every reader follows.

/// Widths above this are rounded up to whole bytes; below, packing alone is better.
const PACKED_BITS_MAX: u32 = 32;
/// Values of a block, and parts of it with a width of their own.
const MINI_BLOCKS: usize = 4;

/// A number of a column.
pub(super) trait Integer: Copy {
    /// Values in a part of a block, as decoders like it.
    const MINI_BLOCK: usize;
    /// The number itself.
    fn wide(self) -> i64;
    /// The difference to the number before, in the arithmetic of the type.
    fn since(self, before: Self) -> i64;
    /// How far a difference is above the smallest one.
    fn above(difference: i64, smallest: i64) -> u64;
}

impl Integer for i64 {
    const MINI_BLOCK: usize = 64;

    fn wide(self) -> i64 {
        self
    }

    fn since(self, before: Self) -> i64 {
        self.wrapping_sub(before)
    }

    fn above(difference: i64, smallest: i64) -> u64 {
        difference.wrapping_sub(smallest) as u64
    }
}

impl Integer for i32 {
    const MINI_BLOCK: usize = 32;

    fn wide(self) -> i64 {
        self.into()
    }

    fn since(self, before: Self) -> i64 {
        self.wrapping_sub(before).into()
    }

    fn above(difference: i64, smallest: i64) -> u64 {
        u64::from((difference as Self).wrapping_sub(smallest as Self) as u32)
    }
}

/// Appends the encoded values.
pub(super) fn encode<T: Integer>(values: &[T], out: &mut Vec<u8>) {
    let block = T::MINI_BLOCK * MINI_BLOCKS;
    put(out, block as u64);
    put(out, MINI_BLOCKS as u64);
    put(out, values.len() as u64);
    put_signed(out, values.first().map_or(0, |first| first.wide()));
    if let [first, rest @ ..] = values
        && rest.iter().all(|value| value.wide() == first.wide())
    {
        // Flags are the same on most pages: the bytes are those of the way below, without a look at each difference.
        rest.chunks(block).for_each(|_| out.extend_from_slice(&[0; 1 + MINI_BLOCKS]));
        return;
    }
    let mut differences: Vec<i64> = Vec::with_capacity(block);
    let mut rest = values;
    while let [before, after @ ..] = rest
        && !after.is_empty()
    {
        let count = after.len().min(block);
        differences.clear();
        let mut last = *before;
        differences.extend(after.iter().take(count).map(|value| {
            let difference = value.since(last);
            last = *value;
            difference
        }));
        encode_block::<T>(&differences, out);
        rest = rest.get(count..).unwrap_or_default();
    }
}

fn encode_block<T: Integer>(differences: &[i64], out: &mut Vec<u8>) {
    let smallest = differences.iter().copied().min().unwrap_or(0);
    put_signed(out, smallest);
    let widths = out.len();
    out.extend_from_slice(&[0; MINI_BLOCKS]);
    for (index, part) in differences.chunks(T::MINI_BLOCK).enumerate() {
        let all = part.iter().fold(0, |all, difference| all | T::above(*difference, smallest));
        let width = match u64::BITS - all.leading_zeros() {
            wide if wide > PACKED_BITS_MAX => wide.next_multiple_of(8),
            width => width,
        };
        if let Some(target) = out.get_mut(widths + index) {
            *target = width as u8;
        }
        let padding = std::iter::repeat_n(0, T::MINI_BLOCK - part.len());
        let values = part.iter().map(|difference| T::above(*difference, smallest));
        pack(values.chain(padding), width, out);
    }
}

/// Appends numbers of so many bits, least significant first; their number is a multiple of 32.
fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let (mut buffer, mut filled) = (0_u64, 0_u32);
    for value in values {
        buffer |= value << filled;
        filled += width;
        if filled >= u64::BITS {
            out.extend_from_slice(&buffer.to_le_bytes());
            filled -= u64::BITS;
            buffer = if filled == 0 { 0 } else { value >> (width - filled) };
        }
    }
    out.extend_from_slice(buffer.to_le_bytes().get(..filled as usize / 8).unwrap_or_default());
}

/// Appends a number, seven bits a byte, least first.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)) as u64);
}
