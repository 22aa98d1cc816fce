//! A row in 32 bytes: half a line of the processor's cache, which is what reading rows in another order costs.

use super::NONE;
use crate::row::RowRef;

const HAS_SOURCE: u32 = 1;
const HAS_SERVER: u32 = 2;
/// Not all of its times fit into the slot.
const HAS_EXTRA: u32 = 4;
const TAG_SHIFT: u32 = 3;
/// Indexes of messages and rows have the bits below, flags and kind those above.
const INDEX_BITS: u32 = 24;
const INDEX_MAX: u32 = (1 << INDEX_BITS) - 1;

/// A row with its text, message and unusual times elsewhere.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
pub(super) struct Slot {
    /// Source time, else server time.
    time: i64,
    /// The scalar's bits, or start and length in the table's bytes.
    pub(super) bits: u64,
    /// Ticks from source to server time, or an index into the table's extras.
    delay: i32,
    pub(super) status: u32,
    /// Index into the table's messages, and flags.
    message: u32,
    /// The row of the same series that came before, and the kind of the value.
    previous: u32,
}

/// What few rows have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extra {
    server: i64,
    source_pico: u16,
    server_pico: u16,
}

/// The timestamps of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) source: Option<i64>,
    pub(super) server: Option<i64>,
    pub(super) source_pico: u16,
    pub(super) server_pico: u16,
}

impl Slot {
    /// `cell` is the value's tag and bits.
    #[inline]
    pub(super) fn new(
        row: &RowRef<'_>,
        cell: (u8, u64),
        message: u32,
        previous: u32,
        extras: &mut Vec<Extra>,
    ) -> Self {
        let mut flags = u32::from(cell.0) << TAG_SHIFT;
        if row.source.is_some() {
            flags |= HAS_SOURCE;
        }
        if row.server.is_some() {
            flags |= HAS_SERVER;
        }
        let near = match row.source.zip(row.server) {
            Some((source, server)) => server.checked_sub(source).and_then(|delay| i32::try_from(delay).ok()),
            None => Some(0),
        };
        let delay = near.filter(|_| row.source_pico == 0 && row.server_pico == 0).unwrap_or_else(|| {
            flags |= HAS_EXTRA;
            extras.push(Extra {
                server: row.server.unwrap_or(0),
                source_pico: row.source_pico,
                server_pico: row.server_pico,
            });
            extras.len() as i32 - 1
        });
        Self {
            time: row.source.or(row.server).unwrap_or(0),
            bits: cell.1,
            delay,
            status: row.status,
            message: message.min(INDEX_MAX) | (flags << INDEX_BITS),
            previous: previous.min(INDEX_MAX) | (u32::from(row.kind) << INDEX_BITS),
        }
    }

    const fn flags(&self) -> u32 {
        self.message >> INDEX_BITS
    }

    pub(super) const fn message(&self) -> usize {
        (self.message & INDEX_MAX) as usize
    }

    /// The row before, or [`NONE`].
    pub(super) const fn previous(&self) -> u32 {
        let previous = self.previous & INDEX_MAX;
        if previous == INDEX_MAX { NONE } else { previous }
    }

    pub(super) const fn kind(&self) -> u8 {
        (self.previous >> INDEX_BITS) as u8
    }

    /// Which kind of cell the bits are.
    pub(super) const fn tag(&self) -> u32 {
        self.flags() >> TAG_SHIFT
    }

    /// Source time, else server time.
    #[inline]
    pub(super) const fn time(&self) -> Option<i64> {
        if self.flags() & (HAS_SOURCE | HAS_SERVER) == 0 { None } else { Some(self.time) }
    }

    #[inline]
    pub(super) fn times(&self, extras: &[Extra]) -> Times {
        let flags = self.flags();
        let source = (flags & HAS_SOURCE != 0).then_some(self.time);
        if flags & HAS_EXTRA != 0
            && let Some(extra) = extras.get(self.delay as usize)
        {
            let server = (flags & HAS_SERVER != 0).then_some(extra.server);
            return Times { source, server, source_pico: extra.source_pico, server_pico: extra.server_pico };
        }
        // The delay of a server time that stands alone is zero.
        let server = (flags & HAS_SERVER != 0).then_some(self.time.wrapping_add(self.delay.into()));
        Times { source, server, source_pico: 0, server_pico: 0 }
    }
}
