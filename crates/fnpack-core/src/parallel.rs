//! Several transfers at a time, never too many to one host.
//!
//! A large blob fills the line, so few of them go at once. A small one mostly waits for answers: with a
//! registry far away, more of them at once are done in the time of one.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A blob of so many bytes takes longer to pass than its request takes to be answered.
const LARGE: u64 = 1024 * 1024;
/// How many of those pass at a time: more fill no line better.
const LARGE_AT_ONCE: usize = 4;
/// How many pass at a time in all: what registries take from one client without slowing it down.
pub(crate) const AT_ONCE: usize = 16;

/// Items that workers take from the front.
struct Queue<'a, T> {
    items: Vec<&'a T>,
    next: AtomicUsize,
}

/// Does something with all items, several at a time, the largest first; `size` is in bytes. After the first
/// failure nothing new is begun.
pub(crate) fn for_each<T, R, E>(items: &[T], size: impl Fn(&T) -> u64, action: impl Fn(&T) -> Result<R, E> + Sync) -> Result<Vec<R>, E>
where
    T: Sync,
    R: Send,
    E: Send,
{
    if let [only] = items {
        return action(only).map(|result| vec![result]);
    }
    let (mut large, small): (Vec<&T>, Vec<&T>) = items.iter().partition(|item| size(item) >= LARGE);
    large.sort_by_key(|item| Reverse(size(item)));
    let of_large = large.len().min(LARGE_AT_ONCE);
    let of_small = small.len().min(AT_ONCE - of_large);
    let (large, small) = (Queue::of(large), Queue::of(small));
    let failed = AtomicBool::new(false);
    let work = |first: &Queue<'_, T>| {
        let mut results = Vec::new();
        while !failed.load(Ordering::Relaxed)
            && let Some(item) = first.take().or_else(|| small.take())
        {
            results.push(action(item).inspect_err(|_| failed.store(true, Ordering::Relaxed))?);
        }
        Ok(results)
    };
    std::thread::scope(|scope| {
        let queues = std::iter::repeat_n(&large, of_large).chain(std::iter::repeat_n(&small, of_small));
        let workers: Vec<_> = queues.map(|queue| scope.spawn(move || work(queue))).collect();
        let mut all = Vec::with_capacity(items.len());
        for worker in workers {
            all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(all)
    })
}

impl<'a, T> Queue<'a, T> {
    fn of(items: Vec<&'a T>) -> Self {
        Self { items, next: AtomicUsize::new(0) }
    }

    fn take(&self) -> Option<&'a T> {
        self.items.get(self.next.fetch_add(1, Ordering::Relaxed)).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, Mutex};

    use super::*;

    #[test]
    fn all_items_are_done_several_at_a_time() {
        for (bytes, at_once) in [(0, AT_ONCE), (LARGE, LARGE_AT_ONCE)] {
            let (together, running) = (Barrier::new(at_once), AtomicUsize::new(0));
            let items: Vec<usize> = (0..at_once * 3).collect();
            // Would never end one after the other.
            let done = for_each(
                &items,
                |_| bytes,
                |item| {
                    assert!(running.fetch_add(1, Ordering::SeqCst) < at_once);
                    together.wait();
                    running.fetch_sub(1, Ordering::SeqCst);
                    together.wait();
                    Ok::<_, ()>(item * 2)
                },
            );
            let mut done = done.unwrap();
            done.sort_unstable();
            assert_eq!(done, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
        assert_eq!(for_each(&[], |_| 0, |item: &usize| Ok::<_, ()>(*item)), Ok(vec![]));
    }

    #[test]
    fn small_items_pass_large_ones() {
        let (left, together) = (AtomicUsize::new(40), Barrier::new(LARGE_AT_ONCE + 1));
        let items: Vec<u64> = [LARGE; LARGE_AT_ONCE].into_iter().chain([1; 40]).collect();
        let done = for_each(
            &items,
            |size| *size,
            |size| {
                // No large one ends before the last small one has begun.
                if *size == LARGE || left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    together.wait();
                }
                Ok::<_, ()>(())
            },
        );
        assert_eq!(done.map(|done| done.len()), Ok(items.len()));
    }

    #[test]
    fn largest_are_first() {
        let (begun, together) = (Mutex::new(Vec::new()), Barrier::new(LARGE_AT_ONCE));
        let items: Vec<u64> = (0..2 * LARGE_AT_ONCE as u64).map(|more| LARGE + more).collect();
        let each = |size: &u64| {
            begun.lock().unwrap().push(*size);
            together.wait();
            Ok::<_, ()>(())
        };
        for_each(&items, |size| *size, each).unwrap();
        let begun = begun.into_inner().unwrap();
        assert!(begun[..LARGE_AT_ONCE].iter().all(|size| items[LARGE_AT_ONCE..].contains(size)), "{begun:?}");
    }

    #[test]
    fn failure_ends_it() {
        let begun = AtomicUsize::new(0);
        let items: Vec<usize> = (0..1000).collect();
        let failed = for_each(
            &items,
            |_| 0,
            |_| {
                begun.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>("no")
            },
        );
        assert_eq!(failed, Err("no"));
        assert!(begun.load(Ordering::Relaxed) <= AT_ONCE);
    }
}
