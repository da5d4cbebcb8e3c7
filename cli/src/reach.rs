//! How a service is reached: over the network, or in this process.

use std::sync::Arc;
use std::time::Duration;

use tonic::transport::Endpoint;
use tonic::{Code, Status};

use crate::config::Config;
use crate::error::CommandError;
use crate::introduction::{Introduced, Introduction};
use crate::offline::Offline;

/// Asks in this process, and closes the stores whatever the answer is.
pub(crate) fn ask_offline<T, F>(
    config: &Config,
    offline: Offline,
    ask: impl FnOnce(Arc<Offline>) -> F,
) -> Result<T, CommandError>
where
    F: Future<Output = Result<T, Status>>,
{
    let offline = Arc::new(offline);
    let dir = config.data_dir.display().to_string();
    let asked = ask(Arc::clone(&offline));
    let answer = block_on(async { asked.await.map_err(|status| refused(&dir, &status)) });
    if let Some(offline) = Arc::into_inner(offline) {
        offline.close()?;
    }
    answer
}

pub(crate) fn block_on<T>(
    future: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(future)
}

/// Connects; every call on it says who asks.
pub(crate) async fn connect(server: &str) -> Result<Introduced, CommandError> {
    let failed = |error: tonic::transport::Error| CommandError::Connect {
        server: server.to_owned(),
        // The innermost cause says what happened: "Connection refused".
        reason: innermost(&error),
    };
    let uri = if server.contains("://") {
        server.to_owned()
    } else {
        format!("http://{server}")
    };
    let channel = Endpoint::from_shared(uri)
        .map_err(failed)?
        .connect_timeout(Duration::from_secs(5))
        .connect()
        .await
        .map_err(failed)?;
    Ok(Introduced::new(channel, Introduction::of_this_process()))
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

pub(crate) fn refused(server: &str, status: &Status) -> CommandError {
    match status.code() {
        Code::Unavailable => CommandError::Connect {
            server: server.to_owned(),
            reason: status.message().to_owned(),
        },
        code => CommandError::Refused {
            code: format!("{code:?}"),
            message: status.message().to_owned(),
        },
    }
}
