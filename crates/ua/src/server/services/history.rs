//! HistoryRead of raw values (OPC 10000-11 v1.05, 6.5.3).

use super::attribute::{Source, check_encoding, source};
use super::{Call, Outcome, bounded, good};
use crate::server::behaviour::Endless;
use crate::server::declaration::VariableHandle;
use crate::server::session::Point;
use crate::server::stored::{Stored, Timestamps};
use opcua::types::{
    AttributeId, ByteString, DataValue, ExtensionObject, HistoryData, HistoryReadRequest,
    HistoryReadResponse, HistoryReadResult, HistoryReadValueId, ReadRawModifiedDetails, StatusCode,
};

/// Where a long history goes on: after so many values at a time.
#[derive(Clone, Copy, Default, Debug)]
pub(in crate::server) struct Place {
    time: i64,
    told: usize,
}

/// Values in one answer for one node; the rest comes with a continuation point.
const VALUES_MAX: usize = 10_000;

pub(super) fn read(call: &Call<'_>, request: &HistoryReadRequest) -> Outcome<HistoryReadResponse> {
    let limits = &call.shared.options.limits;
    let nodes = bounded(request.nodes_to_read.as_ref(), limits.nodes_per_read.min(limits.items_per_call))?;
    let timestamps =
        Timestamps::wanted(request.timestamps_to_return).ok_or(StatusCode::BadTimestampsToReturnInvalid)?;
    let details = request.history_read_details.inner_as::<ReadRawModifiedDetails>();
    let details = details.ok_or(StatusCode::BadHistoryOperationUnsupported)?;
    if details.is_read_modified {
        return Err(StatusCode::BadHistoryOperationUnsupported);
    }
    let results = nodes.iter().map(|wanted| {
        if request.release_continuation_points {
            drop(call.with_session(|session| session.take_point(&wanted.continuation_point)));
            return failed(StatusCode::Good);
        }
        one(call, wanted, details, timestamps).unwrap_or_else(failed)
    });
    Ok(HistoryReadResponse {
        response_header: good(&request.request_header),
        results: Some(results.collect()),
        diagnostic_infos: None,
    })
}

fn failed(status_code: StatusCode) -> HistoryReadResult {
    HistoryReadResult {
        status_code,
        continuation_point: ByteString::null(),
        history_data: ExtensionObject::null(),
    }
}

fn one(
    call: &Call<'_>,
    wanted: &HistoryReadValueId,
    details: &ReadRawModifiedDetails,
    timestamps: Timestamps,
) -> Result<HistoryReadResult, StatusCode> {
    let shared = call.shared;
    check_encoding(&wanted.data_encoding, AttributeId::Value as u32)?;
    let handle = match source(shared, &wanted.node_id, AttributeId::Value as u32)? {
        Source::Variable(handle, _) if !shared.options.history.is_zero() => handle,
        _ => return Err(StatusCode::BadHistoryOperationUnsupported),
    };
    let from = if wanted.continuation_point.is_null_or_empty() {
        None
    } else {
        match call.with_session(|session| session.take_point(&wanted.continuation_point))? {
            Some(Point::History(place)) => Some(place),
            _ => return Err(StatusCode::BadContinuationPointInvalid),
        }
    };
    let window = Window::new(details)?;
    let (values, mut next) = window.values(call, handle, from);
    if shared.options.behaviour.endless == Endless::Pages && !values.is_empty() {
        next = from.or(Some(Place { time: window.first, told: 0 }));
    }
    let data_values: Vec<DataValue> =
        values.iter().filter_map(|value| value.to_stack(timestamps, &shared.codec)).collect();
    let continuation_point = match next {
        Some(place) => call.with_session(|session| session.keep_point(Point::History(place)))?,
        None => ByteString::null(),
    };
    let status_code = if data_values.is_empty() { StatusCode::GoodNoData } else { StatusCode::Good };
    Ok(HistoryReadResult {
        status_code,
        continuation_point,
        history_data: ExtensionObject::from_message(HistoryData { data_values: Some(data_values) }),
    })
}

/// What of the history is asked for.
struct Window {
    first: i64,
    last: i64,
    forward: bool,
    bounds: bool,
    most: usize,
}

