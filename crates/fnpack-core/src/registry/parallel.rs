//! Several transfers at a time, never too many to one host.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What registries take from one client without slowing it down; more fills no line better.
pub(super) const PER_HOST: usize = 4;

/// Does something with all items, [`PER_HOST`] at a time. After the first failure nothing new is begun.
pub(super) fn for_each<T, R, E>(items: &[T], action: impl Fn(&T) -> Result<R, E> + Sync) -> Result<Vec<R>, E>
where
    T: Sync,
    R: Send,
    E: Send,
{
    if let [only] = items {
        return action(only).map(|result| vec![result]);
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        let mut results = Vec::new();
        while !failed.load(Ordering::Relaxed)
            && let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed))
        {
            results.push(action(item).inspect_err(|_| failed.store(true, Ordering::Relaxed))?);
        }
        Ok(results)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..PER_HOST.min(items.len())).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::with_capacity(items.len());
        for worker in workers {
            all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn all_items_are_done_several_at_a_time() {
        let together = Barrier::new(PER_HOST);
        let items: Vec<usize> = (0..PER_HOST * 3).collect();
        // Would never end one after the other.
        let mut done = for_each(&items, |item| {
            together.wait();
            Ok::<_, ()>(item * 2)
        })
        .unwrap();
        done.sort_unstable();
        assert_eq!(done, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(for_each(&[], |item: &usize| Ok::<_, ()>(*item)), Ok(vec![]));
    }

    #[test]
    fn failure_ends_it() {
        let begun = AtomicUsize::new(0);
        let items: Vec<usize> = (0..1000).collect();
        let failed = for_each(&items, |_| {
            begun.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>("no")
        });
        assert_eq!(failed, Err("no"));
        assert!(begun.load(Ordering::Relaxed) <= PER_HOST);
    }
}
