//! The admin socket: the API for those who administer the gate on its own machine, who need no
//! credential because they could read its keys as well.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net as blocking;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::middleware::map_request;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::api::LocalAdministrator;

/// How long to wait where the system gives no connection, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// How long requests that are under way may take when the gate stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another process answers there.
    #[error("another gate already serves the admin socket {}: stop that one", .0.display())]
    Taken(PathBuf),
    /// Something that is no socket is there.
    #[error("{} is no socket: move it away, the admin socket belongs there", .0.display())]
    NoSocket(PathBuf),
    /// The system says no.
    #[error(
        "cannot make the admin socket {}: its folder must be writable for this user, and the path \
         shorter than 100 bytes", path.display()
    )]
    System {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A socket that only its owner can reach. It is removed when this goes.
#[derive(Debug)]
pub struct AdminSocket {
    listener: blocking::UnixListener,
    path: PathBuf,
    /// Which file it is, and whose: that of this process.
    file: fs::Metadata,
}

impl AdminSocket {
    /// Makes the socket, and its folder if there is none. One that a process left behind which is no
    /// more is replaced.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError::System { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(SocketError::NoSocket(path.to_owned()));
            }
            Ok(_) => match blocking::UnixStream::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    fs::remove_file(path).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
                Ok(_) => return Err(SocketError::Taken(path.to_owned())),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = blocking::UnixListener::bind(path).map_err(failed)?;
        // Who comes before this is done is looked at as everyone is.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let file = fs::symlink_metadata(path).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), file })
    }

    /// Answers until `stop` is over.
    ///
    /// # Errors
    /// The system gives no means to wait for connections.
    pub async fn serve(
        &self,
        router: Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let own = self.file.uid();
        let router = router.layer(map_request(local));
        let service = router.into_make_service_with_connect_info::<LocalAdministrator>();
        let stopping = Arc::new(Notify::new());
        let told = Arc::clone(&stopping);
        let stop = async move {
            stop.await;
            told.notify_one();
        };
        let drained = async {
            stopping.notified().await;
            sleep(DRAIN).await;
        };
        let serving = axum::serve(Own { listener, own }, service).with_graceful_shutdown(stop);
        tokio::select! {
            served = serving => served,
            () = drained => Ok(()),
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // Another gate may have put its own there meanwhile.
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.file.dev(), self.file.ino()));
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "the admin socket is not removed");
        }
    }
}

/// Says to the API who is at the other end.
async fn local(
    ConnectInfo(local): ConnectInfo<LocalAdministrator>,
    mut request: Request,
) -> Request {
    request.extensions_mut().insert(local);
    request
}

impl Connected<IncomingStream<'_, Own>> for LocalAdministrator {
    fn connect_info(stream: IncomingStream<'_, Own>) -> Self {
        Self { uid: *stream.remote_addr() }
    }
}

/// Accepts connections of the gate's own user and of root.
struct Own {
    listener: UnixListener,
    own: u32,
}

impl Listener for Own {
    type Io = UnixStream;
    /// The user at the other end.
    type Addr = u32;

    async fn accept(&mut self) -> (UnixStream, u32) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => match stream.peer_cred().map(|peer| peer.uid()) {
                    Ok(uid) if may_administer(uid, self.own) => return (stream, uid),
                    Ok(uid) => tracing::warn!(uid, "somebody may not use the admin socket"),
                    Err(error) => tracing::warn!(%error, "nobody knows who is at the admin socket"),
                },
                Err(error) => {
                    tracing::warn!(%error, "the admin socket gives no connection");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<u32> {
        Ok(self.own)
    }
}

fn may_administer(uid: u32, own: u32) -> bool {
    uid == own || uid == 0
}

#[cfg(test)]
mod tests;
