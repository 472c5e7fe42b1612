//! What the loop promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream;
use tokio::sync::{Barrier, mpsc, oneshot};

use super::*;

fn at_once(tasks: usize) -> NonZeroUsize {
    NonZeroUsize::new(tasks).unwrap()
}

/// Tasks, called by their places.
fn numbered<I>(tasks: I) -> impl Stream<Item = (usize, I::Item)> + Send + 'static
where
    I: IntoIterator<Item: Send, IntoIter: Send + 'static>,
{
    stream::iter(tasks.into_iter().enumerate())
}

/// Everything that ends, in the order in which it does.
async fn all<F, T>(mut tasks: Bounded<usize, F, T>) -> Vec<(usize, Result<T, NotDone>)>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut ended = Vec::new();
    while let Some(Ended { of, outcome }) = tasks.next().await {
        ended.push((of, outcome));
    }
    ended
}

#[tokio::test]
async fn each_is_told_when_it_ends_with_its_place_in_the_order() {
    let (first, wait) = oneshot::channel::<()>();
    let tasks: Vec<BoxFuture<'static, &str>> = vec![
        Box::pin(async move {
            wait.await.unwrap();
            "slow"
        }),
        Box::pin(async { "quick" }),
    ];
    let mut tasks = bounded(numbered(tasks), at_once(2), &CancellationToken::new());
    let Ended { of, outcome } = tasks.next().await.unwrap();
    assert_eq!((of, outcome), (1, Ok("quick")));
    first.send(()).unwrap();
    assert_eq!(all(tasks).await, [(0, Ok("slow"))]);
}

#[tokio::test]
async fn one_at_a_time_is_the_order_in_which_they_came() {
    let tasks = (0..20).map(|of| async move { of });
    let ended = all(bounded(
        numbered(tasks),
        at_once(1),
        &CancellationToken::new(),
    ))
    .await;
    assert_eq!(ended, (0..20).map(|of| (of, Ok(of))).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_bound_is_reached_and_never_exceeded() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // Three have to be at work at the same time, or none of them goes on.
    let together = Arc::new(Barrier::new(3));
    let tasks: Vec<_> = (0..30)
        .map(|_| {
            let (running, most, together) = (running.clone(), most.clone(), together.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                together.wait().await;
                tokio::task::yield_now().await;
                running.fetch_sub(1, Ordering::SeqCst);
            }
        })
        .collect();
    let tasks = bounded(numbered(tasks), at_once(3), &CancellationToken::new());
    assert_eq!(all(tasks).await.len(), 30);
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_task_is_asked_for_only_when_there_is_room() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = asked.clone();
    let endless = stream::iter(0..).map(move |of| {
        counts.fetch_add(1, Ordering::SeqCst);
        (of, async move { of })
    });
    let mut tasks = bounded(endless, at_once(2), &CancellationToken::new());
    for done in 1..=100 {
        tasks.next().await.unwrap();
        assert!(asked.load(Ordering::SeqCst) <= done + 2);
    }
}

#[tokio::test]
async fn one_that_fails_or_panics_stops_no_other() {
    let tasks = (0..9).map(|of| async move {
        match of {
            2 => panic!("what it said"),
            5 => Err("refused"),
            of => Ok(of),
        }
    });
    let mut ended = all(bounded(
        numbered(tasks),
        at_once(3),
        &CancellationToken::new(),
    ))
    .await;
    ended.sort_by_key(|(index, _)| *index);
    assert_eq!(ended.len(), 9);
    for (index, outcome) in ended {
        match (index, outcome) {
            (2, Err(NotDone::Panicked(said))) => assert!(said.contains("what it said"), "{said}"),
            (5, outcome) => assert_eq!(outcome, Ok(Err("refused"))),
            (index, outcome) => assert_eq!(outcome, Ok(Ok(index))),
        }
    }
}

#[tokio::test]
async fn once_cancelled_none_begins_and_those_that_run_are_waited_for() {
    let cancel = CancellationToken::new();
    let tasks: Vec<_> = (0..6)
        .map(|of| {
            let cancel = cancel.clone();
            async move {
                cancel.cancelled().await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                of
            }
        })
        .collect();
    let tasks = tokio::spawn(all(bounded(numbered(tasks), at_once(2), &cancel)));
    // On this one thread the loop goes first, as far as it can.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    cancel.cancel();
    let mut ended = tasks.await.unwrap();
    ended.sort_by_key(|(index, _)| *index);
    let not_begun = |of: usize| (of, Err(NotDone::NotBegun));
    assert_eq!(ended[..2], [(0, Ok(0)), (1, Ok(1))]);
    assert_eq!(ended[2..], [2, 3, 4, 5].map(not_begun));
}

#[tokio::test]
async fn a_stream_that_never_ends_is_not_waited_for_once_cancelled() {
    let cancel = CancellationToken::new();
    let (sender, mut coming) = mpsc::unbounded_channel();
    let coming = stream::poll_fn(move |context| coming.poll_recv(context));
    let mut tasks = bounded(coming, at_once(2), &cancel);
    sender.send((0, async { 1 })).unwrap();
    assert_eq!(tasks.next().await.unwrap().outcome, Ok(1));
    cancel.cancel();
    assert!(tasks.next().await.is_none());
    drop(sender);
}

#[tokio::test]
async fn dropping_it_drops_what_runs() {
    struct Gone(Arc<AtomicUsize>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let gone = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<BoxFuture<'static, ()>> = (0..2)
        .map(|of| {
            let held = Gone(gone.clone());
            let task: BoxFuture<'static, ()> = Box::pin(async move {
                let _held = held;
                if of == 0 {
                    std::future::pending::<()>().await;
                }
            });
            task
        })
        .collect();
    let mut tasks = bounded(numbered(tasks), at_once(2), &CancellationToken::new());
    assert_eq!(tasks.next().await.unwrap().of, 1);
    assert_eq!(gone.load(Ordering::SeqCst), 1);
    drop(tasks);
    tokio::task::yield_now().await;
    assert_eq!(gone.load(Ordering::SeqCst), 2);
}
