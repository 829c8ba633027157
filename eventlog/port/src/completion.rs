//! Answers for many appends at once: a slab of places, one wake-up a batch, no allocation an append.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use slab::Slab;

/// Where answers are kept until they are fetched. Bounded by whoever bounds the appends in flight.
#[derive(Debug)]
pub struct Completions<T>(Mutex<Slab<Place<T>>>);

#[derive(Debug)]
enum Place<T> {
    Waiting(Option<Waker>),
    Answered(T),
    /// Nobody waits any more; the answer frees the place.
    Abandoned,
}

impl<T> Default for Completions<T> {
    fn default() -> Self {
        Self(Mutex::new(Slab::new()))
    }
}

impl<T> Completions<T> {
    /// A new place: the waiter for whoever asked, and the number to answer it by.
    pub fn open(self: &Arc<Self>) -> (Waiter<T>, usize) {
        let place = self.0.lock().insert(Place::Waiting(None));
        (
            Waiter {
                completions: Arc::clone(self),
                place,
                fetched: false,
            },
            place,
        )
    }

    /// Answers one place. A number answers once: after that it may belong to another.
    pub fn answer(&self, place: usize, answer: T) {
        self.answer_all([(place, answer)]);
    }

    /// Answers many places under one lock.
    pub fn answer_all(&self, answers: impl IntoIterator<Item = (usize, T)>) {
        self.settle(answers).wake();
    }

    /// Answers many places under one lock, and leaves their waiters asleep: for an adapter that has
    /// something to give back that they would otherwise wake up to wait for.
    pub fn settle(&self, answers: impl IntoIterator<Item = (usize, T)>) -> Settled {
        let mut wake = Vec::new();
        {
            let mut places = self.0.lock();
            for (place, answer) in answers {
                match places.get_mut(place) {
                    Some(Place::Abandoned) => drop(places.remove(place)),
                    Some(waiting @ Place::Waiting(_)) => {
                        let before = std::mem::replace(waiting, Place::Answered(answer));
                        if let Place::Waiting(Some(waker)) = before {
                            wake.push(waker);
                        }
                    }
                    Some(Place::Answered(_)) | None => debug_assert!(false, "answered twice"),
                }
            }
        }
        Settled(wake)
    }
}

/// Waiters that have their answers and are to be woken.
#[derive(Debug)]
#[must_use = "who waits sleeps on until it is woken"]
pub struct Settled(Vec<Waker>);

impl Settled {
    /// Wakes them.
    pub fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}

/// Waits for one answer.
#[derive(Debug)]
pub struct Waiter<T> {
    completions: Arc<Completions<T>>,
    place: usize,
    fetched: bool,
}

impl<T> Future for Waiter<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        assert!(!self.fetched, "polled after it had answered");
        let mut places = self.completions.0.lock();
        let place = &mut places[self.place];
        if let Place::Waiting(waker) = place {
            match waker {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *waker = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        let Place::Answered(answer) = places.remove(self.place) else {
            unreachable!("only a dropped waiter abandons its place");
        };
        drop(places);
        self.fetched = true;
        Poll::Ready(answer)
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        if self.fetched {
            return;
        }
        let mut places = self.completions.0.lock();
        match &mut places[self.place] {
            Place::Answered(_) => drop(places.remove(self.place)),
            waiting @ (Place::Waiting(_) | Place::Abandoned) => *waiting = Place::Abandoned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_reach_their_waiters_and_places_are_freed() {
        let completions = Arc::new(Completions::default());
        let (first, one) = completions.open();
        let (second, two) = completions.open();
        let (third, three) = completions.open();
        drop(second);
        completions.answer_all([(three, "three"), (two, "two"), (one, "one")]);
        assert_eq!(first.await, "one");
        drop(third);
        assert!(completions.0.lock().is_empty());
    }

    #[tokio::test]
    async fn a_waiter_wakes() {
        let completions = Arc::new(Completions::default());
        let (waiter, place) = completions.open();
        let other = Arc::clone(&completions);
        let (got, ()) = tokio::join!(waiter, async move {
            tokio::task::yield_now().await;
            other.answer(place, 7);
        });
        assert_eq!(got, 7);
    }
}
