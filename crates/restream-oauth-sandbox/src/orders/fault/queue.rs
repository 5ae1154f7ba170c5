//! Finds the fault that a request or a connection meets.

use crate::orders::fault::menu::{Endpoint, Fault, Times};

/// The faults that were ordered and have not struck yet, in the order of their arrival.
#[derive(Default)]
pub(crate) struct Queue(Vec<Fault>);

impl Queue {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The faults that can still strike.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().filter(|fault| fault.times != Times::Count(0))
    }

    /// Takes the fault that a request to this endpoint meets.
    pub(crate) fn take_for_request(&mut self, endpoint: Endpoint) -> Option<Fault> {
        self.take(|fault| {
            fault.what.connection_point().is_none() && (fault.endpoint == endpoint || fault.endpoint == Endpoint::Any)
        })
    }

    /// Takes the fault that a new connection meets.
    pub(crate) fn take_for_connection(&mut self) -> Option<Fault> {
        self.take(|fault| fault.what.connection_point().is_some())
    }

    fn take(&mut self, fits: impl Fn(&Fault) -> bool) -> Option<Fault> {
        self.0.retain(|fault| fault.times != Times::Count(0));
        let fault = self.0.iter_mut().find(|fault| fits(fault))?;
        if let Times::Count(left) = &mut fault.times {
            *left = left.saturating_sub(1);
        }
        Some(fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::fault::menu::{Point, What};

    #[test]
    fn a_fault_strikes_as_often_as_ordered_and_only_on_its_endpoint() {
        let mut queue = Queue::default();
        queue.push(Fault::new(What::status(500)).on(Endpoint::Token).times(2));
        queue.push(Fault::new(What::status(502)).always());
        let mut next = |endpoint| match queue.take_for_request(endpoint).map(|fault| fault.what) {
            Some(What::Status { status, .. }) => status,
            _ => 0,
        };
        assert_eq!(next(Endpoint::Profile), 502);
        assert_eq!(next(Endpoint::Token), 500);
        assert_eq!(next(Endpoint::Token), 500);
        assert_eq!(next(Endpoint::Token), 502);
        assert_eq!(next(Endpoint::Token), 502);
    }

    #[test]
    fn a_fault_of_a_connection_does_not_strike_a_request() {
        let mut queue = Queue::default();
        queue.push(Fault::new(What::Hang(Point::Handshake)));
        assert_eq!(queue.take_for_request(Endpoint::Token), None);
        assert!(queue.take_for_connection().is_some());
        assert_eq!(queue.take_for_connection(), None);
    }
}
