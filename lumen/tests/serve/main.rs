//! `lumen serve` as it is asked over HTTP.

mod api;
mod export;
mod support;
mod unknown;
