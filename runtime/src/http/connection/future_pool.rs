//! Pool of allocations for the futures that handle requests, shared by all connections of a worker.
//!
//! The most recently freed allocation is reused first, because it is still in the cache. An idle connection holds no
//! memory for a request.

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Maximum number of unused allocations that are kept.
const MAX_SPARE: usize = 64;

type PooledBox<F> = Pin<Box<Option<F>>>;

/// Unused allocations of a worker, for one type of future.
pub(crate) struct FuturePool<F>(RefCell<Vec<PooledBox<F>>>);

/// The [`FuturePool`] of a worker, created on first use. Type-erased, because the type of the future has no name.
#[derive(Default)]
pub(crate) struct AnyFuturePool(OnceCell<Rc<dyn Any>>);

/// A future whose allocation returns to the pool when it ends or is dropped.
pub(crate) struct PooledFuture<F: Future> {
    /// `None` once it has ended.
    slot: Option<PooledBox<F>>,
    /// Its output, if it ended at the first poll.
    output: Option<F::Output>,
    pool: Rc<FuturePool<F>>,
}

impl AnyFuturePool {
    /// Returns the pool for the futures that `_constructor` returns. It must be the same function in every call.
    pub(crate) fn get_or_init<A, F: Future + 'static>(
        &self,
        _constructor: impl Fn(A) -> F,
    ) -> Rc<FuturePool<F>> {
        let pool = self.0.get_or_init(|| FuturePool::<F>::new());
        Rc::clone(pool).downcast().unwrap_or_else(|_| FuturePool::new())
    }
}

impl<F: Future> FuturePool<F> {
    fn new() -> Rc<Self> {
        Rc::new(Self(RefCell::new(Vec::with_capacity(MAX_SPARE))))
    }

    /// Moves a future into an unused allocation, or into a new one if there is none.
    pub(crate) fn insert(self: &Rc<Self>, future: F) -> PooledFuture<F> {
        let slot = match self.0.borrow_mut().pop() {
            Some(mut slot) => {
                slot.set(Some(future));
                slot
            }
            None => Box::pin(Some(future)),
        };
        PooledFuture { slot: Some(slot), output: None, pool: Rc::clone(self) }
    }

    /// Does the same, and polls the future once. If it ends, its allocation is free for the next one, while it is still in the
    /// cache. Otherwise the caller must poll it again: this poll registers no waker.
    pub(crate) fn insert_and_poll(self: &Rc<Self>, future: F) -> PooledFuture<F> {
        let mut pooled = self.insert(future);
        let mut context = Context::from_waker(Waker::noop());
        if let Some(future) = pooled.slot.as_mut().and_then(|slot| slot.as_mut().as_pin_mut())
            && let Poll::Ready(output) = future.poll(&mut context)
        {
            pooled.release();
            pooled.output = Some(output);
        }
        pooled
    }
}

impl<F: Future> PooledFuture<F> {
    /// Returns the allocation to the pool.
    fn release(&mut self) {
        let Some(mut slot) = self.slot.take() else { return };
        // Drop the future before the pool is borrowed, because its destructor may use the pool.
        slot.set(None);
        let mut spare = self.pool.0.borrow_mut();
        if spare.len() < MAX_SPARE {
            spare.push(slot);
        }
    }
}

impl<F> Future for PooledFuture<F>
where
    F: Future,
    F::Output: Unpin,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let Some(output) = self.output.take() {
            return Poll::Ready(output);
        }
        match self.slot.as_mut().and_then(|slot| slot.as_mut().as_pin_mut()) {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F: Future> Drop for PooledFuture<F> {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_freed_allocation_is_reused() {
        let pool = FuturePool::new();
        let address = |pooled: &PooledFuture<_>| pooled.slot.as_ref().map(|slot| std::ptr::from_ref(&**slot));
        let (first, second) = (pool.insert(std::future::ready(1)), pool.insert(std::future::ready(2)));
        let first_address = address(&first);
        assert_ne!(first_address, address(&second));
        assert_eq!((first.now_or_never(), second.now_or_never()), (Some(1), Some(2)));
        let mut third = pool.insert(std::future::ready(3));
        let mut fourth = pool.insert(std::future::ready(4));
        assert!(address(&third) == first_address || address(&fourth) == first_address);
        assert_eq!(((&mut fourth).now_or_never(), (&mut third).now_or_never()), (Some(4), Some(3)));
    }

    #[test]
    fn a_future_that_ends_at_once_needs_no_allocation_of_its_own() {
        let pool = FuturePool::new();
        let all: Vec<_> = (0..3).map(|n| pool.insert_and_poll(std::future::ready(n))).collect();
        assert_eq!(pool.0.borrow().len(), 1);
        let ended: Vec<_> = all.into_iter().map(FutureExt::now_or_never).collect();
        assert_eq!(ended, [Some(0), Some(1), Some(2)]);
        assert_eq!(pool.0.borrow().len(), 1);
    }

    #[test]
    fn a_future_that_waits_is_woken_by_the_waker_of_its_task() {
        let (sender, receiver) = tokio::sync::oneshot::channel::<u8>();
        let mut waiting = FuturePool::new().insert_and_poll(receiver);
        assert_eq!((&mut waiting).now_or_never(), None);
        sender.send(7).unwrap();
        assert_eq!(waiting.now_or_never(), Some(Ok(7)));
    }

    #[test]
    fn a_pooled_future_drops_its_content_and_the_pool_stays_small() {
        let pool = FuturePool::new();
        let content = Rc::new(());
        let wait = |content: Rc<()>| async move {
            std::future::pending::<()>().await;
            drop(content);
        };
        let futures: Vec<_> = (0..MAX_SPARE + 3).map(|_| pool.insert(wait(Rc::clone(&content)))).collect();
        assert_eq!(Rc::strong_count(&content), MAX_SPARE + 4);
        drop(futures);
        assert_eq!((Rc::strong_count(&content), pool.0.borrow().len()), (1, MAX_SPARE));
    }
}
