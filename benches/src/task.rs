//! A task to be measured, with any types of input and output.

use std::hint::black_box;

type Batch = dyn Fn(usize, &mut dyn FnMut(&mut dyn FnMut()));

/// The task of a row as one side does it.
///
/// Inputs are prepared outside of the measurement, because some can be used only once: a login accepts one callback, a
/// reader reads one response. Outputs are dropped inside, so wiping and freeing count.
pub(crate) struct Task(Box<Batch>);

impl Task {
    /// A task without an input.
    pub(crate) fn new<O>(work: impl Fn() -> O + 'static) -> Self {
        Self::with_borrowed_input(|| (), move |()| work())
    }

    /// A task that consumes one input each time.
    pub(crate) fn with_input<I: 'static, O>(
        prepare: impl Fn() -> I + 'static,
        work: impl Fn(I) -> O + 'static,
    ) -> Self {
        Self::with_borrowed_input(
            move || Some(prepare()),
            move |input| work(input.take().expect("each input is used once")),
        )
    }

    /// A task that changes one input each time. The input is dropped outside of the measurement.
    pub(crate) fn with_borrowed_input<I, O>(
        prepare: impl Fn() -> I + 'static,
        work: impl Fn(&mut I) -> O + 'static,
    ) -> Self {
        Self(Box::new(move |times, probe| {
            let mut inputs: Vec<I> = (0..times).map(|_| prepare()).collect();
            probe(&mut || {
                for input in &mut inputs {
                    drop(black_box(work(black_box(input))));
                }
            });
        }))
    }

    /// Prepares `times` inputs, then hands the work on all of them to `probe`, which calls it once.
    pub(crate) fn run(&self, times: usize, mut probe: impl FnMut(&mut dyn FnMut())) {
        (self.0)(times, &mut probe);
    }
}
