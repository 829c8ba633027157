//! A value that tasks wait for.

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A value that any number of tasks wait for. They wake in the order in which they began to wait, so that one seed
/// has one history: those of `tokio::sync::watch` wake in an order that it draws by itself.
#[derive(Debug, Default)]
pub struct Watched<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T: Copy> Watched<T> {
    /// Begins with `value`.
    pub fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Notify::new(),
        }
    }

    /// What it is now.
    pub fn get(&self) -> T {
        *self.value.lock()
    }

    /// Changes it, and wakes those who wait.
    pub fn set(&self, value: T) {
        *self.value.lock() = value;
        self.changed.notify_waiters();
    }

    /// Waits until it is as wanted. Cancelling loses nothing.
    pub async fn wait_for(&self, is_wanted: impl Fn(&T) -> bool) -> T {
        loop {
            let changed = self.changed.notified();
            let value = self.get();
            if is_wanted(&value) {
                return value;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn who_waits_wakes_in_turn() {
        let value = Arc::new(Watched::new(0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = JoinSet::new();
        for number in 0..50 {
            let (value, order) = (Arc::clone(&value), Arc::clone(&order));
            waiting.spawn(async move {
                assert_eq!(value.wait_for(|value| *value > 1).await, 2);
                order.lock().push(number);
            });
        }
        tokio::task::yield_now().await;
        value.set(1);
        value.set(2);
        while waiting.join_next().await.is_some() {}
        assert_eq!(*order.lock(), (0..50).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_is_so_already_is_not_waited_for() {
        assert_eq!(Watched::new(3).wait_for(|value| *value == 3).await, 3);
    }
}
