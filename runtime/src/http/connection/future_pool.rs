//! Where requests are while they are answered. What one has left serves the next, whichever connection that is on: it is
//! still in the cache, and a connection that waits for a request holds no room for one.

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// So many are kept that nobody needs just now.
const SPARE: usize = 64;

type PooledBox<F> = Pin<Box<Option<F>>>;

/// The frames of one worker.
pub(crate) struct FuturePool<F>(RefCell<Vec<PooledBox<F>>>);

/// Holds the frames of one worker, once one has been needed; the type of what is in them has no name.
#[derive(Default)]
pub(crate) struct AnyFuturePool(OnceCell<Rc<dyn Any>>);

/// A future in a frame, which it gives back.
pub(crate) struct PooledFuture<F> {
    /// None only while it is dropped.
    slot: Option<PooledBox<F>>,
    pool: Rc<FuturePool<F>>,
}

impl AnyFuturePool {
    /// Those for what `_made_by` makes; there are no others.
    pub(crate) fn of<A, F: 'static>(&self, _made_by: impl Fn(A) -> F) -> Rc<FuturePool<F>> {
        let pool = self.0.get_or_init(|| FuturePool::<F>::new());
        Rc::clone(pool).downcast().unwrap_or_else(|_| FuturePool::new())
    }
}

impl<F> FuturePool<F> {
    fn new() -> Rc<Self> {
        Rc::new(Self(RefCell::new(Vec::with_capacity(SPARE))))
    }

    /// Puts a future into a frame.
    pub(crate) fn put(self: &Rc<Self>, future: F) -> PooledFuture<F> {
        let slot = match self.0.borrow_mut().pop() {
            Some(mut slot) => {
                slot.set(Some(future));
                slot
            }
            None => Box::pin(Some(future)),
        };
        PooledFuture { slot: Some(slot), pool: Rc::clone(self) }
    }
}

impl<F: Future> Future for PooledFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.slot.as_mut().and_then(|slot| slot.as_mut().as_pin_mut()) {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for PooledFuture<F> {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take() else { return };
        // Before it is lent again; what is dropped here may itself need a frame.
        slot.set(None);
        let mut spare = self.pool.0.borrow_mut();
        if spare.len() < SPARE {
            spare.push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_frame_that_is_given_back_serves_the_next() {
        let pool = FuturePool::new();
        let at = |pooled: &PooledFuture<_>| pooled.slot.as_ref().map(|slot| std::ptr::from_ref(&**slot));
        let (first, second) = (pool.put(std::future::ready(1)), pool.put(std::future::ready(2)));
        let was = at(&first);
        assert_ne!(was, at(&second));
        assert_eq!((first.now_or_never(), second.now_or_never()), (Some(1), Some(2)));
        let mut third = pool.put(std::future::ready(3));
        let mut fourth = pool.put(std::future::ready(4));
        assert!(at(&third) == was || at(&fourth) == was);
        assert_eq!(((&mut fourth).now_or_never(), (&mut third).now_or_never()), (Some(4), Some(3)));
    }

    #[test]
    fn what_is_in_a_frame_is_dropped_with_who_holds_it_and_few_frames_are_kept() {
        let pool = FuturePool::new();
        let held = Rc::new(());
        let wait = |held: Rc<()>| async move {
            std::future::pending::<()>().await;
            drop(held);
        };
        let many: Vec<_> = (0..SPARE + 3).map(|_| pool.put(wait(Rc::clone(&held)))).collect();
        assert_eq!(Rc::strong_count(&held), SPARE + 4);
        drop(many);
        assert_eq!((Rc::strong_count(&held), pool.0.borrow().len()), (1, SPARE));
    }
}
