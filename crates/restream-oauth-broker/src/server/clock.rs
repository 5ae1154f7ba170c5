//! What time it is.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use restream_oauth_keeper::Now;

/// The clocks of a broker: those of the system, or others for tests and for the demonstration, which set them forward.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> Now + Send + Sync>>);

impl Clock {
    /// The clocks of the system.
    pub fn system() -> Self {
        Self(None)
    }

    /// Other clocks.
    pub fn of(read: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(read)))
    }

    /// The wall clock.
    pub fn now(&self) -> SystemTime {
        self.0.as_ref().map_or_else(SystemTime::now, |read| read().wall)
    }

    /// The clocks for the keeper, unless it is to read those of the system.
    pub(super) fn for_keeper(&self) -> Option<Arc<dyn Fn() -> Now + Send + Sync>> {
        self.0.clone()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(given)" } else { "Clock(system)" })
    }
}
