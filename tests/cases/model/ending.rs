//! A run that ends anywhere.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

/// Goes on with a future until it is done or was polled so often; then it is dropped as it is.
pub async fn ends_after<F: Future>(steps: u16, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = steps;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
