//! How far a reading is, and the way to stop it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::{CancellationToken, DropGuard};

/// Shared by who reads and who watches.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    bytes: AtomicU64,
    entries: AtomicU64,
    stop: CancellationToken,
}

impl Gauge {
    /// For one reading.
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Bytes of content so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Entries so far.
    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// Ends the reading as soon as possible.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Whether it was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    pub(super) fn guard(&self) -> DropGuard {
        self.stop.clone().drop_guard()
    }

    pub(crate) fn add(&self, entries: u64, bytes: u64) {
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Where only totals are told.
    pub(super) fn set(&self, entries: u64, bytes: u64) {
        self.entries.store(entries, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}
