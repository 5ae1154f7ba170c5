//! Something to be measured, whatever it takes and gives.

use std::hint::black_box;

type Batch = dyn Fn(usize, &mut dyn FnMut(&mut dyn FnMut()));

/// One side's way of doing what a row says.
///
/// Its inputs are prepared outside of what is measured, because some are spent by use: a login accepts one callback,
/// a reader reads one answer. What comes out is dropped inside, so wiping and freeing count.
pub(crate) struct Task(Box<Batch>);

impl Task {
    /// A task that needs no input of its own.
    pub(crate) fn new<O>(work: impl Fn() -> O + 'static) -> Self {
        Self::with_borrowed_input(|| (), move |()| work())
    }

    /// A task that spends one input each time.
    pub(crate) fn with_input<I: 'static, O>(
        prepare: impl Fn() -> I + 'static,
        work: impl Fn(I) -> O + 'static,
    ) -> Self {
        Self::with_borrowed_input(
            move || Some(prepare()),
            move |input| work(input.take().expect("each input is used once")),
        )
    }

    /// A task that changes one input each time, and leaves the end of it to others.
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
