//! How far everything is durable (`docs/protocol.md`, R5): what a router may commit.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Records in the order of their offsets, each with the appends that are not known to be durable.
#[derive(Debug)]
pub(crate) struct Progress<A> {
    open: VecDeque<(u64, VecDeque<A>)>,
    /// Everything below this offset is decided, its rows are written and its routes accepted.
    routed: u64,
}

impl<A> Progress<A> {
    pub(crate) const fn new(from: u64) -> Self {
        Self {
            open: VecDeque::new(),
            routed: from,
        }
    }

    /// The record at `offset` is routed: `appends` are all that it is owed.
    pub(crate) fn routed(&mut self, offset: u64, appends: VecDeque<A>) {
        self.routed = offset + 1;
        if !appends.is_empty() {
            self.open.push_back((offset, appends));
        }
    }

    /// The offset below which everything is durable.
    pub(crate) fn commit(&self) -> u64 {
        self.open.front().map_or(self.routed, |(offset, _)| *offset)
    }

    /// How many records wait for their answers.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }
}

impl<A, T, E> Progress<A>
where
    A: Future<Output = Result<T, E>> + Unpin,
{
    /// Takes the answers that are there, from the oldest on; waits while there is none.
    ///
    /// # Errors
    /// The first append that failed or is unknown.
    pub(crate) fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let mut any = false;
        while let Some((_, appends)) = self.open.front_mut() {
            let Some(oldest) = appends.front_mut() else {
                self.open.pop_front();
                continue;
            };
            match Pin::new(oldest).poll(cx) {
                Poll::Ready(Ok(_)) => {
                    any = true;
                    appends.pop_front();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if any => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
        if any {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    #[test]
    fn the_commit_stays_below_the_oldest_append_without_an_answer() {
        type Answer = Result<(), &'static str>;
        let append = || {
            let (tell, told) = oneshot::channel::<Answer>();
            (tell, told.map(|told| told.unwrap_or(Err("dropped"))))
        };
        let mut progress = Progress::new(10);
        assert_eq!(progress.commit(), 10);
        progress.routed(10, VecDeque::new());
        assert_eq!(progress.commit(), 11, "no route is owed");
        let (first, told_first) = append();
        let (second, told_second) = append();
        let (third, told_third) = append();
        progress.routed(13, VecDeque::from([told_first, told_second]));
        progress.routed(14, VecDeque::from([told_third]));
        progress.routed(15, VecDeque::new());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert_eq!(progress.commit(), 13);
        third.send(Ok(())).unwrap();
        first.send(Ok(())).unwrap();
        assert_eq!(progress.poll_answers(&mut cx), Poll::Ready(Ok(())));
        assert_eq!(progress.commit(), 13, "one of its two is open");
        assert_eq!(progress.poll_answers(&mut cx), Poll::Pending);
        second.send(Ok(())).unwrap();
        assert_eq!(progress.poll_answers(&mut cx), Poll::Ready(Ok(())));
        assert_eq!((progress.commit(), progress.open()), (16, 0));
        let (last, told) = append();
        progress.routed(16, VecDeque::from([told]));
        last.send(Err("unknown")).unwrap();
        assert_eq!(progress.poll_answers(&mut cx), Poll::Ready(Err("unknown")));
        assert_eq!(progress.commit(), 16);
    }
}
