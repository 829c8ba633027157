//! Questions that many ask at the same time, asked once.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;

/// A question of which one is asked at a time. Who asks meanwhile shares the next one with all others who do, so that
/// what it hears was said after it asked. Whoever goes away takes nothing with it: the others, or the next, go on.
pub struct Coalesced<T: Clone>(Mutex<Option<Asked<T>>>);

/// What was asked last, and whether it has begun.
type Asked<T> = (Arc<AtomicBool>, Shared<BoxFuture<'static, T>>);

impl<T: Clone> Default for Coalesced<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Coalesced<T> {
    /// The answer to a question that begins after this call.
    pub fn ask<F>(
        &self,
        question: impl FnOnce() -> F + Send + 'static,
    ) -> Shared<BoxFuture<'static, T>>
    where
        F: Future<Output = T> + Send,
    {
        let mut last = self.0.lock();
        if let Some((begun, asking)) = &*last
            && !begun.load(Ordering::Acquire)
        {
            return asking.clone();
        }
        let before = last.take().map(|(_, asking)| asking);
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let asking = async move {
            if let Some(before) = before {
                before.await;
            }
            begins.store(true, Ordering::Release);
            question().await
        };
        let asking = asking.boxed().shared();
        *last = Some((begun, asking.clone()));
        asking
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// A question that takes a moment, and is answered by how often it was asked.
    fn counting(asked: &Arc<AtomicU32>) -> impl FnOnce() -> BoxFuture<'static, u32> + use<> {
        let asked = Arc::clone(asked);
        move || {
            let answer = asked.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                tokio::task::yield_now().await;
                answer
            }
            .boxed()
        }
    }

    #[tokio::test]
    async fn many_ask_once_and_hear_nothing_older_than_their_question() {
        let (coalesced, asked) = (Coalesced::default(), Arc::default());
        let mut first = Box::pin(coalesced.ask(counting(&asked)));
        assert_eq!((&mut first).now_or_never(), None, "it has begun");
        let others = (0..100).map(|_| coalesced.ask(counting(&asked)));
        let others = futures_util::future::join_all(others.collect::<Vec<_>>());
        let (first, others) = tokio::join!(biased; first, others);
        assert_eq!((first, others), (1, vec![2; 100]));
        assert_eq!(coalesced.ask(counting(&asked)).await, 3);
    }

    #[tokio::test]
    async fn who_goes_away_takes_nothing_with_it() {
        let (coalesced, asked) = (Coalesced::default(), Arc::default());
        let mut first = Box::pin(coalesced.ask(counting(&asked)));
        assert_eq!((&mut first).now_or_never(), None, "it has begun");
        drop(first);
        assert_eq!(coalesced.ask(counting(&asked)).await, 2);
    }
}
