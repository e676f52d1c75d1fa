use std::fs;
use std::os::unix::fs::PermissionsExt;

use axum::Extension;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;

fn router() -> Router {
    Router::new().route(
        "/",
        get(async |Extension(local): Extension<LocalAdministrator>| format!("uid {}", local.uid)),
    )
}

async fn ask(path: &Path) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn the_user_of_the_gate_is_known_and_the_socket_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/admin.sock");
    let socket = AdminSocket::bind(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let own = fs::metadata(&path).unwrap().uid();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving =
        tokio::spawn(
            async move { socket.serve(router(), async move { drop(stopped.await) }).await },
        );
    let answer = ask(&path).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with(&format!("uid {own}")), "{answer}");
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    assert!(!path.exists());
}

#[test]
fn nobody_but_root_and_the_own_user_administers() {
    assert!(may_administer(1000, 1000));
    assert!(may_administer(0, 1000));
    assert!(!may_administer(1001, 1000));
    assert!(!may_administer(1000, 0));
}

#[test]
fn what_a_dead_process_left_behind_is_replaced_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    drop(blocking::UnixListener::bind(&path).unwrap());
    let socket = AdminSocket::bind(&path).unwrap();
    assert!(matches!(AdminSocket::bind(&path), Err(SocketError::Taken(_))));
    assert!(path.exists());
    drop(socket);
    assert!(!path.exists());
    fs::write(&path, "precious").unwrap();
    assert!(matches!(AdminSocket::bind(&path), Err(SocketError::NoSocket(_))));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn the_socket_of_a_gate_that_came_after_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let socket = AdminSocket::bind(&path).unwrap();
    fs::rename(&path, folder.path().join("moved")).unwrap();
    let other = AdminSocket::bind(&path).unwrap();
    drop(socket);
    assert!(path.exists());
    drop(other);
}