impl Window {
    /// From the start to before the end; the other way round when the end is earlier or there is no start.
    fn new(details: &ReadRawModifiedDetails) -> Result<Self, StatusCode> {
        let (start, end) = (details.start_time.ticks(), details.end_time.ticks());
        let limit = details.num_values_per_node as usize;
        // Two of start, end and number must be given.
        if start == 0 && (end == 0 || limit == 0) || end == 0 && limit == 0 {
            return Err(StatusCode::BadInvalidArgument);
        }
        let most = if limit == 0 { VALUES_MAX } else { limit.min(VALUES_MAX) };
        let forward = start != 0 && (end == 0 || start <= end);
        let (first, last) = match (start, end) {
            (0, end) => (end, i64::MIN),
            (start, 0) => (start, i64::MAX),
            // One instant: all values at it.
            (start, end) if start == end => (start, start + 1),
            (start, end) => (start, end),
        };
        Ok(Self { first, last, forward, bounds: details.return_bounds, most })
    }

    fn values(
        &self,
        call: &Call<'_>,
        handle: VariableHandle,
        from: Option<Place>,
    ) -> (Vec<Stored>, Option<Place>) {
        let state = call.shared.state();
        let history = state.values.history(handle);
        if self.forward { self.collect(history, from) } else { self.collect(history.rev(), from) }
    }

    fn collect<'a>(
        &self,
        history: impl Iterator<Item = &'a Stored>,
        from: Option<Place>,
    ) -> (Vec<Stored>, Option<Place>) {
        let sign = |time: i64| if self.forward { time } else { time.saturating_neg() };
        let (first, last) = (sign(from.map_or(self.first, |place| place.time)), sign(self.last));
        let mut skip = from.map_or(0, |place| place.told);
        let (mut found, mut before): (Vec<Stored>, Option<&Stored>) = (Vec::new(), None);
        let mut at = Place { time: i64::MIN, told: 0 };
        for value in history {
            let time = sign(value.time());
            if time < first {
                before = Some(value);
                continue;
            }
            // The bound before the start, unless a value stands there exactly.
            if let (true, None, Some(bound)) = (self.bounds && time > first, from, before.take()) {
                found.push(bound.clone());
            }
            before = None;
            let beyond = time >= last;
            if beyond && !self.bounds {
                break;
            }
            if skip > 0 && time == first {
                skip -= 1;
                at = Place { time: value.time(), told: at.told + 1 };
                continue;
            }
            if found.len() >= self.most {
                return (found, Some(at));
            }
            found.push(value.clone());
            at = Place { time: value.time(), told: if value.time() == at.time { at.told + 1 } else { 1 } };
            if beyond {
                break;
            }
        }
        (found, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::stored::Body;
    use gemba_model::{DateTime, StatusCode as ModelStatus, Variant};

    /// Values that are their own time in ticks; 30 has two.
    fn history() -> Vec<Stored> {
        let value = |time: i64| {
            let body = Body::of(&Variant::Int64(time), &mut Vec::new());
            Stored::new(body, ModelStatus::GOOD, Some(DateTime::from_ticks(time)), None)
        };
        [10, 20, 30, 30, 40, 50].map(value).to_vec()
    }

    fn window(first: i64, last: i64, forward: bool, bounds: bool, most: usize) -> Window {
        Window { first, last, forward, bounds, most }
    }

    fn times(values: &[Stored]) -> Vec<i64> {
        values.iter().map(Stored::time).collect()
    }

    #[test]
    fn a_window_has_its_start_and_not_its_end_in_both_directions() {
        let history = history();
        for (window, expected) in [
            (window(20, 40, true, false, 100), vec![20, 30, 30]),
            (window(15, 45, true, false, 100), vec![20, 30, 30, 40]),
            (window(15, 45, true, true, 100), vec![10, 20, 30, 30, 40, 50]),
            (window(20, 40, true, true, 100), vec![20, 30, 30, 40]),
            (window(60, 70, true, false, 100), vec![]),
        ] {
            let (values, next) = window.collect(history.iter(), None);
            assert_eq!(times(&values), expected);
            assert!(next.is_none());
        }
        let (values, _) = window(40, 20, false, false, 100).collect(history.iter().rev(), None);
        assert_eq!(times(&values), [40, 30, 30]);
    }

    #[test]
    fn pages_follow_each_other_without_holes_even_within_one_instant() {
        let history = history();
        for most in 1..7 {
            let window = window(10, 100, true, false, most);
            let (mut all, mut from) = (Vec::new(), None);
            loop {
                let (values, next) = window.collect(history.iter(), from);
                assert!(values.len() <= most);
                all.extend(times(&values));
                from = next;
                if from.is_none() {
                    break;
                }
            }
            assert_eq!(all, [10, 20, 30, 30, 40, 50], "pages of {most}");
        }
    }
}
