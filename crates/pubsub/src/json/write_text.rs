//! The smallest pieces of JSON text: strings, numbers, instants, Base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gemba_model::DateTime;
use std::fmt::Display;
use std::io::Write;

pub(super) type Out = Vec<u8>;

pub(super) fn text(out: &mut Out, text: &str) {
    json(out, text);
}

/// Writes what serde_json writes; that cannot fail for text and numbers in memory.
pub(super) fn json<T: serde::Serialize + ?Sized>(out: &mut Out, value: &T) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "text and numbers are always JSON");
}

/// A quoted text that needs no escapes.
pub(super) fn quoted(out: &mut Out, value: impl Display) {
    let written = write!(out, "\"{value}\"");
    debug_assert!(written.is_ok(), "memory takes all writes");
}

pub(super) fn optional_text(out: &mut Out, value: Option<&str>) {
    match value {
        Some(value) => text(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

/// RFC 3339 with seven decimals, in quotes.
pub(super) fn date_time(out: &mut Out, time: DateTime) {
    let (year, month, day) = time.date();
    let Some(year) = u32::try_from(year).ok().filter(|year| (1..=9999).contains(year)) else {
        return quoted(out, time);
    };
    const TICKS_PER_DAY: i64 = 864_000_000_000;
    let of_day = time.ticks().rem_euclid(TICKS_PER_DAY);
    let (seconds, ticks) = ((of_day / 10_000_000) as u32, (of_day % 10_000_000) as u32);
    let mut image = *b"\"0000-00-00T00:00:00.0000000Z\"";
    let parts = [
        (1, 4, year),
        (6, 2, month),
        (9, 2, day),
        (12, 2, seconds / 3600),
        (15, 2, seconds / 60 % 60),
        (18, 2, seconds % 60),
        (21, 7, ticks),
    ];
    for (start, digits, number) in parts {
        let mut rest = number;
        for digit in image.iter_mut().skip(start).take(digits).rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
    out.extend_from_slice(&image);
}

pub(super) fn number(out: &mut Out, value: impl serde::Serialize) {
    json(out, &value);
}

pub(super) fn double(out: &mut Out, value: f64) {
    if value.is_finite() { json(out, &value) } else { special(out, value.is_nan(), value > 0.0) }
}

pub(super) fn float(out: &mut Out, value: f32) {
    if value.is_finite() { json(out, &value) } else { special(out, value.is_nan(), value > 0.0) }
}

fn special(out: &mut Out, nan: bool, positive: bool) {
    let name: &[u8] = match (nan, positive) {
        (true, _) => b"\"NaN\"",
        (false, true) => b"\"Infinity\"",
        (false, false) => b"\"-Infinity\"",
    };
    out.extend_from_slice(name);
}

pub(super) fn base64(out: &mut Out, bytes: &[u8]) {
    quoted(out, STANDARD.encode(bytes));
}

/// Begins a member of an object: the comma if it is not the first, its name and the colon.
pub(super) fn member(out: &mut Out, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    quoted(out, name);
    out.push(b':');
}
