//! Work that blocks a thread, off the runtime and bounded.

use crate::ApiError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So long a request waits for its turn before it is told to come again.
const TURN_WAIT: Duration = Duration::from_secs(10);

/// A number of blocking threads for one kind of work. What finds no place in time is refused with 503.
#[derive(Debug, Clone)]
pub(crate) struct Workers {
    work: &'static str,
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Workers {
    /// `places` at work at once, `waiting_max` more waiting.
    pub(crate) fn new(work: &'static str, places: usize, waiting_max: usize) -> Self {
        Self {
            work,
            places: Arc::new(Semaphore::new(places)),
            waiting: Arc::new(Semaphore::new(places + waiting_max)),
        }
    }

    /// A place, held as long as the permits live.
    ///
    /// # Errors
    /// When too many wait already, or none became free in time.
    pub(crate) async fn place(&self) -> Result<Place, ApiError> {
        let busy = || ApiError::Busy(self.work);
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let place = tokio::time::timeout(TURN_WAIT, Arc::clone(&self.places).acquire_owned());
        match place.await {
            Ok(Ok(place)) => Ok(Place { _permits: [waiting, place] }),
            _ => Err(busy()),
        }
    }

    /// Runs `work` on a blocking thread.
    ///
    /// # Errors
    /// As [`Workers::place`], or what `work` returns. A panic in `work` is an internal error.
    pub(crate) async fn run<T, E>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        E: Into<ApiError> + Send + 'static,
    {
        let place = self.place().await?;
        let task = tokio::task::spawn_blocking(move || {
            // The place is given back when the work ends, even if nobody waits for it any more.
            let _place = place;
            work()
        });
        task.await.map_err(|_| ApiError::Internal("a task failed"))?.map_err(Into::into)
    }
}

/// A place among [`Workers`].
#[derive(Debug)]
pub(crate) struct Place {
    _permits: [OwnedSemaphorePermit; 2],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_finds_no_place_is_refused_and_places_come_back() {
        let workers = Workers::new("tests", 1, 0);
        let place = workers.place().await.expect("is free");
        let refused = workers.run(|| Ok::<_, ApiError>(())).await;
        assert!(matches!(refused, Err(ApiError::Busy("tests"))));
        drop(place);
        assert_eq!(workers.run(|| Ok::<_, ApiError>(7)).await.expect("runs"), 7);
    }
}
