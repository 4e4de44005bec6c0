//! The resonance event, version 2, that each window also is (A6). It is a view of version 1: no second log is kept.

use serde_json::{Value, json};

use crate::event::{Event, Kind};

/// What an `observe` event is in version 2; `None` for others, and where residual, harmony or coherence is not known:
/// version 2 asks for them. A phase that is not known is null there.
#[must_use]
pub fn event_v2(event: &Event) -> Option<Value> {
    let signals = event.signals.filter(|_| event.event_type == Kind::Observe)?;
    Some(json!({
        "ts": event.ts,
        "entity_id": event.entity_id,
        "phase_field": {
            "phase_diff": signals.phase_diff.filter(|_| event.phase_valid),
            "residual_entropy": signals.residual?,
            "risk_band": event.resonance_v3.risk_band,
        },
        "harmony_index": signals.harmony_index?,
        "coherence_level": signals.coherence_level?,
        "trace": {
            "loop_id": event.trace.loop_id,
            "iter": event.trace.iter,
            "host": event.trace.host,
            "ver": "v1",
        },
    }))
}
